"""Folds: pure, the same as the lifecycle, stored and gone on with at any event."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import projections
from journal.events import phase, run, step
from journal.events.registry import UnknownEvent
from journal.lifecycle import RunLifecycle, evolve
from journal.record import Record
from projections.artifact_index import ArtifactIndexProjection
from projections.fold import Projection, fan_out, fold
from projections.run_fold import RunFold
from projections.run_index import RunIndexProjection
from projections.run_models import RunState
from projections.run_state import RunStateProjection
from tests.projections.helpers import (
    ERROR,
    WRITER,
    Told,
    created,
    legal_runs,
    records,
    stored,
)

PROJECTIONS: list[Projection[Any, Any]] = [
    RunStateProjection(),
    RunIndexProjection(),
    ArtifactIndexProjection(),
]
each_projection = pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda each: each.name)


def present(told: list[Record]) -> RunState:
    projection = RunStateProjection()
    state = fold(projection, told)
    assert state is not None
    return projection.present(state)


@given(legal_runs())
def test_what_people_see_agrees_with_what_writers_decide_by(told: list[Told]) -> None:
    """Two folds of one log that disagree would make `show` lie about what resume will do."""
    lifecycle, projection = RunLifecycle(), RunStateProjection()
    state = projection.initial("x")
    index = RunIndexProjection()
    short = index.initial("x")
    for (name, event), record in zip(told, records(told), strict=True):
        lifecycle = evolve(lifecycle, name, event)
        projection.apply(state, record)
        index.apply(short, record)
        assert state.status == lifecycle.status == short.status
        assert state.plan == lifecycle.plan
        for (key, label), wanted in lifecycle.each_phase():
            found = state.phases[key][label or ""]
            assert (found.status, found.revision, found.attempt) == (
                wanted.status,
                wanted.revision,
                wanted.attempt,
            )
            assert found.artifact_ids == wanted.artifact_ids
            assert found.depends_on == wanted.depends_on
            assert short.phases[key][label or ""] == wanted.status
        assert state.artifacts == short.artifacts == lifecycle.artifacts
        counts, record_now = lifecycle.counts(), index.present(short)
        assert counts.phases_completed == record_now.phases_completed
        assert counts.phases_failed == record_now.phases_failed


@each_projection
@given(told=legal_runs(), data=st.data())
def test_a_stored_state_goes_on_as_if_it_had_never_been_stored(
    projection: Projection[Any, Any], told: list[Told], data: st.DataObject
) -> None:
    """Catch-up folds a run in as many pieces as there are visits; the pieces must not show."""
    lines = records(told)
    cut = data.draw(st.integers(1, len(lines)))
    half = fold(projection, lines[:cut])
    if half is None:
        half = projection.initial(lines[0].run_id)
    again = msgspec.json.decode(msgspec.json.encode(half), type=type(half))
    assert again == half
    whole = fold(projection, lines, projection.initial(lines[0].run_id))
    assert projection.present(fold(projection, lines[cut:], again)) == projection.present(whole)


def by_name(node: Any) -> Any:
    """JSON with the named parts of a list under their names, as keys speak of them."""
    if isinstance(node, dict):
        return {key: by_name(value) for key, value in node.items()}
    if isinstance(node, list) and node and isinstance(node[0], dict):
        parts = {each.get("name", each.get("partition") or ""): by_name(each) for each in node}
        return parts if len(parts) == len(node) else node
    return node


def differences(before: Any, after: Any, at: str = "") -> set[str]:
    """Pointers to the innermost things that differ; an empty list has no names yet."""
    before, after = ({} if each == [] else each for each in (before, after))
    if before == after:
        return set()
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return {at}
    found = set()
    for key in {*before, *after}:
        inner = f"{at}/{key.replace('~', '~0').replace('/', '~1')}"
        found |= differences(before.get(key), after.get(key), inner)
    return found


EVERY_EVENT_MOVES = {"/seq", "/hash", "/timestamp", "/totals/events"}


@given(legal_runs())
def test_the_keys_of_an_event_cover_all_that_it_changed(told: list[Told]) -> None:
    """Blame asks only events that say they touched a field: one that kept silent is never found."""
    projection = RunStateProjection()
    lines = records(told)
    state = projection.initial(lines[0].run_id)
    projection.apply(state, lines[0])
    before = by_name(json.loads(projection.present(state).model_dump_json()))
    for record in lines[1:]:
        keys = projection.apply(state, record)
        after = by_name(json.loads(projection.present(state).model_dump_json()))
        for changed in differences(before, after) - EVERY_EVENT_MOVES:
            assert any(f"{changed}/".startswith(f"{key}/") for key in keys), (record.data, changed)
        before = after


@given(legal_runs())
def test_fanning_out_is_folding_each(told: list[Told]) -> None:
    """One pass over the log feeds all projections; none may see more or less than alone."""
    lines = records(told)
    states = [projection.initial(lines[0].run_id) for projection in PROJECTIONS]
    apply = fan_out(zip(PROJECTIONS, states, strict=True))
    for record in lines:
        apply(record)
    for projection, state in zip(PROJECTIONS, states, strict=True):
        assert fold(projection, lines, projection.initial(lines[0].run_id)) == state


@given(legal_runs())
def test_the_model_survives_json(told: list[Told]) -> None:
    """`show --json` is read back by other programs, with the same model."""
    found = present(records(told))
    assert RunState.model_validate_json(found.model_dump_json()) == found


def unknown(name: str, reason: str) -> UnknownEvent:
    return UnknownEvent(name=name, version=1, raw=b"{}", unknown=reason)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("event", "complete"),
    [
        (unknown("acme.invoice_sent", "name"), True),
        (unknown("phase_teleported", "name"), False),
        (unknown("phase_started", "version"), False),
        (unknown("acme.invoice_sent", "version"), False),
    ],
)
def test_only_what_might_have_mattered_makes_a_state_incomplete(
    event: UnknownEvent, complete: bool
) -> None:
    """Case 36: a user's own event never changes the picture; an unknown built-in one may."""
    first = records([created()])[0]
    projection = RunStateProjection()
    state = projection.initial("x")
    for record in (first, msgspec.structs.replace(first, seq=2, data=event)):
        projection.apply(state, record)
    found = projection.present(state)
    assert found.complete is complete
    assert found.unknown == ([] if complete else [event.name])


