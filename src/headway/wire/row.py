"""The row: an activity as the wire shows it, whichever way it travels.

Plex's members come first, in Plex's order and types. Ours follow and are absent when they have nothing to say:

=================== =====================================================================================
state               ``running``, ``cancelling``, ``succeeded``, ``failed``, ``cancelled`` or ``lost``
fraction            0..1, up to six digits; absent while nobody knows
completed, total    how many of ``unit`` are done, and of how many
rate                units (without a count: fractions) per second, smoothed; absent where a count stands beside
                    children, of which it does not tell
eta                 seconds left, counted from ``updatedAt``, by its rate and by past ones; four in five end
                    between ``etaLow`` and ``etaHigh``
cancelRequested     true once someone asked for a stop, at ``cancelRequestedAt``; the user ``cancelledBy``
                    (absent when the system asked), for ``cancelReason``
overdue             true when it was asked to stop, its grace is over, and it still runs
error               why it failed or was lost
stalled             true when it lives, but has said nothing of its work for long
parentUUID          the activity it is a part of, with the share ``weight`` in its progress (absent when it is 1)
timeout             seconds it may run before it is asked to stop
lease               seconds without a sign of life after which its worker counts as lost
startedAt, endedAt  seconds since the epoch to the millisecond, as are ``updatedAt`` (the latest change) and
                    ``lastReportAt`` (when the operation last spoke of the work; heartbeats do not count)
=================== =====================================================================================

Nothing is ever null, and a whole number has no decimal point.
"""

from __future__ import annotations

import math
from typing import overload

import msgspec

from headway.core.activity import Activity, Attributes, Scalar
from headway.core.scalars import plain

_RATE_DIGITS = 6


class Row(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    rename={
        "user": "userID",
        "context": "Context",
        "response": "Response",
        "eta_low": "etaLow",
        "eta_high": "etaHigh",
        "cancel_requested": "cancelRequested",
        "cancel_requested_at": "cancelRequestedAt",
        "cancelled_by": "cancelledBy",
        "cancel_reason": "cancelReason",
        "parent": "parentUUID",
        "started_at": "startedAt",
        "updated_at": "updatedAt",
        "last_report_at": "lastReportAt",
        "ended_at": "endedAt",
    }.get,
):
    """One row. The order of the members is the order on the wire."""

    uuid: str
    type: str
    cancellable: bool
    user: int
    title: str
    subtitle: str
    progress: int
    """Whole percent, -1 while nobody knows."""
    context: dict[str, Scalar] | None = None
    response: dict[str, Scalar] | None = None
    state: str | None = None
    """A word, not a ``State``: another server may know more of them."""
    fraction: float | None = None
    completed: float | None = None
    total: float | None = None
    unit: str | None = None
    rate: float | None = None
    eta: float | None = None
    eta_low: float | None = None
    eta_high: float | None = None
    cancel_requested: bool = False
    cancel_requested_at: float | None = None
    cancelled_by: int | None = None
    cancel_reason: str | None = None
    overdue: bool = False
    stalled: bool = False
    error: str | None = None
    parent: str | None = None
    weight: float | None = None
    timeout: float | None = None
    lease: float | None = None
    started_at: float | None = None
    updated_at: float | None = None
    last_report_at: float | None = None
    ended_at: float | None = None


def row_of(activity: Activity) -> Row:
    """The row that shows an activity."""
    progress, cancel, estimate = activity.progress, activity.cancel, activity.estimate
    return Row(
        uuid=activity.uuid,
        type=activity.type,
        cancellable=activity.cancellable,
        user=activity.owner,
        title=activity.title,
        subtitle=activity.subtitle,
        progress=activity.percent,
        context=_bag(activity.context),
        response=_bag(activity.response),
        state=activity.state.value,
        fraction=_fraction(progress.fraction),
        completed=_number(progress.completed),
        total=_number(progress.total),
        unit=progress.unit,
        rate=None if progress.is_mixed else _significant(progress.rate),
        eta=None if estimate is None else _number(estimate.left, 3),
        eta_low=None if estimate is None else _number(estimate.low, 3),
        eta_high=None if estimate is None else _number(estimate.high, 3),
        cancel_requested=cancel is not None,
        cancel_requested_at=None if cancel is None else _number(cancel.at, 3),
        cancelled_by=None if cancel is None else cancel.by,
        cancel_reason=None if cancel is None else cancel.reason,
        overdue=activity.overdue,
        stalled=activity.stalled,
        error=activity.error,
        parent=activity.parent,
        weight=None if activity.weight == 1 else _number(activity.weight),
        timeout=_number(activity.timeout),
        lease=_number(activity.lease),
        started_at=_number(activity.started_at, 3),
        updated_at=_number(activity.updated_at, 3),
        last_report_at=_number(activity.reported_at, 3),
        ended_at=_number(activity.ended_at, 3),
    )


def _number(value: float | None, digits: int | None = None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    if digits is not None:
        value = round(value, digits)
    return plain(value)


def _fraction(value: float | None) -> float | None:
    # Down where it matters: only what is complete reads 1, as only that reads 100 percent.
    return _number(value if value is None or value >= 1 else min(value, 0.999999), 6)


def _significant(value: float | None) -> float | None:
    return None if value is None else _number(float(f"{value:.{_RATE_DIGITS}g}"))


@overload
def _scalar(value: float) -> float | None: ...
@overload
def _scalar(value: Scalar) -> Scalar | None: ...
def _scalar(value: Scalar) -> Scalar | None:
    return _number(value) if isinstance(value, float) else value


def _bag(bag: Attributes | None) -> dict[str, Scalar] | None:
    """Members in alphabetical order, as Plex writes them; None when there are none."""
    if not bag:
        return None
    return {key: value for key in sorted(bag) if (value := _scalar(bag[key])) is not None} or None
