"""What is read out of Python sources, and what happens with those that cannot be read."""

import os
from pathlib import Path

import pytest
from localizing import extract as ingest
from localizing.models import FileStrings, SkippedFile, SourceString


def strings_of(root: Path, path: str) -> list[SourceString]:
    found = ingest.read_file(root, root / path)
    assert isinstance(found, FileStrings), found
    return list(found.strings)


def test_files_that_cannot_be_read_are_reported_and_the_rest_goes_on(sources: Path) -> None:
    """One bad file among thousands is the normal case."""
    found = list(ingest.extract(sources))
    skipped = {file.path: file.reason for file in found if isinstance(file, SkippedFile)}
    assert set(skipped) == {
        *("broken.py", "deep.py", "nul.py", "python2.py", "undeclared.py", "unknown_codec.py"),
    }
    assert skipped["broken.py"] == "SyntaxError: invalid syntax (line 1)"
    assert [file.path for file in found if isinstance(file, FileStrings)] == [
        *("bom.py", "crlf.py", "empty.py", "escapes.py", "latin1.py", "surrogate.py"),
        *("pack/__init__.py", "pack/again.py", "pack/messages.py"),
    ]


def test_declared_encodings_are_honoured(sources: Path) -> None:
    """The text is what the program would print, whatever bytes it is written in."""
    assert [s.text for s in strings_of(sources, "latin1.py")] == ["Größe in bytes."]
    assert [s.text for s in strings_of(sources, "bom.py")] == ["Starts with a byte order mark."]
    assert strings_of(sources, "empty.py") == []


def test_docstrings_come_by_paragraph_with_their_line(sources: Path) -> None:
    """A paragraph is what a translator works on; doctests and literal blocks are code."""
    found = [s for s in strings_of(sources, "pack/messages.py") if s.kind == "docstring"]
    assert [(s.line, s.text.partition("\n")[0]) for s in found] == [
        (1, "Reads records."),
        (3, "A record is one line. ``%(key)s`` and `{x}` are shown as they are."),
        (6, "indented paragraph"),
        (9, "Example::"),
        (16, r"Dates look like %Y-%m-%d, and \n ends a line."),
        (24, "Holds an open file."),
    ]
    assert [s.line for s in strings_of(sources, "crlf.py")] == [1, 3]


def test_exception_messages_keep_what_is_computed_as_placeholders(sources: Path) -> None:
    """The style says how the program formats the text; a computed part has a name in it."""
    found = [s for s in strings_of(sources, "pack/messages.py") if s.kind == "exception"]
    assert [(s.style, s.text, s.placeholders) for s in found] == [
        ("percent", "bad value %r at %(place)-10s: %5.1f%%", ("%r", "%(place)-10s", "%5.1f")),
        (
            "brace",
            "cannot read {name!r:>{width}} or {{braces}} in {', '.join(name)}",
            ("{name!r:>{width}}", "{', '.join(name)}"),
        ),
        ("brace", "no file {name} here {{yet}}", ("{name}",)),
        ("brace", "{0} of {1:>10} items, {{raw}}, {a[b].c}", ("{0}", "{1:>10}", "{a[b].c}")),
        ("dollar", "$who has ${amount} left of $$9", ("$who", "${amount}")),
        ("prose", "trailing colon: ", ()),
    ]


def test_argparse_texts_are_formatted_as_argparse_does(sources: Path) -> None:
    """Help is always formatted with %, a description only if it names the program."""
    found = [s for s in strings_of(sources, "pack/messages.py") if s.kind == "argparse"]
    assert [(s.style, s.text) for s in found] == [
        ("percent", "Run %(prog)s quickly"),
        ("percent", "100% sure (default: %(default)s)"),
        ("percent", "what to do"),
        ("percent", "go there"),
        ("prose", "A long walk."),
    ]


def test_a_text_is_one_string_per_kind_and_file(sources: Path) -> None:
    """Repeats inside a file are counted; across files they are the translation memory's work."""
    found = ingest.read_file(sources, sources / "pack/messages.py")
    assert isinstance(found, FileStrings)
    assert {s.text: s.occurrences for s in found.strings if s.occurrences > 1} == {
        "Holds an open file.": 2,
        "trailing colon: ": 2,
    }
    assert (found.repeats, found.code) == (2, 3)
    assert [s.module for s in strings_of(sources, "pack/again.py")] == ["pack.again"]
    assert [s.module for s in strings_of(sources, "pack/__init__.py")] == ["pack"]


def test_a_lone_surrogate_is_refused_and_counted(sources: Path) -> None:
    """It stands in a literal, but no file that is exchanged can carry it."""
    found = ingest.read_file(sources, sources / "surrogate.py")
    assert isinstance(found, FileStrings)
    assert (found.strings, found.refused) == ((), 1)


def test_a_pipe_a_dead_link_and_a_huge_file_are_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening a pipe would wait for ever; a generated table would take all memory."""
    os.mkfifo(tmp_path / "a_pipe.py")
    (tmp_path / "b_link.py").symlink_to(tmp_path / "nowhere.py")
    (tmp_path / "c_huge.py").write_bytes(b"#" * 100)
    monkeypatch.setattr(ingest, "FILE_BYTES_MAX", 99)
    found = list(ingest.extract(tmp_path))
    assert [type(file) for file in found] == [SkippedFile] * 3
    assert [file.path for file in found] == ["a_pipe.py", "b_link.py", "c_huge.py"]


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX only")
def test_a_file_name_that_is_not_utf8_is_shown_escaped(tmp_path: Path) -> None:
    """The name of one file must not stop the report of all others."""
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/n\xff.py")).write_text('"""Some words."""')
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    [found] = ingest.extract(tmp_path)
    assert found.path == "n\\xff.py"


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """An empty result would look like success."""
    with pytest.raises(NotADirectoryError, match="not a folder"):
        list(ingest.source_files(tmp_path / "gone"))


def test_the_same_sources_give_the_same_bytes(sources: Path, tmp_path: Path) -> None:
    """A digest of the result is only worth something if the result does not wander."""
    first = [file.model_dump_json() for file in ingest.extract(sources)]
    moved = sources.rename(tmp_path / "elsewhere")
    assert [file.model_dump_json() for file in ingest.extract(moved)] == first
    ids = [s.id for f in ingest.extract(moved) if isinstance(f, FileStrings) for s in f.strings]
    assert len(ids) == len(set(ids)) > 15
