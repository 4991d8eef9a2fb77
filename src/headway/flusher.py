"""From reports to revisions: at once after a quiet moment, then at most every 50 ms.

However many reports an activity makes in between, it becomes one change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from headway.core import lifecycle
from headway.core.activity import Activity
from headway.core.errors import Unavailable
from headway.core.lifecycle import Report
from headway.live import Live, Pulse
from headway.ports import Clock, Store, Write

INTERVAL = 0.05
"""Seconds between two flushes: a watcher gets at most 20 updates a second of one activity."""


class Flusher:
    """Collects the activities that have been reported on and commits them in batches."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._dirty: dict[str, Live] = {}
        self._in_flight: dict[str, Live] = {}
        self._scheduled = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._earliest = 0.0
        self._begun = self._done = 0
        self._flushed = Pulse()

    def __repr__(self) -> str:
        return f"<Flusher dirty={len(self._dirty)} in_flight={len(self._in_flight)} flushes={self._done}>"

    def start(self) -> None:
        """Belong to the running event loop from now on."""
        self._loop = asyncio.get_running_loop()

    async def stop(self) -> None:
        """Commit what is left and take no more."""
        if self._task is not None:
            await self._task
        self._scheduled = True
        await self._flush()
        self._loop = None

    def mark(self, live: Live) -> None:
        """The activity has news; from any thread."""
        # First the mark, then the look at the flag; the flush does it the other way round, so none is missed.
        self._dirty[live.activity.uuid] = live
        if not self._scheduled and self._loop is not None:
            self._scheduled = True
            self._loop.call_soon_threadsafe(self._schedule)

    async def settled(self, concerns: Callable[[Activity], bool]) -> None:
        """Wait until what has been reported so far on the activities concerned has been flushed."""
        if any(concerns(live.activity) for live in list(self._dirty.values())):
            awaited = self._begun + 1
        elif any(concerns(live.activity) for live in self._in_flight.values()):
            awaited = self._begun
        else:
            return
        while self._done < awaited and self._loop is not None:
            await self._flushed.wait()

    def _schedule(self) -> None:
        if self._loop is not None:
            self._loop.call_at(max(self._earliest, self._loop.time()), self._begin)

    def _begin(self) -> None:
        if self._loop is not None:
            self._task = self._loop.create_task(self._flush())

    async def _flush(self) -> None:
        self._begun += 1
        self._scheduled = False  # before the look at the marks: see mark()
        batch = await self._collect()
        committed: list[int | None] = [None] * len(batch)
        try:
            if batch:
                committed = await self._store.commit([write for _, _, write in batch])
        except Unavailable:
            pass  # the drafts go back and are tried again
        finally:
            self._in_flight.clear()
            for (live, draft, _), revision in zip(batch, committed, strict=True):
                live.lock.release()
                if revision is None:
                    live.give_back(draft)
                    self._dirty.setdefault(live.activity.uuid, live)
            self._finish_flush()

    def _finish_flush(self) -> None:
        loop = asyncio.get_running_loop()
        self._earliest = loop.time() + INTERVAL
        self._done += 1
        self._flushed.fire()
        if self._dirty and not self._scheduled and self._loop is not None:
            self._scheduled = True
            self._schedule()

    async def _collect(self) -> list[tuple[Live, Report, Write]]:
        batch: list[tuple[Live, Report, Write]] = []
        busy: list[Live] = []
        now = self._clock.now()
        for _ in range(len(self._dirty)):
            _, live = self._dirty.popitem()
            if live.lock.locked():  # a lifecycle change is on its way and takes the draft along, or leaves it
                busy.append(live)
                continue
            draft = live.take()
            if draft is None or live.activity.ended:
                continue
            write = Write(lifecycle.report(live.activity, draft, now), live.activity.fence, durable=False)
            await live.lock.acquire()  # free, as seen above: this does not wait
            batch.append((live, draft, write))
            self._in_flight[live.activity.uuid] = live
        for live in busy:
            self._dirty.setdefault(live.activity.uuid, live)
        return batch
