"""A small source tree with everything that goes wrong in large ones, written as bytes."""

from pathlib import Path

import pytest

MESSAGES = '''"""Reads records.

A record is one line. ``%(key)s`` and `{x}` are shown as they are.
\tUse --strict or see https://example.org/a(b) for {name!r}.

    indented paragraph
    of two lines

Example::

    parser.run("not for a translator")

>>> 1 + 1
2

Dates look like %Y-%m-%d, and \\\\n ends a line.
"""
import argparse
from gettext import gettext as _
from string import Template


class Reader:
    """Holds an open file."""

    def close(self, name, width, error):
        """Holds an open file."""
        raise ValueError("bad value %r at %(place)-10s: %5.1f%%" % error)
        raise ValueError(f"cannot read {name!r:>{width}} or {{braces}} in {', '.join(name)}")
        raise KeyError("bare_name")
        raise OSError(2, "no file " + name + " here {yet}")
        raise ValueError("{0} of {1:>10} items, {{raw}}, {a[b].c}".format(name))
        raise ValueError(Template("$who has ${amount} left of $$9").substitute(who=name))
        raise ValueError(_("trailing colon: "))
        raise error
        raise ValueError(name)
        raise ValueError("trailing colon: ")


def main():
    parser = argparse.ArgumentParser(description="Run %(prog)s quickly")
    parser.add_argument("--x", help="100% sure (default: %(default)s)")
    sub = parser.add_subparsers(help="what to do")
    sub.add_parser("go", help="go there", description="A long walk.")
    parser.add_argument("--y", help=argparse.SUPPRESS)
'''


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A folder of Python sources, most of them odd."""
    files = {
        "pack/__init__.py": b'"""The package itself."""\n',
        "pack/messages.py": MESSAGES.encode(),
        "pack/again.py": b'"""Holds an open file."""\n',
        "bom.py": b'\xef\xbb\xbf"""Starts with a byte order mark."""\n',
        "empty.py": b"",
        "latin1.py": '# -*- coding: latin-1 -*-\n"""Größe in bytes."""\n'.encode("latin-1"),
        "undeclared.py": '"""Größe in bytes."""\n'.encode("latin-1"),
        "unknown_codec.py": b'# coding: klingon\n"""Hidden."""\n',
        "broken.py": b"def f(:\n",
        "python2.py": b'print "hello there"\n',
        "nul.py": b'"""A zero\x00byte."""\n',
        "surrogate.py": b'raise ValueError("half a pair \\ud800 of two")\n',
        "crlf.py": b'"""First paragraph.\r\n\r\nSecond one."""\r\n',
        "escapes.py": b'raise ValueError("no such escape \\d here")\n',
        "deep.py": b"x = " + b"(" * 5000 + b")" * 5000 + b"\n",
        "test/test_it.py": b'"""Not for people."""\n',
        "site-packages/other.py": b'"""Not of this tree."""\n',
        ".hidden/secret.py": b'"""Not to be seen."""\n',
        "notes.txt": b'"""No source."""\n',
    }
    for name, content in files.items():
        path = tmp_path / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "src"
