"""A worker elsewhere as an operation: it reports over HTTP, and all that is known of it are its signs of life.

It learns of a cancel in the reply to every report and by long poll (``GET /activities/{uuid}?wait=S``). It is stopped
by nothing but itself: past its grace it is overdue, and when its lease lapses it is lost and fenced off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from headway.core.activity import Activity
from headway.operations.options import StartOptions, attributes_of
from headway.wire import requests

if TYPE_CHECKING:
    from headway.hub import Activities

LEASE = 30.0
"""Seconds without a sign of life after which a worker that was handed its activity counts as lost."""


async def delegate(
    activities: Activities, type: str, *, lease: float = LEASE, key: str | None = None, **options: Unpack[StartOptions]
) -> Activity:
    """Start an activity for a worker elsewhere; see ``Activities.delegate``."""
    attributes = {"lease": float(requests.LEASE("lease", lease)), **attributes_of(type, options)}
    activity, _ = await activities.create(type, key=key, **attributes)
    return activity
