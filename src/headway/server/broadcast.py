"""Who watches what, and whose turn it is to be written to: one loop for all.

The watchers of a channel are its audience. How they are written to is the audience's affair (``server.cohorts``,
``server.relays``); here it is told that there is news, and the time.
"""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from headway.server.channels import Channel
from headway.server.ending import Ending

SLICE = 500
"""Writes after which others get a turn: some milliseconds."""

TICK = 1.0
"""Seconds, at most, between two looks at the clock."""


class Watcher(ABC):
    """Someone who watches a channel over one connection."""

    __slots__ = ()

    @abstractmethod
    def end(self, ending: Ending) -> None:
        """Close its stream, once; nothing is written behind the last word."""


class Audience(ABC):
    """All who watch one channel."""

    def __init__(self, channel: Channel[Any], broadcaster: Broadcaster) -> None:
        self.channel = channel
        self.broadcaster = broadcaster
        self.watchers: dict[Any, None] = {}
        self._degraded = channel.degraded

    def news_of_the_store(self) -> bool:
        """Whether it can be reached again since this was asked last, or no more: a sign of life says so at once."""
        before, self._degraded = self._degraded, self.channel.degraded
        return self._degraded is not before

    @abstractmethod
    def deliver(self) -> Iterator[int]:
        """Write what is new to all who can take it, and tell in between how many that were."""

    @abstractmethod
    def tick(self, now: float) -> Iterator[int]:
        """Give a sign of life to those whose time has come, or to all when it has news of the store. ``now``: on the
        event loop's clock.
        """


A = TypeVar("A", bound=Audience)


class Broadcaster:
    """All watchers of one service."""

    def __init__(self, ping: float, stall: float) -> None:
        """``ping``: seconds between two signs of life. ``stall``: seconds that a socket may stay full."""
        self.ping = ping
        self.stall = stall
        self._tick = min(ping, stall, TICK)
        self._audiences: dict[Channel[Any], Audience] = {}
        self._unfollow: dict[Channel[Any], Callable[[], None]] = {}
        self._changed: dict[Audience, None] = {}
        self._woken = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def __repr__(self) -> str:
        return f"<Broadcaster watchers={len(self)} channels={len(self._audiences)}>"

    def __len__(self) -> int:
        return sum(len(audience.watchers) for audience in self._audiences.values())

    def watchers(self) -> Iterator[Watcher]:
        """Everyone."""
        for audience in self._audiences.values():
            yield from audience.watchers

    def ping_after(self, now: float) -> float:
        """When a sign of life is due after one now, on the event loop's clock: rather a tick early than late."""
        return now + self.ping - self._tick

    def join(self, watcher: Watcher, channel: Channel[Any], kind: type[A]) -> A:
        """One more of those who watch a channel, and perhaps the first."""
        known = self._audiences.get(channel)
        audience = known if isinstance(known, kind) else kind(channel, self)
        if audience is not known:
            self._audiences[channel] = audience
            self._unfollow[channel] = channel.feed.changed.call(lambda: self._mark(audience))
        audience.watchers[watcher] = None
        if not self._tasks:
            loop = asyncio.get_running_loop()
            self._tasks = [
                loop.create_task(self._deliver(), name="headway-broadcast"),
                loop.create_task(self._keep_alive(), name="headway-ping"),
            ]
        return audience

    def leave(self, watcher: Watcher, audience: Audience) -> None:
        """One less."""
        del audience.watchers[watcher]
        if not audience.watchers:
            del self._audiences[audience.channel]
            self._unfollow.pop(audience.channel)()
        if not self._audiences:
            self._rest()

    async def farewell(self, seconds: float) -> None:
        """End every stream, spread over so many seconds, so that clients do not return all at once."""
        watchers = list(self.watchers())
        turns = sorted((random.uniform(0.0, seconds), place) for place in range(len(watchers)))  # noqa: S311
        loop = asyncio.get_running_loop()
        began = loop.time()
        for turn, place in turns:
            if began + turn > loop.time():
                await asyncio.sleep(began + turn - loop.time())
            watchers[place].end(Ending.STOPPING)

    def _rest(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        self._changed.clear()

    def _mark(self, audience: Audience) -> None:
        self._changed[audience] = None
        self._woken.set()

    async def _deliver(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            changed, self._changed = self._changed, {}
            await _in_turns(writes for audience in changed for writes in audience.deliver())

    async def _keep_alive(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._tick)
            now, audiences = loop.time(), list(self._audiences.values())
            await _in_turns(writes for audience in audiences for writes in audience.tick(now))


async def _in_turns(writing: Iterator[int]) -> None:
    """Go through with it, and let others have a turn in between."""
    written = 0
    for writes in writing:
        written += writes
        if written >= SLICE:
            written = 0
            await asyncio.sleep(0)
    await asyncio.sleep(0)
