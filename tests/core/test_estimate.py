"""What is left of a run: by its rate, by the past runs of its kind, and by both."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.estimate import QUANTILES, RUNS_NEEDED, Estimate, Expectation, expectation, remaining

SECONDS = st.floats(min_value=0, max_value=1e9)
DURATIONS = st.lists(SECONDS, min_size=RUNS_NEEDED, max_size=60)
FRACTION = st.none() | st.floats(min_value=0, max_value=1)
RATE_ETA = st.none() | st.floats(min_value=0)
ELAPSED = st.floats(allow_nan=False, allow_infinity=False)  # below 0 too: a clock may be set back

NIGHTLY = [600.0, 590.0, 640.0, 610.0, 605.0, 580.0, 620.0, 600.0]
MIXED = [10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1280.0]


def history(durations: list[float]) -> Expectation:
    expected = expectation(durations)
    assert expected is not None
    return expected


def told(
    elapsed: float, fraction: float | None, rate_eta: float | None, expected: Expectation | None = None
) -> Estimate:
    estimate = remaining(elapsed, fraction, rate_eta, expected)
    assert estimate is not None
    return estimate


def width(estimate: Estimate) -> float:
    """How many times the upper bound is the lower one."""
    return estimate.high / estimate.low


def test_without_rate_and_history_there_is_not_enough_data() -> None:
    assert remaining(10.0, 0.5, None, None) is None
    assert remaining(10.0, None, None, None) is None


def test_few_runs_are_no_history() -> None:
    assert expectation(NIGHTLY[: RUNS_NEEDED - 1]) is None
    assert expectation(NIGHTLY[:RUNS_NEEDED]) is not None


def test_durations_that_no_run_can_have_are_left_out() -> None:
    assert expectation([*NIGHTLY, math.nan, math.inf, -3.0]) == expectation(NIGHTLY)
    assert expectation([*NIGHTLY[: RUNS_NEEDED - 1], math.nan, -1.0]) is None


def test_many_runs_are_summed_up_in_a_few_numbers() -> None:
    expected = history([float(seconds) for seconds in range(1, 1002)])
    assert expected.runs == 1001
    assert len(expected.quantiles) == QUANTILES
    assert (expected.quantiles[0], expected.quantiles[QUANTILES // 2], expected.quantiles[-1]) == (1, 501, 1001)


def test_work_of_unknown_extent_ends_when_it_usually_does() -> None:
    estimate = told(100.0, None, None, history(NIGHTLY))
    assert estimate.left == pytest.approx(500, rel=0.05)


def test_a_run_that_outlasts_others_is_compared_with_those_that_took_longer() -> None:
    expected = history(MIXED)
    totals = [elapsed + told(elapsed, None, None, expected).left for elapsed in (0.0, 100.0, 500.0, 1000.0)]
    assert totals == sorted(totals)
    assert totals[0] < 150 and totals[1] > 250 and totals[2] > 800


def test_a_run_longer_than_any_before_has_no_history() -> None:
    expected = history(NIGHTLY)
    assert remaining(max(NIGHTLY), None, None, expected) is None
    assert told(2000.0, 0.5, 1000.0, expected) == told(2000.0, 0.5, 1000.0)


def test_without_a_history_the_rate_is_believed_and_has_a_range() -> None:
    estimate = told(50.0, 0.5, 50.0)
    assert estimate.left == pytest.approx(50)
    assert estimate.low < 50 < estimate.high


def test_early_the_history_is_believed_more_than_the_rate() -> None:
    estimate = told(5.0, 0.01, 2400.0, history(NIGHTLY))
    assert abs(estimate.left - 600) < abs(estimate.left - 2400)


def test_late_the_rate_is_believed_more_than_the_history() -> None:
    estimate = told(560.0, 0.9, 10.0, history(MIXED))
    by_history = told(560.0, None, None, history(MIXED))
    assert abs(estimate.left - 10) < abs(estimate.left - by_history.left)


def test_a_rate_and_a_history_that_agree_are_surer_than_either() -> None:
    both = width(told(100.0, 0.25, 300.0, history([400.0, 350.0, 450.0, 420.0, 380.0])))
    assert both < width(told(100.0, 0.25, 300.0))
    assert both < width(told(100.0, None, None, history([400.0, 350.0, 450.0, 420.0, 380.0])))


def test_a_rate_and_a_history_that_contradict_each_other_widen_the_range() -> None:
    expected = history(NIGHTLY)
    assert width(told(60.0, 0.01, 6000.0, expected)) > width(told(60.0, None, None, expected))
    assert width(told(60.0, 0.01, 6000.0, expected)) > width(told(60.0, 0.01, 6000.0))


def test_few_past_runs_give_a_wider_range_than_many_like_them() -> None:
    few, many = history([100.0, 150.0, 200.0, 250.0, 300.0]), history([float(n) for n in range(100, 301, 5)])
    assert width(told(0.0, None, None, few)) > width(told(0.0, None, None, many))


def test_runs_that_all_took_equally_long_still_leave_a_doubt() -> None:
    estimate = told(10.0, None, None, history([60.0] * 20))
    assert estimate.low < estimate.left < estimate.high
    assert estimate.left == pytest.approx(50)


def test_a_run_at_100_percent_is_almost_done() -> None:
    assert told(100.0, 1.0, 0.0).left <= 2
    assert told(595.0, 1.0, 0.0, history(NIGHTLY)).left <= 10


def test_the_rate_gets_surer_as_the_work_gets_done() -> None:
    assert width(told(10.0, 0.1, 90.0)) > width(told(50.0, 0.5, 50.0)) > width(told(90.0, 0.9, 10.0))


def test_uneven_work_makes_the_rate_less_sure() -> None:
    steady, hurried = told(50.0, 0.5, 50.0), told(50.0, 0.5, 15.0)
    assert width(hurried) > width(steady)
    assert hurried.left == pytest.approx(15)


def test_work_taken_up_where_an_earlier_run_stopped_is_estimated_by_its_rate() -> None:
    resumed = told(2.0, 0.6, 40.0)  # by the time spent alone it would be over in little more than a second
    assert resumed.left == pytest.approx(40)
    assert resumed.high < 1000


def test_an_endless_rate_says_nothing() -> None:
    assert remaining(10.0, 0.5, math.inf, None) is None


@given(st.lists(st.floats(), max_size=40))
def test_a_summary_is_small_and_sorted_whatever_the_durations(durations: list[float]) -> None:
    expected = expectation(durations)
    if expected is not None:
        assert len(expected.quantiles) <= 15
        assert list(expected.quantiles) == sorted(expected.quantiles)
        assert all(0 <= seconds < math.inf for seconds in expected.quantiles)


@given(DURATIONS)
def test_a_summary_keeps_the_extremes_and_knows_no_order(durations: list[float]) -> None:
    expected = history(durations)
    assert (expected.quantiles[0], expected.quantiles[-1]) == (min(durations), max(durations))
    assert history(durations[::-1]) == expected


@given(ELAPSED, FRACTION, RATE_ETA, st.lists(st.floats(), max_size=40))
def test_an_estimate_lies_in_its_range_and_is_finite(
    elapsed: float, fraction: float | None, rate_eta: float | None, durations: list[float]
) -> None:
    estimate = remaining(elapsed, fraction, rate_eta, expectation(durations))
    if estimate is None:
        assert rate_eta is None or math.isinf(rate_eta)
    else:
        assert 0 <= estimate.low <= estimate.left <= estimate.high < math.inf


@given(DURATIONS, st.data())
def test_a_history_says_something_exactly_until_its_longest_run(durations: list[float], data: st.DataObject) -> None:
    elapsed = data.draw(SECONDS | st.sampled_from(durations))
    assert (remaining(elapsed, None, None, history(durations)) is None) is (elapsed >= max(durations))


@given(SECONDS, FRACTION, SECONDS, DURATIONS)
def test_both_together_lie_between_the_two(
    elapsed: float, fraction: float | None, rate_eta: float, durations: list[float]
) -> None:
    expected = history(durations)
    by_rate, both = told(elapsed, fraction, rate_eta), told(elapsed, fraction, rate_eta, expected)
    by_history = remaining(elapsed, None, None, expected) or by_rate
    lower, upper = sorted((by_rate.left, by_history.left))
    assert lower * (1 - 1e-6) <= both.left <= upper * (1 + 1e-6)
