"""When an upstream phase gets a new revision, what was made from the older one no longer holds."""

from hypothesis import given
from hypothesis import strategies as st

from journal.events.phase import (
    PhaseCompleted,
    PhaseInputs,
    PhaseInvalidated,
    PhaseRef,
    PhaseStarted,
)
from journal.lifecycle import PhaseStatus, RunLifecycle, check, evolve, invalidated_by

Place = tuple[str, str | None]


def place(text: str) -> Place:
    """Read ``translate/de`` as a phase and its partition."""
    name, _, label = text.partition("/")
    return name, label or None


class Story:
    """A run in which phases start and complete; tells what each completion invalidates."""

    def __init__(self) -> None:
        self.state = RunLifecycle(status="running")

    def start(self, text: str, *needs: str) -> None:
        """Start a phase from the results that ``needs`` have today."""
        name, label = place(text)
        found = self.state.phase(name, label)
        refs = [(*place(need), self.state.phase(*place(need)).revision) for need in needs]
        self._tell(
            name,
            PhaseStarted(
                revision=found.revision + (found.status in {"completed", "invalidated"}),
                attempt=1,
                partition=label,
                inputs=PhaseInputs(
                    depends_on=tuple(
                        PhaseRef(phase=phase, partition=part, revision=revision)
                        for phase, part, revision in refs
                    )
                ),
            ),
        )

    def complete(self, text: str) -> list[str]:
        """Complete a phase; return what is invalidated by it, in order."""
        name, label = place(text)
        revision = self.state.phase(name, label).revision
        event = PhaseCompleted(revision=revision, duration_s=0.0, partition=label)
        stale = invalidated_by(self.state, name, event)
        self._tell(name, event)
        for phase, found in stale:
            self._tell(phase, found)
        return [f"{phase}/{event.partition or ''}".rstrip("/") for phase, event in stale]

    def run(self, text: str, *needs: str) -> list[str]:
        """Start and complete."""
        self.start(text, *needs)
        return self.complete(text)

    def _tell(self, name: str, event: PhaseStarted | PhaseCompleted | PhaseInvalidated) -> None:
        check(self.state, name, event)
        self.state = evolve(self.state, name, event)


def test_a_first_result_invalidates_nothing() -> None:
    """Nobody can have depended on an older one."""
    story = Story()
    assert [story.run("a"), story.run("b", "a"), story.run("c", "b")] == [[], [], []]


def test_a_new_revision_invalidates_what_was_made_from_the_older_and_so_on() -> None:
    """Transitive, nearest first: the log reads as cause and effect."""
    story = Story()
    story.run("a")
    story.run("b", "a")
    story.run("c", "b")
    story.run("other")
    assert story.run("a") == ["b", "c"]
    assert story.state.phase("other").status == "completed"


def test_the_cause_is_the_new_result_for_all_of_them() -> None:
    """A person asks why a phase must run again, and gets the answer at once."""
    story = Story()
    story.run("a")
    story.run("b", "a")
    story.run("c", "b")
    story.start("a")
    stale = invalidated_by(story.state, "a", PhaseCompleted(revision=2, duration_s=0.0))
    assert {event.because for _, event in stale} == {PhaseRef(phase="a", revision=2)}
    assert [(name, event.revision) for name, event in stale] == [("b", 1), ("c", 1)]


def test_a_diamond_is_invalidated_once() -> None:
    """Two ways to one phase are still one phase."""
    story = Story()
    story.run("a")
    story.run("b", "a")
    story.run("c", "a")
    story.run("d", "b", "c")
    assert story.run("a") == ["b", "c", "d"]


def test_what_is_made_from_the_new_result_holds() -> None:
    """After the repair everything stands again, and the next cause is counted from there."""
    story = Story()
    story.run("a")
    story.run("b", "a")
    story.run("a")
    assert story.run("b", "a") == []
    assert story.run("a") == ["b"]


def test_what_was_invalidated_is_not_invalidated_again() -> None:
    """It has no result that could be taken away."""
    story = Story()
    story.run("a")
    story.run("b", "a")
    assert story.run("a") == ["b"]
    assert story.run("a") == []


def test_only_the_partition_that_changed_counts() -> None:
    """A new translation into German says nothing about the Arabic one."""
    story = Story()
    story.run("context")
    for label in ("de", "ar"):
        story.run(f"translate/{label}", "context")
        story.run(f"qa/{label}", f"translate/{label}")
    assert story.run("translate/de", "context") == ["qa/de"]
    assert story.run("context") == ["translate/de", "translate/ar", "qa/ar"]


def test_a_result_made_from_what_was_replaced_meanwhile_is_invalid_at_once() -> None:
    """It was running when its input changed, so nobody could invalidate it then."""
    story = Story()
    story.run("a")
    story.start("b", "a")
    assert story.run("a") == []
    assert story.complete("b") == ["b"]
    assert story.state.phase("b").status == "invalidated"


def test_a_result_made_from_what_was_invalidated_meanwhile_is_invalid_at_once() -> None:
    """The same, one step further down."""
    story = Story()
    story.run("a")
    story.run("b", "a")
    story.start("c", "b")
    assert story.run("a") == ["b"]
    assert story.complete("c") == ["c"]


def test_an_input_that_runs_again_does_no_harm_before_it_is_done() -> None:
    """It may fail, and then the older result is still the newest there is."""
    story = Story()
    story.run("a")
    story.start("b", "a")
    story.start("a")
    assert story.complete("b") == []
    assert story.complete("a") == ["b"]


GRAPH = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c"), "e": ("d", "a")}


@given(st.lists(st.sampled_from(sorted(GRAPH)), max_size=30))
def test_no_completed_phase_rests_on_a_result_that_is_gone(order: list[str]) -> None:
    """The law behind all of the above, for any order in which phases run again."""
    story = Story()
    for name in order:
        there = [need for need in GRAPH[name] if story.state.phase(need).status == "completed"]
        story.run(name, *there)
        for (phase, _), status in story.state.each_phase():
            if status.status == "completed":
                assert [ref for ref in status.depends_on if not _holds(story.state, ref)] == [], (
                    phase
                )


def _holds(state: RunLifecycle, ref: PhaseRef) -> bool:
    today: PhaseStatus = state.phase(ref.phase, ref.partition)
    return today.status == "completed" and today.revision == ref.revision
