"""`salvage`, `repair`, `verify`: what is damaged stays as it is, and the way on is named."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from journal.backends.filesystem import FilesystemLog
from journal.draft import Clock
from journal.ids import parse_run_id
from tests.cli.support import Command
from tests.forks.damage import flip, starts, trace
from tests.support.logs import Lines, crash


@pytest.fixture
def damaged(tmp_path: Path, finished: tuple[Command, str]) -> tuple[Command, str]:
    """A copy of the finished run, a bit of its fifth line turned over."""
    shutil.copytree(finished[0].folder, tmp_path, dirs_exist_ok=True)
    journal, run_id = Command(tmp_path), finished[1]
    log = journal.log(run_id)
    flip(log, starts(log.read_bytes())[4] + 30)
    return journal, run_id


# -- salvage -------------------------------------------------------------------------------------


def test_salvage_prints_the_new_id_and_what_was_left(damaged: tuple[Command, str]) -> None:
    """In a pipe one object: where the damage is, how much was left behind, and how to go on."""
    journal, run_id = damaged
    before = trace(journal.run_folder(run_id))
    (made,) = journal.records("salvage", run_id)
    assert trace(journal.run_folder(run_id)) == before
    log = journal.log(run_id).read_bytes()
    assert (made["damaged"], made["parent"], made["code"]) == (run_id, run_id, "corrupt")
    assert made["left_from_line"] == made["seq"] + 1
    assert made["left_from_byte"] + made["left_bytes"] == len(log)
    assert made["next_action"] == f"journal resume {made['run_id']}"
    state = json.loads(journal("show", made["run_id"]).stdout)
    assert (state["parent"]["run_id"], state["parent"]["seq"]) == (run_id, made["seq"])
    resumed = journal("resume", made["run_id"])
    assert resumed.returncode == 0, resumed.stderr
    assert journal("verify", made["run_id"]).returncode == 0


def test_on_a_terminal_salvage_says_it_in_sentences(damaged: tuple[Command, str]) -> None:
    """The new id stands first; damage, what was left behind, and the next command follow."""
    journal, run_id = damaged
    code, screen = journal.on_terminal("salvage", run_id)
    assert code == 0
    new_id = screen.split()[0]
    for text in (f"of run {run_id}", "was not touched", "left behind: ", "line 5 (byte "):
        assert text in screen
    assert f"next: journal resume {new_id}" in screen


def test_salvage_into_another_store(damaged: tuple[Command, str], tmp_path: Path) -> None:
    """For a disk that can only be read: nothing at all is written to the first store."""
    journal, run_id = damaged
    journal("list")
    before = trace(journal.folder / ".journal" / "runs")
    (made,) = journal.records("salvage", run_id, "--into", str(tmp_path / "other"))
    assert trace(journal.folder / ".journal" / "runs") == before
    assert made["next_action"] == (f"journal resume --store {tmp_path / 'other'} {made['run_id']}")
    listed = journal.records("list", "--store", str(tmp_path / "other"))
    assert [each["run_id"] for each in listed] == [made["run_id"]]


def test_a_whole_run_is_not_salvaged(finished: tuple[Command, str]) -> None:
    """Exit 1, and the command that goes on with it."""
    journal, run_id = finished
    ran = journal("salvage", run_id)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert f"next: journal resume {run_id}" in ran.stderr


def test_a_run_without_a_whole_batch_has_nothing_to_salvage(damaged: tuple[Command, str]) -> None:
    """Case 23: line 1 is damaged, so there is nothing that anything could go on from."""
    journal, run_id = damaged
    flip(journal.log(run_id), 30)
    ran = journal("salvage", run_id)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "nothing to salvage" in ran.stderr


def test_a_run_that_is_not_there_or_has_no_log_is_not_salvaged(
    damaged: tuple[Command, str],
) -> None:
    """Case 20: exit 3, as for every name of nothing."""
    journal, run_id = damaged
    assert journal("salvage", "01a20285-29b3-7a11-8a5e-6c0d3b1f9e42").returncode == 3
    journal.log(run_id).unlink()
    ran = journal("salvage", run_id)
    assert ran.returncode == 3
    assert "its log is gone" in ran.stderr


def test_a_run_that_is_written_is_not_salvaged(journal: Command) -> None:
    """Case 48: exit 4; what is on its way is not damaged."""
    process, run_id = journal.held()
    assert journal("salvage", run_id).returncode == 4
    journal.open_gate()
    process.communicate()
    assert process.returncode == 0


# -- repair --------------------------------------------------------------------------------------

HALF = b'{"seq":999,"timestamp":"2026-11-22T'


@pytest.fixture
def torn(journal: Command) -> tuple[Command, str]:
    """A run whose writer was killed while it wrote its last line."""
    process, run_id = journal.held()
    process.kill()
    process.communicate()
    with journal.log(run_id).open("ab") as log:
        log.write(HALF)
    return journal, run_id


def test_a_dry_run_says_exactly_what_repair_does(torn: tuple[Command, str]) -> None:
    """How many bytes, from which line and byte, and where the copy goes: then just that happens."""
    journal, run_id = torn
    folder = journal.run_folder(run_id)
    before = trace(folder)
    (planned,) = journal.records("repair", run_id, "--dry-run")
    assert trace(folder) == before
    log = journal.log(run_id).read_bytes()
    assert planned["torn_bytes"] == len(HALF)
    assert planned["from_byte"] == len(log) - len(HALF)
    assert planned["from_line"] == log.count(b"\n") + 1
    assert planned["kept_as"] is None

    (done,) = journal.records("repair", run_id)
    assert done["kept_as"] == planned["would_keep_as"]
    assert (folder / done["kept_as"]).read_bytes() == HALF
    assert journal.log(run_id).read_bytes().startswith(log.removesuffix(HALF))
    assert journal("verify", run_id).returncode == 0
    assert journal.records("repair", run_id)[0]["heals"] == []


def test_a_batch_that_nobody_acknowledged_is_no_part_of_the_tail(
    torn: tuple[Command, str],
) -> None:
    """Its writer died between the sync and the head: it is kept, and the tail begins behind it."""
    journal, run_id = torn
    run = FilesystemLog.open(journal.folder / ".journal")
    path = journal.log(run_id)
    path.write_bytes(path.read_bytes().removesuffix(HALF))
    lease = run.acquire(parse_run_id(run_id))
    folder = journal.run_folder(run_id)
    head = (folder / "head").read_bytes()
    lines = Lines(lease.run_id)
    lines.seq, lines.link = lease.head.seq, lease.head.hash
    lines._clock = Clock(lambda: 4_102_444_800.0)  # later than the writer's
    run.append(lease, lines.batch(2))
    crash(lease)
    (folder / "head").write_bytes(head)
    with path.open("ab") as log:
        log.write(HALF)
    (planned,) = journal.records("repair", run_id, "--dry-run")
    assert planned["from_byte"] == path.stat().st_size - len(HALF)
    assert planned["from_line"] == lines.seq + 1
    found = journal("verify", run_id, "--json")
    assert f"behind line {lines.seq} " in found.stdout
    (done,) = journal.records("repair", run_id)
    assert done["kept_as"] == planned["would_keep_as"]


def test_on_a_terminal_a_dry_run_says_it_in_a_sentence(torn: tuple[Command, str]) -> None:
    """The same facts, for who reads them before they agree."""
    journal, run_id = torn
    (planned,) = journal.records("repair", run_id, "--dry-run")
    code, screen = journal.on_terminal("repair", run_id, "--dry-run")
    said = " ".join(screen.split())
    assert code == 0
    assert f"from line {planned['from_line']} (byte {planned['from_byte']})" in said
    assert f"would be set aside as {planned['would_keep_as']}" in said


def test_a_disk_that_fills_up_while_the_tail_is_kept_leaves_all_as_it_was(
    torn: tuple[Command, str],
) -> None:
    """Case 82: the bytes are cut only after their copy is durable; no copy, no cut, exit 5."""
    journal, run_id = torn
    before = journal.log(run_id).read_bytes()
    limited = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10));"
        "from projections.cli import main; main()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", limited, "repair", run_id],
        cwd=journal.folder,
        env=journal.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ran.returncode, ran.stdout) == (5, ""), ran.stderr
    assert "no_space" in ran.stderr
    assert journal.log(run_id).read_bytes() == before
    assert journal.records("repair", run_id)[0]["torn_bytes"] == len(HALF)


def test_damage_is_refused_and_leads_to_salvage(damaged: tuple[Command, str]) -> None:
    """Repair never guesses: exit 1, nothing changed, and the command that saves what there is."""
    journal, run_id = damaged
    before = trace(journal.run_folder(run_id))
    for arguments in ((), ("--dry-run",)):
        ran = journal("repair", run_id, *arguments)
        assert (ran.returncode, ran.stdout) == (1, "")
        assert f"next: journal salvage {run_id}" in ran.stderr
    assert trace(journal.run_folder(run_id)) == before


@pytest.mark.parametrize("what", ["head", "checkpoint"])
def test_what_is_derived_is_made_anew(damaged: tuple[Command, str], what: str) -> None:
    """A head or checkpoint that lies would mislead the next writer; the log says what is true."""
    journal, run_id = damaged
    flip(journal.log(run_id), starts(journal.log(run_id).read_bytes())[4] + 30)  # whole again
    path = journal.run_folder(run_id) / what
    if what == "head":
        flip(path, 40)
    else:
        from journal.checkpoint import decode_memory, encode_memory
        from journal.lifecycle import RunLifecycle

        memory = decode_memory(path.read_bytes())
        assert memory is not None
        memory.state = RunLifecycle(status="running")
        path.write_bytes(encode_memory(memory))
    (finding,) = map(json.loads, journal("verify", run_id).stdout.splitlines())
    assert finding["next_action"] == f"journal repair {run_id}"
    (done,) = journal.records("repair", run_id)
    assert done["heals"] == [finding["reason"]]
    assert journal("verify", run_id).returncode == 0


def test_without_a_run_the_feed_is_begun_anew(damaged: tuple[Command, str]) -> None:
    """Case 20: the loss of a run that the feed announces is accepted, and the old feed is kept."""
    journal, run_id = damaged
    shutil.rmtree(journal.run_folder(run_id))
    for path in (journal.folder / ".journal").glob("index.sqlite*"):
        path.unlink()
    (finding,) = map(json.loads, journal("verify").stdout.splitlines())
    assert (finding["reason"], finding["run_id"]) == ("log_gone", run_id)
    assert finding["next_action"] == "journal repair"
    old = (journal.folder / ".journal/feed").read_bytes()
    assert journal.records("repair", "--dry-run")[0]["gone"] == [run_id]
    assert (journal.folder / ".journal/feed").read_bytes() == old
    (done,) = journal.records("repair")
    assert Path(done["kept_as"]).read_bytes() == old
    assert journal("verify").returncode == 0


# -- the index -----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_whoever_replaces_a_damaged_index_says_so(
    damaged: tuple[Command, str], options: list[str]
) -> None:
    """Case 59: nothing is lost, and the answer is right; but a disk that damages files is news."""
    journal, run_id = damaged
    (journal.folder / ".journal/index.sqlite").write_bytes(b"garbage" * 1000)
    ran = journal.process(*options, "list")
    assert ran.returncode == 0
    assert json.loads(ran.stdout)["run_id"] == run_id
    (line,) = ran.stderr.splitlines()
    said = json.loads(line)["warning"]["message"] if options else line
    assert "was damaged" in said
    assert "made anew from the logs" in said
