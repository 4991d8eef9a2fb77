"""Headway with activities that say what the bench tells them to. Arguments: see ``bench.peers.hosting``."""

from __future__ import annotations

import asyncio
from collections import deque

from bench.frame import TITLE, TYPE, UNSTAMPED
from bench.peers.flooding import Flood
from bench.peers.hosting import LEASE, host
from bench.peers.serving import tell
from headway import Activities, Reporter
from headway.core.activity import State
from headway.core.lifecycle import Report
from headway.stores.alone import PACE

TURNS = 8
"""Activities that take turns in saying what the bench tells them to: of two reports that one makes in a moment only
the second would be sent, and a stamp seem lost.
"""


class Source:
    """What goes on in the server: some activities that say what the bench tells them to, or a flood of many."""

    def __init__(self, activities: Activities) -> None:
        self._activities = activities
        self._turns: deque[Reporter] = deque()
        self._reporters: list[Reporter] = []
        self._flood: Flood | None = None

    async def told(self, line: str) -> None:
        match line.split():
            case ["flood", count, rate]:
                await self._begin(int(count), float(rate))
            case ["burst", count]:
                await self._burst(int(count))
                tell(messages=int(count))
            case ["stop"] if self._flood is not None:
                await self._flood.stop()
                tell(**self._flood.counted())
            case _:
                await self._say(line)

    async def _say(self, stamp: str) -> None:
        self._activities.store.pace = 0.0  # or the limit would be what is measured
        if len(self._turns) < TURNS:
            self._turns.append(await self._started(stamp))
        else:
            self._turns[0].report(subtitle=stamp)
            self._turns.rotate(-1)

    async def _begin(self, count: int, rate: float) -> None:
        self._activities.store.pace = PACE
        self._reporters = [await self._started(UNSTAMPED) for _ in range(count)]
        self._flood = Flood(count, rate, self._report, self._end)
        self._flood.begin()
        tell(activities=count)

    async def _burst(self, count: int) -> None:
        """So many lifecycle events, as fast as they are on record: half of them starts, then the ends of these."""
        begun = await asyncio.gather(*(self._started(UNSTAMPED) for _ in range(count // 2)))
        ends = (self._activities.finish(one.uuid, State.SUCCEEDED) for one in begun)
        await asyncio.gather(*ends)

    def _report(self, number: int, count: int) -> None:
        report = self._reporters[number].report
        for completed in range(count):
            report(completed=completed)

    async def _end(self, number: int, stamp: str) -> None:
        ended = self._reporters[number].uuid
        await self._activities.finish(ended, State.SUCCEEDED, news=Report(subtitle=stamp))
        self._reporters[number] = await self._started(UNSTAMPED)

    async def _started(self, subtitle: str) -> Reporter:
        news = Report(title=TITLE, subtitle=subtitle)
        activity, _ = await self._activities.create(TYPE, 1, cancellable=True, lease=LEASE, report=news)
        return Reporter(self._activities, activity)


host(Source)
