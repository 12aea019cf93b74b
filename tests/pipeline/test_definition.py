"""What cannot run is refused where it is written, or before anything is recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from journal import Phase, Pipeline, StorageError, StorageErrorCode
from tests.pipeline.helpers import Parameters, Row, Total

if TYPE_CHECKING:
    from decimal import Decimal


def pipeline_of(*functions: Callable[..., Any], **options: Any) -> Pipeline:
    """A pipeline of phases one after the other, the last one with ``options``."""
    pipeline = Pipeline("defined", parameters=Parameters)
    for function in functions[:-1]:
        pipeline.phase()(function)
    after = [each.__name__ for each in functions[:-1]]
    pipeline.phase(**{"after": after, **options})(functions[-1])
    return pipeline


def refusal(*functions: Callable[..., Any], **options: Any) -> str:
    """The sentence with which such a pipeline is refused."""
    with pytest.raises(StorageError) as caught:
        pipeline_of(*functions, **options).check()
    assert caught.value.code is StorageErrorCode.VALIDATION_ERROR
    return caught.value.info.message


async def source() -> list[Row]:
    return []


async def parts(partition: str) -> Total:
    return Total(total=0)


def test_an_argument_that_nobody_gives_is_refused() -> None:
    """Even one with a default: a slip in a name must not pass as its default."""

    async def phase(sorce: list[Row], limit: int = 3) -> None: ...

    assert "its argument 'sorce' is none of parameters, phase, source" in refusal(source, phase)


def test_partition_is_an_argument_only_of_phases_that_have_some() -> None:
    """Without partitions there is nothing that it could be."""

    async def phase(partition: str) -> None: ...

    assert "'partition' is none of" in refusal(phase)


@pytest.mark.parametrize("kind", ["positional", "star", "stars"])
def test_arguments_that_cannot_be_given_by_name_are_refused(kind: str) -> None:
    """Everything is given by name; a catch-all would hide what a phase needs."""

    async def positional(source: list[Row], /) -> None: ...

    async def star(*source: list[Row]) -> None: ...

    async def stars(**source: list[Row]) -> None: ...

    functions: dict[str, Callable[..., Any]] = {"positional": positional, "star": star}
    functions["stars"] = stars
    assert "cannot be given by name" in refusal(source, functions[kind])


def test_an_ordinary_function_is_no_phase() -> None:
    """It would block the loop, and with it every other phase and the journal."""

    def phase() -> None: ...

    assert "a phase is an async function" in refusal(phase)
    with pytest.raises(StorageError, match="written out with async def"):
        Pipeline("partial").phase(name="part")(partial(source))


async def no_return():  # type: ignore[no-untyped-def]
    ...


async def plain_list() -> list[int]:
    return []


async def bare_list() -> list:  # type: ignore[type-arg]
    return []


async def plain_dict() -> dict[str, Any]:
    return {}


async def a_union() -> Row | Total:
    return Row(number=1)


async def anything() -> Any: ...


@pytest.mark.parametrize(
    "function", [no_return, plain_list, bare_list, plain_dict, a_union, anything]
)
def test_a_return_type_that_cannot_be_handed_on_is_refused(function: Callable[..., Any]) -> None:
    """What is stored must come back as what it was, so its type must be known."""
    assert "its return annotation must be" in refusal(function)


def test_an_input_without_an_annotation_is_refused() -> None:
    """It says whether one partition is wanted or all, and whether None will do."""

    async def phase(source) -> None:  # type: ignore[no-untyped-def]
        ...

    assert "its argument 'source' must be annotated" in refusal(source, phase)


async def takes_total(source: Total) -> None: ...


async def takes_totals(source: list[Total]) -> None: ...


async def takes_text(source: str) -> None: ...


@pytest.mark.parametrize("function", [takes_total, takes_totals, takes_text])
def test_an_input_of_another_type_than_returned_is_refused(function: Callable[..., Any]) -> None:
    """Found out now, and not after an hour in the phase before."""
    assert "its argument 'source' is not what source returns" in refusal(source, function)


async def takes_rows(source: list[Row]) -> None: ...


async def takes_iterable(source: Iterable[Row]) -> None: ...


async def takes_base(source: list[BaseModel]) -> None: ...


async def takes_perhaps(source: list[Row] | None) -> None: ...


async def takes_any(source: Any) -> None: ...


@pytest.mark.parametrize(
    "function", [takes_rows, takes_iterable, takes_base, takes_perhaps, takes_any]
)
def test_an_input_of_a_wider_type_is_taken(function: Callable[..., Any]) -> None:
    """What is returned fits, so there is nothing to refuse."""
    pipeline_of(source, function).check()


def test_what_may_be_none_is_not_given_to_a_phase_that_cannot_do_without() -> None:
    """An annotation that promises a value must be kept."""

    async def perhaps() -> Total | None:
        return None

    async def phase(perhaps: Total) -> None: ...

    assert "is not what perhaps returns" in refusal(perhaps, phase)


def test_annotations_that_exist_for_type_checkers_only_are_named() -> None:
    """They have to be read here, and a NameError would say neither where nor why."""

    async def phase(source: Decimal) -> None: ...

    message = refusal(source, phase)
    assert "'Decimal' is not defined" in message
    assert "outside of type checking" in message


def test_parameters_of_another_model_are_refused() -> None:
    """The pipeline says which parameters there are, once."""

    async def phase(parameters: Total) -> None: ...

    assert "its parameters are Parameters, not Total" in refusal(phase)
    with pytest.raises(StorageError, match="no model for them"):
        Pipeline("bare").phase()(phase)


def test_a_partitioned_input_of_a_phase_without_partitions_is_a_dict() -> None:
    """Which of them would it be otherwise?"""

    async def phase(parts: Total) -> None: ...

    pipeline = Pipeline("defined")
    pipeline.phase(partitions=["a"])(parts)
    pipeline.phase(after=["parts"])(phase)
    with pytest.raises(StorageError, match=r"must be a dict\[str, …\] of them"):
        pipeline.check()


def test_all_partitions_of_what_has_none_are_refused() -> None:
    """A dict of nothing would be given, and nobody would know why."""

    async def phase(source: dict[str, list[Row]]) -> None: ...

    assert "wants all partitions of source, which has none" in refusal(source, phase)


def test_partitions_without_a_partner_are_refused() -> None:
    """Each gets its own of the phase before; one that has none would wait for ever."""

    async def phase(parts: Total) -> None: ...

    pipeline = Pipeline("defined")
    pipeline.phase(partitions=["a"])(parts)
    pipeline.phase(after=["parts"], partitions=["a", "b"])(phase)
    with pytest.raises(StorageError, match="parts has no partition 'b'"):
        pipeline.check()


@pytest.mark.parametrize(
    ("partitions", "why"),
    [
        ("de", "not one text"),
        (["de", "de"], "named twice"),
        (["de "], "partition 'de ' is refused"),
        (lambda source: source, "which is not in after"),
        (lambda *labels: labels, "cannot be given by name"),
    ],
)
def test_partitions_that_cannot_be_are_refused(partitions: Any, why: str) -> None:
    """A label is the key of a result: it must be one, and be known in time."""
    assert why in refusal(parts, partitions=partitions)


def test_names_that_do_not_exist_are_refused() -> None:
    """In any order of definition; so it is known only when all are there."""
    assert "it comes after 'nobody', which is no phase" in refusal(source, after=["nobody"])


def test_a_phase_cannot_come_after_itself_nor_after_a_name_of_an_argument() -> None:
    """It would wait for ever, or be two things under one name."""
    assert "it cannot come after itself" in refusal(source, after=["source"])
    assert "a name kept for arguments" in refusal(source, after=["parameters"])


@pytest.mark.parametrize("after", ["one", ["one", "one"], ["a-b", "a.b"]])
def test_after_is_a_list_of_names_that_differ_as_arguments(after: Any) -> None:
    """``a-b`` and ``a.b`` would both be the argument ``a_b``."""
    assert "after is a list of names" in refusal(source, after=after)


def test_phases_that_wait_for_each_other_are_refused() -> None:
    """The circle is shown, for it may be a long one."""
    pipeline = Pipeline("circle")
    for name, before in {"a": "c", "b": "a", "c": "b"}.items():
        pipeline.phase(name=name, after=[before])(source)
    with pytest.raises(StorageError, match=r"a → b → c → a|b → c → a → b|c → a → b → c"):
        pipeline.check()


def test_a_name_that_is_taken_or_refused_is_refused_at_once() -> None:
    """The line that is wrong is the one that raises."""
    pipeline = Pipeline("names")
    pipeline.phase()(source)
    with pytest.raises(StorageError, match="it is defined twice"):
        pipeline.phase()(source)
    with pytest.raises(StorageError, match="phase 'Upper' is refused"):
        pipeline.phase(name="Upper")(source)
    with pytest.raises(StorageError, match="project 'no project' is refused"):
        Pipeline("no project")


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_that_lets_nothing_run_is_refused(limit: int) -> None:
    """It would hang, without a word."""
    with pytest.raises(StorageError, match="would let nothing run"):
        Pipeline("limits", limit=limit)
    assert "would let nothing run" in refusal(source, limit=limit)


def test_a_phase_function_stays_what_it_was() -> None:
    """It can be called in a unit test, without a run."""
    assert Pipeline("plain").phase()(source) is source


def test_a_name_with_a_hyphen_is_an_argument_with_an_underscore() -> None:
    """Names of phases are for people, and Python takes neither hyphen nor dot."""

    async def phase(pre_work: list[Row], phase: Phase) -> None: ...

    pipeline = Pipeline("names")
    pipeline.phase(name="pre-work")(source)
    pipeline.phase(after=["pre-work"])(phase)
    pipeline.check()
