"""
Pipeline: phases as async functions, run in order, recorded, resumed where they stopped.

    pipeline = Pipeline("nightly", parameters=Parameters)

    @pipeline.phase()
    async def ingest(phase: Phase, parameters: Parameters) -> list[Row]: ...

    @pipeline.phase(after=["ingest"], partitions=lambda parameters: parameters.regions)
    async def report(phase: Phase, ingest: list[Row], partition: str) -> Report: ...

    result = await pipeline.run(journal, Parameters(regions=["eu", "us"]))

A small orchestrator of one process, no workflow engine: docs/guides/pipelines.md says what it does
and does not. Everything that happens is an event of the run, and nothing else is kept.

Below: journal, scheduling, codeversion, artifacts, chain, errors, events, ids, limits, parameters,
run, secrets. Above: testing, and the command's ``run`` and ``resume``.
"""

import json
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import anyio.to_thread
from pydantic import BaseModel

from journal.artifacts.models import decode_model
from journal.chain import Chain
from journal.codeversion import code_version
from journal.errors import StorageErrorCode, storage_error
from journal.events.run import CodeVersion, RunCreated
from journal.ids import RunId, parse_name, parse_run_id
from journal.journal import Journal
from journal.limits import PHASES_AT_ONCE
from journal.parameters import check_parameters, supplied_parameters
from journal.run import Run
from journal.scheduling.plan import PhaseDefinition, Plan, Skip, check_phases, make_plan
from journal.scheduling.retry import Retry
from journal.scheduling.scheduler import Scheduler
from journal.scheduling.signature import Partitions, Reader, refused
from journal.secrets import DEFAULT_GUARD, SecretsGuard, check_guard

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class PipelineResult:
    """
    A run that completed: its id, and what its phases returned.

    ``outputs`` has an entry for each phase: the value, a dict of them by partition, or ``None``
    for a phase that was skipped.
    """

    run_id: RunId
    status: str
    outputs: Mapping[str, Any]


class Pipeline:
    """
    Phases and their order. ``project`` is the runs' project; ``parameters`` a pydantic model.

    ``limit`` bounds how many phases and partitions work at once. ``secrets`` is what the command
    opens its store with; a program of your own opens it itself, with ``pipeline.secrets``.
    """

    def __init__(
        self,
        project: str,
        *,
        parameters: type[BaseModel] | None = None,
        limit: int = PHASES_AT_ONCE,
        secrets: SecretsGuard = DEFAULT_GUARD,
    ) -> None:
        self.secrets = check_guard(secrets)
        self.project = parse_name(project, "project")
        self.parameters = parameters
        self._limit = self._at_least_one(None, limit)
        self._phases: dict[str, PhaseDefinition] = {}

    def phase(
        self,
        *,
        name: str | None = None,
        after: Sequence[str] = (),
        partitions: Partitions | None = None,
        limit: int | None = None,
        retry: Retry | None = None,
        skip: Skip | None = None,
    ) -> Callable[[F], F]:
        """
        Make an async function a phase, under its own name or ``name``.

        Its arguments are given by name: ``phase`` (the ``Phase`` it works in), ``parameters``,
        ``partition``, and what the phases of ``after`` returned (``-`` and ``.`` of a name become
        ``_``). What it returns is stored as its artifact and handed on: a pydantic model, a list
        of one (or an async generator), text, bytes or ``None``, as annotated.

        ``partitions``: labels, or a function of ``parameters`` or of phases in ``after``, by
        argument names; the phase then runs once for each, up to ``limit`` at a time. It is given
        the same partition of a phase before, or all of them where its argument is a
        ``dict[str, …]``. ``retry``: which failures are tried again. ``skip``: given the parameters,
        it says why the phase need not run, or ``None``; what needs it is then given ``None`` where
        its annotation admits that, and is skipped too where it does not.

        Raises ``validation_error`` for a definition that could not run.
        """

        def define(function: F) -> F:
            own = getattr(function, "__name__", None)
            phase = parse_name(own if name is None else name, "phase")
            if phase in self._phases:
                raise refused(self.project, phase, "it is defined twice")
            reader = Reader(self.project, phase, after)
            self._phases[phase] = PhaseDefinition(
                name=phase,
                function=function,
                signature=reader.read(
                    function, self.parameters, partitioned=partitions is not None
                ),
                partitions=partitions,
                sources=reader.sources(partitions),
                limit=None if limit is None else self._at_least_one(phase, limit),
                retry=retry,
                skip=skip,
            )
            return function

        return define

    def _at_least_one(self, phase: str | None, limit: int) -> int:
        if limit < 1:
            raise refused(self.project, phase, f"a limit of {limit} would let nothing run")
        return limit

    def check(self) -> None:
        """
        Refuse a pipeline whose phases do not fit each other; ``run`` and ``resume`` do it first.

        Raises ``validation_error``: no phases, unknown names, cycles, arguments that are not what
        the phase before returns, partitions that cannot match.
        """
        if not self._phases:
            raise refused(self.project, None, "it has no phases")
        check_phases(self.project, self._phases)

    async def run(
        self,
        journal: Journal,
        parameters: BaseModel | Mapping[str, Any] | None = None,
        *,
        target: str | None = None,
        external_id: str | None = None,
        on_run: Callable[[Run], None] | None = None,
    ) -> PipelineResult:
        """
        Run all phases in a new run; what they returned is durable when this returns.

        ``parameters``: the model, or plain JSON for it. ``target`` is recorded, for ``journal
        resume``. ``on_run`` is called once the run is durable, before any phase starts.

        A phase that fails lets those go on that do not depend on it; then its exception is
        raised as it is, several as an ``ExceptionGroup``, and the run is recorded as failed.
        Raises ``validation_error`` with nothing recorded for a definition or parameters that
        are refused, and what the storage raises.
        """
        self.check()
        given = self._parsed(parameters)
        if given is not None:
            check_parameters(given)
        plan = make_plan(self.project, self._phases, given, redo={}, limit=self._limit)
        run = journal.run(
            project=self.project,
            parameters=given,
            external_id=external_id,
            plan=plan.recorded(),
            target=target,
            code=await self._code(),
        )
        return await _work(journal, run, plan, on_run)

    async def resume(
        self,
        journal: Journal,
        run_id: str,
        *,
        wait_s: float = 0.0,
        allow_changed: bool = False,
        redo: Iterable[str] = (),
        secrets: Mapping[str, str] | None = None,
        on_run: Callable[[Run], None] | None = None,
    ) -> PipelineResult:
        """
        Go on with a run of this pipeline, with the parameters that it was created with.

        Secret parameters are not recorded: ``secrets`` supplies them by name, else the environment
        does (``db.password`` is ``JOURNAL_SECRET_DB_PASSWORD``); else ``validation_error``.

        A phase that completed hands back what it returned, read from its artifact; one that was
        skipped stays so, unless what it needs has run since; all others run. ``redo`` names
        phases (``"translate"``, or ``"translate[de]"`` for one partition) that run again though
        they completed, as their next revision; what was made from their older one runs again, too.

        Raises what ``run`` and ``Journal.resume`` raise: ``conflict`` for changed code, unless
        ``allow_changed``. An artifact that is to be handed back but is missing or damaged is
        ``not_found`` or ``corrupt``: nothing is run again unasked, and ``redo`` is how to ask.
        """
        self.check()
        parsed = parse_run_id(run_id)
        created = await anyio.to_thread.run_sync(partial(_created, journal, parsed))
        if created.project != self.project:
            raise storage_error(
                StorageErrorCode.CONFLICT,
                f"run {parsed} is of {created.project}, not of {self.project}. Nothing was "
                "written.",
                operation="resume",
                run_id=parsed,
                reason="other_pipeline",
            )
        given = self._parsed(
            supplied_parameters(created.parameters, secrets or {}, os.environ, run_id=parsed)
            if self.parameters
            else None
        )
        wanted = _parse_redo(redo)
        plan = make_plan(self.project, self._phases, given, redo=wanted, limit=self._limit)
        run = journal.resume(
            parsed,
            wait_s=wait_s,
            code=await self._code(),
            plan=plan.recorded(),
            allow_changed=allow_changed,
        )
        return await _work(journal, run, plan, on_run)

    def _parsed(self, parameters: BaseModel | Mapping[str, Any] | None) -> BaseModel | None:
        if self.parameters is None:
            if parameters is not None:
                raise refused(self.project, None, "it takes no parameters")
            return None
        if isinstance(parameters, self.parameters):
            return parameters
        if isinstance(parameters, BaseModel):
            raise refused(self.project, None, f"its parameters are {self.parameters.__name__}")
        # As JSON, so that a strict model takes a list for a tuple and a text for a date.
        text = json.dumps(dict(parameters or {})).encode()
        return decode_model(text, self.parameters, f"what pipeline {self.project} was given")

    async def _code(self) -> CodeVersion:
        functions = [phase.function for phase in self._phases.values()]
        return await anyio.to_thread.run_sync(code_version, functions)


