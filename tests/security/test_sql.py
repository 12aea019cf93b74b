"""Security, sql: what people ask for is a parameter, never a piece of a statement."""

import ast
from pathlib import Path

import pytest

from journal import Journal
from projections import Projections
from tests.rules.sources import Module, dotted, modules

# Statements that are put together, and of what: only ever of words that stand in our own code.
PUT_TOGETHER: dict[tuple[str, str], str] = {
    ("projections/questions.py", "f'{_RUN} {where} ORDER BY"): "tests are keys of a literal dict",
    ("projections/questions.py", "f'{_RUN} WHERE run_id = ?'"): "a constant",
    ("projections/questions.py", "f'{told} ORDER BY run_id'"): "tables are a literal tuple",
    (
        "projections/questions.py",
        "f'SELECT DISTINCT {column} FROM",
    ): "names given as literals below",
    ("projections/questions.py", "f'{_ARTIFACT} WHERE {where}"): "columns are keywords of calls",
    ("projections/rebuild.py", "f'DELETE FROM main.{table}'"): "schema.TABLES",
    ("projections/rebuild.py", "f'INSERT INTO main.{table}"): "schema.TABLES",
    ("projections/rebuild.py", "f'DELETE FROM {table}'"): "schema.TABLES",
    ("projections/rows.py", "f'DELETE FROM {table} WHERE run_id = ?'"): "a literal tuple",
    ("projections/schema.py", "f'PRAGMA application_id = {APPLICATION_ID}'"): "a number, constant",
    ("projections/schema.py", "f'PRAGMA user_version = {SCHEMA_VERSION}'"): "a number, constant",
    ("projections/schema.py", "statement"): "what the file itself says of its own indexes",
    ("projections/schema.py", """f'DROP {kind} "{quoted}"'"""): "quoted as SQLite says",
}


def statements() -> list[tuple[Module, ast.Call]]:
    """Return every call that hands a statement to SQLite."""
    return [
        (module, node)
        for module in modules("journal", "projections")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"execute", "executemany", "executescript"}
        and dotted(node.func.value) in {"db", "connection", "cursor", "self._db", "self.db"}
    ]


def is_literal(node: ast.expr) -> bool:
    """Whether a statement stands in the code as it is, or is a constant by its name."""
    if isinstance(node, ast.Constant):
        return True
    return isinstance(node, ast.Name) and node.id.strip("_").isupper()


def test_every_statement_is_a_literal_or_was_looked_at() -> None:
    """Security: a value inside a statement could be another statement."""
    found = {
        (module.path, ast.unparse(call.args[0]))
        for module, call in statements()
        if not is_literal(call.args[0])
    }
    unknown = [
        (path, text)
        for path, text in sorted(found)
        if not any(path == p and text.startswith(known) for p, known in PUT_TOGETHER)
    ]
    assert unknown == []
    stale = [
        (path, known)
        for path, known in PUT_TOGETHER
        if not any(p == path and text.startswith(known) for p, text in found)
    ]
    assert stale == [], "no longer there: take it off the list"
    assert len(statements()) > 40


def test_names_that_are_put_into_statements_are_literals_where_they_are_given() -> None:
    """Security: a name of a table cannot be a parameter, so it must never come from outside."""
    (questions,) = [m for m in modules("projections") if m.path == "projections/questions.py"]
    calls = [n for n in ast.walk(questions.tree) if isinstance(n, ast.Call)]
    for name, given in (("_like", (1, 2)), ("_artifacts", (1,))):
        made = [call for call in calls if dotted(call.func) == name]
        assert made
        for call in made:
            assert all(isinstance(call.args[at], ast.Constant) for at in given)
            assert all(keyword.arg for keyword in call.keywords)


HOSTILE = ["'; DROP TABLE runs; --", "' OR '1'='1", '"; DELETE FROM runs; --', "%", "_", "a\0b"]


@pytest.mark.anyio
@pytest.mark.parametrize("text", HOSTILE)
async def test_a_hostile_question_is_answered_with_nothing(tmp_path: Path, text: str) -> None:
    """Security: what is asked for is a value, whatever characters are in it."""
    async with Journal.open(tmp_path / "store") as journal, journal.run(project="p") as run:
        await run.store("text", role="report")
    async with Projections.open(tmp_path / "store") as runs:
        assert await runs.list(project=text) == []
        assert await runs.artifacts(run.id, role=text) == []
        assert await runs.artifacts(run.id, partition=text) == []
        assert [each.run_id for each in await runs.list()] == [run.id]
        assert len(await runs.artifacts(run.id)) == 1
