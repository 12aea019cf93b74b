"""
Phase functions, read once: which arguments they take, what they return, and how phases fit.

Everything that can be known to be wrong before a run is refused here, as ``validation_error``:
arguments that nobody gives, types that cannot be handed on, unknown names, cycles, partitions
that cannot match. Never calls a phase.

Below: errors, ids, outputs. Above: scheduler, pipeline.
"""

import inspect
import typing
from collections import abc
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from types import FunctionType, MethodType
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from journal.errors import StorageError, StorageErrorCode, storage_error
from journal.ids import parse_partition
from journal.scheduling.outputs import Output, parse_output, without_none

CONTEXT = frozenset({"phase", "parameters", "partition"})
"""Arguments that are no phases."""

Partitions = Sequence[str] | Callable[..., Iterable[str]]
"""Labels, or a function that gives them from ``parameters`` or from phases, by argument names."""


@dataclass(frozen=True, slots=True)
class Need:
    """
    A phase that another one waits for.

    ``argument`` is ``None`` where only the order counts; ``wanted`` is ``None`` for ``Any``;
    ``every``: it is given all partitions, as a dict; ``optional``: it takes ``None`` instead.
    """

    phase: str
    argument: str | None = None
    wanted: Output | None = None
    every: bool = False
    optional: bool = True


@dataclass(frozen=True, slots=True)
class Signature:
    """What a phase function takes and gives. ``streams``: it is an async generator."""

    context: tuple[str, ...]
    needs: tuple[Need, ...]
    returns: Output
    streams: bool
    partitioned: bool


def refused(project: str, phase: str | None, why: str) -> StorageError:
    """The error for a pipeline that cannot be run as it is written."""
    place = f"pipeline {project}, phase {phase}" if phase else f"pipeline {project}"
    return storage_error(
        StorageErrorCode.VALIDATION_ERROR,
        f"{place}: {why}. Nothing was run.",
        operation="define",
        reason="pipeline",
    )


def argument_name(phase: str) -> str:
    """What a phase is called as an argument: Python has neither ``-`` nor ``.`` in names."""
    return phase.replace("-", "_").replace(".", "_")


def parse_labels(project: str, phase: str, given: Iterable[str]) -> tuple[str, ...]:
    """Partition labels, each checked; two of the same are refused."""
    labels = tuple(map(parse_partition, given))
    if len(set(labels)) < len(labels):
        raise refused(project, phase, "one of its partitions is named twice")
    return labels


