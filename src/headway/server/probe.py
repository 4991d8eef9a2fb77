"""Readiness, tried for real: a start goes to the store and its event comes back.

The activity it starts belongs to the system: no user's view, list or history shows it. It is started once; later
rounds commit it again. Rounds are shared and at most one a second, for anyone may ask and each costs a disk write.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import msgspec

from headway.core.activity import Activity, State
from headway.core.errors import HeadwayError
from headway.core.policy import SYSTEM_USER
from headway.hub import Activities
from headway.ports import Write

INTERVAL = 1.0
"""Seconds that an answer is good for."""

PATIENCE = 5.0
"""Seconds that a round may take."""


class _Nothing:
    """What runs behind the probe: it has stopped as soon as it is asked to."""

    def __init__(self, activities: Activities) -> None:
        self._activities = activities
        self._ending: asyncio.Task[None] | None = None

    def request_stop(self, activity: Activity) -> None:
        """End, or closing the hub would wait for the probe's grace to pass."""
        self._ending = asyncio.get_running_loop().create_task(self._end(activity.uuid))

    async def _end(self, uuid: str) -> None:
        with suppress(HeadwayError):
            await self._activities.finish(uuid, State.SUCCEEDED)


class Probe:
    """Tells whether a change reaches the store and comes back as an event."""

    def __init__(self, activities: Activities) -> None:
        self._activities = activities
        self._uuid = ""
        self._asked_at = float("-inf")
        self._round: asyncio.Task[bool] | None = None

    async def ready(self) -> bool:
        """True when the latest round came back; begins a new one when that was a while ago."""
        now = self._activities.clock.monotonic()
        if self._round is None or (self._round.done() and now - self._asked_at >= INTERVAL):
            self._asked_at = now
            self._round = asyncio.get_running_loop().create_task(self._try())
        return await asyncio.shield(self._round)

    async def _try(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._round_trip()
        except (HeadwayError, TimeoutError):
            return False

    async def _round_trip(self) -> bool:
        view = self._activities.feed(SYSTEM_USER).view
        before = view.revision
        known = view.get(self._uuid)
        if known is None:
            nothing = _Nothing(self._activities)
            started, _ = await self._activities.create("headway.probe", SYSTEM_USER, operation=nothing)
            self._uuid = started.uuid
        else:
            again = msgspec.structs.replace(known, updated_at=self._activities.clock.now())
            # Also a start, which fails for being there already: on a full disk it is refused before that is seen.
            await self._activities.store.commit([Write(again, None), Write(again, known.fence)])
        news = view.since(before)
        return isinstance(news, list) and any(event.activity.uuid == self._uuid for event in news)
