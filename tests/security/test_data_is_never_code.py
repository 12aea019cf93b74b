"""Security, code: what was read from a store is never run, imported or made a class of."""

import ast

import pytest

from tests.rules.sources import Module, dotted, imported_modules, modules, parse

SOURCES = modules("journal", "projections")

# Ways to make code, or objects of any class, out of bytes.
FORBIDDEN_MODULES = {
    "code", "codeop", "copyreg", "ctypes", "dill", "imp", "jsonpickle", "marshal", "pickle",
    "pickletools", "runpy", "shelve", "xml", "xmlrpc", "yaml",
}  # fmt: skip
# Ways out of the machine: a journal has none of its own.
NETWORK_MODULES = {
    "aiohttp", "asyncore", "ftplib", "http", "httpx", "imaplib", "poplib", "requests", "smtplib",
    "socketserver", "ssl", "telnetlib", "urllib", "webbrowser",
}  # fmt: skip
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "execfile"}

# Path -> why it may import by name or start a process.
IMPORTS_BY_NAME = {
    "journal/__init__.py": "its own names, out of a table",
    "projections/__init__.py": "its own names, out of a table",
    "projections/cli/app.py": "its own commands, out of a table",
    "projections/cli/targets.py": "the target that a person named: it is there to be run",
}
STARTS_PROCESSES = {
    "journal/codeversion.py": "git, told what to do in constants",
    "journal/host.py": "sysctl of macOS, by its whole path",
}


def broken(module: Module) -> list[str]:
    """Return what in a module could turn data into code, as ``path:line: what``."""
    imports = [
        module.at(node, f"imports {name}")
        for node, name in imported_modules(module)
        if not isinstance(node, ast.Constant) and is_way_out(module.path, node, name)
    ]
    calls = (node for node in ast.walk(module.tree) if isinstance(node, ast.Call))
    return imports + [module.at(c, f"calls {dotted(c.func)}") for c in calls if runs_data(c)]


def is_way_out(path: str, node: ast.AST, name: str) -> bool:
    """Whether an import brings what makes code of data, or a way out of the machine."""
    top = name.partition(".")[0]
    if name in {"urllib", "urllib.parse"} or name.startswith("urllib.parse."):
        return False  # no network in there
    if top == "importlib":
        whole = isinstance(node, ast.Import)
        by_name = name.startswith(("importlib.import_module", "importlib.util", "importlib.reload"))
        return (whole or by_name) and path not in IMPORTS_BY_NAME
    if top in {"subprocess", "multiprocessing", "pty"}:
        return path not in STARTS_PROCESSES
    return top in FORBIDDEN_MODULES | NETWORK_MODULES


def runs_data(call: ast.Call) -> bool:
    """Whether a call runs a text, or starts a shell."""
    called = dotted(call.func)
    system = ("os.system", "os.popen", "os.exec", "os.spawn", "os.posix_spawn")
    shell = any(k.arg == "shell" and ast.unparse(k.value) != "False" for k in call.keywords)
    return called in FORBIDDEN_CALLS or called.startswith(system) or shell


def test_nothing_makes_code_of_data() -> None:
    """Security: no pickle, no eval, no import by a name out of an event, no shell, no network."""
    assert [found for module in SOURCES for found in broken(module)] == []


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from pickle import loads",
        "def f():\n    import marshal",
        "import yaml",
        "from urllib.request import urlopen",
        "import importlib\nimportlib.import_module(record.event)",
        "from importlib import import_module",
        "import subprocess",
        "eval(line)",
        "exec(compile(line, '', 'exec'))",
        "__import__(name)",
        "import os\nos.system(name)",
        "import os\nos.execvp(name, [])",
        "run(line, shell=True)",
    ],
)
def test_the_rule_sees_each_way(text: str) -> None:
    """Security: a rule that could not fail would be none."""
    assert broken(parse("journal/tried.py", text))


def test_the_exceptions_are_still_needed() -> None:
    """Security: an exception that nobody uses is an open door."""
    used = {m.path for m in SOURCES if "import_module" in m.text or "importlib.util" in m.text}
    assert used == set(IMPORTS_BY_NAME)
    assert {m.path for m in SOURCES if "import subprocess" in m.text} == set(STARTS_PROCESSES)


def test_a_class_comes_out_of_the_table_of_defined_ones() -> None:
    """Security: the name of an event chooses among classes that are there; it makes none."""
    (record,) = [m for m in SOURCES if m.path == "journal/record.py"]
    (registry,) = [m for m in SOURCES if m.path == "journal/events/registry.py"]
    for module in (record, registry):
        names = {name for _, name in imported_modules(module)}
        assert "importlib" not in names
        assert "sys" not in names
        assert "sys.modules" not in module.text
        assert "globals()" not in module.text
