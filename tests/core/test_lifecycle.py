"""The laws of the lifecycle: each cell of the table, and what no sequence of steps can break."""

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headway.core import lifecycle
from headway.core.activity import Activity, CancelRequest, State
from headway.core.errors import (
    AlreadyEnded,
    Conflict,
    HeadwayError,
    IllegalTransition,
    LeaseLost,
    NotCancellable,
    NotFound,
    ParentEnding,
)
from headway.core.lifecycle import FINISHING, TRANSITIONS, Report, Step
from headway.core.progress import Children, Progress

START, NOW = 100.0, 200.0
RUNNING = lifecycle.start("a", "library.scan", 7, START, cancellable=True, report=Report(title="Scanning"))
CANCELLING = lifecycle.request_cancel(RUNNING, 150.0, by=7, reason="bored")
IN_STATE = {
    State.RUNNING: RUNNING,
    State.CANCELLING: CANCELLING,
    State.SUCCEEDED: lifecycle.finish(RUNNING, State.SUCCEEDED, 160.0),
    State.FAILED: lifecycle.finish(RUNNING, State.FAILED, 160.0, error="broke"),
    State.CANCELLED: lifecycle.finish(CANCELLING, State.CANCELLED, 160.0),
    State.LOST: lifecycle.expire(RUNNING, 160.0, "lease_expired"),
}
ENDED = [state for state in State if state.ended]
TAKE: dict[Step, Callable[[Activity], Activity]] = {
    Step.REPORT: lambda a: lifecycle.report(a, Report(progress=50, subtitle="half"), NOW),
    Step.REQUEST_CANCEL: lambda a: lifecycle.request_cancel(a, NOW, by=1, reason="enough"),
    Step.SUCCEED: lambda a: lifecycle.finish(a, State.SUCCEEDED, NOW),
    Step.FAIL: lambda a: lifecycle.finish(a, State.FAILED, NOW, error="broke"),
    Step.CONFIRM_CANCEL: lambda a: lifecycle.finish(a, State.CANCELLED, NOW),
    Step.LOSE: lambda a: lifecycle.expire(a, NOW, "lease_expired"),
}


# The table


def test_the_table_is_what_the_specification_draws() -> None:
    drawn = {
        State.RUNNING: {State.RUNNING, State.CANCELLING, State.SUCCEEDED, State.FAILED, State.LOST},
        State.CANCELLING: {State.CANCELLING, State.CANCELLED, State.SUCCEEDED, State.FAILED, State.LOST},
        **{state: set() for state in ENDED},
    }
    assert {state: set(steps.values()) for state, steps in TRANSITIONS.items()} == drawn


@pytest.mark.parametrize("step", Step)
@pytest.mark.parametrize("state", State)
def test_each_step_from_each_state_leads_where_the_table_says_or_nowhere(state: State, step: Step) -> None:
    activity = IN_STATE[state]
    before = msgspec.json.encode(activity)
    target = TRANSITIONS[state].get(step)
    if step is Step.REQUEST_CANCEL and activity.cancel is not None:
        assert TAKE[step](activity) is activity  # on record already: said again, changes nothing
    elif target is None:
        with pytest.raises(HeadwayError):
            TAKE[step](activity)
    else:
        assert TAKE[step](activity).state is target
    assert msgspec.json.encode(activity) == before


@pytest.mark.parametrize("state", ENDED)
@pytest.mark.parametrize("step", [step for step in Step if step is not Step.REQUEST_CANCEL])
def test_the_end_is_written_once(state: State, step: Step) -> None:
    with pytest.raises(LeaseLost if state is State.LOST else AlreadyEnded):
        TAKE[step](IN_STATE[state])


@pytest.mark.parametrize("state", [State.RUNNING, State.CANCELLING])
def test_only_an_end_is_an_end(state: State) -> None:
    for goal in (State.RUNNING, State.CANCELLING):
        with pytest.raises(IllegalTransition, match="is not an end"):
            lifecycle.finish(IN_STATE[state], goal, NOW)
    assert set(FINISHING) == set(ENDED)


