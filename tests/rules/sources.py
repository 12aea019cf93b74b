"""
Finds the project's own sources and parses them, once, for the rules of this folder.

It knows no rule itself. A rule gets modules to look at and says what it found as `path:line: what`.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Module:
    """One source file: where it stands, how it is imported, and its syntax tree."""

    path: str
    name: str
    text: str
    tree: ast.Module

    def at(self, node: ast.AST, what: str) -> str:
        """Name a finding the way editors can jump to."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}: {what}"


def parse(path: str, text: str) -> Module:
    """Make a module of source text that need not exist as a file; rules are tried on such text."""
    parts = list(Path(path).with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    return Module(path=path, name=".".join(parts), text=text, tree=ast.parse(text, filename=path))


@cache
def modules(*folders: str) -> tuple[Module, ...]:
    """Return every Python file below these top-level folders, in the order of their paths."""
    found = tuple(_read(folders))
    assert found, f"no sources below {folders}: the rule would check nothing"
    return found


def _read(folders: tuple[str, ...]) -> Iterator[Module]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield parse(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))


def dotted(node: ast.AST) -> str:
    """Return `a.b.c` for a chain of names and attributes, and `?.c` where it starts elsewhere."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return "?"


def imported_modules(module: Module) -> Iterator[tuple[ast.AST, str]]:
    """
    Yield each module that this one imports, wherever in the file the import hides.

    `from a.b import c` yields both `a.b` and `a.b.c`, for c may be a module. A string that is
    handed to `import_module` or `__import__`, or kept in a table for it, is an import as well:
    whole strings that read as a module of this project are yielded.
    """
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            yield node, source
            for alias in node.names:
                yield node, f"{source}.{alias.name}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            head, _, rest = node.value.partition(".")
            if head in {"journal", "projections"} and rest.replace(".", "").isidentifier():
                yield node, node.value
        elif isinstance(node, ast.Call) and _imports_by_name(node):
            argument = node.args[0]
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield node, argument.value


def _imports_by_name(call: ast.Call) -> bool:
    called = dotted(call.func).rpartition(".")[2]
    return called in {"import_module", "__import__"} and bool(call.args)
