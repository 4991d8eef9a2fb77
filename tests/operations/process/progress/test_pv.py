"""pv's line and its numbers."""

import pytest

from headway.operations.process.progress import Reading
from headway.operations.process.progress.pv import NumericPv, Pv
from tests.operations.process.progress.support import read, readings


@pytest.mark.parametrize(
    ("text", "fraction", "completed", "unit"),
    [
        ("6.00MiB 0:00:01 [5.52MiB/s] [====>     ] 31% ETA 0:00:02", 0.31, 6 * 1024.0**2, "bytes"),
        ("     copy: 6.00GiB 1:00:01 [5.52MiB/s] [>     ]  1% ETA 2:00:02", 0.01, 6 * 1024.0**3, "bytes"),
        ("19.1MiB 0:00:03 [6.02MiB/s] [=========>] 100%            ", 1.0, 20027802.0, "bytes"),
        ("6.00MiB 0:00:01 [5.53MiB/s] [<=>      ]", None, 6 * 1024.0**2, "bytes"),
        (" 512 B 1:00:00:01 [0.00 B/s]", None, 512.0, "bytes"),
        (" 120  0:00:01 [ 110 /s] [===>      ] 30% ETA 0:00:02", 0.3, 120.0, "lines"),
        ("1.20k 0:00:01 [ 110 /s]", None, 1200.0, "lines"),
    ],
)
def test_the_line_is_read(text: str, fraction: float | None, completed: float, unit: str) -> None:
    assert read(Pv(), text) == Reading(fraction=fraction, completed=completed, unit=unit)
    assert read(NumericPv(), text) == Reading(fraction=fraction, completed=completed, unit=unit)


def test_bare_numbers_are_percentages_for_those_who_say_so() -> None:
    assert readings("pv", "9\n47\n100\n") == [Reading(fraction=n / 100) for n in (9, 47, 100)]
    assert read(Pv(), "47") is None


def test_numbers_above_100_are_bytes() -> None:
    assert readings("pv", "8388608\n16777216\n") == [
        Reading(completed=n, unit="bytes") for n in (8388608.0, 16777216.0)
    ]


@pytest.mark.parametrize("text", ["", "a 5 b", "6.00MiB 0:00:01", "12:00:00 [5 req/s]", "x: 5 0:01 [1/s]"])
def test_other_lines_are_not_read(text: str) -> None:
    assert read(NumericPv(), text) is None
