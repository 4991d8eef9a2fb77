"""ffmpeg: the time done against the duration of its input."""

import pytest

from headway.operations.process.progress import Reading
from headway.operations.process.progress.ffmpeg import Ffmpeg
from tests.operations.process.progress.support import read

INPUT = ("Input #0, mov, from 'a.mov':", "  Duration: 00:01:40.00, start: 0.000000, bitrate: 96 kb/s")
SECOND = ("Input #1, mov, from 'b.mov':", "  Duration: 00:03:20.00, start: 0.000000, bitrate: 96 kb/s")
LIVE = ("Input #1, lavfi, from 'x':", "  Duration: N/A, start: 0.000000, bitrate: N/A")
AT_50 = "frame=  500 fps= 25 q=28.0 size=     256kB time=00:00:50.00 bitrate=  41.9kbits/s speed=2.5x    "


def of(total: float, completed: float = 50.0) -> Reading:
    return Reading(fraction=completed / total, completed=completed, total=total, unit="s")


@pytest.mark.parametrize(
    "statistics",
    [
        AT_50,
        "size=     256KiB time=00:00:50.00 bitrate= 199.7kbits/s speed=21.3x elapsed=0:00:02.34",
        "frame=500 fps=25 q=28.0 q=29.0 size=256KiB time=00:00:50.00 bitrate=41.9kbits/s dup=0 drop=3 speed=2.5x",
    ],
)
def test_the_statistics_line_is_read_against_the_duration(statistics: str) -> None:
    assert read(Ffmpeg(), *INPUT, statistics) == of(100.0)


def test_the_longest_input_is_the_whole() -> None:
    assert read(Ffmpeg(), *INPUT, *SECOND, AT_50) == of(200.0)
    assert read(Ffmpeg(), INPUT[0], SECOND[1], SECOND[0], INPUT[1], AT_50) == of(200.0)


def test_the_next_run_has_its_own_inputs() -> None:
    assert read(Ffmpeg(), *INPUT, *SECOND, AT_50, *INPUT, AT_50) == of(100.0)


@pytest.mark.parametrize("inputs", [(), LIVE, (*INPUT, *LIVE)], ids=["unknown", "live", "one of them live"])
def test_without_a_duration_there_is_no_fraction(inputs: tuple[str, ...]) -> None:
    assert read(Ffmpeg(), *inputs, AT_50) == Reading(completed=50.0, unit="s")


def test_past_the_duration_there_is_no_fraction_any_more() -> None:
    over = AT_50.replace("00:00:50", "00:01:43")
    assert read(Ffmpeg(), *INPUT, over) == Reading(completed=103.0, unit="s")
    assert read(Ffmpeg(), *INPUT, over, AT_50) == Reading(completed=50.0, unit="s")
    slightly = read(Ffmpeg(), *INPUT, AT_50.replace("00:00:50.00", "00:01:40.20"))
    assert slightly == Reading(fraction=1.0, completed=100.2, total=100.0, unit="s")


@pytest.mark.parametrize("time", ["N/A", "-00:00:00.02"])
def test_before_the_first_frame_it_stands_at_zero(time: str) -> None:
    assert read(Ffmpeg(), *INPUT, AT_50.replace("00:00:50.00", time)) == of(100.0, completed=0.0)


@pytest.mark.parametrize("key", ["out_time_us", "out_time_ms"])  # both are microseconds
def test_a_progress_block_is_read_at_its_end(key: str) -> None:
    ffmpeg = Ffmpeg()
    assert read(ffmpeg, *INPUT, f"{key}=50000000", "speed=2.5x") is None
    assert read(ffmpeg, "progress=continue") == of(100.0)
    assert read(ffmpeg, f"{key}=-21333", "progress=continue") == of(100.0, completed=0.0)


def test_a_block_without_a_time_tells_nothing() -> None:
    assert read(Ffmpeg(), *INPUT, "out_time_us=N/A", "progress=continue") is None
    assert read(Ffmpeg(), *INPUT, "out_time_us=50000000", "progress=end", "progress=end") is None


@pytest.mark.parametrize("end", [(AT_50.replace("size", "Lsize"),), ("out_time_us=50000000", "progress=end")])
def test_the_end_is_told_though_a_cut_is_not_the_whole(end: tuple[str, ...]) -> None:
    assert read(Ffmpeg(), *INPUT, *end) == Reading(fraction=0.5, completed=50.0, total=100.0, unit="s", final=True)


@pytest.mark.parametrize(
    "text", ["time=00:00:50.00", "lunch time=12", "progress=50", "DURATION : 00:10:00.0", "Duration: 5 days"]
)
def test_other_lines_are_not_read(text: str) -> None:
    assert read(Ffmpeg(), text) is None
