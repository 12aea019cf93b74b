"""Order, partitions, limits, and what is recorded of inputs and outputs."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import anyio

from journal import Journal, Phase, Pipeline, Run
from journal.events.artifact import ArtifactPersisted
from journal.events.phase import PhaseCompleted, PhaseInputs, PhaseRef, PhaseStarted
from journal.events.run import RunCreated
from journal.testing import records
from tests.pipeline.helpers import Parameters, Row, Total, events, story, three_phases


async def test_phases_run_in_order_and_hand_on_what_they_returned(journal: Journal) -> None:
    """The least that a pipeline is: each phase gets what those before it returned."""
    calls: list[str] = []
    result = await three_phases(calls).run(journal, Parameters(rows=4))
    assert calls[0] == "ingest"
    assert sorted(calls[1:3]) == ["double de", "double fr"]
    assert calls[3] == "report"
    assert result.status == "completed"
    assert result.outputs["ingest"] == [Row(number=number) for number in range(4)]
    assert result.outputs["double"] == {"de": Total(total=12), "fr": Total(total=12)}
    assert result.outputs["report"] == "de 12, fr 12"


async def test_every_transition_is_in_the_log(journal: Journal) -> None:
    """The log is all that is kept: what is not in it did not happen."""
    result = await three_phases([]).run(journal, Parameters(languages=("de",)))
    assert story(journal, result.run_id) == [
        "run_created",
        "run_started",
        "started ingest r1",
        "artifact_persisted",
        "completed ingest r1",
        "started double[de] r1",
        "artifact_persisted",
        "completed double[de] r1",
        "started report r1",
        "artifact_persisted",
        "completed report r1",
        "run_completed",
    ]


async def test_plan_parameters_target_and_code_stand_in_the_first_event(journal: Journal) -> None:
    """Whoever resumes the run needs nothing else than its log."""
    result = await three_phases([]).run(
        journal, {"languages": ["de"], "rows": 1}, target="three.py:pipeline", external_id="X-1"
    )
    (created,) = events(journal, result.run_id, RunCreated)
    assert created.project == "three"
    assert created.parameters == {"languages": ["de"], "rows": 1}
    assert (created.target, created.external_id) == ("three.py:pipeline", "X-1")
    assert [(each.name, each.after, each.partitions) for each in created.plan] == [
        ("ingest", (), None),
        ("double", ("ingest",), ("de",)),
        ("report", ("double",), None),
    ]
    assert len(created.code.source_sha256) == 64


async def test_inputs_name_the_artifacts_and_results_that_a_phase_was_given(
    journal: Journal,
) -> None:
    """Without them nobody could tell later what a result was made from."""
    result = await three_phases([]).run(journal, Parameters())
    completed = {
        (line.phase, line.data.partition): line.data.artifact_ids
        for line in records(journal, result.run_id)
        if isinstance(line.data, PhaseCompleted)
    }
    started = {
        (line.phase, line.data.partition): line.data.inputs or PhaseInputs()
        for line in records(journal, result.run_id)
        if isinstance(line.data, PhaseStarted)
    }
    assert started["ingest", None].depends_on == ()
    assert started["double", "de"].depends_on == (PhaseRef(phase="ingest", revision=1),)
    assert started["double", "de"].artifact_ids == completed["ingest", None]
    assert started["report", None].depends_on == (
        PhaseRef(phase="double", revision=1, partition="de"),
        PhaseRef(phase="double", revision=1, partition="fr"),
    )
    assert started["report", None].artifact_ids == (
        *completed["double", "de"],
        *completed["double", "fr"],
    )


async def test_the_run_is_told_before_any_phase_starts(journal: Journal) -> None:
    """A command prints the id at once: whoever is killed later can still resume."""
    seen: list[tuple[str, int]] = []

    def on_run(run: Run) -> None:
        seen.append((run.id, run.seq))

    result = await three_phases([]).run(journal, Parameters(), on_run=on_run)
    assert seen == [(result.run_id, 2)]


async def test_partitions_go_on_side_by_side_from_phase_to_phase(journal: Journal) -> None:
    """A slow language must not hold up the next phase of a fast one."""
    pipeline = Pipeline("side-by-side")
    qa_began = anyio.Event()

    @pipeline.phase(partitions=["fast", "slow"])
    async def translate(partition: str) -> str:
        if partition == "slow":
            await qa_began.wait()  # would never end if phases waited for all partitions
        return partition

    @pipeline.phase(after=["translate"], partitions=["fast", "slow"])
    async def qa(translate: str, partition: str) -> str:
        qa_began.set()
        return f"{translate} {partition}"

    result = await pipeline.run(journal)
    assert result.outputs["qa"] == {"fast": "fast fast", "slow": "slow slow"}


async def test_phases_that_need_nothing_of_each_other_run_at_once(journal: Journal) -> None:
    """Order is only what ``after`` says."""
    pipeline = Pipeline("at-once")
    here, there = anyio.Event(), anyio.Event()

    @pipeline.phase()
    async def left() -> None:
        here.set()
        await there.wait()

    @pipeline.phase()
    async def right() -> None:
        there.set()
        await here.wait()

    assert (await pipeline.run(journal)).status == "completed"


async def most_at_once(
    journal: Journal, pipeline: Pipeline, limit: int | None, stop_at: int
) -> int:
    """Run ten partitions that wait for each other until ``stop_at`` of them work; the most seen."""
    working, most = 0, 0
    enough = anyio.Event()

    @pipeline.phase(partitions=[str(number) for number in range(10)], limit=limit)
    async def shard(partition: str) -> None:
        nonlocal working, most
        working += 1
        most = max(most, working)
        if working == stop_at:
            enough.set()
        await enough.wait()
        await anyio.lowlevel.checkpoint()  # whoever could start by mistake does so now
        most = max(most, working)
        working -= 1

    await pipeline.run(journal)
    return most


async def test_a_phase_works_on_as_many_partitions_as_its_limit_says(journal: Journal) -> None:
    """Three at once, exactly: fewer would never end, more would break the service behind it."""
    assert await most_at_once(journal, Pipeline("limits"), limit=3, stop_at=3) == 3


async def test_the_limit_of_the_pipeline_holds_for_all_phases(journal: Journal) -> None:
    """A phase without a limit of its own is bounded all the same."""
    assert await most_at_once(journal, Pipeline("limits", limit=4), limit=None, stop_at=4) == 4


async def test_partitions_can_follow_from_what_a_phase_returned(journal: Journal) -> None:
    """Which files there are is often known only once somebody has looked."""
    pipeline = Pipeline("late", parameters=Parameters)

    @pipeline.phase()
    async def discover(parameters: Parameters) -> list[Row]:
        return [Row(number=number) for number in range(parameters.rows)]

    def shards(discover: list[Row], parameters: Parameters) -> list[str]:
        return [f"{parameters.rows}-{row.number}" for row in discover]

    @pipeline.phase(after=["discover"], partitions=shards)
    async def read(partition: str) -> str:
        return partition.upper()

    @pipeline.phase(after=["read"])
    async def join(read: dict[str, str]) -> str:
        return " ".join(read.values())

    result = await pipeline.run(journal, Parameters(rows=2))
    assert result.outputs["read"] == {"2-0": "2-0", "2-1": "2-1"}
    assert result.outputs["join"] == "2-0 2-1"
    (created,) = events(journal, result.run_id, RunCreated)
    assert [each.partitions for each in created.plan] == [None, None, None]


async def test_all_partitions_are_given_to_partitions_of_another_kind(journal: Journal) -> None:
    """Shards by date and then by language: the annotation says that each gets all."""
    pipeline = Pipeline("regroup")

    @pipeline.phase(partitions=["mon", "tue"])
    async def day(partition: str) -> str:
        return partition

    @pipeline.phase(after=["day"], partitions=["de"])
    async def language(day: dict[str, str], partition: str) -> str:
        return f"{partition}: {' '.join(day.values())}"

    assert (await pipeline.run(journal)).outputs["language"] == {"de": "de: mon tue"}


async def test_every_type_that_can_be_handed_on_is_handed_on(journal: Journal) -> None:
    """What a phase returned is its artifact, in the format that fits the type."""
    pipeline = Pipeline("types")

    @pipeline.phase(name="the-model")
    async def model() -> Total:
        return Total(total=1)

    @pipeline.phase()
    async def rows() -> Sequence[Row]:
        return (Row(number=1), Row(number=2))

    @pipeline.phase()
    async def lazy() -> Iterator[Row]:
        return (Row(number=number) for number in range(2))

    @pipeline.phase()
    async def stream() -> AsyncIterator[Row]:
        for number in range(3):
            yield Row(number=number)

    @pipeline.phase()
    async def text() -> str:
        return "ü"

    @pipeline.phase()
    async def raw() -> bytes:
        return b"\xff\x00"

    @pipeline.phase()
    async def nothing() -> None:
        return None

    @pipeline.phase()
    async def perhaps() -> Total | None:
        return None

    @pipeline.phase(
        after=["the-model", "rows", "lazy", "stream", "text", "raw", "nothing", "perhaps"]
    )
    async def last(
        the_model: Total,
        rows: Sequence[Row],
        lazy: list[Row],
        stream: list[Row],
        text: str,
        raw: bytes,
        perhaps: Total | None,
    ) -> str:
        given: list[Any] = [the_model.total, len(rows), len(lazy), len(stream), text, raw, perhaps]
        return repr(given)

    result = await pipeline.run(journal)
    assert result.outputs["last"] == "[1, 2, 2, 3, 'ü', b'\\xff\\x00', None]"
    stored = events(journal, result.run_id, ArtifactPersisted)
    assert sorted(each.format for each in stored) == sorted(
        ["json", "jsonl", "jsonl", "jsonl", "txt", "binary", "txt"]
    )


async def test_what_a_phase_returned_is_told_apart_from_what_it_stored(journal: Journal) -> None:
    """Both are artifacts of the phase; only one of them is handed on."""
    pipeline = Pipeline("both")

    @pipeline.phase()
    async def make(phase: Phase) -> Total:
        await phase.store(Total(total=0), description="on the way")
        return Total(total=1)

    result = await pipeline.run(journal)
    own, returned = events(journal, result.run_id, ArtifactPersisted)
    assert (own.description, own.metadata) == ("on the way", None)
    assert (returned.description, returned.metadata) == ("Returned by make", {"returned": True})
    assert own.role == returned.role == "phase_output"