class Reader:
    """Reads the functions that make up one phase; says which phase where it refuses one."""

    def __init__(self, project: str, phase: str, after: Sequence[str]) -> None:
        self._project = project
        self._phase = phase
        self._names = {argument_name(name): name for name in after}
        if isinstance(after, str) or len(self._names) < len(after):
            raise self._refused("after is a list of names, each of them once")
        if phase in after or self._names.keys() & CONTEXT:
            raise self._refused("it cannot come after itself, nor after a name kept for arguments")

    def _refused(self, why: str) -> StorageError:
        return refused(self._project, self._phase, why)

    def read(
        self, function: Callable[..., Any], parameters: type[BaseModel] | None, *, partitioned: bool
    ) -> Signature:
        """The signature of a phase function; its needs in the order of ``after``."""
        streams = inspect.isasyncgenfunction(function)
        runs = streams or inspect.iscoroutinefunction(function)
        if not runs or not isinstance(function, FunctionType | MethodType):
            raise self._refused("a phase is an async function, written out with async def")
        names = self._arguments(function)
        context = CONTEXT if partitioned else CONTEXT - {"partition"}
        known = [*sorted(context), *self._names]
        for name in names:
            if name not in known:
                raise self._refused(f"its argument {name!r} is none of {', '.join(known)}")
        hints = self._hints(function)
        if "parameters" in names:
            self._check_parameters(hints.get("parameters", parameters), parameters)
        needs = [
            self._need(argument, name, hints.get(argument)) if argument in names else Need(name)
            for argument, name in self._names.items()
        ]
        returns = parse_output(hints["return"], streams=True) if "return" in hints else None
        if returns is None:
            raise self._refused(
                "its return annotation must be a pydantic model, a list of one, str, bytes or None"
            )
        taken = tuple(name for name in names if name in context)
        return Signature(taken, tuple(needs), returns, streams, partitioned)

    def _arguments(self, function: Callable[..., Any]) -> list[str]:
        arguments = inspect.signature(function).parameters.values()
        for argument in arguments:
            if argument.kind not in {argument.POSITIONAL_OR_KEYWORD, argument.KEYWORD_ONLY}:
                raise self._refused(f"its argument {argument} cannot be given by name")
        return [argument.name for argument in arguments]

    def _hints(self, function: Callable[..., Any]) -> dict[str, Any]:
        try:
            return typing.get_type_hints(inspect.unwrap(function))
        except (NameError, AttributeError, TypeError, SyntaxError) as failure:
            why = f"its annotations cannot be read ({failure}); they are needed outside of type "
            raise self._refused(f"{why}checking, too") from failure

    def _check_parameters(self, annotated: Any, given: type[BaseModel] | None) -> None:
        if given is None:
            raise self._refused("it takes parameters, but the pipeline has no model for them")
        if isinstance(annotated, type) and not issubclass(given, annotated):
            raise self._refused(f"its parameters are {given.__name__}, not {annotated.__name__}")

    def _need(self, argument: str, name: str, annotation: Any) -> Need:
        if annotation is Any:
            return Need(name, argument)
        bare, optional = without_none(annotation)
        every = get_origin(bare) in {dict, abc.Mapping} and get_args(bare)[0] is str
        wanted = parse_output(get_args(bare)[1] if every else annotation)
        if annotation is None or wanted is None:
            raise self._refused(
                f"its argument {argument!r} must be annotated with what {name} returns, or with "
                "dict[str, …] of it for all partitions"
            )
        return Need(name, argument, wanted, every, optional)

    def sources(self, partitions: Partitions | None) -> tuple[str, ...]:
        """What a function that gives partitions is to be given: ``parameters``, or phases."""
        if isinstance(partitions, str):
            raise self._refused("partitions are a list of labels, not one text")
        if not callable(partitions):
            return ()
        names = self._arguments(partitions)
        if unknown := [name for name in names if name not in {"parameters", *self._names}]:
            raise self._refused(f"its partitions depend on {unknown[0]!r}, which is not in after")
        return tuple(self._names.get(name, name) for name in names)


def check_fit(project: str, signatures: Mapping[str, Signature]) -> None:
    """Refuse unknown names, cycles, and arguments that are not what the phase before returns."""
    for name, signature in signatures.items():
        for need in signature.needs:
            if need.phase not in signatures:
                raise refused(project, name, f"it comes after {need.phase!r}, which is no phase")
    graph = {name: [need.phase for need in each.needs] for name, each in signatures.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as failure:
        circle = " → ".join(failure.args[1])
        raise refused(project, None, f"its phases wait for each other: {circle}") from failure
    for name, signature in signatures.items():
        for need in signature.needs:
            if why := _misfit(signature, need, signatures[need.phase]):
                raise refused(project, name, why)


def _misfit(signature: Signature, need: Need, source: Signature) -> str | None:
    if need.wanted is None:
        return None
    if need.every and not source.partitioned:
        return f"it wants all partitions of {need.phase}, which has none"
    if source.partitioned and not need.every and not signature.partitioned:
        return f"{need.phase} has partitions: its argument must be a dict[str, …] of them"
    if not source.returns.fits(need.wanted):
        return f"its argument {need.argument!r} is not what {need.phase} returns"
    return None


def check_labels(
    project: str, signatures: Mapping[str, Signature], labels: Mapping[str, Collection[str]]
) -> None:
    """Refuse partitions without a partner in the phase before, as far as ``labels`` are known."""
    for name, signature in signatures.items():
        for need in signature.needs:
            if need.every or name not in labels or need.phase not in labels:
                continue
            for label in labels[name]:
                if label not in labels[need.phase]:
                    raise unmatched(project, name, label, need.phase)


def unmatched(project: str, phase: str, label: str, source: str) -> StorageError:
    """The error for a partition whose partner in the phase before does not exist."""
    why = f"{source} has no partition {label!r}; dict[str, …] as an argument gives all it has"
    return refused(project, phase, why)
