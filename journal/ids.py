"""
Ids, names and labels: parsed once at the border, then trusted.

Every function takes a text from outside and gives back a type that can only be made here, or
raises ``validation_error``. A run id alone gives the run's folder, so nothing else that a caller
names ever becomes a path.

Below: errors, limits. Above: everything.
"""

import re
import sys
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NewType

from journal.errors import StorageErrorCode, storage_error
from journal.limits import LABEL_BYTES_MAX, NAME_CHARS_MAX, PARTITION_BYTES_MAX

RunId = NewType("RunId", str)
"""A UUIDv7 in lower-case canonical form: its first 48 bits are the time of creation in ms."""

Name = NewType("Name", str)
"""A project, phase or role: ``[a-z0-9][a-z0-9._-]{0,63}``, no device name of any system."""

Partition = NewType("Partition", str)
"""A label such as ``pt-BR`` or ``2026-11-22``: 1 to 128 bytes of printable NFC text."""

Label = NewType("Label", str)
"""A free label (artifact id, actor, external id): 1 to 256 bytes of printable NFC text."""

_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_NAME = re.compile(rf"[a-z0-9][a-z0-9._-]{{0,{NAME_CHARS_MAX - 1}}}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Names that Windows maps to devices, with or without an extension: a store may travel.
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))]
)

# Cc control, Cf format (bidi, zero width), Cs surrogate, Co private, Cn unassigned, Zl/Zp breaks.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

if sys.version_info >= (3, 14):  # pragma: no cover - needs Python 3.14
    from uuid import uuid7

    _uuid7: Callable[[], object] = uuid7
else:
    from uuid_utils import uuid7

    _uuid7 = uuid7


def new_run_id() -> RunId:
    """Make a run id: unique anywhere, and later ones of one process sort after earlier ones."""
    return RunId(str(_uuid7()))


def new_artifact_id() -> Label:
    """Make an artifact id: it names one act of storing, not the content."""
    return Label(str(_uuid7()))


def parse_run_id(text: object) -> RunId:
    """Check that ``text`` is a UUIDv7 as this library writes it; else ``validation_error``."""
    if not isinstance(text, str) or not _UUID7.fullmatch(text):
        raise _refused("run id", text, "a UUIDv7 in lower case, such as journal prints")
    try:
        run_id_time(RunId(text))
    except OverflowError:
        raise _refused("run id", text, "a UUIDv7 of a year up to 9999") from None
    return RunId(text)


def run_id_time(run_id: RunId) -> datetime:
    """The moment (UTC, to the millisecond) at which the id was made."""
    return _EPOCH + timedelta(milliseconds=int(run_id[:8] + run_id[9:13], 16))


def run_id_folder(run_id: RunId) -> str:
    """Where the run lies below ``runs/``: ``yyyy/mm/dd/<run_id>``, read out of the id alone."""
    made = run_id_time(run_id)
    return f"{made.year:04d}/{made.month:02d}/{made.day:02d}/{run_id}"


def parse_name(text: object, what: str = "name") -> Name:
    """Check a project, phase or role name; ``what`` is the word for it in the error."""
    if not isinstance(text, str) or not _NAME.fullmatch(text) or text.endswith("."):
        raise _refused(
            what, text, "1 to 64 of a-z 0-9 . _ - (first a letter or digit, last no dot)"
        )
    if text.split(".", 1)[0] in _DEVICES:
        raise _refused(what, text, "no name that some system keeps for a device")
    return Name(text)


def parse_partition(text: object) -> Partition:
    """Check a partition label; else ``validation_error``."""
    return Partition(_printable(text, "partition", PARTITION_BYTES_MAX))


def parse_label(text: object, what: str = "label") -> Label:
    """Check a free label; ``what`` is the word for it in the error."""
    return Label(_printable(text, what, LABEL_BYTES_MAX))


def parse_digest(text: object) -> str:
    """Check a SHA-256 in lower-case hex; else ``validation_error``."""
    if not isinstance(text, str) or not _DIGEST.fullmatch(text):
        raise _refused("sha256", text, "64 digits of 0-9 a-f")
    return text


def _printable(text: object, what: str, bytes_max: int) -> str:
    wanted = f"1 to {bytes_max} bytes of printable text in NFC, no space at either end"
    if not isinstance(text, str) or not text or text != text.strip():
        raise _refused(what, text, wanted)
    if any(unicodedata.category(char) in _UNPRINTABLE for char in text):
        raise _refused(what, text, wanted)
    # Unicode twins: two spellings of one text would be two partitions that nobody can tell apart.
    if unicodedata.normalize("NFC", text) != text or len(text.encode()) > bytes_max:
        raise _refused(what, text, wanted)
    return text


def _refused(what: str, value: object, wanted: str) -> Exception:
    shown = ascii(value)
    shown = shown if len(shown) <= 80 else f"{shown[:80]}…"
    return storage_error(
        StorageErrorCode.VALIDATION_ERROR,
        f"{what} {shown} is refused; wanted: {wanted}. Nothing was written.",
        reason="bad_" + what.replace(" ", "_"),
        next_action=f"give another {what}",
    )
