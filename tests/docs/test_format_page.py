"""docs/format.md: its log is whole, its checkers check, its file layouts are those on disk."""

import hashlib
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from journal.backends.filesystem import FilesystemLog
from journal.chain import Chain, hash_of
from journal.ids import RunId, run_id_folder
from journal.record import Record
from tests.docs.pages import blocks
from tests.rules.sources import ROOT
from tests.unit import lines

PAGE = ROOT / "docs/format.md"
TEXT = PAGE.read_text(encoding="utf-8")
SAMPLE = blocks(PAGE, "jsonl")[0].text.encode()
LINES = SAMPLE.splitlines(keepends=True)
RUN = RunId(json.loads(LINES[0])["run_id"])
LONG = lines.log_of(30, RUN)


def records() -> list[Record]:
    """Return the records of the page's log, every rule applied."""
    chain = Chain(RUN, strict=True)
    return [chain.follow(line) for line in LINES]


def written(title: str, folder: Path) -> Path:
    """Write a block of the page into ``folder`` as the file that its title names."""
    (block,) = [block for block in blocks(PAGE) if block.title == title]
    (folder / title).write_text(block.text, encoding="utf-8")
    return folder / title


def run(checker: Path, log: bytes, run_id: str = RUN) -> tuple[bool, str]:
    """Run a checker on a log as a person would; return whether it was content, and its words."""
    folder = folder_of(checker.parent, log, run_id)
    program = sys.executable if checker.suffix == ".py" else "sh"
    ran = subprocess.run([program, checker, folder], capture_output=True, timeout=60)
    return ran.returncode == 0, ran.stdout.decode(errors="replace").strip()


def folder_of(place: Path, log: bytes, run_id: str = RUN) -> Path:
    """Write a log into the folder of a run below ``place``."""
    folder = place / run_id
    folder.mkdir(exist_ok=True)
    (folder / "events.jsonl").write_bytes(log)
    return folder


def flipped(bit: int) -> bytes:
    """Return the page's log with one bit the other way."""
    damaged = bytearray(SAMPLE)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


# ------------------------------------------------------------------------------- the line


def test_the_log_on_the_page_is_whole() -> None:
    """Every line is re-hashed, so the example cannot drift from the format."""
    assert [record.seq for record in records()] == [1, 2, 3, 4]
    assert [record.batch for record in records()] == [(1, 2), (1, 2), (3, 1), (4, 1)]


def test_the_keys_are_told_in_the_order_in_which_they_stand() -> None:
    """Another writer is made from this table."""
    told = dict(re.findall(r"^\| `(\w+)` \| (\S.*?) \| ", TEXT, re.MULTILINE))
    line = LINES[3]
    there = [key for key in told if told[key] != "–"]
    assert there[: there.index("hash") + 1] == list(json.loads(line))
    for key in json.loads(line):
        shown = told[key].strip("`").partition("…")[0]
        assert f'"{key}":{shown}'.encode() in line
    assert {*told} >= {*Record.__struct_fields__, "event"}


def test_the_hash_of_one_line_is_what_sha256sum_says(tmp_path: Path) -> None:
    """The shortest proof that nothing but bytes is hashed."""
    (tmp_path / "events.jsonl").write_bytes(SAMPLE)
    said = subprocess.check_output(["sh", written("line4.sh", tmp_path)], cwd=tmp_path, text=True)
    assert said.split()[0] == records()[3].hash


def test_every_code_that_a_line_can_have_is_told() -> None:
    """What is refused, and how, is part of the format."""
    said = re.findall(r"^\| `(\w+)` \| ", TEXT[TEXT.index("## What a reader") :], re.MULTILINE)
    assert said == [
        "corrupt",
        "serialization_error",
        "validation_error",
        "limit_exceeded",
        "unsupported_format",
    ]


# ------------------------------------------------------------------------------- the checkers


@pytest.mark.parametrize("title", ["check.py", "check.sh"])
def test_a_checker_agrees_with_ours_on_whole_logs(title: str, tmp_path: Path) -> None:
    """Ten lines, none of our code, and the same last hash."""
    checker = written(title, tmp_path)
    assert len(checker.read_text(encoding="utf-8").splitlines()) <= 10
    assert "from journal" not in checker.read_text(encoding="utf-8")
    assert run(checker, SAMPLE) == (True, f"4 {records()[3].hash}")
    assert run(checker, b"".join(LONG)) == (True, f"30 {hash_of(LONG[-1])}")


