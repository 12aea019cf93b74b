"""
Ingest: a folder of Python sources -> what a person reads in them.

Three kinds: docstrings (by paragraph), argparse help, exception messages. Files are parsed, never
imported. A file that cannot be read, decoded or parsed becomes a `SkippedFile`; nothing in a
source tree stops the run. The order depends on names and lines alone.

Below: models, grammar, protect, messages. Above: the pipeline's ingest phase.
"""

import ast
import hashlib
import os
import re
import stat
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from localizing.grammar import marks, pieces, placeholders
from localizing.messages import message
from localizing.models import FileStrings, Kind, SkippedFile, SourceString, Style
from localizing.paragraphs import paragraphs
from localizing.protect import locked_spans

# Larger files are generated tables; parsing one would take seconds and hundreds of megabytes.
FILE_BYTES_MAX = 4 * 1024 * 1024
# Nobody translates a page in one piece.
TEXT_CHARS_MAX = 20_000
SKIPPED_FOLDERS = frozenset(
    {"__pycache__", "dist-packages", "idle_test", "site-packages", "test", "tests"}
)

_WORD = re.compile(r"[A-Za-z]{2,}")
_ARGPARSE = {
    "add_argument": ("help",),
    "add_parser": ("help", "description", "epilog"),
    "add_subparsers": ("help", "description"),
    "add_argument_group": ("description",),
    "ArgumentParser": ("description", "epilog"),
}
_Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class _Candidate(NamedTuple):
    line: int
    column: int
    kind: Kind
    style: Style
    text: str
    is_code: bool = False


def default_root() -> Path:
    """The standard library of the running interpreter: real text, on every machine."""
    return Path(sysconfig.get_path("stdlib"))


def source_files(root: Path, skipped: frozenset[str] = SKIPPED_FOLDERS) -> Iterator[Path]:
    """
    Every `.py` file under `root`, in the order of names; hidden and `skipped` folders left out.

    A folder that cannot be listed is yielded itself, so that `read_file` reports it.
    Raises NotADirectoryError if `root` is no folder.
    """
    if not root.is_dir():
        raise NotADirectoryError(f"{root} is not a folder with Python sources")
    unlisted: list[Path] = []
    walk = os.walk(root, onerror=lambda error: unlisted.append(Path(error.filename)))
    for folder, folders, names in walk:
        folders[:] = sorted(f for f in folders if f not in skipped and not f.startswith("."))
        yield from (Path(folder, name) for name in sorted(names) if name.endswith(".py"))
        yield from unlisted
        unlisted.clear()
    yield from unlisted


def read_file(root: Path, file: Path) -> FileStrings | SkippedFile:
    """The strings of one file of `source_files(root)`, or the reason why there are none."""
    path = _shown(file.relative_to(root))
    try:
        tree = _parsed(file, path)
        candidates = list(_candidates(tree))
    except SyntaxError as error:
        where = f" (line {error.lineno})" if error.lineno else ""
        return SkippedFile(path=path, reason=_reason(error, f"{error.msg}{where}"))
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        # An OSError's own text would show where the tree stands on this machine.
        text = error.strerror if isinstance(error, OSError) else str(error)
        return SkippedFile(path=path, reason=_reason(error, text or "no further reason given"))
    return _sorted_out(path, candidates)


def extract(root: Path) -> Iterator[FileStrings | SkippedFile]:
    """`read_file` for every file under `root`, one at a time."""
    for file in source_files(root):
        yield read_file(root, file)


def has_words(text: str, style: Style) -> bool:
    """Whether anything is left to translate between placeholders, escapes and names."""
    spans = [(mark.start, mark.end) for mark in marks(text, style)]
    spans += locked_spans(text)
    return any(_WORD.search(piece) for piece, kept in pieces(text, spans) if not kept)


