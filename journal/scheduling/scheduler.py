"""
Runs the phases of a pipeline: each, per partition, as soon as what it needs is there.

One task for each phase finds its partitions, one for each partition waits for its inputs, decides
(run, hand back, skip, block) from the run's lifecycle, and settles. A first run and a resumed one
take the same path: where nothing happened yet, there is nothing to hand back. What fails stops
only what depends on it. Never opens a run and never reads a file.

Below: events, lifecycle, run, journal, artifacts, outcomes, outputs, plan, retry, signature. Above:
pipeline.
"""

import math
from collections.abc import Iterable

import anyio
from anyio.abc import TaskGroup

from journal.artifacts.store import ArtifactMetadata
from journal.events.base import where
from journal.events.phase import PhaseRef
from journal.journal import Journal
from journal.lifecycle import BLOCKED, COMPLETED, PENDING, SKIPPED
from journal.run import Run
from journal.scheduling.outcomes import Given, Node, Outcome, Unit
from journal.scheduling.outputs import load_output, store_output
from journal.scheduling.plan import PhaseDefinition, Plan
from journal.scheduling.retry import Tries
from journal.scheduling.signature import Need, argument_name, parse_labels, refused, unmatched

_NOT_BEGUN = frozenset({PENDING, BLOCKED, SKIPPED})


