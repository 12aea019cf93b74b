"""`artifacts` and `cat`: what a run produced, and its bytes, checked."""

import json
import shutil
import stat
from pathlib import Path

import pytest

from journal.artifacts.store import ArtifactMetadata
from tests.cli.support import Command


@pytest.fixture
def copied(tmp_path: Path, finished: tuple[Command, str]) -> tuple[Command, str]:
    """A copy of the finished run, to be damaged."""
    shutil.copytree(finished[0].folder, tmp_path, dirs_exist_ok=True)
    return Command(tmp_path), finished[1]


def artifact(journal: Command, role: str, format: str) -> ArtifactMetadata:  # noqa: A002
    """One artifact of the newest run."""
    lines = journal("artifacts", "@latest").stdout.splitlines()
    found = map(ArtifactMetadata.model_validate_json, lines)
    return next(each for each in found if (each.role, each.format) == (role, format))


def bytes_of(journal: Command, metadata: ArtifactMetadata) -> Path:
    """Where an artifact of the newest run lies."""
    return journal.run_folder(metadata.run_id) / "artifacts" / metadata.sha256


def test_artifacts_are_told_in_the_order_in_which_they_were_stored(
    finished: tuple[Command, str],
) -> None:
    """One ArtifactMetadata per line."""
    journal, run_id = finished
    found = journal.records("artifacts", run_id)
    assert [each["phase"] for each in found] == [
        "ingest",
        "translate",
        "translate",
        *["export"] * 2,
    ]
    assert [each["seq"] for each in found] == sorted(each["seq"] for each in found)


def test_an_artifact_comes_out_as_it_went_in(finished: tuple[Command, str], tmp_path: Path) -> None:
    """Through a pipe and into a file, byte for byte, also where it is no text."""
    journal, _ = finished
    for metadata in (
        artifact(journal, "export", "binary"),
        artifact(journal, "phase_output", "txt"),
    ):
        stored = bytes_of(journal, metadata).read_bytes()
        ran = journal.process("cat", metadata.artifact_id)
        assert ran.stdout.encode("utf-8", "surrogateescape") == stored
        target = tmp_path / "out"
        assert journal("cat", metadata.artifact_id, "-o", str(target)).returncode == 0
        assert target.read_bytes() == stored
        assert not list(tmp_path.glob(".out*"))


def test_an_artifact_is_named_as_a_run_is(finished: tuple[Command, str]) -> None:
    """The list shows eight characters: they must be enough; a guess would show something else."""
    journal, run_id = finished
    found = [each["artifact_id"] for each in journal.records("artifacts", run_id)]
    _, screen = journal.on_terminal("artifacts", run_id, NO_COLOR="1")
    shown = [line.split()[0] for line in screen.splitlines()[2:]]
    assert shown == [each[-8:] for each in found]
    whole = journal("cat", found[0]).stdout
    assert [journal("cat", name).stdout for name in (shown[0], found[0][:-1])] == [whole, whole]
    ambiguous = journal("cat", found[0][:6])
    assert (ambiguous.returncode, ambiguous.stdout) == (3, "")
    assert found[1] in ambiguous.stderr


def test_a_file_is_the_users_own(finished: tuple[Command, str], tmp_path: Path) -> None:
    """The store is private (0600); what is taken out of it follows the user's umask."""
    journal, _ = finished
    metadata = artifact(journal, "export", "binary")
    journal.process("cat", metadata.artifact_id, "-o", str(tmp_path / "out"))
    (tmp_path / "plain").touch()
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("out", "plain")]
    assert modes[0] == modes[1]


def test_altered_bytes_are_never_handed_out(copied: tuple[Command, str]) -> None:
    """Case 70: exit 1, not one byte on stdout, and the file that was there stays."""
    journal, _ = copied
    metadata = artifact(journal, "phase_output", "txt")
    stored = bytes_of(journal, metadata)
    stored.chmod(0o600)
    stored.write_bytes(stored.read_bytes().replace(b"row", b"ROW"))
    target = journal.folder / "out"
    target.write_text("before")
    for arguments in ([], ["-o", str(target)]):
        ran = journal("cat", metadata.artifact_id, *arguments)
        assert (ran.returncode, ran.stdout) == (1, "")
        assert "corrupt" in ran.stderr
    assert target.read_text() == "before"
    assert not list(journal.folder.glob(".out*"))


def test_bytes_that_are_gone_are_not_found(copied: tuple[Command, str]) -> None:
    """Case 69: the event is there, the file is not; exit 3, and an unknown id likewise."""
    journal, _ = copied
    metadata = artifact(journal, "export", "binary")
    bytes_of(journal, metadata).unlink()
    assert journal("cat", metadata.artifact_id).returncode == 3
    assert journal("cat", "nobody").returncode == 3
    found = journal("verify")
    assert found.returncode == 1
    assert json.loads(found.stdout)["artifact_id"] == metadata.artifact_id


@pytest.mark.parametrize("target", ["no/such/folder/out", "."])
def test_a_file_that_cannot_be_made_is_usage(finished: tuple[Command, str], target: str) -> None:
    """Exit 2: the command line names a place where no file can be."""
    journal, _ = finished
    metadata = artifact(journal, "export", "binary")
    ran = journal("cat", metadata.artifact_id, "-o", target)
    assert ran.returncode == 2


def test_a_terminal_gets_text_made_visible_and_no_binary(finished: tuple[Command, str]) -> None:
    """Security, terminal: an artifact is as hostile as a log; lines stay lines."""
    journal, _ = finished
    code, screen = journal.on_terminal("cat", artifact(journal, "phase_output", "txt").artifact_id)
    assert code == 0
    assert "de row 0\nde row 1\n" in screen
    assert r"\x1b[2J" in screen
    assert "\x1b" not in screen
    code, screen = journal.on_terminal("cat", artifact(journal, "export", "binary").artifact_id)
    assert code == 2
    assert "-o FILE" in screen
