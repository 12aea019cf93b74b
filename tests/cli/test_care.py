"""`verify`, `repair`, `rebuild`, `delete`: damage is named, nothing is lost by mistake."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.cli.support import Command

HALF = b'{"seq":999,"timestamp":"2026-11-22T'


@pytest.fixture
def copied(tmp_path: Path, finished: tuple[Command, str]) -> tuple[Command, str]:
    """A copy of the finished run, to be damaged."""
    shutil.copytree(finished[0].folder, tmp_path, dirs_exist_ok=True)
    return Command(tmp_path), finished[1]


@pytest.fixture
def torn(journal: Command) -> tuple[Command, str]:
    """A run whose writer was killed while it wrote its last line."""
    process, run_id = journal.held()
    process.kill()
    process.communicate()
    with journal.log(run_id).open("ab") as log:
        log.write(HALF)
    return journal, run_id


def flip(path: Path, offset: int) -> None:
    """Flip one bit."""
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


def files_of(folder: Path) -> dict[str, bytes]:
    """Everything in a run's folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# -- verify --------------------------------------------------------------------------------------


def test_a_whole_store_has_no_findings(finished: tuple[Command, str]) -> None:
    """Nothing on stdout, exit 0, and one sentence for people on stderr."""
    ran = finished[0]("verify")
    assert (ran.returncode, ran.stdout) == (0, "")
    assert "nothing is wrong" in ran.stderr


def test_a_flipped_bit_is_a_finding_that_names_the_line(copied: tuple[Command, str]) -> None:
    """Case 21, as people meet it: exit 1, code, run, line, byte and next command."""
    journal, run_id = copied
    log = journal.log(run_id)
    third = log.read_bytes().index(b'{"seq":3,')
    flip(log, third + 60)
    ran = journal("verify", run_id)
    assert ran.returncode == 1
    (finding,) = map(json.loads, ran.stdout.splitlines())
    assert (finding["code"], finding["run_id"], finding["seq"]) == ("corrupt", run_id, 3)
    assert finding["offset"] == third
    assert finding["next_action"] == f"journal salvage {run_id}"
    assert journal("events", run_id).returncode == 1


def test_verify_does_not_send_people_to_verify(copied: tuple[Command, str]) -> None:
    """Who reads a finding has verified; what a phase stored, it can store again."""
    journal, run_id = copied
    for number, stored in enumerate((journal.run_folder(run_id) / "artifacts").glob("?" * 64)):
        stored.chmod(0o600)
        stored.unlink() if number else flip(stored, 0)
    found = [json.loads(line) for line in journal("verify").stdout.splitlines()]
    assert {each["code"] for each in found} == {"corrupt", "not_found"}
    assert all(each["next_action"].startswith(f"journal resume {run_id} --redo ") for each in found)


def test_findings_count_though_nobody_reads_them(copied: tuple[Command, str]) -> None:
    """`journal verify | head -1` must not turn damage into success."""
    journal, run_id = copied
    flip(journal.log(run_id), 200)
    process = journal.start("verify")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    process.communicate()
    assert process.returncode == 1


def test_one_bad_run_does_not_hide_the_others(copied: tuple[Command, str]) -> None:
    """Bad input: `list` shows the rest and says which one cannot be read."""
    journal, bad = copied
    (good,) = journal.make_runs(1)
    flip(journal.log(bad), 200)
    (journal.folder / ".journal/index.sqlite").unlink(missing_ok=True)
    found = {each["run_id"]: each["status"] for each in journal.records("list")}
    assert found == {good: "completed", bad: "unreadable"}
    assert journal("verify", good).returncode == 0


# -- repair --------------------------------------------------------------------------------------


def test_a_torn_tail_is_found_shown_set_aside_and_gone(torn: tuple[Command, str]) -> None:
    """Case 3, as people meet it: verify names it, --dry-run changes nothing, repair keeps it."""
    journal, run_id = torn
    whole = journal.log(run_id).read_bytes().removesuffix(HALF)
    found = journal("verify", run_id)
    assert found.returncode == 1
    assert json.loads(found.stdout)["next_action"] == f"journal repair {run_id}"

    before = files_of(journal.run_folder(run_id))
    (planned,) = journal.records("repair", run_id, "--dry-run")
    assert (planned["torn_bytes"], planned["kept_as"]) == (len(HALF), None)
    assert files_of(journal.run_folder(run_id)) == before

    (done,) = journal.records("repair", run_id)
    assert done["torn_bytes"] == len(HALF)
    assert (journal.run_folder(run_id) / done["kept_as"]).read_bytes() == HALF
    assert journal.log(run_id).read_bytes().startswith(whole)
    assert "log_recovered" in journal("events", run_id, "--tail", "1").stdout
    assert journal("verify", run_id).returncode == 0


def test_a_whole_run_is_not_touched(copied: tuple[Command, str]) -> None:
    """Opening for writing leaves a trace; a repair without cause must not."""
    journal, run_id = copied
    before = files_of(journal.run_folder(run_id))
    for arguments in ((), ("--dry-run",)):
        assert journal.records("repair", run_id, *arguments)[0]["torn_bytes"] == 0
    assert files_of(journal.run_folder(run_id)) == before


