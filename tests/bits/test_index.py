"""The index is never truth; but what it says is right, or it is found out."""

import random
from pathlib import Path

import pytest

from journal.events import log as log_events
from projections.sqlite import Index
from projections.sqlitefile import Connection, parts
from tests.bits import indexes
from tests.projections.helpers import stored
from tests.projections.indexes import dump, fresh, visit

BITS = 400
"""Of a file that has 900,000."""

FOLDED = {"cursors", "states", "runs", "artifacts"}
"""Tables whose rows are folds: each wrong one is a wrong answer."""


def test_every_column_of_every_row_that_is_altered_is_found_by_verify() -> None:
    """
    Case 60: of all tables that the schema has, rows that are gone and rows made up as well.

    What only says where reading stands may be wrong without harm: then the next visit is right.
    """
    made_of = indexes.sample(None)
    said = indexes.findings(made_of.filled, made_of.log)
    assert len(said) == 1  # the run that cannot be read
    harmless, tried, missed = [], 0, []
    for change in made_of.filled.use(lambda db: list(indexes.changes(db))):
        damaged = indexes.copy_of(made_of.filled)
        if indexes.made(damaged, change):
            tried += 1
            if indexes.findings(damaged, made_of.log) != said:
                pass
            elif change.table in FOLDED:
                missed.append(change)
            else:
                harmless.append(change)
        damaged.close()
    assert missed == []
    assert tried > 700
    assert {change.table for change in harmless} <= {"meta", "watch"}
    for change in harmless:
        made_of.going_on.write(log_events.LogEmitted(name="later"))
        damaged = indexes.copy_of(made_of.filled)
        assert indexes.made(damaged, change)
        visit(damaged, made_of.log)
        assert dump(damaged) == fresh(made_of.log), change
        damaged.close()


@pytest.mark.parametrize("table", sorted(FOLDED))
def test_older_rows_are_found_by_verify(table: str) -> None:
    """Cases 60 and 85: their seals are whole, so only a fold of the log can tell."""
    made_of = indexes.sample(None)
    before = made_of.filled.use(lambda db: db.execute(f"SELECT * FROM {table}").fetchall())
    made_of.going_on.write(("p", stored("a9")), ("p", stored("a1", description="another")))
    visit(made_of.filled, made_of.log)
    said = indexes.findings(made_of.filled, made_of.log)
    assert len(said) == 1  # the run that cannot be read

    def roll_back(db: Connection) -> None:
        db.execute(f"DELETE FROM {table}")
        for row in before:
            db.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)

    made_of.filled.use(roll_back)
    found = indexes.findings(made_of.filled, made_of.log) - said
    assert found
    assert all(made_of.going_on.run_id in each for each in found)


def test_a_flipped_bit_of_the_index_file_is_harmless_or_found(tmp_path: Path) -> None:
    """Cases 59 and 60: 30.8% of them once gave wrong rows and no error; none is a traceback."""
    outcomes, violations = indexes.flipped_bits(tmp_path, BITS, seed=60)
    assert violations == []
    assert (
        outcomes["right"] + outcomes["replaced"] + outcomes["refused"] + outcomes["wrong"] == BITS
    )
    assert min(outcomes["right"], outcomes["replaced"], outcomes["verify: replaced"]) > 0


def test_a_flipped_bit_beside_the_index_file_is_harmless(tmp_path: Path) -> None:
    """Case 59: what a dead process left in -wal counts as far as it is whole, and no further."""
    made_of = indexes.sample(str(tmp_path / "index.sqlite"))
    rows = dump(made_of.filled)
    copies = {name: Path(name).read_bytes() for name in parts(str(tmp_path / "index.sqlite"))}
    made_of.filled.close()
    chosen = random.Random(59)
    for name in list(copies)[1:]:
        assert len(copies[name]) > 10_000
        for _ in range(60):
            for each, content in copies.items():
                Path(each).write_bytes(content)
            flipped = bytearray(copies[name])
            flipped[chosen.randrange(len(flipped))] ^= 1 << chosen.randrange(8)
            Path(name).write_bytes(flipped)
            index = Index(str(tmp_path / "index.sqlite"))
            visit(index, made_of.log)
            assert dump(index) == rows
            index.close()
