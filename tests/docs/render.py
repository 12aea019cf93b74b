"""
Writes the parts of the documentation that are made from the code: ``python -m tests.docs.render``.

A page marks such a part with two comments; all else on the page is written by hand. A test
compares the pages with what this would write.
"""

import re
import sys
from collections.abc import Callable

from tests.docs.events_table import parts_table, vocabulary_tables
from tests.docs.lifecycle_picture import phase_part, run_part
from tests.docs.reliability_tables import bugs_part, cases_part, mutants_part, security_part
from tests.rules.sources import ROOT

PARTS: dict[str, dict[str, Callable[[], str]]] = {
    "docs/events.md": {"vocabulary": vocabulary_tables, "parts": parts_table},
    "docs/lifecycle.md": {"run": run_part, "phase": phase_part},
    "docs/reliability.md": {
        "cases": cases_part,
        "security": security_part,
        "mutants": mutants_part,
        "bugs": bugs_part,
    },
}

_PART = re.compile(
    r"(?P<begin><!-- generated: (?P<name>\w+)[^\n]*-->)\n.*?(?P<end><!-- end -->)", re.DOTALL
)


def rendered(page: str, text: str) -> str:
    """Return the page's text with its generated parts as the code says them today."""
    parts = PARTS[page]
    names = [found["name"] for found in _PART.finditer(text)]
    if names != list(parts):
        raise ValueError(f"{page} has the generated parts {names}, not {list(parts)}")
    return _PART.sub(lambda m: f"{m['begin']}\n\n{parts[m['name']]()}\n{m['end']}", text)


def main() -> None:
    """Rewrite what is not as the code says it."""
    for page in PARTS:
        path = ROOT / page
        before = path.read_text(encoding="utf-8")
        after = rendered(page, before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            sys.stdout.write(f"{page} rewritten\n")


if __name__ == "__main__":
    main()
