"""wget's bar and its dots."""

import pytest

from headway.operations.process.progress import Reading
from headway.operations.process.progress.wget import Wget
from tests.operations.process.progress.support import read

LENGTH, SAVING = "Length: 3000000 (2.9M) [text/html]", "Saving to: \u2018a file.bin\u2019"
DOTS = " .........." * 5


@pytest.mark.parametrize(
    ("text", "fraction", "completed"),
    [
        ("/dev/null    45%[====>     ] 1.00K  1008KB/s  eta 3s ", 0.45, 1024.0),
        ("f  45% [====>     ]   10.5K  --.-KB/s", 0.45, 10752.0),
        ("f 100%[+++++=====>]       7  --.-KB/s    in 0s", 1.0, 7.0),
        ("f            [ <=>      ]   1.00M   977KB/s", None, 1048576.0),
        ("f   2%[>     ]   2,93M   977KB/s", 0.02, 3072328.0),
        (f"   100K{DOTS} 13%  826K 2s", 0.13, 102400.0),
        (f"     0K{DOTS}  1% 1.61M 2m3s", 0.01, 0.0),
        (f"   100K ,,,,,,,,,,{DOTS[:33]} 13% 1.61M 2s", 0.13, 102400.0),
        (f"   100K{DOTS} 1.61M", None, 102400.0),
        ("  2900K .......... ....      100%  983K=3.0s", 1.0, 2969600.0),
    ],
)
def test_bars_and_dots_are_read(text: str, fraction: float | None, completed: float) -> None:
    assert read(Wget(), text) == Reading(fraction=fraction, completed=completed, unit="bytes")


def test_length_and_name_come_from_the_lines_before() -> None:
    expected = Reading(fraction=0.13, completed=102400.0, total=3e6, unit="bytes", subtitle="a file.bin")
    assert read(Wget(), LENGTH, SAVING, f"   100K{DOTS} 13%  826K 2s") == expected


def test_the_next_file_has_its_own_length_and_name() -> None:
    told = read(Wget(), LENGTH, SAVING, "Length: unspecified [text/html]", f"   100K{DOTS} 1.61M")
    assert told == Reading(completed=102400.0, unit="bytes")


@pytest.mark.parametrize(
    "text", ["", "45%[x] 1", "100K ...", "Length: 5 (5)", "waited 5K ... 10%", "[<=>] no", "50% [a] 5"]
)
def test_other_lines_are_not_read(text: str) -> None:
    assert read(Wget(), text) is None
