"""Progress read off two streams at once."""

from typing import Any

import pytest

from headway.operations.process.progress.meter import Meter


class Job:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def report(self, progress: float | None = None, **news: Any) -> None:
        self.told.append({"progress": progress, **{name: value for name, value in news.items() if value is not None}})


def metered(rule: str) -> tuple[Meter, Job]:
    meter, job = Meter(rule), Job()
    meter.report_to(job)
    return meter, job


def test_what_is_printed_becomes_a_report() -> None:
    meter, job = metered("percent")
    meter.stream(0)(b"copying 40%\n")
    assert [told["progress"] for told in job.told] == [40.0]


def test_what_was_read_before_the_record_began_is_not_lost() -> None:
    meter, job = Meter("percent"), Job()
    meter.stream(0)(b"10%\n20%\n")
    meter.report_to(job)
    assert [told["progress"] for told in job.told] == [20.0]


def test_each_stream_has_its_own_lines_and_both_one_rule() -> None:
    meter, job = metered("ffmpeg")
    meter.stream(1)(b"  Duration: 00:01:40.00, start: 0.000000, bit")
    meter.stream(0)(b"out_time_us=250")
    meter.stream(1)(b"rate: 1 kb/s\n")
    meter.stream(0)(b"00000\nprogress=continue\n")
    assert job.told[-1]["progress"] == pytest.approx(25.0)


def test_a_count_without_an_end_is_indeterminate() -> None:
    meter, job = metered("tqdm")
    meter.stream(1)(b"120it [00:02, 60.0it/s]\r")
    assert job.told[-1] == {"progress": -1, "completed": 120.0, "unit": "it"}


def test_a_line_left_unfinished_is_read_after_a_silence() -> None:
    meter, job = metered("percent")
    meter.stream(0)(b"\r70%")
    meter.flush(quiet=3_600.0)
    assert job.told == []
    meter.flush(quiet=0.0)
    meter.flush(quiet=0.0)
    assert [told["progress"] for told in job.told] == [70.0]


def test_nothing_is_read_where_nothing_is_wanted() -> None:
    meter, job = metered("none")
    meter.stream(0)(b"40%\n")
    meter.flush(0.0)
    assert job.told == []


class Clock:
    """Time that passes when it is told to, and a little with each look."""

    def __init__(self, look: float) -> None:
        self.now = 0.0
        self.look = look

    def __call__(self) -> float:
        self.now += self.look
        return self.now


def test_a_flood_is_read_now_and_then() -> None:
    clock, job = Clock(look=0.02), Job()
    meter = Meter("percent", clock)
    meter.report_to(job)
    for percent in range(100):
        meter.stream(0)(b"\n%d%%\n" % percent)
    read = [told["progress"] for told in job.told]
    assert 10 < len(read) < 40
    assert read[-1] > 80


def test_after_a_gap_it_is_read_from_the_next_line_on() -> None:
    clock, job = Clock(look=0.02), Job()
    meter = Meter("percent", clock)
    meter.report_to(job)
    for _ in range(100):
        meter.stream(0)(b"1")
        meter.stream(0)(b"2%\n")
    assert {told["progress"] for told in job.told} <= {12.0}


def test_what_trickles_is_read_in_full() -> None:
    clock, job = Clock(look=0.001), Job()
    meter = Meter("percent", clock)
    meter.report_to(job)
    for percent in range(100):
        meter.stream(0)(b"%d%%\n" % percent)
        clock.now += 0.1
    assert len(job.told) == 100