def test_a_state_is_bounded_by_phases_not_by_events() -> None:
    """Case 77: a run of ten million steps must fold in the memory of a run of ten."""
    told = [*[(None, created())], *[step_line() for _ in range(300)]]
    few, many = (
        fold(RunStateProjection(), records(told[:40])),
        fold(RunStateProjection(), records(told)),
    )
    assert isinstance(few, RunFold)
    assert isinstance(many, RunFold)
    assert len(msgspec.json.encode(many)) <= len(msgspec.json.encode(few)) + 16


def step_line() -> Told:
    return "translate", step.StepCompleted(
        step_id="s", name="call", duration_s=0.1, partition="de", usage=step.Usage(tokens_in=3)
    )


def story() -> list[Told]:
    """A small run that fails, is resumed and completes; every kind of phase event is in it."""
    de: dict[str, Any] = {"partition": "de"}
    fr: dict[str, Any] = {"partition": "fr"}
    planned = run.PlannedPhase(name="translate", after=("ingest",), partitions=("de", "fr"))
    return [
        (None, created(parameters={"n": 1}, plan=(run.PlannedPhase(name="ingest"), planned))),
        (None, run.RunStarted()),
        ("ingest", phase.PhaseStarted(revision=1, attempt=1)),
        ("ingest", stored("a1", size_bytes=10)),
        ("ingest", phase.PhaseCompleted(revision=1, duration_s=1.25, artifact_ids=("a1",))),
        ("translate", phase.PhaseStarted(revision=1, attempt=1, **de)),
        ("translate", phase.PhaseStarted(revision=1, attempt=1, **fr)),
        ("translate", phase.PhaseFailed(revision=1, attempt=1, error=ERROR, **de)),
        (None, run.RunFailed(error=ERROR)),
        (None, run.WriterOpened(writer=WRITER, epoch=2, format=1)),
        (None, run.RunResumed()),
        ("translate", phase.PhaseStarted(revision=1, attempt=2, **de)),
        ("translate", phase.PhaseProgress(done=5, total=10, unit="lines", **de)),
        step_line(),
        ("translate", phase.PhaseCompleted(revision=1, duration_s=2.5, **de)),
        ("translate", phase.PhaseSkipped(revision=1, reason="not wanted", **fr)),
        ("extra", phase.PhaseBlocked(revision=1, missing=("ingest",))),
        (None, run.RunCompleted()),
    ]


def test_a_failed_and_resumed_run_reads_as_it_happened() -> None:
    """The state people see, word by word, for a run in which everything happens once."""
    lines = records(story())
    failed, ended = present(lines[:9]), present(lines)
    assert (failed.status, failed.error and failed.error.message) == ("failed", "no such word")
    assert [p.status for p in failed.phases[1].partitions] == ["failed", "interrupted"]
    assert failed.duration_s == 7.0
    assert (ended.status, ended.error, ended.epoch, ended.seq) == ("completed", None, 2, 18)
    assert ended.duration_s == 16.0
    assert [(p.name, p.planned, p.status) for p in ended.phases] == [
        ("ingest", True, "completed"),
        ("translate", True, "completed"),
        ("extra", False, "blocked"),
    ]
    de, fr = ended.phases[1].partitions
    assert (de.attempt, de.duration_s, de.error, de.steps.completed) == (2, 2.5, None, 1)
    assert de.progress is not None
    assert (de.progress.done, de.usage.tokens_in, fr.status) == (5, 3, "skipped")
    assert (ended.totals.artifacts, ended.totals.artifact_bytes, ended.totals.events) == (1, 10, 18)


def test_the_record_in_the_list_agrees_with_the_state() -> None:
    """A list that said another thing than `show` would send people to the wrong run."""
    index, artifacts = RunIndexProjection(), ArtifactIndexProjection()
    lines = records(story())
    for length in range(1, len(lines) + 1):
        whole = present(lines[:length])
        state = fold(index, lines[:length])
        assert state is not None
        short = index.present(state)
        assert (short.status, short.seq, short.hash) == (whole.status, whole.seq, whole.hash)
        assert short.duration_s == whole.duration_s
        assert (short.created_at, short.updated_at) == (whole.created_at, whole.timestamp)
        parts: list[str] = []
        for each in whole.phases:
            parts += [p.status for p in each.partitions] or [each.status]
        assert short.phases_total == len(parts)
        assert short.phases_failed == parts.count("failed")
    found = fold(artifacts, lines)
    assert found is not None
    assert [(a.artifact_id, a.phase, a.seq) for a in artifacts.present(found)] == [
        ("a1", "ingest", 4)
    ]


@pytest.mark.parametrize("projection", ["RunState", "RunIndexRecord"])
def test_every_field_that_people_see_is_described(projection: str) -> None:
    """The description is the documentation: it stands in the JSON schema and in the docs."""
    schema = getattr(projections, projection).model_json_schema()
    bare = [
        f"{kind}.{name}"
        for kind, each in {projection: schema, **schema["$defs"]}.items()
        for name, field in each.get("properties", {}).items()
        if not field.get("description")
    ]
    assert bare == []
