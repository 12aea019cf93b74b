"""A run that stopped half way: ingest is done, translate was running, an artifact of each."""

from journal import Journal
from journal.events.run import PlannedPhase
from journal.ids import RunId
from journal.run import Run
from projections.run_state import RunState

PLAN = (PlannedPhase(name="ingest"), PlannedPhase(name="translate", after=("ingest",)))

OWN = frozenset(
    {"run_id", "seq", "hash", "timestamp", "parent", "status", "external_id"}
    | {"created_at", "started_at", "ended_at", "duration_s", "error", "reason", "writer", "epoch"}
)
"""Fields of a state that a fork has of its own; all others it has from the parent's moment."""


async def half_way(journal: Journal) -> RunId:
    """Make the run and leave it without an end, as a program that was killed does."""
    run = journal.run(
        project="nightly", parameters={"date": "2026-11-22"}, external_id="ticket-17", plan=PLAN
    )
    await run.__aenter__()
    await work(run)
    await run.phase("translate").__aenter__()
    await run.annotate("so far", actor="ann")
    await leave(run)
    return run.id


async def leave(run: Run) -> None:
    """Leave a run without an event that ends it; there is no public way to do so."""
    await run._writing.close()


async def work(run: Run) -> None:
    """The first phase, with an artifact and a step."""
    async with run.phase("ingest") as phase:
        await phase.store("first words", description="source lines")
        async with phase.step("call"):
            pass
        phase.summarize(lines=1)


def inherited(state: RunState) -> dict[str, object]:
    """What two states must have in common; what was running there is interrupted here."""
    left = {name: value for name, value in state.model_dump().items() if name not in OWN}
    for phase in left["phases"]:
        for each in phase["partitions"]:
            if each["status"] == "running":
                each["status"] = "interrupted"
        if phase["status"] in ("running", "interrupted", "failed"):
            phase["status"] = "stopped"  # what a phase is, its partitions say: compared above
    left["totals"] = {**left["totals"], "events": None}
    return left