class Scheduler:
    """One pass over the phases of one run; make a new one for each."""

    def __init__(self, journal: Journal, run: Run, plan: Plan) -> None:
        self.failures: list[Exception] = []
        self._journal = journal
        self._run = run
        self._plan = plan
        self._nodes = {name: Node() for name in plan.phases}
        self._limiter = anyio.CapacityLimiter(plan.limit)
        self._stored: dict[str, ArtifactMetadata] = {}

    async def work(self) -> dict[str, object]:
        """
        Run what is to be run; gives the outputs by phase (by partition, where it has them).

        Failures of phases are in ``failures``, in the order in which they happened. Raises what
        the storage raises: a run that cannot be recorded does not go on.
        """
        kept = [found for _, found in self._run.state.each_phase() if found.status == COMPLETED]
        if kept:
            ids = {artifact_id for found in kept for artifact_id in found.artifact_ids}
            self._stored = await self._run.find_artifacts(ids)
        async with anyio.create_task_group() as tasks:
            for definition in self._plan.phases.values():
                tasks.start_soon(self._phase, tasks, definition)
        return {name: node.output() for name, node in self._nodes.items()}

    async def _phase(self, tasks: TaskGroup, definition: PhaseDefinition) -> None:
        node = self._nodes[definition.name]
        found = await self._partitions(definition)
        if isinstance(found, Outcome):
            node.whole = found
        else:
            limiter = anyio.CapacityLimiter(definition.limit or math.inf)
            for label in found:
                unit = node.units[label] = Unit()
                tasks.start_soon(self._unit, definition, label, unit, limiter)
        node.known.set()

    async def _unit(
        self,
        definition: PhaseDefinition,
        label: str | None,
        unit: Unit,
        limiter: anyio.CapacityLimiter,
    ) -> None:
        unit.outcome = await self._settle(definition, label, limiter)
        unit.settled.set()

    # -- which partitions --------------------------------------------------------------------

    async def _partitions(
        self, definition: PhaseDefinition
    ) -> tuple[str, ...] | tuple[None] | Outcome:
        """The partitions to settle, or how the phase has ended as a whole."""
        name = definition.name
        before = self._run.state.phases.get(name, {})
        redone = name in self._plan.redo
        # A skip rule is asked before a phase begins, not in the middle of it.
        reason = None if redone else self._plan.skips.get(name)
        if reason is not None and all(each.status in _NOT_BEGUN for each in before.values()):
            return await self._skip(name, None, reason)
        if definition.partitions is None:
            return (None,)
        if not redone and list(before) == [""] and before[""].status == SKIPPED:
            given = await self._gather(definition, None, definition.signature.needs)
            if not given.fresh:
                return Outcome("skipped")
        labels = self._plan.labels.get(name)
        if labels is None:
            found = await self._late_labels(definition)
            if isinstance(found, Outcome):
                return found
            labels = found
        for unknown in self._plan.redo.get(name, frozenset()).difference(labels):
            self.failures.append(refused(self._plan.project, name, f"no partition {unknown!r}"))
        outcome = None if labels else await self._skip(name, None, "it has no partitions")
        await self._retire(name, labels)
        return outcome or labels

    async def _retire(self, name: str, labels: tuple[str, ...]) -> None:
        """Skip what was marked before the partitions were known, or is no partition any more."""
        for key, found in self._run.state.phases.get(name, {}).items():
            if (key or None) not in labels and found.status not in {COMPLETED, SKIPPED}:
                await self._skip(name, key or None, "it is none of the partitions")

    async def _late_labels(self, definition: PhaseDefinition) -> tuple[str, ...] | Outcome:
        """Partitions that follow from what other phases returned."""
        name, function = definition.name, definition.partitions
        needs = [
            Need(
                source,
                argument_name(source),
                self._plan.phases[source].signature.returns,
                optional=False,
            )
            for source in definition.sources
            if source != "parameters"
        ]
        given = await self._gather(definition, None, needs)
        if given.missing:
            return await self._block(name, None, given.missing)
        if given.skipped:
            return await self._skip(name, None, given.why_skipped)
        if "parameters" in definition.sources:
            given.values["parameters"] = self._plan.parameters
        try:
            found: Iterable[str] = function(**given.values) if callable(function) else ()
            return parse_labels(self._plan.project, name, found)
        except Exception as failure:  # noqa: BLE001 - the caller's function: raised at the end
            self.failures.append(failure)
            why = f"its partitions cannot be told: {type(failure).__name__}"
            return await self._block(name, None, [f"partitions of {name}"], why)

    # -- what came before --------------------------------------------------------------------

    async def _gather(
        self, definition: PhaseDefinition, label: str | None, needs: Iterable[Need]
    ) -> Given:
        """Wait for the phases before; all of them, so that all that is missing can be named."""
        given = Given()
        for need in needs:
            node = self._nodes[need.phase]
            await node.known.wait()
            if node.whole is not None:
                given.add(need, {None: node.whole}, many=False)
                continue
            many = node.partitioned and (need.every or label is None)
            single = label if node.partitioned else None
            units = node.units if many else {single: self._partner(definition, need, single)}
            for unit in units.values():
                await unit.settled.wait()
            outcomes = {found: unit.outcome for found, unit in units.items()}
            given.add(need, outcomes, many=many)
        return given

    def _partner(self, definition: PhaseDefinition, need: Need, label: str | None) -> Unit:
        units = self._nodes[need.phase].units
        if label in units:
            return units[label]
        name = definition.name
        self.failures.append(unmatched(self._plan.project, name, str(label), need.phase))
        nobody = Unit()
        nobody.settled.set()
        return nobody

    # -- one phase and partition -------------------------------------------------------------

    async def _settle(
        self, definition: PhaseDefinition, label: str | None, limiter: anyio.CapacityLimiter
    ) -> Outcome:
        name = definition.name
        given = await self._gather(definition, label, definition.signature.needs)
        standing = self._run.state.phase(name, label)
        redone = self._plan.redone(name, label)
        if given.missing:
            return await self._block(name, label, given.missing)
        holds = standing.status == COMPLETED and set(standing.depends_on) == set(given.refs)
        if holds and not redone:
            return await self._hand_back(definition, label)
        if standing.status == SKIPPED and not redone and not given.fresh:
            return Outcome("skipped")
        if given.skipped:
            return await self._skip(name, label, given.why_skipped)
        tries = Tries(definition.retry)
        try:
            async with limiter, self._limiter:
                return await tries.run(lambda: self._attempt(definition, label, given, tries))
        except Exception as failure:
            if failure is not tries.failure:
                raise  # the storage's: nothing can be recorded, so nothing may go on
            self.failures.append(failure)
            return Outcome("missing")

    async def _attempt(
        self, definition: PhaseDefinition, label: str | None, given: Given, tries: Tries
    ) -> Outcome:
        context = {"parameters": self._plan.parameters, "partition": label}
        async with self._run.phase(
            definition.name,
            partition=label,
            inputs=given.inputs,
            will_retry=lambda _: tries.will_retry,
        ) as phase:
            context["phase"] = phase
            taken = {name: context[name] for name in definition.signature.context}
            try:
                value = definition.function(**taken, **given.values)
                if not definition.signature.streams:
                    value = await value
                returns = definition.signature.returns
                value, artifact_id = await store_output(self._journal, phase, returns, value)
            except SystemExit as stop:
                # Out of a task it would stop the loop in the middle of what is being recorded.
                exited = RuntimeError(f"the phase called sys.exit({stop.code!r})")
                tries.note(exited)
                raise exited from stop
            except Exception as failure:
                tries.note(failure)
                raise
        ref = PhaseRef(phase=definition.name, revision=phase.revision, partition=label)
        return Outcome("done", value, ref, artifact_id, fresh=True)

    async def _hand_back(self, definition: PhaseDefinition, label: str | None) -> Outcome:
        standing = self._run.state.phase(definition.name, label)
        stored = [self._stored[each] for each in standing.artifact_ids if each in self._stored]
        place = where(definition.name, label)
        try:
            value, artifact_id = await load_output(
                self._journal, place, definition.signature.returns, stored
            )
        except Exception as failure:  # noqa: BLE001 - raised at the end
            # Not run again unasked: others were made from it, and somebody should know.
            self.failures.append(failure)
            return Outcome("missing")
        ref = PhaseRef(phase=definition.name, revision=standing.revision, partition=label)
        return Outcome("done", value, ref, artifact_id)

    async def _skip(self, name: str, label: str | None, reason: str) -> Outcome:
        if self._run.state.phase(name, label).status in {COMPLETED, SKIPPED}:
            return Outcome("skipped")
        await self._run.skip(name, reason, partition=label)
        return Outcome("skipped", fresh=True)

    async def _block(
        self, name: str, label: str | None, missing: list[str], reason: str | None = None
    ) -> Outcome:
        # A result of an earlier pass stays what it is, though this pass cannot hand it on.
        if self._run.state.phase(name, label).status != COMPLETED:
            await self._run.block(name, missing, reason=reason, partition=label)
        return Outcome("missing")
