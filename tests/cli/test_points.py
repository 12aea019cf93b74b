"""How runs and moments are named on the command line."""

from datetime import UTC, datetime, timedelta

import click
import pytest

from projections.cli.points import parse_point, parse_since, split_point

TIME = datetime(2026, 11, 22, 9, 10, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("word", "run", "point"),
    [
        ("@latest", "@latest", None),
        ("@latest@40", "@latest", 40),
        ("@latest-failed@-3", "@latest-failed", -3),
        ("b0c1d2e3", "b0c1d2e3", None),
        ("b0c1d2e3@412", "b0c1d2e3", 412),
        ("b0c1d2e3@2026-11-22T09:10:11Z", "b0c1d2e3", TIME),
        ("b0c1d2e3@2026-11-22T10:10:11+01:00", "b0c1d2e3", TIME),
        ("b0c1d2e3@2026-11-22t09:10z", "b0c1d2e3", TIME.replace(second=0)),
        ("b0c1d2e3@-0", "b0c1d2e3", None),
    ],
)
def test_a_point_follows_the_second_at_sign(word: str, run: str, point: object) -> None:
    """@latest begins with one itself."""
    assert split_point(word) == (run, point)


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("0", "count from 1"),
        ("", "no point"),
        ("4.5", "no point"),
        ("+4", "no point"),
        ("٤", "no point"),
        ("yesterday", "no point"),
        ("2026-11-22", "no point"),
        ("20261122T091011Z", "no point"),
        ("2026-W47-7T09:10:11Z", "no point"),
        ("2026-11-22T09:10:11", "no zone"),
        ("2026-13-22T09:10:11Z", "no time"),
        ("0001-01-01T00:00:00+14:00", "no time"),
    ],
)
def test_what_is_no_point_is_refused_with_the_way_out(word: str, hint: str) -> None:
    """A naive time means another moment on every machine; a guess would show the wrong state."""
    with pytest.raises(click.BadParameter, match=hint):
        parse_point(word)


def test_since_takes_a_time_or_a_length_of_time() -> None:
    """`--since 2h` is what people type, a time is what scripts have."""
    assert parse_since("2026-11-22T09:10:11Z") == TIME
    before = datetime.now(UTC)
    assert before <= parse_since("2h") + timedelta(hours=2) <= datetime.now(UTC)


@pytest.mark.parametrize("word", ["412", "-3", "soon", "2026-11-22T09:10:11", "999999999w"])
def test_since_refuses_what_is_no_moment(word: str) -> None:
    """An event's number means nothing without its run."""
    with pytest.raises(click.BadParameter):
        parse_since(word)