@pytest.mark.parametrize("arguments", [[], ["--dry-run"]])
@pytest.mark.parametrize("where", ["in the middle", "in the last acknowledged line"])
def test_damage_is_refused_and_left_as_it_is(
    torn: tuple[Command, str], where: str, arguments: list[str]
) -> None:
    """Case 22: what was acknowledged is never cut away, nor written behind; exit 1 and the code."""
    journal, run_id = torn
    log = journal.log(run_id).read_bytes()
    line = 3 if where == "in the middle" else int(journal("head", run_id).stdout.split()[0])
    flip(journal.log(run_id), log.index(b'{"seq":%d,' % line) + 60)
    before = files_of(journal.run_folder(run_id))
    ran = journal("repair", run_id, *arguments)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "corrupt" in ran.stderr
    assert files_of(journal.run_folder(run_id)) == before


def test_a_run_that_is_written_is_not_repaired(journal: Command) -> None:
    """Case 48: its end is not torn, it is on its way."""
    process, run_id = journal.held()
    for arguments in ((), ("--dry-run",)):
        assert journal("repair", run_id, *arguments).returncode == 4
    journal.open_gate()
    process.communicate()
    assert process.returncode == 0


# -- rebuild -------------------------------------------------------------------------------------


def test_what_is_printed_survives_the_loss_of_the_index(copied: tuple[Command, str]) -> None:
    """ "Done when": after `rm` of the index, list, show and artifacts print the same bytes."""
    journal, run_id = copied
    questions = (["list"], ["show", run_id], ["artifacts", run_id])
    before = [journal(*each).stdout for each in questions]
    for path in (journal.folder / ".journal").glob("index.sqlite*"):
        path.unlink()
    assert [journal(*each).stdout for each in questions] == before
    assert journal("rebuild").returncode == 0
    assert [journal(*each).stdout for each in questions] == before


def test_a_row_that_lies_is_named_and_rebuilt(copied: tuple[Command, str]) -> None:
    """Case 60: --check compares and changes nothing, exit 1; rebuild puts it right."""
    journal, run_id = copied
    journal("list")
    with sqlite3.connect(journal.folder / ".journal/index.sqlite") as index:
        index.execute("UPDATE artifacts SET role = 'forged' WHERE rowid = 1")
    index.close()
    for _ in range(2):
        ran = journal("rebuild", "--check")
        assert ran.returncode == 1
        assert json.loads(ran.stdout)["findings"][0]["run_id"] == run_id
    (report,) = journal.records("rebuild")
    assert (report["runs"], report["swapped"]) == (1, True)
    assert journal("rebuild", "--check").returncode == 0


# -- delete --------------------------------------------------------------------------------------


def test_without_a_terminal_delete_wants_a_yes(copied: tuple[Command, str]) -> None:
    """INTERFACES: never a prompt without a terminal; exit 2, and the run is still there."""
    journal, run_id = copied
    ran = journal.process("delete", run_id)
    assert ran.returncode == 2
    assert "--yes" in ran.stderr
    assert journal.run_folder(run_id).is_dir()


def test_a_deleted_run_is_gone_everywhere(copied: tuple[Command, str]) -> None:
    """From disk and from the index; naming it again is exit 3."""
    journal, run_id = copied
    assert journal.records("list")
    assert journal("delete", run_id[-8:], "--yes").returncode == 0
    assert list((journal.folder / ".journal/runs").rglob("events.jsonl")) == []
    assert journal.records("list") == []
    assert journal("delete", run_id, "--yes").returncode == 3


def test_one_unknown_name_keeps_all_runs(copied: tuple[Command, str]) -> None:
    """A typing error in the second name must not cost the first run."""
    journal, run_id = copied
    assert journal("delete", run_id, "nobody", "--yes").returncode == 3
    assert journal.run_folder(run_id).is_dir()


def test_a_run_that_is_written_is_not_deleted(copied: tuple[Command, str]) -> None:
    """Case 48: exit 4; the others of the same command are deleted all the same."""
    journal, run_id = copied
    process, live = journal.held()
    ran = journal("delete", live, run_id, "--yes")
    assert ran.returncode == 4
    assert [each["run_id"] for each in journal.records("list")] == [live]
    journal.open_gate()
    process.communicate()
    assert process.returncode == 0


@pytest.mark.parametrize(("typed", "code", "left"), [("y\n", 0, 0), ("n\n", 1, 1), ("\n", 1, 1)])
def test_on_a_terminal_delete_asks(
    copied: tuple[Command, str], typed: str, code: int, left: int
) -> None:
    """There is no way back, so only a plain yes counts; the whole id is shown before."""
    journal, run_id = copied
    ended, screen = journal.on_terminal("delete", "@latest", typed=typed)
    assert ended == code
    assert run_id in screen
    assert len(journal.records("list")) == left
