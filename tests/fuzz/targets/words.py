"""
Words from outside: ids, names, labels, points, lengths of time, parameters, targets, patterns.

Byte 0 says which parser reads them. What is taken must be what it claims to be: an id stays inside
its store, a moment can be asked for, a name can be a file's.
"""

import re
import unicodedata
from collections.abc import Callable
from datetime import datetime

import click
from pydantic import BaseModel, ConfigDict

from journal.errors import StorageError
from journal.events.registry import is_user_name
from journal.ids import (
    parse_digest,
    parse_label,
    parse_name,
    parse_partition,
    parse_run_id,
    run_id_folder,
)
from projections.cli import parameters, targets
from projections.cli.events import compiled
from projections.cli.exits import next_command
from projections.cli.points import parse_since, split_point
from projections.cli.settings import Settings
from projections.cli.text import clip, local, visible, visible_in_json
from projections.times import stamp_of

_FOLDER = re.compile(r"[0-9]{4}/[0-9]{2}/[0-9]{2}/[0-9a-f-]{36}")


def word(data: bytes) -> None:
    """Hand the rest of the input to the parser that its first byte names."""
    text = text_of(data[1:])
    try:
        _PARSERS[(data[:1] or b"\0")[0] % len(_PARSERS)](text)
    except StorageError as refused:
        refused.info.model_dump_json()
        str(refused).encode()
    except click.ClickException as refused:
        visible(refused.format_message()).encode()


def text_of(data: bytes) -> str:
    """Bytes as Python hands them on: text, or with a lone surrogate for each that is none."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "surrogateescape")


def _run_id(text: str) -> None:
    assert _FOLDER.fullmatch(run_id_folder(parse_run_id(text)))


def _name(text: str) -> None:
    name = parse_name(text)
    assert name.isascii()
    assert name == name.lower()
    assert "/" not in name
    assert name not in {".", "..", "con", "nul"}


def _label(text: str) -> None:
    for parse in (parse_label, parse_partition):
        found = parse(text)
        assert 0 < len(found.encode()) <= 256
        assert unicodedata.normalize("NFC", found) == found


def _digest(text: str) -> None:
    assert len(bytes.fromhex(parse_digest(text))) == 32


def _point(text: str) -> None:
    name, point = split_point(text)
    assert text.startswith(name)
    if isinstance(point, datetime):
        assert len(stamp_of(point)) == 27


def _since(text: str) -> None:
    moment = parse_since(text)
    assert stamp_of(moment).endswith("Z")
    local(moment).strftime("%Y-%m-%d")


def _pattern(text: str) -> None:
    compiled(text[:300])


def _target(text: str) -> None:
    found = targets.parse(text)
    assert found.place


class _Parameters(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    a: int = 0
    b: str = ""
    c: tuple[float, ...] = ()


def _pairs(text: str) -> None:
    given = parameters.split_pairs(tuple(text.split("\n")))
    assert isinstance(parameters.read(_Parameters, given), _Parameters)


def _said(text: str) -> None:
    shown = visible(text)
    shown.encode()
    assert visible(shown) == shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert len(clip(text, 20)) <= 20
    on_screen = visible_in_json(text.encode("utf-8", "surrogatepass") + b"\n").decode()
    assert visible(on_screen, keep="\n") == on_screen, "a terminal would obey it"
    next_command(text, Settings(store_given=text))


def _user_name(text: str) -> None:
    assert not is_user_name(text) or (text.isascii() and "." in text)


_PARSERS: tuple[Callable[[str], None], ...] = (
    _run_id,
    _name,
    _label,
    _digest,
    _point,
    _since,
    _pattern,
    _target,
    _pairs,
    _said,
    _user_name,
)
