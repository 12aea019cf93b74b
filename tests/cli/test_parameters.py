"""`-p K=V`: texts become what the pipeline's own model wants, or are refused by name."""

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

import click
import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from projections.cli import parameters
from tests.cli.support import Command


class Colour(StrEnum):
    RED = "red"


class Inner(BaseModel):
    depth: int = 0


class Strict(BaseModel):
    """What a careful author writes."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    count: int = 1
    ratio: float = 0.5
    on: bool = False
    day: date = date(2026, 1, 1)
    folder: Path = Path()
    colour: Colour = Colour.RED
    name: str = ""
    limit: int | None = Field(None, alias="the_limit")
    limit_or_none: int | None = 7
    secret: SecretStr = SecretStr("")
    labels: tuple[str, ...] = ()
    numbers: list[int] = []
    inner: Inner = Inner()
    table: dict[str, int] = {}


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("count=8", 8),
        ("ratio=1.5", 1.5),
        ("ratio=2", 2.0),
        ("on=true", True),
        ("day=2026-11-22", date(2026, 11, 22)),
        ("folder=/a=b", Path("/a=b")),
        ("colour=red", Colour.RED),
        ("name=", ""),
        ("name=[draft]", "[draft]"),
        ("name=12", "12"),
        ("the_limit=3", 3),
        ('labels=["de", "fr"]', ("de", "fr")),
        ("numbers=[1, 2]", [1, 2]),
        ("limit_or_none=null", None),
        ("secret=s3cret", SecretStr("s3cret")),
        ('inner={"depth": 3}', Inner(depth=3)),
        ('table={"a": 1}', {"a": 1}),
    ],
)
def test_a_text_becomes_what_the_model_says(pair: str, value: Any) -> None:
    """Also for a strict model, which would refuse the text "8" as a number from a program."""
    read = parameters.read(Strict, parameters.split_pairs((pair,)))
    assert isinstance(read, Strict)
    assert getattr(read, pair.partition("=")[0].replace("the_limit", "limit")) == value


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (("count",), "wanted K=V"),
        (("=8",), "wanted K=V"),
        (("count=1", "count=2"), "given twice"),
        (("conut=1",), "'conut' is not known; there is colour, count"),
        (("limit=1",), "'limit' is not known; .*the_limit"),
        (("count=many",), "count: "),
        (("numbers=[1, x]",), "numbers: "),
        (("colour=blue", "on=perhaps"), "on: .*; colour: "),
    ],
)
def test_what_does_not_fit_is_refused_by_name(pairs: tuple[str, ...], said: str) -> None:
    """A misspelt parameter that is silently ignored runs for an hour with the default."""
    with pytest.raises(click.BadParameter, match=said):
        parameters.read(Strict, parameters.split_pairs(pairs))


def test_a_misspelt_name_is_refused_though_the_model_would_ignore_it() -> None:
    """pydantic ignores unknown names unless it is told otherwise; a person should not be."""
    with pytest.raises(click.BadParameter, match="not known"):
        parameters.read(Inner, {"deep": "3"})


def test_a_pipeline_without_parameters_takes_none() -> None:
    """Said before anything runs."""
    assert parameters.read(None, {}) is None
    with pytest.raises(click.BadParameter, match="takes no parameters"):
        parameters.read(None, {"count": "1"})


def test_refused_parameters_leave_no_run(journal: Command) -> None:
    """Exit 2: the command line is wrong, so there is nothing to record."""
    ran = journal("run", "pipe.py", "-p", "rows=many")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "rows: " in ran.stderr
    assert not (journal.folder / ".journal").exists()


def test_parameters_are_recorded_and_resumed_with(journal: Command) -> None:
    """What was typed once is part of the run."""
    journal.run_id("-p", "rows=2", "-p", 'labels=["nl"]', "-p", "day=2026-01-02")
    (state,) = journal.records("show", "@latest")
    given = state["parameters"]
    assert (given["rows"], given["labels"], given["day"]) == (2, ["nl"], "2026-01-02")
