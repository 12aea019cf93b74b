"""What the pages show beside their Python blocks: the first pipeline as a file, the sample line."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import blocks
from tests.rules.sources import ROOT

PROGRAM = [sys.executable, "-c", "from projections.cli import main; main()"]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def journal(folder: Path, *arguments: str) -> list[str]:
    """Run the real command in a folder; return the lines that it printed."""
    settings = {name: value for name, value in os.environ.items() if name != "JOURNAL_STORE"}
    ran = subprocess.run(
        [*PROGRAM, *arguments],
        cwd=folder,
        env=settings,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


def test_the_first_pipeline_of_the_guide_is_a_target(tmp_path: Path) -> None:
    """Saved under the name that the guide gives it: one run, for importing it must not run it."""
    page = ROOT / "docs/guides/pipelines.md"
    first = blocks(page, "python")[0].text
    (tmp_path / "words.py").write_text(first, encoding="utf-8")
    assert "`journal run words.py:pipeline -p rows=2`" in page.read_text(encoding="utf-8")

    (run_id,) = journal(tmp_path, "run", "words.py:pipeline", "-p", "rows=2")

    (found,) = map(json.loads, journal(tmp_path, "list"))
    assert (found["run_id"], found["status"]) == (run_id, "completed")


def test_the_line_of_the_readme_is_a_line_of_the_format_page() -> None:
    """The pieces, put together again, are what docs/format.md cuts up and its test re-hashes."""
    pieces = [block.text for block in blocks(ROOT / "README.md") if block.text.startswith('{"seq"')]
    log = blocks(ROOT / "docs/format.md", "jsonl")[0].text.splitlines()
    assert [re.sub(r"\n *", "", text) for text in pieces] == [log[3]]


def test_the_walk_leads_from_stop_to_stop() -> None:
    """Each stop names the next one where a reader ends, and has what the walk says to read."""
    walk = README[README.index("## A walk") :].split("\n## ")[0]
    stops = re.findall(r"^\d\. \[([^\]]+)\]\(([^)]+)\): (.+)$", walk, re.MULTILINE)
    assert len(stops) == 7
    for (name, path, what), (after, _, _) in zip(stops, [*stops[1:], stops[0]], strict=True):
        text = (ROOT / path).read_text(encoding="utf-8")
        end = text.split('"""')[1] if name.endswith(".py") else text[-300:]
        assert re.search(rf"\b{re.escape(after.rpartition('/')[2])}", end), f"{name} -> {after}"
        for named in re.findall(r"`([\w.]+)`", what):
            assert named.rpartition(".")[2] in text, f"{name} has no {named}"
