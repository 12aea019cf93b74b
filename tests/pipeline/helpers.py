"""Models that the pipelines of these tests hand on, and what their logs say afterwards."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict

from journal import Event, Journal, Phase, Pipeline, Record, Run
from journal.events.artifact import ArtifactPersisted
from journal.testing import records


class Row(BaseModel):
    """One line of a list that a phase returns."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")
    number: int


class Total(BaseModel):
    """A result that is one model."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")
    total: int


class Parameters(BaseModel):
    """What the runs of these tests are given."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")
    languages: tuple[str, ...] = ("de", "fr")
    rows: int = 3


def events(journal: Journal, run_id: str, kind: type[Event]) -> list[Any]:
    """The payloads of one kind of event, in order."""
    return [each.data for each in records(journal, run_id) if isinstance(each.data, kind)]


def story(journal: Journal, run_id: str) -> list[str]:
    """What happened to which phase: ``completed translate[de] r1``, without prefix and detail."""
    return list(_told(records(journal, run_id)))


def _told(lines: list[Record]) -> Iterator[str]:
    for line in lines:
        word = line.event.removeprefix("phase_")
        if line.event.startswith("phase_") and word != "progress":
            label = getattr(line.data, "partition", None)
            place = f"{line.phase}[{label}]" if label else str(line.phase)
            yield f"{word} {place} r{getattr(line.data, 'revision', 0)}"
        elif line.event.startswith("run_") or isinstance(line.data, ArtifactPersisted):
            yield line.event


def counted(told: list[str], start: str) -> int:
    """How many entries of a story begin like this."""
    return sum(entry.startswith(start) for entry in told)


class Seen:
    """Remembers a run's id, also where the run fails and no result is returned."""

    run_id = ""

    def __call__(self, run: Run) -> None:
        self.run_id = run.id


def three_phases(log: list[str]) -> Pipeline:
    """Ingest, double per language, and a report on all; each call is noted in ``log``."""
    pipeline = Pipeline("three", parameters=Parameters)

    @pipeline.phase()
    async def ingest(phase: Phase, parameters: Parameters) -> list[Row]:
        log.append("ingest")
        return [Row(number=number) for number in range(parameters.rows)]

    @pipeline.phase(after=["ingest"], partitions=lambda parameters: parameters.languages)
    async def double(phase: Phase, ingest: list[Row], partition: str) -> Total:
        log.append(f"double {partition}")
        return Total(total=2 * sum(row.number for row in ingest))

    @pipeline.phase(after=["double"])
    async def report(phase: Phase, double: dict[str, Total]) -> str:
        log.append("report")
        return ", ".join(f"{label} {each.total}" for label, each in double.items())

    return pipeline


class Trouble:
    """Makes one phase or partition fail, once."""

    def __init__(self, *places: str) -> None:
        self.places = set(places)

    def at(self, place: str) -> None:
        if place in self.places:
            self.places.remove(place)
            raise ConnectionError(place)


def with_trouble(trouble: Trouble, calls: list[str]) -> Pipeline:
    """Ingest → translate (per language) → report; each may fail once, each call is noted."""
    pipeline = Pipeline("trouble", parameters=Parameters)

    @pipeline.phase()
    async def ingest(parameters: Parameters) -> AsyncIterator[Row]:
        calls.append("ingest")
        for number in range(parameters.rows):
            yield Row(number=number)
        trouble.at("ingest")

    @pipeline.phase(after=["ingest"], partitions=lambda parameters: parameters.languages)
    async def translate(phase: Phase, ingest: list[Row], partition: str) -> Total:
        calls.append(f"translate {partition}")
        await phase.store("notes on the way")
        trouble.at(f"translate {partition}")
        return Total(total=sum(row.number for row in ingest) + phase.revision * 100)

    @pipeline.phase(after=["translate"])
    async def report(translate: dict[str, Total]) -> str:
        calls.append("report")
        trouble.at("report")
        return " ".join(f"{label}={each.total}" for label, each in translate.items())

    return pipeline
