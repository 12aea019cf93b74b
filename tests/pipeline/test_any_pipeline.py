"""Any order of phases, any failures in between: in the end each result was made exactly once."""

import inspect
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journal import Journal, Pipeline
from journal.events.phase import PhaseCompleted
from journal.pipeline import PipelineResult
from journal.testing import memory_journal, records
from tests.pipeline.helpers import Seen, Total

LABELS = ("a", "b")
Place = tuple[str, str | None]


@dataclass(frozen=True)
class Node:
    """A phase to be: what it comes after, whether it has partitions, which places fail first."""

    name: str
    after: tuple[str, ...]
    partitioned: bool
    failing: frozenset[str | None]

    @property
    def places(self) -> list[Place]:
        """What runs of it: itself, or each of its partitions."""
        return [(self.name, label) for label in (LABELS if self.partitioned else (None,))]


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Node]:
    """Up to six phases, each after any of those before it."""
    nodes: dict[str, Node] = {}
    for number in range(draw(st.integers(1, 6))):
        partitioned = draw(st.booleans())
        after = draw(st.sets(st.sampled_from(sorted(nodes)))) if nodes else set[str]()
        places = st.sampled_from(LABELS if partitioned else (None,))
        name = f"p{number}"
        nodes[name] = Node(name, tuple(sorted(after)), partitioned, draw(st.frozensets(places)))
    return nodes


def sources(nodes: dict[str, Node], node: Node, label: str | None) -> list[Place]:
    """What a place is made from: the same partition, where both have some, else all."""
    return [
        (name, found)
        for name in node.after
        for _, found in nodes[name].places
        if label is None or found is None or found == label
    ]


def build(nodes: dict[str, Node], trouble: set[Place]) -> Pipeline:
    """A pipeline of these phases, in which each place of ``trouble`` fails once."""
    pipeline = Pipeline("any")
    for node in nodes.values():
        partitions = LABELS if node.partitioned else None
        pipeline.phase(name=node.name, after=node.after, partitions=partitions)(
            function(nodes, node, trouble)
        )
    return pipeline


def function(
    nodes: dict[str, Node], node: Node, trouble: set[Place]
) -> Callable[..., Coroutine[Any, Any, Total]]:
    """One more than the sum of what it is given."""

    async def phase(**given: Any) -> Total:
        place = (node.name, given.pop("partition", None))
        if place in trouble:
            trouble.remove(place)
            raise ConnectionError(place)
        flat = [
            each.total
            for value in given.values()
            for each in (value.values() if isinstance(value, dict) else [value])
        ]
        return Total(total=1 + sum(flat))

    kinds: dict[str, Any] = {
        name: dict[str, Total] if nodes[name].partitioned and not node.partitioned else Total
        for name in node.after
    }
    if node.partitioned:
        kinds["partition"] = str
    keyword = inspect.Parameter.KEYWORD_ONLY
    arguments = [inspect.Parameter(name, keyword, annotation=kinds[name]) for name in kinds]
    vars(phase)["__signature__"] = inspect.Signature(arguments)
    phase.__annotations__ = {**kinds, "return": Total}
    return phase


def expected(nodes: dict[str, Node]) -> dict[Place, int]:
    """What each place comes to, reckoned without a pipeline."""
    totals: dict[Place, int] = {}
    for node in nodes.values():
        for place in node.places:
            totals[place] = 1 + sum(totals[each] for each in sources(nodes, node, place[1]))
    return totals


def reached(nodes: dict[str, Node], start: set[Place]) -> set[Place]:
    """``start``, and all that was made from it."""
    found = set(start)
    for node in nodes.values():
        for place in node.places:
            if found.intersection(sources(nodes, node, place[1])):
                found.add(place)
    return found


def completions(journal: Journal, run_id: str) -> Counter[Place]:
    """How often each place completed."""
    return Counter(
        (str(line.phase), line.data.partition)
        for line in records(journal, run_id)
        if isinstance(line.data, PhaseCompleted)
    )


async def until_it_completes(journal: Journal, pipeline: Pipeline) -> PipelineResult:
    """Run, and resume as often as something fails."""
    seen = Seen()
    while True:
        try:
            if seen.run_id:
                return await pipeline.resume(journal, seen.run_id)
            return await pipeline.run(journal, on_run=seen)
        except (ConnectionError, ExceptionGroup):
            continue  # each place fails only once, so this ends


async def check(nodes: dict[str, Node], redo: str) -> None:
    """The rule of this file, for one pipeline."""
    trouble = {(node.name, label) for node in nodes.values() for label in node.failing}
    pipeline = build(nodes, trouble)
    async with memory_journal() as journal:
        result = await until_it_completes(journal, pipeline)
        run_id, outputs = result.run_id, result.outputs
        totals = expected(nodes)
        for (name, label), total in totals.items():
            value = outputs[name] if label is None else outputs[name][label]
            assert value == Total(total=total)
        done = completions(journal, run_id)
        assert done == dict.fromkeys(totals, 1)
        again = await pipeline.resume(journal, run_id, redo=[redo])
        assert again.outputs == outputs
        once_more = reached(nodes, set(nodes[redo].places))
        assert completions(journal, run_id) == done + Counter(once_more)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@settings(max_examples=25)
@given(nodes=graphs(), data=st.data())
def test_each_result_is_made_once_and_a_redo_reaches_what_was_made_from_it(
    backend: str, nodes: dict[str, Node], data: st.DataObject
) -> None:
    """Whatever the order and wherever it fails: no work is lost, none is done twice."""
    redo = data.draw(st.sampled_from(sorted(nodes)))
    anyio.run(check, nodes, redo, backend=backend)
