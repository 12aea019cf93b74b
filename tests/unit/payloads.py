"""
Hypothesis strategies for every event, built from the types of its fields.

A field that is added to the vocabulary is thereby tested, without a line here.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect as shape

from journal.events.base import Event
from journal.events.run import RunCreated, WriterOpened
from journal.limits import FORMAT, INT_MAX, INT_MIN

texts = st.text(max_size=40)  # all of Unicode that UTF-8 can hold
numbers = st.integers(INT_MIN, INT_MAX) | st.floats(allow_nan=False, allow_infinity=False)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)


def events(kind: type[Event]) -> st.SearchStrategy[Event]:
    """Return a strategy for events of ``kind`` with every payload that its types allow."""
    made: st.SearchStrategy[Event] = of_type(shape.type_info(kind))
    return made


def of_type(kind: shape.Type) -> st.SearchStrategy[Any]:
    """Return a strategy for what one msgspec type holds."""
    return _MAKERS[type(kind)](kind)


def _struct(kind: shape.StructType) -> st.SearchStrategy[Any]:
    required = {f.name: of_type(f.type) for f in kind.fields if f.required}
    if _opens(kind):
        required["format"] = st.just(FORMAT)  # any other is refused, rightly
    optional = {f.name: of_type(f.type) for f in kind.fields if not f.required}
    return st.fixed_dictionaries(required, optional=optional).map(lambda fields: kind.cls(**fields))


def _integer(kind: shape.IntType) -> st.SearchStrategy[int]:
    low = INT_MIN if kind.ge is None else kind.ge
    return st.integers(low, INT_MAX if kind.le is None else kind.le)


def _number(kind: shape.FloatType) -> st.SearchStrategy[float]:
    return st.floats(min_value=kind.ge, allow_nan=False, allow_infinity=False)


def _text(kind: shape.StrType) -> st.SearchStrategy[str]:
    return texts if kind.pattern is None else st.from_regex(kind.pattern, fullmatch=True)


_MAKERS: dict[type[shape.Type], Callable[[Any], st.SearchStrategy[Any]]] = {
    shape.StructType: _struct,
    shape.IntType: _integer,
    shape.FloatType: _number,
    shape.StrType: _text,
    shape.BoolType: lambda _: st.booleans(),
    shape.NoneType: lambda _: st.none(),
    shape.AnyType: lambda _: json_values,
    shape.LiteralType: lambda kind: st.sampled_from(kind.values),
    shape.UnionType: lambda kind: st.one_of(*map(of_type, kind.types)),
    shape.DictType: lambda kind: st.dictionaries(texts, of_type(kind.value_type), max_size=4),
    shape.VarTupleType: lambda kind: st.lists(of_type(kind.item_type), max_size=4).map(tuple),
}


def example_of(kind: type[Event]) -> Event:
    """Return the plainest event of ``kind``: required fields only, each as small as may be."""
    info = shape.type_info(kind)
    made: Event = msgspec.convert(_plain(info), kind)
    return made


def _opens(kind: shape.StructType) -> bool:
    return kind.cls in {RunCreated, WriterOpened}


def _plain(kind: Any) -> Any:
    match kind:
        case shape.StructType():
            fields = {f.name: _plain(f.type) for f in kind.fields if f.required}
            return fields | ({"format": FORMAT} if _opens(kind) else {})
        case shape.IntType():
            return kind.ge or 0
        case shape.FloatType():
            return 1.5
        case shape.StrType():
            return "ab" * 32 if kind.pattern else "x"
        case shape.LiteralType():
            return kind.values[0]
        case shape.VarTupleType():
            return [_plain(kind.item_type)]
        case shape.UnionType():
            return _plain(kind.types[0])
        case _:
            return None