@pytest.mark.parametrize("title", ["check.py", "check.sh"])
@pytest.mark.parametrize(
    "damage",
    [
        [LONG[0], *LONG[2:]],
        [LONG[0], LONG[2], LONG[1], *LONG[3:]],
        [*LONG[:5], LONG[4], *LONG[5:]],
        [*LONG[:5], lines.log_of(6)[5], *LONG[6:]],
        [*LONG[:-1], LONG[-1][:-1]],
        [line.replace(b"\n", b"\r\n") for line in LONG],
    ],
    ids=["removed", "swapped", "twice", "of another run", "without its end", "CRLF"],
)
def test_a_checker_refuses_what_ours_refuses(
    title: str, damage: list[bytes], tmp_path: Path
) -> None:
    """Cases 24, 26 and 28: a second opinion that can be wrong in other ways only."""
    assert run(written(title, tmp_path), b"".join(damage))[0] is False


def test_the_shell_checker_finds_flipped_bits(tmp_path: Path) -> None:
    """Case 21, a sample: one bit here and there, and each bit of the last newline."""
    checker = written("check.sh", tmp_path)
    sample = [*range(0, len(SAMPLE) * 8, 211), *range(len(SAMPLE) * 8 - 8, len(SAMPLE) * 8)]
    assert [bit for bit in sample if run(checker, flipped(bit))[0]] == []


def test_the_python_checker_finds_flipped_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 21 by code that is not ours: every fifth bit, so each place in each line."""
    checker = str(written("check.py", tmp_path))
    monkeypatch.setattr(sys, "argv", [checker, str(folder_of(tmp_path, SAMPLE))])
    runpy.run_path(checker)
    missed = []
    for bit in range(0, len(SAMPLE) * 8, 5):
        folder_of(tmp_path, flipped(bit))
        try:
            runpy.run_path(checker)
        except SystemExit:
            continue
        missed.append(bit)
    assert missed == []


@pytest.mark.parametrize("title", ["check.py", "check.sh"])
def test_a_checker_refuses_a_folder_of_another_name(title: str, tmp_path: Path) -> None:
    """Case 80: a log belongs to the run whose id begins its chain, and lies in that folder."""
    assert run(written(title, tmp_path), SAMPLE, lines.OTHER_RUN)[0] is False


# ------------------------------------------------------------------------------- the files


def made(tmp_path: Path) -> tuple[Path, Path]:
    """Make a store with the page's log in it and close the run; return store and run folder."""
    log = FilesystemLog.open(tmp_path / "store")
    lease = log.create(RUN, LINES[:2])
    log.append(lease, LINES[2:3])
    log.append(lease, LINES[3:])
    log.put_checkpoint(lease, b'{"seq":4}\n')
    log.release(lease)
    return tmp_path / "store", tmp_path / "store/runs" / run_id_folder(RUN)


def test_the_folder_of_a_run_holds_what_the_page_says(tmp_path: Path) -> None:
    """Files that no page explains frighten whoever finds them."""
    store, folder = made(tmp_path)
    for path in (*store.iterdir(), *folder.iterdir()):
        assert path.name == "runs" or f"`{path.name}" in TEXT, path.name
    assert (folder / "events.jsonl").read_bytes() == SAMPLE
    assert (folder / "lock").read_bytes() == b""
    assert f"/{folder.relative_to(store / 'runs').as_posix()}" == f"/2026/11/22/{RUN}"


def test_the_head_is_laid_out_as_the_page_says(tmp_path: Path) -> None:
    """It decides between a torn tail and damage, so another reader must be able to read it."""
    head = (made(tmp_path)[1] / "head").read_bytes()
    body, check, newline = head[:239], head[239:255], head[255:]
    assert (len(head), newline) == (256, b"\n")
    assert check == hashlib.sha256(body).hexdigest()[:16].encode()
    words = body.decode().split()
    assert words[:3] == ["run-journal", "head", "1"]
    assert words[3:7] == ["4", str(len(SAMPLE)), records()[3].hash, "1"]
    assert (len(words), words[-1]) == (11, "closed")


def test_store_json_and_feed_are_laid_out_as_the_page_says(tmp_path: Path) -> None:
    """Both are small enough to be told in a line, so the line must be right."""
    store = made(tmp_path)[0]
    assert re.fullmatch(
        rb'\{"format":"run-journal/1","store_id":"[0-9a-f-]{36}"\}\n',
        (store / "store.json").read_bytes(),
    )
    first, *rest = (store / "feed").read_bytes().split(b"\n")
    assert re.fullmatch(rb'\{"feed":"run-journal/1","generation":"[0-9a-f]{32}"\}', first)
    assert rest[::2] == [b""] * 3
    told = [msgspec.json.decode(line, type=dict[str, Any]) for line in rest[1::2]]
    assert [(line["what"], line["run_id"], [*line]) for line in told] == [
        (what, RUN, ["what", "run_id", "at"]) for what in ("opened", "closed")
    ]
