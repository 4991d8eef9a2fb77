"""What running code says is made to fit, whatever it is: nothing here raises."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.wire import fitting, rules

ANYTHING = st.one_of(st.none(), st.floats(), st.integers(), st.text(), st.booleans(), st.binary(), st.complex_numbers())


class Hostile:
    """A number that no one can read."""

    def __float__(self) -> float:
        raise RuntimeError("no")


@given(ANYTHING)
def test_a_percentage_fits_the_rule_or_is_left_out(value: Any) -> None:
    fitted = fitting.percent(value)
    assert fitted is None or rules.progress("progress", fitted) == fitted


@given(ANYTHING)
def test_a_count_fits_the_rule_or_is_left_out(value: Any) -> None:
    fitted = fitting.count(value)
    assert fitted is None or 0 <= fitted <= rules.MAX_COUNT


@given(ANYTHING, st.integers(1, 300))
def test_a_text_fits_the_rule_or_is_left_out(value: Any, limit: int) -> None:
    fitted = fitting.text(value, limit)
    assert fitted is None or rules.text(limit)("title", fitted) == fitted


@pytest.mark.parametrize(
    ("value", "percent"), [(-0.5, -1), (40, 40), (101, 100), (Decimal("12.5"), 12.5), (Hostile(), None)]
)
def test_what_becomes_of_a_percentage(value: Any, percent: float | None) -> None:
    assert fitting.percent(value) == percent
