"""Headway with many live activities. Arguments: see ``bench.peers.hosting``.

It is told ``hold COUNT OWNER`` and ``change RATE`` (times a second, one activity after the other; 0: no more).
"""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

from bench.frame import TITLE, TYPE
from bench.peers.hosting import LEASE, host
from bench.peers.serving import tell
from headway import Activities, Role
from headway.core.activity import Activity
from headway.core.lifecycle import Report
from headway.ports import SystemClock
from headway.server.identity.store import TokenStore

USER = "watcher"
AT_ONCE = 500
"""Activities that start together."""


class Held:
    """The activities, and how they change."""

    def __init__(self, activities: Activities) -> None:
        self._activities = activities
        self._held: list[str] = []
        self._changing: asyncio.Task[None] | None = None

    async def told(self, line: str) -> None:
        match line.split():
            case ["hold", count, owner]:
                await self._hold(int(count), int(owner))
                tell(activities=len(self._held))
            case ["change", rate]:
                if self._changing is not None:
                    self._changing.cancel()
                if float(rate):
                    self._changing = asyncio.create_task(self._change(float(rate)))
                tell(rate=float(rate))

    async def _hold(self, count: int, owner: int) -> None:
        for first in range(0, count, AT_ONCE):
            started = [self._start(owner) for _ in range(min(AT_ONCE, count - first))]
            self._held += [activity.uuid for activity in await asyncio.gather(*started)]

    async def _start(self, owner: int) -> Activity:
        news = Report(title=TITLE, subtitle="Firefly S01 E05", progress=40)
        activity, _ = await self._activities.create(TYPE, owner, cancellable=True, lease=LEASE, report=news)
        return activity

    async def _change(self, rate: float) -> None:
        for number, uuid in enumerate(itertools.cycle(self._held)):
            self._activities.report(uuid, Report(subtitle=f"Firefly S01 E{number % 100:02d}"))
            await asyncio.sleep(1 / rate)


def someone(folder: Path) -> dict[str, object]:
    """A user who is no admin."""
    tokens = TokenStore.open(folder, now=SystemClock().now())
    token, user = tokens.create(USER, Role.USER, now=SystemClock().now())
    tokens.close()
    return {"user": user.user_id, "user_token": token}


host(Held, someone)
