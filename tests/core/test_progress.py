"""How far, how fast, how long still: and when "nobody knows" is the answer."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.progress import INDETERMINATE, RATE_SAMPLE, Children, Progress, advanced, begun, completed_fully

PERCENT = st.floats(min_value=0, max_value=100)
COUNT = st.floats(min_value=0, max_value=2.0**53)
START = begun(Progress(), 0.0)


@given(PERCENT, PERCENT)
def test_percent_never_runs_backwards_by_rounding(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert advanced(START, 1.0, percent=low).percent <= advanced(START, 1.0, percent=high).percent


@given(st.integers(1, 2**53), st.data())
def test_counts_never_run_backwards_by_rounding(total: int, data: st.DataObject) -> None:
    low, high = sorted(data.draw(st.tuples(st.integers(0, total), st.integers(0, total))))
    at_low, at_high = (advanced(START, 1.0, completed=done, total=total).percent for done in (low, high))
    assert at_low <= at_high


@pytest.mark.parametrize("percent", range(101))
def test_a_whole_percent_reads_as_it_was_said(percent: int) -> None:
    assert advanced(START, 1.0, percent=percent).percent == percent
    assert advanced(START, 1.0, completed=percent, total=100).percent == percent


@given(st.integers(1, 2**53), st.data())
def test_only_what_is_complete_reads_100(total: int, data: st.DataObject) -> None:
    done = data.draw(st.integers(0, total) | st.integers(max(0, total - 10), total))
    percent = advanced(START, 1.0, completed=done, total=total).percent
    assert (percent == 100) is (done == total)
    assert percent <= Fraction(done, total) * 100 + Fraction(1, 10**6)


def test_almost_100_percent_is_not_100() -> None:
    assert advanced(START, 1.0, percent=99.99999999999).percent == 99


def test_minus_one_is_indeterminate_and_can_be_left_again() -> None:
    unknown = advanced(START, 1.0, percent=-1)
    assert (unknown.percent, unknown.fraction, unknown.eta) == (INDETERMINATE, None, None)
    assert advanced(unknown, 2.0, unit="files").percent == INDETERMINATE
    assert advanced(unknown, 2.0, percent=40).percent == 40


def test_a_count_without_a_total_is_indeterminate() -> None:
    counting = advanced(START, 1.0, completed=12)
    assert (counting.percent, counting.completed, counting.eta) == (INDETERMINATE, 12, None)
    assert advanced(counting, 2.0, total=24).percent == 50


def test_nothing_of_nothing_is_indeterminate() -> None:
    assert advanced(START, 1.0, completed=0, total=0).percent == INDETERMINATE


def test_more_than_the_total_is_all_of_it() -> None:
    assert advanced(START, 1.0, completed=120, total=100).percent == 100


def test_a_stated_percent_wins_over_the_counts() -> None:
    both = advanced(START, 1.0, percent=10, completed=90, total=100)
    assert (both.percent, both.completed) == (10, 90)


def test_what_is_not_said_stays() -> None:
    known = advanced(START, 1.0, completed=10, total=40, unit="files")
    moved = advanced(known, 2.0, completed=20)
    assert (moved.percent, moved.total, moved.unit) == (50, 40, "files")
    assert advanced(moved, 3.0, unit="films").percent == 50


@pytest.mark.parametrize(
    ("progress", "completed"),
    [
        (advanced(START, 1.0, percent=30), None),
        (advanced(START, 1.0, percent=-1), None),
        (advanced(START, 1.0, completed=3), 3),
        (advanced(START, 1.0, completed=3, total=9), 9),
    ],
)
def test_success_is_all_of_it(progress: Progress, completed: float | None) -> None:
    done = completed_fully(progress)
    assert (done.percent, done.completed) == (100, completed)


# Rate and time left


def run(*reports: tuple[float, float]) -> Progress:
    """Percent reported at times, the start at 0."""
    progress = START
    for at, percent in reports:
        progress = advanced(progress, at, percent=percent)
    return progress


def test_there_is_no_rate_without_enough_data() -> None:
    assert START.rate is None and START.eta is None
    early = run((RATE_SAMPLE / 2, 30))
    assert early.rate is None and early.eta is None


def test_a_steady_rate_gives_the_time_left() -> None:
    progress = run(*((float(second), float(second)) for second in range(1, 31)))
    assert progress.rate == pytest.approx(0.01)
    assert progress.eta == pytest.approx(70)


def test_counts_are_rated_in_their_unit() -> None:
    progress = advanced(START, 0.0, completed=0, total=1000, unit="files")
    for second in range(1, 11):
        progress = advanced(progress, float(second), completed=second * 20)
    assert progress.rate == pytest.approx(20)
    assert progress.eta == pytest.approx(40)


def test_a_share_beside_a_count_stands_for_the_whole_that_is_not_told() -> None:
    progress = advanced(advanced(START, 0.0, percent=0, completed=0), 10.0, percent=25, completed=500)
    assert progress.rate == pytest.approx(50)
    assert progress.eta == pytest.approx(30)


def test_a_rate_without_a_total_gives_no_time_left() -> None:
    progress = advanced(advanced(START, 0.0, completed=0), 10.0, completed=50)
    assert progress.rate == pytest.approx(5)
    assert progress.eta is None


def test_work_that_does_not_move_has_no_time_left() -> None:
    assert run((5.0, 0)).eta is None


def test_a_phase_that_restarts_begins_its_own_rate() -> None:
    first = run((10.0, 50), (20.0, 100))
    second = advanced(first, 21.0, percent=2)
    assert second.rate is None and second.eta is None
    assert advanced(second, 31.0, percent=12).rate == pytest.approx(0.01)


def test_a_count_that_appears_is_not_rated_against_the_percent_before_it() -> None:
    # A download that resumes: its first count says where it stands, not how fast it got there.
    resumed = advanced(run((10.0, 1)), 20.0, completed=5_000_000, total=10_000_000, unit="bytes")
    assert resumed.rate is None
    assert advanced(resumed, 30.0, completed=6_000_000).rate == pytest.approx(100_000)


def test_another_unit_begins_another_rate() -> None:
    files = advanced(advanced(START, 0.0, completed=0, unit="files"), 10.0, completed=10)
    assert files.rate == pytest.approx(1)
    assert advanced(files, 20.0, completed=5_000_000, unit="bytes").rate is None


def test_what_becomes_indeterminate_has_no_rate() -> None:
    unknown = advanced(run((10.0, 10), (20.0, 20)), 21.0, percent=-1)
    assert unknown.rate is None
    known = advanced(unknown, 1000.0, percent=30)
    assert known.rate is None  # nobody knows how long of that was spent on these 10 percent


def test_a_clock_that_stands_still_changes_no_rate() -> None:
    steady = run((10.0, 10), (20.0, 20))
    still = advanced(steady, 20.0, percent=60)
    assert (still.percent, still.rate) == (60, steady.rate)


def test_a_clock_that_goes_back_does_not_stop_the_measuring() -> None:
    steady = run((1000.0, 10), (1010.0, 20))
    back = advanced(steady, 10.0, percent=30)
    assert (back.percent, back.rate) == (30, steady.rate)
    later = advanced(back, 20.0, percent=80)
    assert later.rate is not None and steady.rate is not None and later.rate > steady.rate


@given(st.lists(st.tuples(st.floats(-1e6, 1e9), st.one_of(PERCENT, st.just(-1.0), st.none()), st.none() | COUNT)))
def test_rate_and_time_left_are_never_negative_whatever_the_clock_does(
    reports: list[tuple[float, float | None, float | None]],
) -> None:
    progress = START
    for at, percent, done in reports:
        progress = advanced(progress, at, percent=percent, completed=done, total=done and 2.0**53)
        assert progress.rate is None or progress.rate >= 0
        assert progress.eta is None or progress.eta >= 0
        assert -1 <= progress.percent <= 100


# With children


def of(weight: float, done: float | None, ended: float = 0.0) -> Children:
    return Children(weight, done, ended)


def test_a_parent_is_as_far_as_its_children_until_it_speaks_itself() -> None:
    parent = advanced(START, 1.0, children=of(4.0, 1.0))
    assert (parent.fraction, parent.percent, parent.own) == (0.25, 25, None)
    spoken = advanced(parent, 2.0, percent=75)
    assert spoken.fraction == pytest.approx((1.0 + 0.75) / 5)
    assert advanced(spoken, 3.0, children=of(4.0, 4.0)).fraction == pytest.approx(4.75 / 5)


def test_counts_of_a_parent_tell_of_its_own_part() -> None:
    parent = advanced(START, 1.0, completed=5, total=10, unit="files", children=of(1.0, 0.1))
    assert (parent.completed, parent.total, parent.unit) == (5, 10, "files")
    assert parent.fraction == pytest.approx((0.5 + 0.1) / 2)


def test_a_parent_that_takes_back_what_it_said_leaves_it_to_its_children() -> None:
    spoken = advanced(START, 1.0, percent=75, children=of(1.0, 0.5))
    assert advanced(spoken, 2.0, percent=-1).fraction == pytest.approx(0.5)


def test_a_unit_or_nothing_at_all_does_not_change_what_children_add_up_to() -> None:
    parent = advanced(START, 1.0, children=of(4.0, 1.0))
    assert advanced(parent, 2.0, unit="films").fraction == advanced(parent, 2.0).fraction == 0.25


@given(st.none() | PERCENT, st.floats(0.001, 1e9), st.floats(0, 1), st.floats(0, 1))
def test_a_parent_never_runs_backwards_while_its_children_go_on(
    own: float | None, weight: float, one: float, other: float
) -> None:
    said = START if own is None else advanced(START, 1.0, percent=own)
    low, high = (advanced(said, 2.0, children=of(weight, weight * share)) for share in sorted((one, other)))
    assert low.percent <= high.percent <= 100
    assert high.percent < 100 or (own == 100 and max(one, other) == 1)


def test_the_rate_of_a_parent_is_that_of_all_of_it() -> None:
    parent = advanced(START, 0.0, completed=0, total=1_000, unit="files", children=of(1.0, 0.0))
    for second in range(1, 11):
        parent = advanced(parent, float(second), children=of(1.0, second * 0.04))
    assert parent.rate == pytest.approx(0.02)
    assert parent.eta == pytest.approx(0.8 / 0.02)


def test_what_is_measured_changes_with_the_first_child_and_so_the_rate_begins_anew() -> None:
    alone = advanced(advanced(START, 0.0, completed=0, total=100, unit="files"), 10.0, completed=50)
    assert alone.rate == pytest.approx(5)
    joined = advanced(alone, 11.0, children=of(1.0, 0.0))
    assert (joined.rate, joined.eta) == (None, None)


def test_a_parent_that_has_succeeded_is_done_whatever_its_children_add_up_to() -> None:
    done = completed_fully(advanced(START, 1.0, children=of(4.0, 1.0)))
    assert (done.percent, done.children) == (100, of(4.0, 1.0))
