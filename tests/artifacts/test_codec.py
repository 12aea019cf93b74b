"""Payloads become bytes and payloads again, each kind in its usual form."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from pydantic import RootModel

from journal.artifacts.codec import decode, encode, plan
from journal.artifacts.memory import MemoryArtifacts
from journal.artifacts.store import ArtifactFormat
from journal.errors import StorageError, StorageErrorCode
from journal.ids import new_run_id
from journal.limits import READ_BYTES
from tests.artifacts.payloads import LINE, LINE_JSON, Line, everything, refusal, texts


@pytest.mark.parametrize(
    ("payload", "format_", "media_type", "content"),
    [
        (LINE, "json", "application/json", LINE_JSON),
        ([LINE, LINE], "jsonl", "application/jsonl", LINE_JSON * 2),
        ((LINE,), "jsonl", "application/jsonl", LINE_JSON),
        (iter([LINE]), "jsonl", "application/jsonl", LINE_JSON),
        ([], "jsonl", "application/jsonl", b""),
        ("één\r\n", "txt", "text/plain", b"\xc3\xa9\xc3\xa9n\r\n"),
        ("", "txt", "text/plain", b""),
        (b"\x00\xff", "binary", "application/octet-stream", b"\x00\xff"),
        (bytearray(b"ab"), "binary", "application/octet-stream", b"ab"),
        (memoryview(b"abcd")[::2], "binary", "application/octet-stream", b"ac"),
        (memoryview(b""), "binary", "application/octet-stream", b""),
        (RootModel[dict[str, int]]({"a": 1}), "json", "application/json", b'{"a":1}\n'),
    ],
)
def test_each_kind_of_payload_has_its_usual_form(
    payload: Any, format_: str, media_type: str, content: bytes
) -> None:
    """People hand over what they have and need not name a format."""
    chosen = plan(payload)
    assert (chosen.format, chosen.media_type) == (format_, media_type)
    assert everything(payload) == content


@pytest.mark.parametrize(
    ("name", "format_", "media_type"),
    [
        ("a.json", "json", "application/json"),
        ("a.JSONL", "jsonl", "application/jsonl"),
        ("a.csv", "csv", "text/csv"),
        ("a.txt", "txt", "text/plain"),
        ("README.md", "txt", "text/markdown"),
        ("a.json.gz", "binary", "application/octet-stream"),
        ("json", "binary", "application/octet-stream"),
        ("..\u202e;rm -rf $HOME\n", "binary", "application/octet-stream"),
        ("é" * 100 + ".txt", "txt", "text/plain"),
    ],
)
def test_a_file_is_taken_as_its_suffix_says_whatever_its_name_case_75(
    tmp_path: Path, name: str, format_: str, media_type: str
) -> None:
    """A name tells how to read a file; it never becomes part of a path of ours."""
    path = tmp_path / name
    path.write_bytes(b"\xff anything")
    chosen = plan(path)
    assert (chosen.format, chosen.media_type) == (format_, media_type)
    assert everything(path) == b"\xff anything"


@pytest.mark.parametrize(
    ("payload", "wanted", "format_"),
    [
        ("a,b\n", "csv", ArtifactFormat.CSV),
        (b"{}", "json", ArtifactFormat.JSON),
        (b"{}\n", ArtifactFormat.JSONL, ArtifactFormat.JSONL),
        (Path("report.md"), "binary", ArtifactFormat.BINARY),
        (Path("table"), "csv", ArtifactFormat.CSV),
        (LINE, "json", ArtifactFormat.JSON),
    ],
)
def test_the_caller_may_name_the_format(payload: Any, wanted: str, format_: ArtifactFormat) -> None:
    """Bytes and files can hold anything, and only their owner knows what."""
    assert plan(payload, wanted).format is format_


@pytest.mark.parametrize(
    ("payload", "wanted"),
    [
        (LINE, "jsonl"),
        (LINE, "txt"),
        ([LINE], "json"),
        ([LINE], "csv"),
        ("text", "json"),
        ("text", "binary"),
        (b"bytes", "parquet"),
        (b"bytes", "JSON"),
    ],
)
def test_a_format_that_does_not_fit_is_refused(payload: Any, wanted: str) -> None:
    """A name that lies about its content is found by the reader, when it is too late."""
    with pytest.raises(StorageError) as raised:
        plan(payload, wanted)
    assert raised.value.code is StorageErrorCode.UNSUPPORTED_FORMAT
    assert raised.value.info.details.next_action


@pytest.mark.parametrize("payload", [{"a": 1}, None, 7, 1.5, object(), Line])
def test_what_is_no_payload_is_refused(payload: Any) -> None:
    """A dict has no shape that could be checked when it comes back; a model has."""
    with pytest.raises(StorageError) as raised:
        plan(payload)
    assert raised.value.code is StorageErrorCode.VALIDATION_ERROR
    assert "RootModel" in str(raised.value.info.details.next_action)


def test_a_lone_surrogate_in_text_is_refused_and_placed_case_37() -> None:
    """It cannot be written as UTF-8; the error says where it stands, not what stands around it."""
    failure = refusal("x" * READ_BYTES + "\ud800")
    assert failure.code is StorageErrorCode.VALIDATION_ERROR
    assert f"character {READ_BYTES} " in failure.info.message


def test_a_file_that_changes_while_it_is_read_case_74(tmp_path: Path) -> None:
    """What was stored is what was hashed, be it neither the old nor the new content."""
    path = tmp_path / "growing.log"
    path.write_bytes(b"a" * 3 * READ_BYTES)
    store, run_id = MemoryArtifacts(), new_run_id()
    sink, seen = store.begin(run_id), b""
    for number, chunk in enumerate(encode(path)):
        sink.write(chunk)
        seen += chunk
        if number == 0:
            path.write_bytes(b"b" * 2 * READ_BYTES + b"c")
    stored = sink.commit()
    assert seen == b"a" * READ_BYTES + b"b" * READ_BYTES + b"c"
    assert store.read_all(run_id, stored.sha256, stored.size_bytes) == seen


def test_only_a_regular_file_is_taken_case_38(tmp_path: Path) -> None:
    """A FIFO would wait for ever; a link may have been laid by whoever made the folder."""
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "fifo")
    for name in ("link", "fifo", ".", "/dev/null"):
        failure = refusal(tmp_path / name)
        assert failure.code is StorageErrorCode.IO_ERROR
        assert failure.info.details.path == str(tmp_path / name)
    assert "resolve()" in str(refusal(tmp_path / "link"))
    assert everything((tmp_path / "link").resolve()) == b"x"


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    """The error names the whole path, for a relative one depends on where one stands."""
    failure = refusal(Path("no-such-file.txt"))
    assert failure.code is StorageErrorCode.NOT_FOUND
    assert failure.info.details.path == str(Path.cwd() / "no-such-file.txt")
    assert refusal(tmp_path / "a\0b").code is StorageErrorCode.VALIDATION_ERROR


@given(texts)
def test_text_comes_back_equal(text: str) -> None:
    """Newlines of every kind stay what they are."""
    assert decode(everything(text), "txt") == text
    assert decode(everything(text), ArtifactFormat.CSV) == text


def test_without_a_model_there_is_text_or_bytes() -> None:
    """JSON without a model is shown as it stands, never as dicts of unknown shape."""
    assert decode(LINE_JSON, "json") == LINE_JSON.decode()
    assert decode(b"\xff", "binary") == b"\xff"
    with pytest.raises(StorageError) as raised:
        decode(b"ab\xff", "txt")
    assert raised.value.code is StorageErrorCode.SERIALIZATION_ERROR
    assert "byte 2" in raised.value.info.message


@pytest.mark.parametrize("format_", ["txt", "csv", "binary", "parquet"])
def test_a_model_where_there_is_no_json_is_refused(format_: str) -> None:
    """Guessing a shape for text would be a parser of its own."""
    with pytest.raises(StorageError) as raised:
        decode(b"{}", format_, Line)
    assert raised.value.code is StorageErrorCode.UNSUPPORTED_FORMAT
