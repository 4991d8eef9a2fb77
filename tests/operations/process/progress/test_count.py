"""A count, vouched for by the user."""

import pytest

from headway.operations.process.progress import Reading
from headway.operations.process.progress.count import Count
from tests.operations.process.progress.support import read


@pytest.mark.parametrize(
    ("text", "completed", "total", "unit"),
    [
        *[("[3/120] CC x.o", 3, 120, None), ("12/340 files", 12, 340, "files"), ("(3/4)", 3, 4, None)],
        *[("Step 3/10 : RUN x", 3, 10, None), ("3 of 10 images", 3, 10, "images"), ("3 / 10", 3, 10, None)],
        *[("1.5/3.0 MB", 1.5e6, 3e6, "bytes"), ("1.5MB/3MB", 1.5e6, 3e6, "bytes"), ("512kB/3MB", 512e3, 3e6, "bytes")],
        *[("1 MiB / 2 MiB", 2**20, 2**21, "bytes"), ("[12 B/30 B]", 12, 30, "bytes")],
        *[("a/b/1/2 then 3/4 left", 3, 4, None), ("9/3 but 3/9", 3, 9, None), ("0/7", 0, 7, None)],
        ("\x1b[32m3\x1b[0m/7", 3, 7, None),
    ],
)
def test_the_count_of_a_line_is_read(text: str, completed: float, total: float, unit: str | None) -> None:
    expected = Reading(fraction=completed / total, completed=completed, total=total, unit=unit)
    assert read(Count(), text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024/11/22",
        "11/22/2024",
        "/a/1/2",
        "1/2/",
        "./1/2",
        "v1/2",
        "1/2b",
        "and/or",
        "7/3",
        "0/0",
        "1.1/2",
        "1/2.5",
        "3/4%",
        "10:1/2",
    ],
)
def test_what_is_no_count_is_not_read(text: str) -> None:
    assert read(Count(), text) is None
