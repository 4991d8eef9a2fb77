"""What may happen to an activity. The laws:

1. Every change of an activity goes through a function of this file; each returns the new record or raises and
   changes nothing.
2. An ended activity never changes again.
3. ``cancelled`` is reached only from ``cancelling``: it says that the operation stopped *because* it was asked to.
   Work that finished anyway is ``succeeded``, an error of its own is ``failed``, both with the request on record.
4. Asking twice is the same as asking once.
5. ``succeeded`` means 100 percent.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import msgspec

from headway.core.activity import Activity, Attributes, CancelRequest, State
from headway.core.errors import AlreadyEnded, IllegalTransition, LeaseLost, NotCancellable, NotFound, ParentEnding
from headway.core.progress import Children, Progress, advanced, begun, completed_fully


class Step(enum.StrEnum):
    """A thing that happens to a live activity."""

    REPORT = "report"
    REQUEST_CANCEL = "request cancel"
    SUCCEED = "succeed"
    FAIL = "fail"
    CONFIRM_CANCEL = "confirm cancel"
    LOSE = "lose"


TRANSITIONS: Mapping[State, Mapping[Step, State]] = {
    State.RUNNING: {
        Step.REPORT: State.RUNNING,
        Step.REQUEST_CANCEL: State.CANCELLING,
        Step.SUCCEED: State.SUCCEEDED,
        Step.FAIL: State.FAILED,
        Step.LOSE: State.LOST,
    },
    State.CANCELLING: {
        Step.REPORT: State.CANCELLING,
        Step.REQUEST_CANCEL: State.CANCELLING,
        Step.CONFIRM_CANCEL: State.CANCELLED,
        Step.SUCCEED: State.SUCCEEDED,
        Step.FAIL: State.FAILED,
        Step.LOSE: State.LOST,
    },
    State.SUCCEEDED: {},
    State.FAILED: {},
    State.CANCELLED: {},
    State.LOST: {},
}

FINISHING: Mapping[State, Step] = {
    State.SUCCEEDED: Step.SUCCEED,
    State.FAILED: Step.FAIL,
    State.CANCELLED: Step.CONFIRM_CANCEL,
    State.LOST: Step.LOSE,
}
"""The step that leads to each terminal state."""


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """What running code says about its work. What is None stays as it was."""

    progress: float | None = None
    """Percent, -1..100; -1 is indeterminate."""
    completed: float | None = None
    total: float | None = None
    unit: str | None = None
    title: str | None = None
    subtitle: str | None = None
    context: Attributes | None = None
    """Merged into what is there: a context grows."""
    response: Attributes | None = None
    """Merged likewise."""
    children: Children | None = None
    """What its children add up to; said by whoever keeps them, not by the operation."""

    def then(self, later: Report) -> Report:
        """Both reports as one: the later word wins, contexts and responses merge."""
        merged = {name: value for name in _REPORTED if (value := getattr(later, name)) is not None}
        if later.completed is not None or later.total is not None:
            merged["progress"] = later.progress  # counts said after a percent take its place
        for bag in ("context", "response"):
            if bag in merged:
                merged[bag] = _merged(getattr(self, bag), merged[bag])
        return msgspec.structs.replace(self, **merged)


_REPORTED = Report.__struct_fields__
_MEASURED = ("progress", "completed", "total", "unit", "children")


def next_state(state: State, step: Step) -> State:
    """Where a step leads; raises ``AlreadyEnded``, ``LeaseLost`` or ``IllegalTransition``."""
    try:
        return TRANSITIONS[state][step]
    except KeyError:
        if state is State.LOST:
            raise LeaseLost("the activity was given up as lost; stop its work") from None
        if state.ended:
            raise AlreadyEnded(f"the activity has already ended ({state.value})") from None
        raise IllegalTransition(f"cannot {step.value} an activity that is {state.value}") from None


def start(
    uuid: str,
    type: str,
    owner: int,
    now: float,
    *,
    report: Report = Report(),  # noqa: B008 - frozen
    parent: Activity | None = None,
    **attributes: Any,
) -> Activity:
    """A new running activity.

    ``report`` holds what is known of it at the start, ``attributes`` the members that never change later
    (``cancellable``, ``weight``, ``grace``, ``timeout``, ``stall``, ``lease``, ``node``, ``expected``,
    ``fingerprint``).
    Raises ``ParentEnding`` when the parent is being cancelled or has ended.
    """
    if parent is not None and parent.state is not State.RUNNING:
        raise ParentEnding(f"the parent is {parent.state.value} and takes no more children")
    activity = Activity(
        uuid=uuid,
        type=type,
        owner=owner,
        started_at=now,
        updated_at=now,
        parent=None if parent is None else parent.uuid,
        progress=begun(Progress(), now),
        **attributes,
    )
    return msgspec.structs.replace(activity, **_reported(activity, report, now))


def report(activity: Activity, news: Report, now: float) -> Activity:
    """The activity after a report; raises when it has ended."""
    state = next_state(activity.state, Step.REPORT)
    changes = _reported(activity, news, now)
    if _tells(activity, news):
        changes["reported_at"] = now
    return msgspec.structs.replace(activity, state=state, updated_at=now, stalled=False, **changes)


def request_cancel(
    activity: Activity, now: float, *, by: int | None = None, reason: str | None = None, required: bool = False
) -> Activity:
    """The activity with a cancel on record; the same record when there was one already, ended or not.

    ``required``: it has to stop (a timeout, a shutdown), also if users may not cancel it. Raises ``NotCancellable``
    while it runs and cannot be cancelled, ``NotFound`` when it ended without a request.
    """
    if activity.cancel is not None:
        return activity
    if activity.ended:
        raise NotFound
    if not (activity.cancellable or required):
        raise NotCancellable
    state = next_state(activity.state, Step.REQUEST_CANCEL)
    request = CancelRequest(at=now, by=by, reason=reason, required=required)
    return msgspec.structs.replace(activity, state=state, cancel=request, updated_at=now)


def become_overdue(activity: Activity, now: float) -> Activity:
    """The activity marked as still running after its grace."""
    if activity.state is not State.CANCELLING:
        raise IllegalTransition(f"only a cancelling activity can be overdue, not a {activity.state.value} one")
    return msgspec.structs.replace(activity, overdue=True, updated_at=now)


def become_stalled(activity: Activity, now: float, since: float | None) -> Activity:
    """The activity marked as alive and silent; its next report takes the mark away.

    ``since``: its last word when it was found silent. One that has spoken since, or has ended, stays as it is.
    """
    if activity.ended or activity.reported_at != since:
        return activity
    return msgspec.structs.replace(activity, stalled=True, updated_at=now)


def finish(
    activity: Activity,
    state: State,
    now: float,
    *,
    error: str | None = None,
    news: Report = Report(),  # noqa: B008 - frozen
) -> Activity:
    """The activity at its end in ``state``, with the last news of it folded in.

    Raises ``AlreadyEnded`` or ``LeaseLost`` when it has ended, ``IllegalTransition`` for a state that is not an end or
    cannot be reached (``cancelled`` without a request).
    """
    if state not in FINISHING:
        raise IllegalTransition(f"{state.value} is not an end")
    reached = next_state(activity.state, FINISHING[state])
    changes = _reported(activity, news, now)
    if reached is State.SUCCEEDED:
        changes["progress"] = completed_fully(changes.get("progress", activity.progress))
    return msgspec.structs.replace(
        activity, state=reached, error=error, ended_at=now, updated_at=now, overdue=False, stalled=False, **changes
    )


def expire(activity: Activity, now: float, reason: str) -> Activity:
    """The activity given up as lost, for a reason such as ``lease_expired``, ``server_restart`` or ``abandoned``.

    Its epoch grows: whoever ran it is fenced off.
    """
    lost = finish(activity, State.LOST, now, error=reason)
    return msgspec.structs.replace(lost, epoch=activity.epoch + 1)


def abandon(activity: Activity, now: float, *, by: int | None = None) -> Activity:
    """The activity given up because someone insists, cancellable or not: as lost, with their request on record.

    One that has ended stays as it is; raises ``NotFound`` when that was without a request.
    """
    if activity.ended:
        return request_cancel(activity, now)
    request = activity.cancel or CancelRequest(at=now, by=by)
    return expire(msgspec.structs.replace(activity, cancel=request), now, "abandoned")


def stamped(activity: Activity, revision: int) -> Activity:
    """The record at its place among all changes, which a store gives it as it commits."""
    return msgspec.structs.replace(activity, revision=revision, started_revision=activity.started_revision or revision)


def as_started(activity: Activity) -> Activity:
    """How the start of an activity is told to someone who learns of start and end at once: its names, rewound to
    running, so that nothing but the ``ended`` looks like an end.
    """
    return msgspec.structs.replace(
        activity,
        state=State.RUNNING,
        progress=Progress(),
        updated_at=activity.started_at,
        response=None,
        error=None,
        cancel=None,
        overdue=False,
        stalled=False,
        ended_at=None,
        reported_at=None,
        revision=activity.started_revision,
    )


def _merged(old: Attributes | None, new: Attributes) -> Attributes:
    return {**old, **new} if old else new


def _tells(activity: Activity, news: Report) -> bool:
    """Whether a report says anything of the work; that another child has begun does not."""
    if news.children is None or news != Report(children=news.children):
        return True
    return _achieved(activity.progress.children) != _achieved(news.children)


def _achieved(children: Children | None) -> tuple[float, float]:
    return (0.0, 0.0) if children is None else (children.done or 0.0, children.ended)


def _reported(activity: Activity, news: Report, now: float) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if news.title is not None:
        changes["title"] = news.title
    if news.subtitle is not None:
        changes["subtitle"] = news.subtitle
    if news.context is not None:
        changes["context"] = _merged(activity.context, news.context)
    if news.response is not None:
        changes["response"] = _merged(activity.response, news.response)
    if any(getattr(news, name) is not None for name in _MEASURED):
        changes["progress"] = advanced(
            activity.progress,
            now,
            percent=news.progress,
            completed=news.completed,
            total=news.total,
            unit=news.unit,
            children=news.children,
        )
    return changes
