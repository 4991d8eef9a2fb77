"""Medians and ratios of rounds that took turns."""

import pytest

from bench.rounds import Round, errors, medians, ratio, recorded, uncounted

OURS, THEIRS = ("ours", "sse", 10), ("theirs", "sse", 10)


def rounds(server: str, *values: float | None) -> list[Round]:
    """One after the other; None failed."""
    return [
        Round(server, "sse", 10, number, {} if value is None else {"rate": value}, "broken" if value is None else None)
        for number, value in enumerate(values)
    ]


def test_a_median_is_of_the_rounds_that_count() -> None:
    assert medians(rounds("ours", 1.0, None, 3.0, 9.0))[OURS] == {"rate": 3.0}
    assert medians(rounds("ours", None)) == {}


def test_a_ratio_compares_rounds_that_were_next_to_each_other() -> None:
    # The machine was three times as slow in the second round: medians alone would show 2 or 18.
    both = [*rounds("ours", 6.0, 2.0, 6.0), *rounds("theirs", 3.0, 1.0, None)]
    assert ratio(both, OURS, THEIRS, "rate") == pytest.approx(2.0)


def test_without_a_round_in_common_there_is_no_ratio() -> None:
    assert ratio([*rounds("ours", 1.0, None), *rounds("theirs", None, 1.0)], OURS, THEIRS, "rate") is None


def test_what_does_not_count_is_told() -> None:
    assert errors(rounds("ours", 1.0, None)) == ["ours, sse, 10 watchers, round 2: broken"]


def test_the_record_has_a_row_for_each_key() -> None:
    row = {"server": "ours", "protocol": "sse", "watchers": 10, "rate": 2.0}
    assert recorded(rounds("ours", 1.0, 3.0)) == [row]


def test_what_a_table_does_not_hold_is_said() -> None:
    told = ["left out: nchan is not there", "does not count: ours, sse, 10 watchers, round 1: broken"]
    assert uncounted(rounds("ours", None), ["nchan is not there"]) == told