def test_nothing_is_cancelled_that_was_not_asked_to_stop() -> None:
    with pytest.raises(IllegalTransition, match="cannot confirm cancel an activity that is running"):
        lifecycle.finish(RUNNING, State.CANCELLED, NOW)


# Starting


def test_a_start_is_running_from_now_on() -> None:
    activity = lifecycle.start("b", "x", 3, NOW, report=Report(title="T", progress=-1, context={"key": "1"}), grace=2.0)
    assert (activity.state, activity.started_at, activity.updated_at) == (State.RUNNING, NOW, NOW)
    assert (activity.title, activity.progress.percent, activity.context, activity.grace) == ("T", -1, {"key": "1"}, 2.0)
    assert activity.reported_at is None  # its own start is not a report of the work
    assert (activity.revision, activity.started_revision, activity.ended_at) == (0, 0, None)


@pytest.mark.parametrize("state", State)
def test_only_a_running_parent_takes_children(state: State) -> None:
    if state is State.RUNNING:
        assert lifecycle.start("b", "x", 7, NOW, parent=RUNNING).parent == "a"
        return
    with pytest.raises(ParentEnding, match=state.value):
        lifecycle.start("b", "x", 7, NOW, parent=IN_STATE[state])


# Reporting


def test_a_report_says_when_the_work_last_spoke() -> None:
    spoken = lifecycle.report(RUNNING, Report(), NOW)
    assert (spoken.reported_at, spoken.updated_at) == (NOW, NOW)
    assert msgspec.structs.replace(spoken, reported_at=None, updated_at=START) == RUNNING


@pytest.mark.parametrize("children", [Children(1.0, 0.0), Children(1.0, None)])
def test_that_a_child_has_begun_is_no_word_of_the_work(children: Children) -> None:
    told = lifecycle.report(RUNNING, Report(children=children), NOW)
    assert (told.updated_at, told.reported_at, told.progress.children) == (NOW, None, children)


@pytest.mark.parametrize("children", [Children(1.0, 0.1), Children(1.0, 1.0, 1.0), Children(2.0, 1.0, 1.0)])
def test_what_a_child_has_done_is_a_word_of_the_work(children: Children) -> None:
    assert lifecycle.report(RUNNING, Report(children=children), NOW).reported_at == NOW


def test_whoever_speaks_beside_its_children_has_spoken() -> None:
    assert lifecycle.report(RUNNING, Report(children=Children(1.0, 0.0), title="on"), NOW).reported_at == NOW


# Stalled


def test_a_silence_is_marked_once_and_any_word_takes_the_mark_away() -> None:
    silent = lifecycle.become_stalled(RUNNING, NOW, RUNNING.reported_at)
    assert (silent.stalled, silent.updated_at, silent.reported_at) == (True, NOW, None)
    assert not lifecycle.report(silent, Report(), NOW).stalled
    assert not lifecycle.as_started(silent).stalled


@pytest.mark.parametrize("state", ENDED)
def test_what_has_ended_is_not_marked_and_an_end_takes_the_mark_away(state: State) -> None:
    assert lifecycle.become_stalled(IN_STATE[state], NOW, None) is IN_STATE[state]
    silent = lifecycle.become_stalled(CANCELLING, NOW, None)
    assert not lifecycle.finish(silent, state, NOW).stalled


def test_who_has_spoken_since_it_was_found_silent_is_not_marked() -> None:
    spoken = lifecycle.report(RUNNING, Report(), NOW)
    assert lifecycle.become_stalled(spoken, NOW, RUNNING.reported_at) is spoken


def test_a_context_grows_and_never_shrinks() -> None:
    first = lifecycle.report(RUNNING, Report(context={"key": "1", "accessible": True}), NOW)
    second = lifecycle.report(first, Report(context={"exists": True, "key": "2"}, response={"n": 1}), NOW)
    assert second.context == {"key": "2", "accessible": True, "exists": True}
    assert second.response == {"n": 1}
    assert first.context == {"key": "1", "accessible": True}


# Cancelling: 200, 400, 404


def test_a_cancel_is_put_on_record() -> None:
    assert CANCELLING.state is State.CANCELLING
    assert CANCELLING.cancel == CancelRequest(at=150.0, by=7, reason="bored")
    assert CANCELLING.updated_at == 150.0


