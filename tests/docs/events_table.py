"""
The tables of ``docs/events.md``: every event, every field, as the classes define them.

An event's *since* is the first version whose golden log holds it.
"""

import inspect
import re
from typing import Any

import msgspec
from msgspec import inspect as shape

from journal.events import artifact, log, phase, run, step
from journal.events.base import Event
from journal.events.registry import BUILT_IN
from tests.rules.sources import ROOT

_GROUPS = {
    run: "A run",
    phase: "A phase",
    step: "A step",
    artifact: "An artifact",
    log: "What is said about it",
}


def vocabulary_tables() -> str:
    """Return a table of events per file of the vocabulary."""
    tables = []
    for module, title in _GROUPS.items():
        name = module.__name__.replace(".", "/") + ".py"
        rows = [_event_row(kind) for kind in BUILT_IN if kind.__module__ == module.__name__]
        tables.append(
            f"### {title} (`{name}`)\n\n"
            "| event, class | level | since | payload | what it says |\n|---|---|---|---|---|\n"
            + "\n".join(rows)
            + "\n"
        )
    return "\n".join(tables)


def _event_row(kind: type[Event]) -> str:
    version = f" v{kind.event_version}" if kind.event_version > 1 else ""
    return (
        f"| `{kind.event_name}`<br>{kind.__name__}{version} | {kind.event_level} "
        f"| {since(kind.event_name)} | {_fields(kind)} | {_sentence(kind)} |"
    )


def parts_table() -> str:
    """Return the table of what payloads are made of."""
    rows = [f"| {kind.__name__} | {_fields(kind)} | {_sentence(kind)} |" for kind in parts()]
    return "| part | fields | what it is |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def parts() -> list[type[msgspec.Struct]]:
    """Return the structs that stand inside payloads, in the order in which they are met."""
    found: list[type[msgspec.Struct]] = []
    for kind in BUILT_IN:
        _collect(shape.type_info(kind), found)
    return [part for part in found if not issubclass(part, Event)]


def _collect(kind: shape.Type, found: list[type[msgspec.Struct]]) -> None:
    match kind:
        case shape.StructType(cls=cls, fields=fields):
            if cls not in found:
                found.append(cls)
                for field in fields:
                    _collect(field.type, found)
        case shape.UnionType(types=types):
            for one in types:
                _collect(one, found)
        case shape.VarTupleType(item_type=item):
            _collect(item, found)


def since(name: str) -> str:
    """Return the first version that could record an event of this name."""
    logs = {path.stem[1:]: path for path in (ROOT / "tests/golden").glob("v*.jsonl")}
    for version in sorted(logs, key=_numbers):
        if f'"event":"{name}"' in logs[version].read_text(encoding="utf-8"):
            return version
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'^version = "([^"]+)"', project, re.MULTILINE)
    return found[1] if found else "?"


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"[0-9]+", version)]


def _sentence(kind: type[msgspec.Struct]) -> str:
    text = inspect.getdoc(kind) or ""
    return " ".join(text.partition("\n\n")[0].split()).replace("``", "`")


def _fields(kind: type[msgspec.Struct]) -> str:
    info = shape.type_info(kind)
    if not isinstance(info, shape.StructType) or not info.fields:
        return "–"
    return "<br>".join(f"`{f.name}` {_type(f.type)}{_default(f)}" for f in info.fields)


def _default(field: shape.Field) -> str:
    if field.required:
        return ""
    value: Any = field.default if field.default_factory is msgspec.NODEFAULT else {}
    if value is None:
        return ""  # "or null" says it already
    text = msgspec.json.encode(value).decode()
    return f" = `{text}`"


def _type(kind: shape.Type) -> str:
    match kind:
        case shape.StrType(pattern=pattern):
            return "sha256" if pattern else "text"
        case shape.IntType(ge=low):
            return "integer" if low is None else f"integer ≥ {low}"
        case shape.FloatType(ge=low):
            return "number" if low is None else f"number ≥ {low:g}"
        case shape.BoolType():
            return "true or false"
        case shape.LiteralType(values=values):
            return " or ".join(f'`"{value}"`' for value in sorted(map(str, values)))
        case shape.StructType(cls=cls):
            return cls.__name__
        case shape.DictType():
            return "object"
        case shape.VarTupleType(item_type=item):
            return f"list of {_type(item)}"
        case shape.UnionType(types=types):
            named = [_type(one) for one in types if not isinstance(one, shape.NoneType)]
            nullable = len(named) < len(types)
            if named == ["integer ≥ 0", "number ≥ 0"]:
                named = ["number ≥ 0"]
            return " or ".join([*named, *(["null"] if nullable else [])])
        case _:
            raise TypeError(f"{kind} has no name in the documentation yet")
