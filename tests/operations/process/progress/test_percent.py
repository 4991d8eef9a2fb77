"""A percentage, vouched for by the user."""

import pytest

from headway.operations.process.progress import Reading
from headway.operations.process.progress.percent import Percent
from tests.operations.process.progress.support import read


@pytest.mark.parametrize(
    ("text", "percent"),
    [
        *[("45%", 45), ("  7 %", 7), ("45.3%", 45.3), ("45,3 %", 45.3), ("100%", 100), ("0%", 0), ("at 45%.", 45)],
        *[("[ 45%] Building 12% of it", 45), ("a 12% sample   [ 45%]", 45), ("12% [4 Packages 99%]", 12)],
        *[("250% zoom, 45% done", 45), ("(45%)", 45), ("x=45%", 45), ("45%|###", 45)],
    ],
)
def test_the_percentage_of_a_line_is_read(text: str, percent: float) -> None:
    assert read(Percent(), text) == Reading(fraction=percent / 100)


@pytest.mark.parametrize(
    "text", ["", "%", "101%", "a%20b", "-5%", "+5%", "1.2.3%", "v5%", "5%%d", "50 percent", "[150%]", "1000%"]
)
def test_what_is_no_percentage_is_not_read(text: str) -> None:
    assert read(Percent(), text) is None


def test_the_counts_behind_it_are_read_too() -> None:
    expected = Reading(fraction=450 / 1000, completed=450.0, total=1000.0)
    assert read(Percent(), "Receiving objects:  45% (450/1000), 1.20 MiB") == expected


@pytest.mark.parametrize("text", ["45% (1/3)", "45% (0/0)", "45% (3/1)"])
def test_counts_that_disagree_are_something_else(text: str) -> None:
    assert read(Percent(), text) == Reading(fraction=0.45)
