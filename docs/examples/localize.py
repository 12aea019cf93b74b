"""
A pipeline that localises the texts of a Python source tree into pseudo-languages.

    journal run docs/examples/localize.py:pipeline
    journal run docs/examples/localize.py:pipeline -p source=src -p languages='["ar-XB"]'

Seven phases, ingest → context → pretranslation → translate → qa → edit → export; the three in the
middle once for each language. The work itself is `localizing/`, plain functions that know nothing
of runs; here it is cut into slices for worker threads, so that the loop stays live and the log
tells how far each phase is. Kill it at any moment: `journal resume @latest` goes on.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

from anyio.to_thread import run_sync
from localizing import memory, terms
from localizing.edit import repair
from localizing.export import export_lines
from localizing.extract import default_root, read_file, source_files
from localizing.models import (
    Context,
    ExportLine,
    FileStrings,
    Finding,
    Model,
    ModuleContext,
    SkippedFile,
    SourceString,
    Translation,
    Unit,
)
from localizing.pseudo import LOCALES, naive
from localizing.qa import check
from localizing.usage import batches, usage
from pydantic import BaseModel, ConfigDict, Field, field_validator

from journal import ArtifactRole, Phase, Pipeline, Usage

T = TypeVar("T")
R = TypeVar("R")


class Parameters(BaseModel):
    """What a run can be told; it is recorded with the run, so that a resume has the same."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Path = Field(
        default_factory=default_root,
        description="folder of Python sources; the standard library of this Python by default",
    )
    languages: tuple[str, ...] = Field(
        default=tuple(LOCALES), min_length=1, description="target languages: de-XA, ar-XB"
    )
    files_max: int | None = Field(default=None, ge=1, description="only so many files, if given")

    @field_validator("source")
    @classmethod
    def _from_anywhere(cls, source: Path) -> Path:
        return source.absolute()  # who resumes may stand in another folder

    @field_validator("languages")
    @classmethod
    def _known(cls, languages: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := set(languages) - LOCALES.keys():
            raise ValueError(
                f"unknown: {', '.join(sorted(unknown))}; there is {', '.join(LOCALES)}"
            )
        return languages


class LanguageReport(Model):
    """What became of one language."""

    language: str = Field(description="target language")
    findings: dict[str, int] = Field(description="what qa found, by rule")
    repaired: int = Field(ge=0, description="texts that edit translated again")


class Report(Model):
    """What the run delivers, in numbers."""

    files: int = Field(ge=0, description="source files with texts in them")
    strings: int = Field(ge=0, description="texts of all files, lines of each delivery")
    units: int = Field(ge=0, description="different ones: each is translated once")
    languages: tuple[LanguageReport, ...] = Field(description="in the order of the parameters")


def by_language(parameters: Parameters) -> tuple[str, ...]:
    """The partitions: each language on its own, from translate to edit."""
    return parameters.languages


pipeline = Pipeline("localize", parameters=Parameters)


@pipeline.phase()
async def ingest(phase: Phase, parameters: Parameters) -> list[SourceString]:
    """Read every file; one that cannot be parsed is told and left out."""
    root = parameters.source
    files = await run_sync(lambda: list(islice(source_files(root), parameters.files_max)))
    strings: list[SourceString] = []
    skipped: list[SkippedFile] = []
    async for found in each(phase, partial(read_file, root), files, at_once=10, unit="files"):
        if isinstance(found, FileStrings):
            strings += found.strings
        else:
            skipped.append(found)
            phase.log("warning", f"{found.path} is left out: {found.reason}")
    if skipped:
        await phase.store(skipped, role=ArtifactRole.REPORT, description="Files left out")
    phase.summarize(files=len(files), skipped=len(skipped), strings=len(strings))
    return strings


@pipeline.phase(after=["ingest"])
async def context(phase: Phase, ingest: list[SourceString]) -> Context:
    """Find what recurs: terms, and names that stay as they are."""
    modules = await run_sync(lambda: list(terms.by_module(ingest)))
    counts = terms.TermCounts()

    def count(module: tuple[str, list[SourceString]]) -> None:
        counts.add_module(module[1])

    def describe(module: tuple[str, list[SourceString]]) -> ModuleContext:
        return terms.module_context(*module, counts, top=8)

    async for _ in each(phase, count, modules, at_once=20, unit="modules counted"):
        pass
    described = each(phase, describe, modules, at_once=20, unit="modules described")
    about = tuple([module async for module in described])
    recurring = await run_sync(terms.recurring, counts, 50)
    names = await run_sync(terms.untranslatable, counts)
    phase.summarize(modules=len(modules), terms=len(recurring), names=len(names))
    return Context(terms=recurring, names=names, modules=about)


@pipeline.phase(after=["ingest", "context"])
async def pretranslation(phase: Phase, ingest: list[SourceString], context: Context) -> list[Unit]:
    """Make each text one unit, and mark in it what no translator may touch."""
    source = memory.units(ingest, context.names)
    units: list[Unit] = []
    while some := await run_sync(lambda: list(islice(source, 500))):
        units += some
        phase.progress(len(units), unit="units")
    phase.summarize(units=len(units), repeated=len(ingest) - len(units))
    return units


@pipeline.phase(after=["pretranslation"], partitions=by_language, limit=2)
async def translate(phase: Phase, pretranslation: list[Unit], partition: str) -> list[Translation]:
    """Translate in batches, as one would ask a model: each is a step that says what it used."""
    locale = LOCALES[partition]

    def work(units: Sequence[Unit]) -> tuple[list[Translation], Usage]:
        found = [naive(unit, locale) for unit in units]
        used = usage((unit.text for unit in units), (each.target for each in found))
        return found, Usage(tokens_in=used.tokens_in, tokens_out=used.tokens_out, requests=1)

    translations: list[Translation] = []
    for number, units in enumerate(batches(pretranslation, 50), 1):
        async with phase.step(f"batch {number}") as step:
            found, used = await run_sync(work, units)
            step.use(used)
        translations += found
        phase.progress(len(translations), len(pretranslation), "units")
    return translations


@pipeline.phase(after=["pretranslation", "translate"], partitions=by_language)
async def qa(
    phase: Phase, pretranslation: list[Unit], translate: list[Translation], partition: str
) -> list[Finding]:
    """Check each translation against its source; what is wrong is a finding, not a failure."""
    pairs = list(zip(pretranslation, translate, strict=True))

    def examine(pair: tuple[Unit, Translation]) -> list[Finding]:
        return check(*pair, LOCALES[partition])

    checked = each(phase, examine, pairs, at_once=200, unit="units")
    findings = [finding async for found in checked for finding in found]
    phase.summarize(**by_rule(findings))
    return findings


@pipeline.phase(after=["pretranslation", "translate", "qa"], partitions=by_language)
async def edit(
    phase: Phase,
    pretranslation: list[Unit],
    translate: list[Translation],
    qa: list[Finding],
    partition: str,
) -> list[Translation]:
    """Repair what qa found, and look again."""
    locale = LOCALES[partition]
    found: dict[str, list[Finding]] = {}
    for finding in qa:
        found.setdefault(finding.key, []).append(finding)

    def mend(pair: tuple[Unit, Translation]) -> tuple[Translation, list[Finding]]:
        unit, translation = pair
        if unit.key not in found:
            return translation, []
        repaired = repair(unit, translation, found[unit.key], locale)
        return repaired, check(unit, repaired, locale)

    pairs = list(zip(pretranslation, translate, strict=True))
    edited: list[Translation] = []
    left: list[Finding] = []
    async for repaired, still_wrong in each(phase, mend, pairs, at_once=500, unit="units"):
        edited.append(repaired)
        left += still_wrong
    for finding in left:
        phase.log("warning", f"{finding.code} in {finding.string_id}: {finding.detail}")
    phase.summarize(repaired=len(found), left=len(left))
    return edited


@pipeline.phase(after=["ingest", "pretranslation", "qa", "edit"])
async def export(
    phase: Phase,
    ingest: list[SourceString],
    pretranslation: list[Unit],
    qa: dict[str, list[Finding]],
    edit: dict[str, list[Translation]],
) -> Report:
    """Deliver a file per language, one line for each text, and say what is in them."""
    total = len(ingest) * len(edit)

    def delivered(language: str, before: int) -> Iterator[ExportLine]:
        # Runs on worker threads, a few hundred lines at a time; progress may be told from any.
        for number, line in enumerate(export_lines(ingest, edit[language]), 1):
            yield line
            if number % 2000 == 0 or number == len(ingest):
                phase.progress(before + number, total, "lines")

    for number, language in enumerate(edit):
        await phase.store(
            delivered(language, number * len(ingest)),
            role=ArtifactRole.EXPORT,
            description=f"Translations into {language}",
            metadata={"language": language},
        )
    report = Report(
        files=len({string.path for string in ingest}),
        strings=len(ingest),
        units=len(pretranslation),
        languages=tuple(
            LanguageReport(
                language=language,
                findings=by_rule(qa[language]),
                repaired=sum(translation.status == "repaired" for translation in edit[language]),
            )
            for language in edit
        ),
    )
    await phase.store(report, role=ArtifactRole.REPORT, description="What was delivered")
    return report


def by_rule(findings: Iterable[Finding]) -> dict[str, int]:
    """How often each rule was broken, the most frequent first."""
    return dict(Counter(finding.code for finding in findings).most_common())


async def each(
    phase: Phase, work: Callable[[T], R], items: Sequence[T], *, at_once: int, unit: str
) -> AsyncIterator[R]:
    """``work(item)`` for all items, ``at_once`` of them per hop to a thread; tells the progress."""

    def some(slice_: Iterable[T]) -> list[R]:
        return [work(item) for item in slice_]

    done = 0
    for slice_ in batches(items, at_once):
        for result in await run_sync(some, slice_):
            yield result
        done += len(slice_)
        phase.progress(done, len(items), unit)
