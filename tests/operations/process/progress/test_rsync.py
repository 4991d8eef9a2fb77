"""rsync: of one file or of the whole, and while its list still grows."""

import pytest

from headway.operations.process.progress import Reading
from headway.operations.process.progress.rsync import Rsync
from tests.operations.process.progress.support import read, readings, recording


def fractions(name: str) -> list[float | None]:
    return [reading.fraction for reading in readings("rsync", recording(name))]


def test_the_percentage_of_the_whole_is_read() -> None:
    told = fractions("rsync-progress2.tty")
    assert told[0] == 0.0
    assert {0.2, 0.4, 0.6, 0.8, 1.0} <= set(told)


def test_no_fraction_is_told_while_the_list_grows() -> None:
    told = readings("rsync", recording("rsync-incremental.tty"))
    begun = [reading.fraction is not None for reading in told]
    assert begun == sorted(begun)
    assert set(begun) == {False, True}
    assert all(reading.completed is not None for reading in told)


def test_of_single_files_the_fraction_is_by_their_number() -> None:
    told = fractions("rsync-per-file.tty")
    assert told[0] is None  # nothing is known before the first file is done
    assert {2 / 6, 3 / 6, 4 / 6, 5 / 6, 1.0} <= set(told)  # the folder is one of the six
    within = [fraction for fraction in told if fraction is not None and fraction * 6 % 1 > 0.01]
    assert within  # it moves within a file


def test_of_single_files_the_bytes_are_those_of_all_so_far() -> None:
    told = readings("rsync", recording("rsync-per-file.tty"))
    names = {reading.subtitle: reading.completed for reading in told}
    assert names == {f"{n}.bin": n * 3e6 for n in range(1, 6)}


def test_one_file_named_on_the_command_line_is_the_whole() -> None:
    assert [f for f in fractions("rsync-one-file.tty") if f is not None][1:] == [0.36, 0.7, 1.0]


def test_a_file_at_100_percent_with_others_remaining_means_single_files() -> None:
    first = "      3,000,000 100%    4.54MB/s    0:00:00 (xfr#1, to-chk=1/2)"
    assert read(Rsync(), first) == Reading(fraction=0.5, completed=3e6, unit="bytes")
    second = "      1,500,000  50%    1.20MB/s    0:00:01  "
    assert read(Rsync(), first, second) == Reading(fraction=0.75, completed=4.5e6, unit="bytes")


@pytest.mark.parametrize(
    ("text", "fraction", "completed"),
    [
        ("         32.77K   1%    0.00kB/s    0:00:00  ", 0.01, 32770.0),
        ("          3.00G  50%    4.53MB/s    ??:??:??  ", 0.5, 3e9),
        ("      1,238,099  99% 1000.98kB/s    0:00:08 (xfer#5, to-check=0/396)", 1.0, 1238099.0),
        ("              0   0%    0.00kB/s    0:00:00 (xfr#0, to-chk=0/6)", 1.0, 0.0),
    ],
)
def test_forms_of_the_line(text: str, fraction: float, completed: float) -> None:
    assert read(Rsync(), text) == Reading(fraction=fraction, completed=completed, unit="bytes")


def test_a_file_read_twice_counts_once() -> None:
    first = "      3,000,000 100%    4.54MB/s    0:00:00 (xfr#1, to-chk=2/3)"
    second = "      1,000,000 100%    4.54MB/s    0:00:00 (xfr#2, to-chk=1/3)"
    told = read(Rsync(), first, first, second, second)
    assert told == Reading(fraction=2 / 3, completed=4e6, unit="bytes")


def test_a_new_list_begins_anew() -> None:
    done = "      3,000,000 100%    4.54MB/s    0:00:00 (xfr#1, to-chk=1/2)"
    begun = "         32,768   1%    0.00kB/s    0:00:00  "
    told = read(Rsync(), done, "sending incremental file list", begun)
    assert told == Reading(completed=32768.0, unit="bytes")


@pytest.mark.parametrize(
    "text", ["100% rsync", "total size is 15,000,000  speedup is 1.00", "1 2% 3 4", "5 files to consider"]
)
def test_other_lines_are_not_read(text: str) -> None:
    assert read(Rsync(), text) is None