def _parsed(file: Path, path: str) -> ast.Module:
    status = file.stat()
    # Opening a pipe would wait for a writer; a folder is here because it could not be listed.
    if not stat.S_ISREG(status.st_mode):
        raise OSError(0, "not a regular file, or a folder that cannot be listed")
    if status.st_size > FILE_BYTES_MAX:
        raise ValueError(f"{status.st_size} bytes are more than {FILE_BYTES_MAX}")
    with warnings.catch_warnings():
        # Old code full of invalid escapes is somebody else's to repair.
        warnings.simplefilter("ignore")
        return ast.parse(file.read_bytes(), filename=path)


def _candidates(tree: ast.Module) -> Iterator[_Candidate]:
    for node in ast.walk(tree):
        if isinstance(node, _Documented):
            yield from _docstring(node)
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            yield from _exception(node.exc)
        elif isinstance(node, ast.Call):
            yield from _argparse(node)


def _docstring(node: _Documented) -> Iterator[_Candidate]:
    match node.body:
        case [ast.Expr(value=ast.Constant(value=str(text)) as literal), *_]:
            for paragraph in paragraphs(text):
                line = literal.lineno + paragraph.line
                yield _Candidate(line, 0, "docstring", "prose", paragraph.text, paragraph.is_code)
        case _:
            return


def _exception(call: ast.Call) -> Iterator[_Candidate]:
    for argument in [*call.args, *(keyword.value for keyword in call.keywords)]:
        if found := message(argument):
            # KeyError("name"): a bare name is data, not a sentence.
            bare = found.style == "prose" and found.text.isidentifier()
            yield _Candidate(
                argument.lineno, argument.col_offset, "exception", found.style, found.text, bare
            )


def _argparse(call: ast.Call) -> Iterator[_Candidate]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    name = call.func.id if isinstance(call.func, ast.Name) else name
    for keyword in call.keywords:
        if keyword.arg not in _ARGPARSE.get(name, ()) or not (found := message(keyword.value)):
            continue
        style, at = found.style, keyword.value
        # argparse formats help always, and a description only if it names the program.
        if style == "prose" and (keyword.arg == "help" or "%(prog)" in found.text):
            style = "percent"
        yield _Candidate(at.lineno, at.col_offset, "argparse", style, found.text)


def _sorted_out(path: str, candidates: list[_Candidate]) -> FileStrings:
    """Keep what can be translated, once per kind and text, at its first line; count the rest."""
    module = _module(path)
    kept: dict[tuple[Kind, str], tuple[_Candidate, int]] = {}
    repeats = code = wordless = refused = 0
    for candidate in sorted(candidates):
        identity = (candidate.kind, candidate.text)
        if identity in kept:
            first, count = kept[identity]
            kept[identity] = (first, count + 1)
            repeats += 1
        elif candidate.is_code:
            code += 1
        elif len(candidate.text) > TEXT_CHARS_MAX or not _is_utf8(candidate.text):
            refused += 1
        elif not has_words(candidate.text, candidate.style):
            wordless += 1
        else:
            kept[identity] = (candidate, 1)
    strings = tuple(_string(path, module, first, count) for first, count in kept.values())
    return FileStrings(
        path=path,
        module=module,
        strings=strings,
        repeats=repeats,
        code=code,
        wordless=wordless,
        refused=refused,
    )


def _string(path: str, module: str, found: _Candidate, occurrences: int) -> SourceString:
    identity = "\0".join((path, found.kind, str(found.line), found.text))
    return SourceString(
        id=hashlib.sha256(identity.encode()).hexdigest()[:16],
        path=path,
        module=module,
        line=found.line,
        kind=found.kind,
        style=found.style,
        text=found.text,
        placeholders=tuple(placeholders(found.text, found.style)),
        occurrences=occurrences,
    )


def _module(path: str) -> str:
    parts = path.removesuffix(".py").split("/")
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def _shown(path: Path) -> str:
    """A path as text that JSON can carry: names are bytes, and not always UTF-8."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def _reason(error: Exception, text: str) -> str:
    one_line = " ".join(text.encode("utf-8", "backslashreplace").decode().split())
    return f"{type(error).__name__}: {one_line}"


def _is_utf8(text: str) -> bool:
    # A lone surrogate can stand in a literal, but in no file that is to be exchanged.
    return not any("\ud800" <= char <= "\udfff" for char in text)