async def _work(
    journal: Journal, run: Run, plan: Plan, on_run: Callable[[Run], None] | None
) -> PipelineResult:
    async with run:
        if on_run is not None:
            on_run(run)
        scheduler = Scheduler(journal, run, plan)
        outputs = await _alone(scheduler.work())
        if len(scheduler.failures) > 1:
            what = f"{len(scheduler.failures)} phases of {plan.project} failed"
            raise ExceptionGroup(what, scheduler.failures)
        if scheduler.failures:
            raise scheduler.failures[0]
    return PipelineResult(run.id, run.state.status, outputs)


async def _alone(work: Awaitable[T]) -> T:
    """Await ``work``; an exception that a task group wrapped without company is raised itself."""
    try:
        return await work
    except BaseExceptionGroup as group:
        failure: BaseException = group
    # Outside of the handler, so that it keeps its own cause and context. A group that says "stop"
    # stays one: a bare KeyboardInterrupt out of the root task would leave the loop's threads.
    while isinstance(failure, ExceptionGroup) and len(failure.exceptions) == 1:
        failure = failure.exceptions[0]
    raise failure


def _created(journal: Journal, run_id: RunId) -> RunCreated:
    """The run's first event; looked at before a writer changes anything. Blocks."""
    first = next(iter(journal.log.read(run_id)), None)
    event = None if first is None else Chain(run_id).follow(first).data
    if not isinstance(event, RunCreated):
        raise storage_error(
            StorageErrorCode.CORRUPT,
            f"run {run_id} line 1: not run_created. Nothing was changed.",
            run_id=run_id,
            seq=1,
            next_action=f"journal verify {run_id}",
        )
    return event


def _parse_redo(redo: Iterable[str]) -> dict[str, frozenset[str]]:
    """``translate`` or ``translate[de]`` -> phase and labels; no labels mean all of it."""
    wanted: dict[str, frozenset[str]] = {}
    for text in redo:
        name, bracket, rest = text.partition("[")
        name = name.rstrip()
        labels = {rest.removesuffix("]")} if bracket else set()
        known = wanted.get(name)
        whole = not labels or known == frozenset()
        wanted[name] = frozenset() if whole else frozenset(labels | (known or frozenset()))
    return wanted
