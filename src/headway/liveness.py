"""Who still lives: leases of remote workers, graces of cancels, and the age of what is remembered.

Everything here runs on the monotonic clock, once a second. When the round itself comes late, it was this process that
stood still (stopped, suspended, starved), so every lease starts anew: a live worker is never lost by our trouble.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from headway.core.activity import State
from headway.core.errors import HeadwayError
from headway.core.view import TOMBSTONE_AGE
from headway.live import Live

if TYPE_CHECKING:
    from headway.hub import Activities

ROUND = 1.0
"""Seconds between two rounds."""

PAUSE = 3.0
"""Seconds a round may be late before it counts as a pause of our own."""

PRUNING = 600.0
"""Seconds between two prunings of the history."""


class Liveness:
    """The caretaker of one hub."""

    def __init__(self, activities: Activities) -> None:
        self._activities = activities
        self._clock = activities.clock
        self._task: asyncio.Task[None] | None = None
        self._last_round = self._clock.monotonic()
        self._prune_due = self._last_round

    def start(self) -> None:
        """Begin the rounds. Every lease counts from now."""
        self._last_round = self._clock.monotonic()
        self._task = asyncio.get_running_loop().create_task(self._run(), name="headway-liveness")

    async def stop(self) -> None:
        """End the rounds."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def round(self) -> None:
        """Look at everything alive once."""
        now = self._clock.monotonic()
        late = now - self._last_round > ROUND + PAUSE
        self._last_round = now
        for live in list(self._activities.registry.live.values()):
            if late:
                live.seen = now
            with suppress(HeadwayError):  # it ended meanwhile, or the store is away: the next round looks again
                await self._look_at(live, now)
        if now >= self._prune_due:
            await self._forget(now)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(ROUND)
            await self.round()

    async def _look_at(self, live: Live, now: float) -> None:
        activity = live.activity
        if activity.lease is not None and now - live.seen > activity.lease:
            await self._activities.give_up(activity.uuid, "lease_expired")
        elif (
            activity.state is State.CANCELLING
            and not activity.overdue
            and live.cancel_seen is not None
            and now - live.cancel_seen > activity.grace
        ):
            await self._activities.mark_overdue(activity.uuid)

    async def _forget(self, now: float) -> None:
        self._prune_due = now + PRUNING
        limits, wall = self._activities.limits, self._clock.now()
        for feed in self._activities.registry.feeds():
            feed.view.expire(wall - TOMBSTONE_AGE)
        with suppress(HeadwayError):
            await self._activities.store.prune(wall - limits.retention, limits.history)
