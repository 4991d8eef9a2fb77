"""Watchers that are written to by ASGI's ``send``, under any server: a task for each, which waits for the server.

They cost that task, and nothing else is their own: no queue, and no timer for a write or for the next sign of life.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import Any, Generic, TypeVar

from starlette.websockets import WebSocketDisconnect

from headway.server.broadcast import SLICE, Audience, Broadcaster, Watcher
from headway.server.channels import Channel, Gap
from headway.server.ending import Ending

P = TypeVar("P")
Send = Callable[[P], Awaitable[None]]
"""Write something; returns when there is room for more."""

GONE = (OSError, RuntimeError, WebSocketDisconnect)
"""What a write raises when there is nobody: ASGI names the first, servers and Starlette have the others."""


class Relay(Watcher, Generic[P]):
    """Someone who watches over a connection that only its server can write to."""

    __slots__ = (
        "_broadcaster",
        "_channel",
        "_cursor",
        "_ended",
        "_idle",
        "_pinged",
        "_send",
        "ping_due",
        "writing_since",
    )

    def __init__(self, broadcaster: Broadcaster, channel: Channel[P], send: Send[P]) -> None:
        loop = asyncio.get_running_loop()
        self._broadcaster = broadcaster
        self._channel = channel
        self._send = send
        self._cursor = 0
        self._ended: asyncio.Future[Ending] = loop.create_future()
        self._idle: asyncio.Future[None] | None = None
        """What it waits for while there is nothing to write."""
        self._pinged = False
        """It is to give a sign of life."""
        self.ping_due: float = broadcaster.ping_after(loop.time())
        """On the event loop's clock, as is:"""
        self.writing_since: float | None = None

    async def run(self, first: Sequence[P], cursor: int, leaving: Coroutine[Any, Any, None]) -> Ending:
        """Write to it until something ends it. ``first`` leads to ``cursor``; ``leaving`` lasts until the client has
        gone.
        """
        self._cursor = cursor
        audience = self._broadcaster.join(self, self._channel, Relays)
        loop = asyncio.get_running_loop()
        # A task for the writing alone: to wake this one, deep in an application, costs a step for each caller.
        tasks = [loop.create_task(work, name="headway-relay") for work in (leaving, self._relay(first))]
        for task in tasks:
            task.add_done_callback(lambda _: self.end(Ending.GONE))
        try:
            return await self._ended
        finally:
            self._broadcaster.leave(self, audience)
            for task in tasks:
                task.cancel()
            await _over(tasks)

    def end(self, ending: Ending) -> None:
        """See ``Watcher``."""
        if not self._ended.done():
            self._ended.set_result(ending)

    def wake(self) -> None:
        """There is news."""
        idle, self._idle = self._idle, None
        if idle is not None and not idle.done():  # it is, when its task is being ended
            idle.set_result(None)

    def ping(self) -> None:
        """Give a sign of life, unless it is given something else."""
        if self._idle is not None:
            self._pinged = True
            self.wake()

    async def _relay(self, first: Sequence[P]) -> None:
        channel, loop = self._channel, asyncio.get_running_loop()
        for data in first:
            await self._write(data)
        while not self._ended.done():
            if self._cursor == channel.position:
                self._idle = loop.create_future()
                await self._idle
            await self._catch_up()
            if self._pinged:  # with what it has read by now: a sign of life names the position to resume from
                self._pinged = False
                sign = channel.ping(self._cursor)
                if sign is not None:
                    await self._write(sign)

    async def _catch_up(self) -> None:
        try:
            pieces = self._channel.read(self._cursor)
        except Gap:
            self.end(Ending.BEHIND)
            return
        for data, cursor in pieces:
            if data is not None:
                await self._write(data)
            self._cursor = cursor

    async def _write(self, data: P) -> None:
        if self._ended.done():
            return
        self.writing_since = asyncio.get_running_loop().time()
        try:
            await self._send(data)
        except GONE:
            self.end(Ending.GONE)
        self.writing_since = None


class Relays(Audience):
    """All who watch one channel by ``send``."""

    def deliver(self) -> Iterator[int]:
        """See ``Audience``."""
        relays = list(self.watchers)
        for start in range(0, len(relays), SLICE):
            for relay in relays[start : start + SLICE]:
                relay.wake()
            yield SLICE

    def tick(self, now: float) -> Iterator[int]:
        """See ``Audience``; and give up those who have left their sockets undrained for too long."""
        news = self.news_of_the_store()
        for relay in list(self.watchers):
            if relay.writing_since is not None:
                if now - relay.writing_since >= self.broadcaster.stall:
                    relay.end(Ending.STALLED)
            elif news or now >= relay.ping_due:
                relay.ping_due = self.broadcaster.ping_after(now)
                relay.ping()
                yield 1


async def _over(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Until they are; raises what one of them failed with."""
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome
