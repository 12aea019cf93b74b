"""
Which code ran: the git commit, whether it was dirty, and a digest of the pipeline's own sources.

The digest is what a resume compares. It covers the files in which the phases are defined, and what
these import, in turn, from their own package (from their own folder, where they are in none), as
their syntax tells: so it is the same for the same sources, whatever is loaded. Other packages are
not in it, nor is data. git is asked once, quietly; where it is not there, or there is no
repository, that part stays empty. Blocks: call it on a worker thread.

Below: events. Above: pipeline.
"""

import ast
import hashlib
import inspect
import os
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from journal.events.run import CodeVersion

GIT_TIMEOUT_S = 5.0
"""A repository on a slow disk must not hold up a run for a fact that is only nice to have."""


def code_version(functions: Iterable[Callable[..., Any]]) -> CodeVersion:
    """The version of the code that ``functions`` belong to; never raises for what is not there."""
    files = sorted({Path(inspect.unwrap(each).__code__.co_filename) for each in functions})
    there = [file.absolute() for file in files if file.is_file()]
    if not there:
        return CodeVersion()  # typed at a prompt: no file holds it
    commit, dirty = _git(there[0].parent)
    return CodeVersion(git_commit=commit, git_dirty=dirty, source_sha256=_digest(there))


def _digest(files: list[Path]) -> str:
    seen: dict[str, str] = {}
    waiting = list(files)
    while waiting:
        file = waiting.pop()
        root, home = _home(file)
        # Relative, so that a checkout elsewhere is the same code.
        key = file.relative_to(root).as_posix()
        if key in seen:
            continue
        content = file.read_bytes()
        seen[key] = hashlib.sha256(content).hexdigest()
        waiting += [found for found in _imported(content, file, root) if home in found.parents]
    lines = "".join(f"{key}\0{digest}\n" for key, digest in sorted(seen.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _home(file: Path) -> tuple[Path, Path]:
    """(Where its imports start, what is its own): the top package, or the folder of a script."""
    root = file.parent
    home = root
    while (root / "__init__.py").is_file():
        home, root = root, root.parent
    return root, home


def _imported(content: bytes, file: Path, root: Path) -> Iterator[Path]:
    """Files below ``root`` that the source names in an import, wherever that hides."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):
        return  # its bytes are in the digest all the same
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files_of(root, alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = file.parents[node.level - 1] if 0 < node.level <= len(file.parents) else root
            source = node.module or ""
            yield from _files_of(base, source)
            for alias in node.names:  # each may be a module
                yield from _files_of(base, f"{source}.{alias.name}".lstrip("."))


def _files_of(base: Path, module: str) -> Iterator[Path]:
    """A module's file, and those of the packages around it, as far as they exist."""
    place = base
    for part in module.split(".") if module else ():
        place = place / part
        for file in (place.with_name(f"{part}.py"), place / "__init__.py"):
            if file.is_file():
                yield file


def _git(folder: Path) -> tuple[str | None, bool | None]:
    # A hook of git sets these, and they may speak of another repository.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        answer = subprocess.run(
            ["git", "status", "--porcelain=v2", "--branch", "--untracked-files=no"],
            cwd=folder,
            env={**clean, "GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=GIT_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None, None
    lines = answer.stdout.decode("utf-8", "replace").splitlines()
    commit = next((line.split()[-1] for line in lines if line.startswith("# branch.oid ")), None)
    if commit is None or commit == "(initial)":
        return None, None
    return commit, any(not line.startswith("#") for line in lines)
