"""
On the write side only journal/files.py touches files.

A simulated disk can stand in for one file, not for twenty; and one file can be read to the end to
see that every write is synced and every error becomes a StorageError.
"""

import ast
import re

import pytest

from tests.rules.sources import Module, dotted, modules, parse

SEAM = "journal/files.py"

# Path -> call -> why it may stand outside the seam. An entry that is no longer used fails.
_SOURCES = "reads the user's sources, which no store holds and no simulated disk has"
ALLOWED: dict[str, dict[str, str]] = {
    "journal/codeversion.py": {
        "file.is_file": _SOURCES,
        "file.read_bytes": _SOURCES,
        "?.is_file": _SOURCES,
    },
}

# os functions that reach a disk. What only asks the system about itself (getpid, uname) is free.
OS_CALLS = frozenset(
    """
    access chmod chown copy_file_range fchmod fdatasync fdopen fstat fsync ftruncate link listdir
    lockf lseek lstat makedirs mkdir open pread preadv pwrite pwritev read readlink readv remove
    removedirs rename renames replace rmdir scandir sendfile stat statvfs symlink sync truncate
    unlink utime walk fwalk write writev
    """.split()
)
OS_PATH_CALLS = frozenset(
    """
    exists getatime getctime getmtime getsize isdir isfile islink lexists realpath samefile
    """.split()
)
WHOLE_MODULES = frozenset({"fcntl", "glob", "io", "mmap", "shutil", "tempfile"})
IN_MEMORY = frozenset({"io.BytesIO", "io.StringIO"})
BUILTINS = frozenset({"open"})
# Methods of Path (and of anyio.Path) that no other type in this project has.
PATH_METHODS = frozenset(
    """
    chmod exists glob hardlink_to is_dir is_file is_symlink iterdir lstat mkdir read_bytes read_text
    rename rglob rmdir samefile stat symlink_to touch unlink write_bytes write_text
    """.split()
)
MODE = re.compile(r"[rwaxbt+]{1,3}")


def file_calls(module: Module) -> list[tuple[ast.AST, str]]:
    """Return each place that would touch a file without asking the seam."""
    names = _names_of_modules(module)
    found: list[tuple[ast.AST, str]] = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom):
            found += [(node, f"{node.module}.{a.name}") for a in node.names if _imported(node, a)]
        elif isinstance(node, ast.Call):
            called = _resolve(dotted(node.func), names)
            if _reaches_a_disk(called, node):
                found.append((node, called))
    return found


def _names_of_modules(module: Module) -> dict[str, str]:
    """Map the name that a module goes by in this file to its own: `import os as o`."""
    return {
        alias.asname or alias.name: alias.name
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }


def _imported(node: ast.ImportFrom, alias: ast.alias) -> bool:
    if node.module in {"os", "posix"}:
        return alias.name in OS_CALLS
    if node.module in {"os.path", "posixpath"}:
        return alias.name in OS_PATH_CALLS
    if node.module == "anyio":
        return alias.name in {"Path", "open_file", "wrap_file"}
    return node.module in WHOLE_MODULES and f"{node.module}.{alias.name}" not in IN_MEMORY


def _resolve(called: str, names: dict[str, str]) -> str:
    head, dot, rest = called.partition(".")
    return names.get(head, head) + dot + rest


def _reaches_a_disk(called: str, call: ast.Call) -> bool:
    owner, _, method = called.rpartition(".")
    if not owner:
        return method in BUILTINS
    if called in IN_MEMORY:
        return False
    if owner in {"os", "posix"}:
        return method in OS_CALLS
    if owner in {"os.path", "posixpath"}:
        return method in OS_PATH_CALLS
    if owner.split(".")[0] in WHOLE_MODULES or called in {"anyio.Path", "anyio.open_file"}:
        return True
    if owner.split(".")[-1].strip("_") == "files":
        return False  # the seam itself
    return method in PATH_METHODS or _is_method_of_a_path(method, call)


def _is_method_of_a_path(method: str, call: ast.Call) -> bool:
    """`str` and `Journal` share two names with Path; their arguments tell them apart."""
    first = call.args[0] if call.args else None
    if method == "replace":
        return len(call.args) == 1 and not call.keywords
    if method == "open":
        text = first.value if isinstance(first, ast.Constant) else None
        return first is None or (isinstance(text, str) and bool(MODE.fullmatch(text)))
    return False


def test_only_the_seam_touches_files() -> None:
    """A file call elsewhere would be invisible to the simulated disk and to the error table."""
    found = [
        module.at(node, called)
        for module in modules("journal")
        if module.path != SEAM
        for node, called in file_calls(module)
        if called not in ALLOWED.get(module.path, {})
    ]
    assert found == []


def test_every_exception_to_the_seam_is_still_needed() -> None:
    """The list of exceptions can then only get shorter without anyone noticing."""
    used = {(m.path, called) for m in modules("journal") for _, called in file_calls(m)}
    listed = {(path, called) for path, calls in ALLOWED.items() for called in calls}
    assert listed <= used


@pytest.mark.parametrize(
    "line",
    [
        "open('x')",
        "import os\nos.fsync(3)",
        "import os as o\no.rename(a, b)",
        "from os import fdatasync",
        "import os\nos.path.exists(p)",
        "import io\nio.open(p)",
        "from shutil import rmtree",
        "def late():\n    import tempfile\n    tempfile.mkdtemp()",
        "(root / 'head').read_bytes()",
        "path.write_text('x')",
        "path.replace(target)",
        "path.open()",
        "path.open('rb')",
        "import anyio\nanyio.open_file(p)",
    ],
)
def test_a_file_call_is_seen(line: str) -> None:
    """The rule must see each shape in which a file can be touched."""
    assert file_calls(parse("journal/sneaky.py", line)) != []


@pytest.mark.parametrize(
    "line",
    [
        "import os\nos.getpid()",
        "text.replace('a', 'b')",
        "moment.replace(tzinfo=UTC)",
        "Journal.open(store)",
        "Journal.open('.journal')",
        "files.rename(a, b)",
        "self._files.read_bytes(p)",
    ],
)
def test_what_is_no_file_call_is_left_alone(line: str) -> None:
    """A rule that cries wolf gets switched off."""
    assert file_calls(parse("journal/honest.py", line)) == []
