"""Writing to many sockets: straight to their transports, from one loop for all.

A watcher here is a channel, a cursor and a way to write; no task, queue or timer is its own. When a view changes,
each channel of it is encoded once for all who have read equally far, and written to each in one write. A socket that is
full is left out until it has drained, and then catches up from its cursor.

It takes a server that hands over its transport (``EXTENSION`` in the ASGI scope, see ``server.protocols``). Under any
other the streams write through ASGI's ``send``, a task for each.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from headway.server.channels import Channel, Frames, Gap, Piece
from headway.server.ending import Ending, retry

EXTENSION = "headway.broadcast"
"""In a scope's ``extensions``: ``{"attach": Attach}``."""

SLICE = 500
"""Writes after which others get a turn: some milliseconds."""


_log = logging.getLogger("headway.server")


class Outlet(Protocol):
    """A connection whose answer has begun, and goes on here."""

    def write(self, data: bytes) -> object:
        """Append to the answer; never waits."""

    def finish(self, ending: Ending, last: bytes) -> None:
        """Say the last word, if it is still read, and close."""


class Reader(Protocol):
    """Whoever writes to an outlet, as the connection sees them. All is called on the event loop."""

    def paused(self) -> None:
        """The socket is full."""

    def resumed(self) -> None:
        """The socket has drained."""

    def gone(self) -> None:
        """The connection is lost, or finished; called once."""


Attach = Callable[[Reader], Outlet | None]
"""Take over the answer that has begun; None where something between the application and the server still holds it."""


