"""curl's three meters."""

import pytest

from headway.operations.process.progress import Reading
from headway.operations.process.progress.curl import Curl
from tests.operations.process.progress.support import read

HEADER = "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current"
MORE = "                                 Dload  Upload   Total   Spent    Left  Speed"
PARALLEL = "DL% UL%  Dled  Uled  Xfers  Live Total     Current  Left    Speed"
K = 1024.0


@pytest.mark.parametrize(
    ("row", "completed", "total"),
    [
        (" 36 2929k   36 1054k    0     0   990k      0  0:00:02  0:00:01  0:00:01  990k", 1054 * K, 2929 * K),
        (" 36 2929k    0     0   36 1054k      0   990k  0:00:02  0:00:01  0:00:01  990k", 1054 * K, 2929 * K),
        ("  0 10.0G    0 99000    0     0   990k      0  3d 05h  0:00:01  3d 05h  990k", 99000.0, 10 * K**3),
        ("100  5000  100  5000    0     0  9900k      0 --:--:-- --:--:-- --:--:-- 9900k", 5000.0, 5000.0),
    ],
)
def test_a_row_of_the_meter_is_read(row: str, completed: float, total: float) -> None:
    expected = Reading(fraction=completed / total, completed=completed, total=total, unit="bytes")
    assert read(Curl(), HEADER, MORE, row) == expected


def test_of_an_unknown_length_only_the_bytes_are_read() -> None:
    row = "100  673k    0  673k    0     0  1011k      0 --:--:-- --:--:-- --:--:-- 1010k"
    assert read(Curl(), HEADER, row) == Reading(completed=673 * K, unit="bytes")


def test_a_row_of_parallel_transfers_is_read() -> None:
    some = " 52 --  3046k     0     2     1   0:00:05  0:00:03  0:00:02  985k      "
    none = "--  --   527k  100k     2     2  --:--:-- --:--:-- --:--:-- 1020k      "
    assert read(Curl(), PARALLEL, some.strip()) == Reading(fraction=0.52, completed=3046 * K, unit="bytes")
    assert read(Curl(), PARALLEL, none) == Reading(completed=627 * K, unit="bytes")


@pytest.mark.parametrize("text", ["###        5.0%", "#   5.0%", "######  5.0%  "])
def test_a_bar_is_read(text: str) -> None:
    assert read(Curl(), text) == Reading(fraction=0.05)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# 5%",
        "## 45.0% of it",
        "     5.0%",
        "##O=#  #",
        " 36 2929k   36 1054k    0     0   990k      0  0:00:02  0:00:01  0:00:01  990k",
    ],
)
def test_without_a_header_nothing_but_a_bar_is_read(text: str) -> None:
    assert read(Curl(), text) is None


def test_other_lines_after_a_header_are_not_read() -> None:
    assert read(Curl(), HEADER, MORE, " 1  0      0 23266296  36288 1171120    0    0     0     8   45") is None