def test_what_has_to_stop_is_asked_to_whether_or_not_users_may_and_that_is_on_record() -> None:
    fixed = lifecycle.start("a", "t", 7, START, cancellable=False)
    with pytest.raises(NotCancellable):
        lifecycle.request_cancel(fixed, NOW)
    asked = lifecycle.request_cancel(fixed, NOW, reason="timeout", required=True)
    assert (asked.state, asked.cancel) == (State.CANCELLING, CancelRequest(at=NOW, reason="timeout", required=True))
    assert CANCELLING.cancel is not None and not CANCELLING.cancel.required


@pytest.mark.parametrize("state", State)
def test_asking_again_is_asking_once_also_after_the_end(state: State) -> None:
    activity = CANCELLING if state in (State.RUNNING, State.CANCELLING) else lifecycle.finish(CANCELLING, state, NOW)
    assert lifecycle.request_cancel(activity, 300.0, by=1) is activity


def test_what_runs_and_cannot_be_cancelled_says_so() -> None:
    with pytest.raises(NotCancellable):
        lifecycle.request_cancel(msgspec.structs.replace(RUNNING, cancellable=False), NOW)


@pytest.mark.parametrize("cancellable", [True, False])
@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.LOST])
def test_what_ended_unasked_is_not_found(state: State, cancellable: bool) -> None:
    with pytest.raises(NotFound) as caught:
        lifecycle.request_cancel(msgspec.structs.replace(IN_STATE[state], cancellable=cancellable), NOW)
    assert caught.value.message == NotFound().message  # the same words as for what never was


# Ending


def test_work_that_finished_anyway_is_succeeded_with_the_request_on_record() -> None:
    done = lifecycle.finish(CANCELLING, State.SUCCEEDED, NOW)
    assert (done.state, done.cancel) == (State.SUCCEEDED, CANCELLING.cancel)


def test_success_is_100_percent_also_with_last_news() -> None:
    done = lifecycle.finish(RUNNING, State.SUCCEEDED, NOW, news=Report(progress=12, response={"found": 3}))
    assert (done.progress.percent, done.response) == (100, {"found": 3})


@pytest.mark.parametrize("state", [State.FAILED, State.LOST, State.CANCELLED])
def test_any_other_end_leaves_progress_where_it_stood(state: State) -> None:
    half = lifecycle.report(CANCELLING, Report(progress=50), 160.0)
    assert lifecycle.finish(half, state, NOW).progress == half.progress


def test_an_end_says_when_and_why() -> None:
    failed = lifecycle.finish(RUNNING, State.FAILED, NOW, error="disk on fire")
    assert (failed.ended_at, failed.updated_at, failed.error) == (NOW, NOW, "disk on fire")


def test_only_a_cancelling_activity_is_overdue_and_no_ended_one() -> None:
    late = lifecycle.become_overdue(CANCELLING, NOW)
    assert (late.overdue, late.state, late.fence) == (True, State.CANCELLING, CANCELLING.fence)
    assert not lifecycle.finish(late, State.CANCELLED, 300.0).overdue
    for state in set(State) - {State.CANCELLING}:
        with pytest.raises(Conflict):
            lifecycle.become_overdue(IN_STATE[state], NOW)


def test_giving_up_fences_the_worker_off() -> None:
    lost = lifecycle.expire(CANCELLING, NOW, "abandoned")
    assert (lost.state, lost.error, lost.epoch) == (State.LOST, "abandoned", CANCELLING.epoch + 1)


@pytest.mark.parametrize("cancellable", [True, False])
def test_who_insists_gets_it_lost_with_the_request_on_record(cancellable: bool) -> None:
    gone = lifecycle.abandon(msgspec.structs.replace(RUNNING, cancellable=cancellable), NOW, by=1)
    assert (gone.state, gone.error, gone.epoch) == (State.LOST, "abandoned", 1)
    assert gone.cancel == CancelRequest(at=NOW, by=1)
    assert lifecycle.request_cancel(gone, 300.0) is gone


def test_insisting_keeps_the_first_request() -> None:
    assert lifecycle.abandon(CANCELLING, NOW, by=1).cancel == CANCELLING.cancel


