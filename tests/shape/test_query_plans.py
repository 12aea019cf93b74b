"""How SQLite answers: from an index, in its order, never by walking through the table."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from journal.backends.filesystem import FilesystemLog
from journal.ids import RunId
from projections import questions
from projections.catchup import catch_up
from projections.sqlite import Index
from projections.sqlitefile import Connection
from tests.benchmarks.generator import Generator

SINCE = datetime(2026, 1, 5, 0, 10, tzinfo=UTC)
RUN = RunId("019b8b75-0648-7c2b-be75-2420df2db07e")

LISTS: dict[str, Callable[[Connection], object]] = {
    "all": lambda db: questions.runs(db, limit=20),
    "status": lambda db: questions.runs(db, status="failed", limit=20),
    "project": lambda db: questions.runs(db, project="localize", limit=20),
    "both": lambda db: questions.runs(db, status="failed", project="localize", limit=20),
    "since": lambda db: questions.runs(db, since=SINCE, limit=20),
    "status since": lambda db: questions.runs(db, status="failed", since=SINCE, limit=20),
}
QUESTIONS: dict[str, Callable[[Connection], object]] = {
    **LISTS,
    "one run": lambda db: questions.run(db, RUN),
    "by its end": lambda db: questions.named_like(db, "20df2db0", 2),
    "artifacts": lambda db: questions.artifacts(db, RUN),
    "artifact": lambda db: questions.artifacts_by_id(db, "x"),
    "digest": lambda db: questions.artifacts_by_digest(db, "ab" * 32),
}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """The index of a small store; how a statement is answered does not depend on how many rows."""
    root = tmp_path_factory.mktemp("shape") / "store"
    Generator(root).short_runs(20)
    made = Index(str(root / "index.sqlite"))
    made.use(lambda db: catch_up(db, FilesystemLog.open(root)))
    yield made
    made.close()


def plan_of(db: Connection, ask: Callable[[Connection], object]) -> list[str]:
    """Return what SQLite says about how it answers each statement of a question."""
    statements: list[str] = []
    db.set_trace_callback(statements.append)
    try:
        ask(db)
    finally:
        db.set_trace_callback(None)
    return [
        step
        for statement in statements
        for *_, step in db.execute(f"EXPLAIN QUERY PLAN {statement}")
    ]


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_answered_from_an_index(question: str, index: Index) -> None:
    """A walk through a million rows would be felt at each look."""
    plan = index.use(lambda db: plan_of(db, QUESTIONS[question]))
    looks = [step for step in plan if not step.startswith("USE TEMP B-TREE")]
    assert looks
    assert [step for step in looks if " INDEX " not in step] == []


@pytest.mark.parametrize("question", LISTS)
def test_a_list_comes_out_of_its_index_in_order(question: str, index: Index) -> None:
    """The newest twenty of a million are twenty rows, not a million that are sorted first."""
    plan = index.use(lambda db: plan_of(db, LISTS[question]))
    assert [step for step in plan if "TEMP B-TREE" in step] == []
