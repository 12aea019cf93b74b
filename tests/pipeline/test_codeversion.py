"""Which code ran: the same for the same sources, another one for any change that matters."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from journal.codeversion import code_version
from journal.events.run import CodeVersion

SCRIPT = "import helper\nimport json\nasync def phase() -> None: ...\n"


def version(path: Path) -> CodeVersion:
    """The code version of a pipeline whose one phase stands in ``path``, which is not run."""
    namespace: dict[str, Any] = {}
    exec(compile("async def phase() -> None: ...", str(path), "exec"), namespace)  # noqa: S102
    return code_version([namespace["phase"]])


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A script beside a module that it imports and one that it does not."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "helper.py").write_text("import deeper\n")
    (folder / "deeper.py").write_text("X = 1\n")
    (folder / "unrelated.py").write_text("Y = 1\n")
    path = folder / "job.py"
    path.write_text(SCRIPT)
    return path


@pytest.mark.parametrize("changed", ["job.py", "helper.py", "deeper.py"])
def test_a_change_in_what_the_pipeline_imports_is_a_change(script: Path, changed: str) -> None:
    """The phases' own file is seldom where the work is done."""
    before = version(script).source_sha256
    path = script.parent / changed
    path.write_text(path.read_text() + "# changed\n")
    assert version(script).source_sha256 != before


def test_a_change_in_what_it_does_not_import_is_none(script: Path) -> None:
    """A folder holds many scripts; touching one must not stop the runs of another."""
    before = version(script)
    (script.parent / "unrelated.py").write_text("Y = 2\n")
    assert version(script) == before


def test_the_same_sources_elsewhere_are_the_same_code(script: Path, tmp_path: Path) -> None:
    """A run may be resumed from another checkout."""
    other = tmp_path / "elsewhere"
    script.parent.rename(other)
    before = version(other / script.name).source_sha256
    other.rename(script.parent)
    assert version(script).source_sha256 == before


def test_a_package_counts_as_far_as_it_is_imported(tmp_path: Path) -> None:
    """From the top package down, absolute or relative, also inside functions."""
    package = tmp_path / "acme"
    (package / "jobs").mkdir(parents=True)
    for name in ("__init__.py", "jobs/__init__.py", "engine.py", "words.py", "rest.py"):
        (package / name).write_text("")
    job = package / "jobs" / "job.py"
    job.write_text(
        "from acme import engine\nasync def phase() -> None:\n    from .. import words\n"
    )
    before = version(job).source_sha256
    for name, matters in [("engine.py", True), ("words.py", True), ("rest.py", False)]:
        (package / name).write_text("X = 1\n")
        assert (version(job).source_sha256 != before) == matters, name
        before = version(job).source_sha256


def test_a_source_that_does_not_parse_is_in_the_digest_all_the_same(script: Path) -> None:
    """It may be a template, or of a newer Python; its bytes are what they are."""
    (script.parent / "helper.py").write_text("def (:\n")
    before = version(script).source_sha256
    (script.parent / "helper.py").write_text("def (:::\n")
    assert version(script).source_sha256 not in {before, None}


def test_code_typed_at_a_prompt_has_no_version() -> None:
    """No file holds it; a resume then cannot compare, and does not refuse."""
    namespace: dict[str, Any] = {}
    exec("async def phase() -> None: ...", namespace)  # noqa: S102 - stands here
    assert code_version([namespace["phase"]]) == CodeVersion()


def git(folder: Path, *arguments: str) -> str:
    """Run git as nobody in particular."""
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_git_tells_the_commit_and_whether_it_was_dirty(script: Path) -> None:
    """A person looks for the commit; the digest is what is compared."""
    folder = script.parent
    git(folder, "init", "-q")
    assert version(script).git_commit is None  # nothing is committed yet
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    commit = git(folder, "rev-parse", "HEAD")
    assert (version(script).git_commit, version(script).git_dirty) == (commit, False)
    (folder / "unrelated.py").write_text("Y = 3\n")
    assert (version(script).git_commit, version(script).git_dirty) == (commit, True)


@pytest.mark.parametrize("path", ["/nowhere", ""])
def test_without_git_or_a_repository_that_part_stays_empty(
    script: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Quietly: most machines that run pipelines have no checkout."""
    if path:
        monkeypatch.setenv("PATH", path)
    found = version(script)
    assert (found.git_commit, found.git_dirty) == (None, None)
    assert found.source_sha256 is not None


def test_a_hook_of_another_repository_does_not_speak_for_this_one(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inside a hook git sets variables that turn every call of it to another repository."""
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    (other / "file").write_text("x")
    git(other, "add", ".")
    git(other, "commit", "-q", "-m", "other")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert version(script).git_commit is None