@pytest.mark.parametrize("state", ENDED)
def test_insisting_on_what_has_ended_is_asking_for_it(state: State) -> None:
    asked = lifecycle.finish(CANCELLING, state, 160.0)
    assert lifecycle.abandon(asked, NOW, by=1) is asked
    if IN_STATE[state].cancel is None:
        with pytest.raises(NotFound):
            lifecycle.abandon(IN_STATE[state], NOW)


# Places among all changes


def test_a_stamp_sets_the_place_and_the_start_only_once() -> None:
    first = lifecycle.stamped(RUNNING, 5)
    second = lifecycle.stamped(first, 9)
    assert (first.started_revision, first.revision) == (5, 5)
    assert (second.started_revision, second.revision) == (5, 9)


@pytest.mark.parametrize("state", State)
def test_a_start_told_late_looks_like_a_start(state: State) -> None:
    told = lifecycle.stamped(IN_STATE[state], 9)
    told = lifecycle.as_started(msgspec.structs.replace(told, started_revision=5, overdue=state is State.CANCELLING))
    assert told.state is State.RUNNING and not told.ended
    assert (told.revision, told.started_revision, told.updated_at) == (5, 5, START)
    assert (told.uuid, told.type, told.owner, told.title, told.cancellable) == (
        "a",
        "library.scan",
        7,
        "Scanning",
        True,
    )
    assert told.progress == Progress()
    assert (told.cancel, told.error, told.response, told.ended_at, told.overdue) == (None, None, None, None, False)


# Reports as one

BAG = st.none() | st.dictionaries(st.sampled_from("abc"), st.integers(0, 9), max_size=3)
COUNT = st.none() | st.integers(0, 9)
REPORTS = st.builds(
    Report,
    progress=st.none() | st.integers(-1, 100),
    completed=COUNT,
    total=COUNT,
    unit=st.none() | st.sampled_from(["files", "bytes"]),
    title=st.none() | st.text(max_size=2),
    subtitle=st.none() | st.text(max_size=2),
    context=BAG,
    response=BAG,
)


def shown(activity: Activity) -> Activity:
    """All but the rate, and since when it is measured: each report that is seen counts, and conflated ones are not."""
    progress = msgspec.structs.replace(activity.progress, rate=None, sampled=None, sampled_at=None, since=None)
    return msgspec.structs.replace(activity, progress=progress)


@given(REPORTS, REPORTS, REPORTS)
def test_joining_reports_is_associative(one: Report, two: Report, three: Report) -> None:
    assert one.then(two).then(three) == one.then(two.then(three))


@given(REPORTS)
def test_joining_nothing_changes_nothing(one: Report) -> None:
    assert one.then(Report()) == one
    assert Report().then(one) == one


@given(REPORTS, REPORTS, REPORTS)
@example(Report(), Report(total=0), Report(progress=0))
def test_a_joined_report_says_what_its_parts_said_one_after_the_other(before: Report, one: Report, two: Report) -> None:
    activity = lifecycle.report(RUNNING, before, NOW)
    apart = lifecycle.report(lifecycle.report(activity, one, NOW), two, NOW)
    assert shown(lifecycle.report(activity, one.then(two), NOW)) == shown(apart)


# Any sequence of steps


@given(st.lists(st.sampled_from(list(Step))), st.booleans())
def test_no_sequence_of_steps_breaks_the_laws(steps: list[Step], cancellable: bool) -> None:
    activity = lifecycle.start("a", "x", 7, 0.0, cancellable=cancellable)
    for step in steps:
        before = activity
        try:
            activity = TAKE[step](activity)
        except HeadwayError:
            continue
        if activity is before:
            continue
        assert not before.ended
        assert activity.state is not State.CANCELLED or before.state is State.CANCELLING
        assert (activity.ended_at is not None) is activity.ended
        assert before.cancel is None or activity.cancel == before.cancel
        assert activity.cancel is None or cancellable
        assert activity.state is not State.SUCCEEDED or activity.progress.percent == 100
        assert (activity.uuid, activity.owner, activity.started_at) == ("a", 7, 0.0)
