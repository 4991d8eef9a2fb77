"""Watchers that are written to directly: straight to the transports that their server has handed over.

Those who have read equally far stand in cohorts, and a cohort has one cursor. When its view changes, what is new is
encoded once, and written to each in one write that touches nothing but the transport: as fast as a bare loop. A socket
that is full leaves its cohort with a cursor of its own, and catches up and comes back when it has drained.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from headway.server.broadcast import SLICE, Audience, Broadcaster, Watcher
from headway.server.channels import Channel, Gap
from headway.server.ending import Ending, retry
from headway.server.extension import Attach, Outlet

_log = logging.getLogger("headway.server")


class Direct(Watcher):
    """Someone who watches over a connection that was handed over. A ``Reader`` of its outlet."""

    __slots__ = ("_audience", "_broadcaster", "_channel", "_stalled", "cohort", "cursor", "outlet", "release")

    def __init__(self, broadcaster: Broadcaster, channel: Channel[bytes]) -> None:
        self._broadcaster = broadcaster
        self._channel = channel
        self._audience: Cohorts | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self.cohort: Cohort | None = None
        """Whose cursor is also its own; None while it has fallen behind, or has ended."""
        self.cursor: int = 0
        """How far it has read, while it stands alone."""
        self.outlet: Outlet | None = None
        self.release: Callable[[], object] = _nothing
        """Called when it has gone."""

    def join(self, attach: Attach, begin: Callable[[], tuple[Sequence[bytes], int]]) -> bool:
        """Take over its connection; False where that cannot be done.

        ``begin``: what to write first, and the position after that.
        """
        self.outlet = attach(self)
        if self.outlet is None:
            return False
        first, self.cursor = begin()
        self._audience = self._broadcaster.join(self, self._channel, Cohorts)
        for data in first:
            self.outlet.write(data)
        self._catch_up(self._audience)
        return True

    def paused(self) -> None:
        """See ``Reader``."""
        self._fall_out()
        self._drained()
        loop = asyncio.get_running_loop()
        self._stalled = loop.call_later(self._broadcaster.stall, self.end, Ending.STALLED)

    def resumed(self) -> None:
        """See ``Reader``."""
        if self._stalled is not None and self._audience is not None:
            self._drained()
            self._catch_up(self._audience)

    def gone(self) -> None:
        """See ``Reader``."""
        self._drained()
        self._fall_out()
        self.outlet = None
        audience, self._audience = self._audience, None
        if audience is not None:
            self._broadcaster.leave(self, audience)
            self.release()

    def end(self, ending: Ending) -> None:
        """See ``Watcher``."""
        self._fall_out()
        outlet, self.outlet = self.outlet, None
        if outlet is not None:
            told_when = ending is Ending.STOPPING and self._channel.key.transport == "sse"
            outlet.finish(ending, self._channel.pack([retry()]) if told_when else b"")

    def _catch_up(self, audience: Cohorts) -> None:
        """Write what it has not read yet, if its socket takes it, and go on with those who have read as much."""
        try:
            for data, cursor in self._channel.read(self.cursor):
                if self.outlet is None or self._stalled is not None:
                    return
                self.cursor = cursor
                if data is not None:
                    self.outlet.write(data)
        except Gap:
            self.end(Ending.BEHIND)
        except Exception:
            self.fail()
        if self.outlet is not None and self._stalled is None:
            audience.enter(self, self.outlet.write)

    def fail(self) -> None:
        """One connection that cannot be written to must not keep the news from the others."""
        _log.exception("a stream failed")
        self.end(Ending.FAILED)

    def _fall_out(self) -> None:
        if self.cohort is not None:
            self.cursor = self.cohort.cursor
            self.cohort.leave(self)

    def _drained(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None


class Cohort:
    """Some who have read equally far, and whose sockets take more."""

    __slots__ = ("cursor", "ping_due", "writes")

    def __init__(self, cursor: int, ping_due: float) -> None:
        self.cursor: int = cursor
        self.ping_due: float = ping_due
        """On the event loop's clock."""
        self.writes: dict[Direct, Callable[[bytes], object]] = {}

    def leave(self, watcher: Direct) -> None:
        """It is not written to any more."""
        del self.writes[watcher]
        watcher.cohort = None

    def write(self, data: bytes) -> None:
        """To all of them. This is where the time goes."""
        for write in list(self.writes.values()):
            try:
                write(data)
            except Exception:
                self._fail(write)

    def end(self, ending: Ending) -> None:
        """For all of them."""
        for watcher in list(self.writes):
            watcher.end(ending)

    def _fail(self, failed: Callable[[bytes], object]) -> None:
        for watcher in [watcher for watcher, write in self.writes.items() if write is failed]:
            watcher.fail()


class Cohorts(Audience):
    """All who watch one channel over connections that were handed over."""

    def __init__(self, channel: Channel[bytes], broadcaster: Broadcaster) -> None:
        super().__init__(channel, broadcaster)
        self._cohorts: list[Cohort] = []

    def enter(self, watcher: Direct, write: Callable[[bytes], object]) -> None:
        """It has read as much as it says, and its socket takes more."""
        for cohort in self._cohorts:
            if cohort.cursor == watcher.cursor and len(cohort.writes) < SLICE:
                break
        else:
            cohort = Cohort(watcher.cursor, self.broadcaster.ping_after(asyncio.get_running_loop().time()))
            self._cohorts.append(cohort)
        watcher.cohort = cohort
        cohort.writes[watcher] = write

    def deliver(self) -> Iterator[int]:
        """See ``Audience``."""
        self._cohorts = [cohort for cohort in self._cohorts if cohort.writes]
        for cohort in list(self._cohorts):
            if cohort.cursor != self.channel.position:
                count = len(cohort.writes)
                self._deliver(cohort)
                yield count

    def tick(self, now: float) -> Iterator[int]:
        """See ``Audience``."""
        news = self.news_of_the_store()
        for cohort in list(self._cohorts):
            if news or now >= cohort.ping_due:
                cohort.ping_due = self.broadcaster.ping_after(now)
                sign = self.channel.ping(cohort.cursor)
                if sign is not None:
                    cohort.write(sign)
                    yield len(cohort.writes)

    def _deliver(self, cohort: Cohort) -> None:
        try:
            for data, cursor in self.channel.read(cohort.cursor):
                cohort.cursor = cursor  # before the write: one that is full after it has been given what was written
                if data is not None:
                    cohort.write(data)
        except Gap:
            cohort.end(Ending.BEHIND)
        except Exception:  # what cannot be encoded must not keep the news of others from the others
            _log.exception("streams failed")
            cohort.end(Ending.FAILED)


def _nothing() -> Any:
    """What is released where nothing is held."""
