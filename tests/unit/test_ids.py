"""Case 76: ids, names and labels are parsed once; what is odd is refused with its own word."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal.errors import StorageError, StorageErrorCode
from journal.ids import (
    new_artifact_id,
    new_run_id,
    parse_digest,
    parse_label,
    parse_name,
    parse_partition,
    parse_run_id,
    run_id_folder,
    run_id_time,
)
from tests.unit.lines import RUN

NEVER = [
    None,
    7,
    b"name",
    "",
    " ",
    "\x00",
    "a\x00b",
    "a\nb",
    "\ud800",
    "a\u202eb",  # turns the text around on a screen
    "a\u200bb",  # zero width: a twin that nobody can see
    "x" * 257,
]
PATHS = ["..", ".", "../x", "a/b", "/etc/passwd", "a\\b", "./a", "~"]
DEVICES = ["con", "nul", "aux", "prn", "com1", "lpt9", "con.txt", "nul.tar.gz"]


def refusal(parse: Callable[[object], str], text: object) -> StorageError:
    """Return the error with which ``parse`` refuses ``text``."""
    with pytest.raises(StorageError) as caught:
        parse(text)
    assert caught.value.code is StorageErrorCode.VALIDATION_ERROR
    return caught.value


@pytest.mark.parametrize("text", [*NEVER, *PATHS, *DEVICES, "A", "Café", "_a", "-a", ".a", "a."])
def test_a_name_that_is_no_plain_word_is_refused(text: object) -> None:
    """Case 76: a name may become a file name on any system, where CON and con are one device."""
    assert refusal(parse_name, text).info.details.reason == "bad_name"


@pytest.mark.parametrize("text", ["a", "0", "nightly", "pt-br", "a.b_c-d", "console", "x" * 64])
def test_a_plain_word_is_a_name(text: str) -> None:
    """The rule leaves room for what people call their projects and phases."""
    assert parse_name(text) == text


def test_a_name_has_at_most_64_characters() -> None:
    """It is a column of a table."""
    refusal(parse_name, "x" * 65)


def test_case_twins_cannot_both_be_names() -> None:
    """Case 76: where the file system folds case, ``Build`` and ``build`` are one file."""
    assert parse_name("build")
    refusal(parse_name, "Build")


@pytest.mark.parametrize("text", [*NEVER, " de", "de ", "de\t", "Cafe\u0301", "x" * 129, "é" * 65])
def test_a_partition_that_cannot_be_told_apart_is_refused(text: object) -> None:
    """Case 76: Unicode twins (NFD) and invisible characters would be two labels that look alike."""
    assert refusal(parse_partition, text).info.details.reason == "bad_partition"


@pytest.mark.parametrize("text", ["pt-BR", "2026-11-22", "Café", "日本語", "a/b", "..", "é" * 64])
def test_a_partition_is_a_label_not_a_path(text: str) -> None:
    """It never becomes part of a path, so a slash in it is harmless."""
    assert parse_partition(text) == text


def test_a_label_is_longer_than_a_partition_and_has_the_same_rules() -> None:
    """External ids and actors are URLs and addresses."""
    assert parse_label("ann@example.org") == "ann@example.org"
    assert parse_label("x" * 256)
    assert refusal(parse_label, "x" * 257).info.details.reason == "bad_label"
    with pytest.raises(StorageError, match=r"actor 'a\\u202eb' is refused"):
        parse_label("a\u202eb", "actor")


@pytest.mark.parametrize(
    "text",
    [
        *NEVER,
        *PATHS,
        RUN.upper(),
        RUN.replace("-", ""),
        "{" + RUN + "}",
        RUN + "\n",
        RUN[:-1],
        RUN.replace("-7000-", "-4000-"),
        RUN.replace("-8000-", "-c000-"),
        RUN[:9] + "٠" + RUN[10:],
        "ffffffff-ffff-7000-8000-000000000001",
    ],
)
def test_a_run_id_that_is_no_plain_uuid7_is_refused(text: object) -> None:
    """Case 76 and Security, names: a run id alone gives a path, so it has one spelling."""
    assert refusal(parse_run_id, text).info.details.reason == "bad_run_id"


def test_a_run_id_gives_its_time_and_its_folder() -> None:
    """The date is read out of the id: a run is found without an index."""
    assert run_id_time(RUN) == datetime(2025, 11, 22, 11, 41, 27, 483000, tzinfo=UTC)
    assert run_id_folder(RUN) == f"2025/11/22/{RUN}"


@given(st.integers(0, 253402300799999))
def test_any_time_to_the_year_9999_gives_a_folder(milliseconds: int) -> None:
    """And no other time is accepted: a folder with five digits for the year was never promised."""
    digits = f"{milliseconds:012x}"
    run_id = parse_run_id(f"{digits[:8]}-{digits[8:]}-7000-8000-000000000001")
    year, month, day, name = run_id_folder(run_id).split("/")
    assert (len(year), len(month), len(day), name) == (4, 2, 2, run_id)


def test_new_ids_are_new_sorted_and_of_now() -> None:
    """Newest first is the order of ids: no clock is asked twice."""
    before = time.time()
    made = [new_run_id() for _ in range(1000)]
    assert made == sorted(set(made))
    assert [parse_run_id(run_id) for run_id in made] == made
    assert before - 0.001 <= run_id_time(made[0]).timestamp() <= time.time()
    assert parse_label(new_artifact_id()) != new_artifact_id()


@pytest.mark.parametrize("text", ["a" * 64, "0123456789abcdef" * 4])
def test_a_digest_is_64_hex_digits(text: str) -> None:
    """It is the file name of an artifact."""
    assert parse_digest(text) == text


@pytest.mark.parametrize("text", [*NEVER, "a" * 63, "a" * 65, "A" * 64, "g" * 64, "a" * 64 + "\n"])
def test_anything_else_is_no_digest(text: object) -> None:
    """Case 76 and Security, names: a digest out of a log becomes a path in the run's folder."""
    assert refusal(parse_digest, text).info.details.reason == "bad_sha256"


@given(st.text() | st.binary() | st.integers())
def test_whatever_is_parsed_is_kept_or_refused(text: object) -> None:
    """Case 76: nothing but StorageError, its text short and free of control characters."""
    for parse in (parse_run_id, parse_name, parse_partition, parse_label, parse_digest):
        try:
            parsed: object = parse(text)
        except StorageError as error:
            parsed = error
        assert parsed == text or isinstance(parsed, StorageError)
        assert str(parsed).isprintable()
        assert len(str(parsed)) < 300