class Watcher:
    """Someone who watches a channel over one connection."""

    __slots__ = ("_broadcaster", "_stalled", "channel", "cursor", "outlet", "release", "silent", "slot", "write")

    def __init__(self, broadcaster: Broadcaster, channel: Channel, silent: bool) -> None:
        """``silent``: signs of life only."""
        self._broadcaster = broadcaster
        self._stalled: asyncio.TimerHandle | None = None
        self.channel: Channel = channel
        self.silent: bool = silent
        self.release: Callable[[], object] = _nowhere
        """Called when it has ended."""
        self.cursor: int = 0
        self.slot: int = 0
        self.outlet: Outlet | None = None
        self.write: Callable[[bytes], object] = _nowhere

    def paused(self) -> None:
        """See ``Reader``."""
        self._stalled = self._broadcaster.later(lambda: self.end(Ending.STALLED))

    def resumed(self) -> None:
        """See ``Reader``."""
        self._drained()
        self._broadcaster.catch_up(self)

    def gone(self) -> None:
        """See ``Reader``."""
        self._drained()
        self._broadcaster.leave(self)

    @property
    def writable(self) -> bool:
        """Whether what is written now goes to the network and not onto a heap."""
        return self._stalled is None

    def end(self, ending: Ending) -> None:
        """Close its stream, once; nothing is written behind the last word."""
        outlet, self.outlet, self.write = self.outlet, None, _nowhere
        if outlet is not None:
            outlet.finish(ending, self.channel.pack([retry()]) if self._told_when(ending) else b"")

    def _drained(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _told_when(self, ending: Ending) -> bool:
        return ending is Ending.STOPPING and self.channel.key.transport == "sse"


class Broadcaster:
    """All watchers of one service that are written to directly."""

    def __init__(self, ping: float, stall: float) -> None:
        """``ping``: seconds between two signs of life. ``stall``: seconds that a socket may stay full."""
        self._stall = stall
        self._watchers: dict[Channel, dict[Watcher, None]] = {}
        self._unfollow: dict[Channel, Callable[[], None]] = {}
        self._slots: list[dict[Watcher, None]] = [{} for _ in range(max(1, round(ping)))]
        self._tick = ping / len(self._slots)
        self._next = 0
        self._changed: dict[Channel, None] = {}
        self._woken = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def __repr__(self) -> str:
        return f"<Broadcaster watchers={len(self)} channels={len(self._watchers)}>"

    def __len__(self) -> int:
        return sum(map(len, self._slots))

    def join(self, watcher: Watcher, attach: Attach, begin: Callable[[], tuple[Frames, int]]) -> bool:
        """Take over its connection; False where that cannot be done.

        ``begin``: the first frames, and the position after them.
        """
        outlet = attach(watcher)
        if outlet is None:
            return False
        frames, watcher.cursor = begin()
        watcher.outlet, watcher.write = outlet, outlet.write
        self._enter(watcher)
        if frames:
            watcher.write(watcher.channel.opening(frames))
        self.catch_up(watcher)
        return True

    def later(self, cut: Callable[[], None]) -> asyncio.TimerHandle:
        """Call this when a socket that is full now has been so for too long."""
        return asyncio.get_running_loop().call_later(self._stall, cut)

    def catch_up(self, watcher: Watcher) -> None:
        """Write what it has not read yet, if its socket takes it."""
        self._write([watcher])

    def leave(self, watcher: Watcher) -> None:
        """Its connection is gone."""
        watcher.outlet, watcher.write = None, _nowhere
        if watcher not in self._slots[watcher.slot]:
            return
        del self._slots[watcher.slot][watcher]
        others = self._watchers[watcher.channel]
        del others[watcher]
        if not others:
            del self._watchers[watcher.channel]
            self._unfollow.pop(watcher.channel)()
        release, watcher.release = watcher.release, _nowhere
        release()
        if not self._watchers:
            self._rest()

    async def farewell(self, seconds: float) -> None:
        """End every stream, spread over so many seconds, so that clients do not return all at once."""
        watchers = [watcher for slot in self._slots for watcher in slot]
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

    def _enter(self, watcher: Watcher) -> None:
        channel = watcher.channel
        if channel not in self._watchers:
            self._watchers[channel] = {}
            self._unfollow[channel] = channel.feed.changed.call(lambda: self._mark(channel))
        self._watchers[channel][watcher] = None
        watcher.slot = (self._next - 1) % len(self._slots)  # the one that comes last
        self._slots[watcher.slot][watcher] = None
        if not self._tasks:
            loop = asyncio.get_running_loop()
            self._tasks = [
                loop.create_task(self._deliver(), name="headway-broadcast"),
                loop.create_task(self._ping(), name="headway-ping"),
            ]

    def _mark(self, channel: Channel) -> None:
        self._changed[channel] = None
        self._woken.set()

    async def _deliver(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            changed, self._changed = self._changed, {}
            for channel in changed:
                await self._write_all(list(self._watchers.get(channel, ())))

    async def _write_all(self, watchers: list[Watcher]) -> None:
        for start in range(0, len(watchers), SLICE):
            self._write(watchers[start : start + SLICE])
            await asyncio.sleep(0)

    def _write(self, watchers: list[Watcher]) -> None:
        """Some, of one channel. This is where the time goes, so nothing is looked up twice."""
        channel = watchers[0].channel
        read, position = -1, channel.position
        pieces: Sequence[Piece[bytes]] = ()
        for watcher in watchers:
            cursor = watcher.cursor
            if cursor == position or watcher._stalled is not None:
                continue
            if watcher.silent:
                watcher.cursor = position
                continue
            try:
                if cursor != read:
                    pieces = channel.packed(cursor)
                    read = cursor
                for data, watcher.cursor in pieces:
                    if data:
                        watcher.write(data)
                    if not watcher.writable:
                        break
            except Gap:
                watcher.end(Ending.BEHIND)
            except Exception:  # one connection that cannot be written to must not keep the news from the others
                _log.exception("a stream failed")
                watcher.end(Ending.FAILED)

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(self._tick)
            watchers = list(self._slots[self._next])
            self._next = (self._next + 1) % len(self._slots)
            for start in range(0, len(watchers), SLICE):
                for watcher in watchers[start : start + SLICE]:
                    if watcher.writable and (sign := watcher.channel.ping(watcher.cursor)):
                        watcher.write(sign)
                await asyncio.sleep(0)


def _nowhere(data: bytes = b"") -> Any:
    """Where the writes of one that has gone end."""
