"""Rows in words."""

from datetime import datetime
from typing import Any

import pytest

from headway.cli import wording
from headway.wire.decode import row_from
from headway.wire.row import Row
from tests.client.scripted_server import row

NOW = datetime(2026, 11, 22, 14, 0, 0).timestamp()


def made(**members: Any) -> Row:
    return row_from(row(**members))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (0.4, "0s"),
        (59.4, "59s"),
        (59.6, "1m00s"),
        (63, "1m03s"),
        (3_599, "59m59s"),
        (7_500, "2h05m"),
        (86_400, "1d00h"),
        (3 * 86_400 + 4 * 3_600, "3d04h"),
    ],
)
def test_lengths_of_time(seconds: float, text: str) -> None:
    assert wording.span(seconds) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "bytes", "0 B"),
        (999, "bytes", "999 B"),
        (1_234, "bytes", "1.2 kB"),
        (999_999, "bytes", "1000 kB"),
        (123_456_789, "bytes", "123 MB"),
        (2.5e21, "bytes", "2500 EB"),
        (45, "files", "45 files"),
        (3.14159, "it", "3.1 it"),
        (1234.5, None, "1234"),
        (90, "s", "1m30s"),
    ],
)
def test_amounts(value: float, unit: str | None, text: str) -> None:
    assert wording.amount(value, unit) == text


def test_the_title_or_else_the_type() -> None:
    assert wording.name(made(title="Copying")) == "Copying"
    assert wording.name(made(title="")) == "command.test"


def test_states() -> None:
    assert wording.state(made(state="cancelling")) == "cancelling"
    assert wording.state(made(state="cancelling", overdue=True)) == "overdue"
    assert wording.state(made(state=None)) == "running"


def test_a_silence_is_told_only_of_what_runs() -> None:
    assert wording.state(made(state="running", stalled=True)) == "stalled"
    assert wording.state(made(state=None, stalled=True)) == "stalled"
    assert wording.state(made(state="cancelling", stalled=True)) == "cancelling"
    assert wording.state(made(state="cancelling", stalled=True, overdue=True)) == "overdue"
    assert wording.state(made(state="lost", stalled=True)) == "lost"


def test_percent() -> None:
    assert [wording.percent(made(progress=value)) for value in (-1, 0, 100)] == ["–", "0%", "100%"]


def test_counts() -> None:
    assert wording.counts(made()) == ""
    assert wording.counts(made(completed=3, unit="files")) == "3 files"
    assert wording.counts(made(completed=3, total=9, unit="files")) == "3 files of 9 files"


def test_speed_only_of_what_is_counted_and_runs() -> None:
    counted = {"completed": 5, "rate": 1_234_567.0, "unit": "bytes"}
    assert wording.speed(made(**counted)) == "1.2 MB/s"
    assert wording.speed(made(**counted, state="succeeded")) == ""
    assert wording.speed(made(rate=0.01)) == ""
    assert wording.speed(made(completed=5, rate=1.0, unit="s")) == ""


def test_the_time_left_runs_down_between_reports() -> None:
    assert wording.remaining(made(eta=90, updatedAt=NOW), NOW + 30) == "1m00s"
    assert wording.remaining(made(eta=90, updatedAt=NOW), NOW + 90.5) == "0s"
    assert wording.remaining(made(eta=90, updatedAt=NOW), NOW + 300) == ""
    assert wording.remaining(made(), NOW) == ""
    assert wording.remaining(made(eta=1, updatedAt=NOW, state="failed"), NOW) == ""


def test_the_time_taken_stops_at_the_end() -> None:
    assert wording.elapsed(made(startedAt=NOW), NOW + 5) == "5s"
    assert wording.elapsed(made(startedAt=NOW, endedAt=NOW + 60), NOW + 5_000) == "1m00s"
    assert wording.elapsed(made(), NOW) == ""


def test_moments() -> None:
    assert wording.moment(NOW - 60, NOW) == "13:59:00"
    assert wording.moment(NOW - 86_400, NOW) == "2026-11-21 14:00"
    assert wording.moment(None, NOW) == "–"


def test_endings() -> None:
    times = {"startedAt": NOW, "endedAt": NOW + 63}
    assert wording.ending(made(state="succeeded", **times)) == "succeeded after 1m03s"
    assert wording.ending(made(state="failed", error="exit status 3")) == "failed: exit status 3"
    assert (
        wording.ending(made(state="succeeded", cancelRequested=True, **times))
        == "succeeded after 1m03s, though asked to stop"
    )
    assert wording.ending(made(state="cancelled", cancelRequested=True)) == "cancelled"
