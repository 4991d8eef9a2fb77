"""From reports to revisions: at once after a quiet moment, then at the pace of the store.

However many reports an activity makes in between, it becomes one change.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from headway.core import lifecycle
from headway.core.activity import Activity
from headway.core.errors import Unavailable
from headway.core.lifecycle import Report
from headway.live import Live, Pulse
from headway.ports import Store, Write

_log = logging.getLogger("headway")


class Flusher:
    """Collects the activities that have been reported on and commits them in batches, one after the other."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._dirty: dict[str, Live] = {}
        self._in_flight: dict[str, Live] = {}
        self._marked = asyncio.Event()
        self._told = False
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._flushed = Pulse()

    def __repr__(self) -> str:
        return f"<Flusher dirty={len(self._dirty)} in_flight={len(self._in_flight)} stopping={self._stopping}>"

    def start(self) -> None:
        """Belong to the running event loop from now on."""
        self._loop = asyncio.get_running_loop()
        self._marked = asyncio.Event()
        self._stopping = False
        self._task = self._loop.create_task(self._run(), name="headway-flusher")

    async def stop(self) -> None:
        """Commit what is left and take no more."""
        if self._task is not None:
            self._stopping = True
            self._marked.set()
            await self._task
        self._task = self._loop = None

    def forked(self) -> None:
        """In a forked child: the loop to wake is the parent's."""
        self._loop = None

    def mark(self, live: Live) -> None:
        """The activity has news; from any thread."""
        # First the mark, then the look at the flag; the flush does it the other way round, so none is missed.
        self._dirty[live.activity.uuid] = live
        loop = self._loop
        if not self._told and loop is not None:
            self._told = True
            with suppress(RuntimeError):  # the loop was closed without us: nobody is left to see it
                loop.call_soon_threadsafe(self._marked.set)

    async def settled(self, concerns: Callable[[Activity], bool]) -> None:
        """Wait until what has been reported so far on the activities concerned has been brought to the store."""
        pending = [*self._dirty.values(), *self._in_flight.values()]
        awaited = [(live, live.noted) for live in pending if concerns(live.activity)]
        while self._task is not None and any(live.tried < noted for live, noted in awaited if not live.activity.ended):
            await self._flushed.wait()

    async def _run(self) -> None:
        while not self._stopping:
            await self._marked.wait()
            await self._flush()
            if not self._stopping:
                await asyncio.sleep(self._store.pace)
        await self._flush()
        self._flushed.fire()

    async def _flush(self) -> None:
        self._marked.clear()
        self._told = False  # before the look at the marks: see mark()
        batch = await self._collect()
        committed: list[int | None] = [None] * len(batch)
        try:
            if batch:
                committed = await self._store.commit([write for _, _, write in batch])
        except Unavailable:
            pass  # the drafts go back and are tried again
        except Exception:  # a fault of the store: these reports have to wait, all others must not
            _log.exception("reports could not be committed")
        finally:
            self._in_flight.clear()
            for (live, draft, _), revision in zip(batch, committed, strict=True):
                if revision is None:
                    live.give_back(draft)
                    self._dirty.setdefault(live.activity.uuid, live)
                live.tried = live.taken
                live.lock.release()
            self._flushed.fire()
            if self._dirty:
                self._marked.set()

    async def _collect(self) -> list[tuple[Live, Report, Write]]:
        batch: list[tuple[Live, Report, Write]] = []
        marked = {uuid: live.depth for uuid, live in list(self._dirty.items())}
        # From the leaves to the roots: what a child reports shows in all above it in the same flush.
        for depth in range(max(marked.values(), default=0), 0, -1):
            for uuid in [uuid for uuid, level in marked.items() if level == depth]:
                taken = await self._take(self._dirty[uuid])
                if taken is None:
                    continue
                batch.append(taken)
                parent = self._passed_on(taken[0], taken[2].activity)
                if parent is not None:
                    marked.setdefault(parent.activity.uuid, depth - 1)
        return batch

    async def _take(self, live: Live) -> tuple[Live, Report, Write] | None:
        uuid = live.activity.uuid
        if live.lock.locked():  # a lifecycle change is on its way and takes the draft along, or leaves it
            return None
        del self._dirty[uuid]
        await live.lock.acquire()  # hardly ever waits: only for a change that was waiting for the last one
        draft = None if live.activity.ended else live.take()
        if draft is None:
            live.tried = live.taken
            live.lock.release()
            return None
        self._in_flight[uuid] = live
        changed = lifecycle.report(live.activity, draft, live.noted_at)
        return live, draft, Write(changed, live.activity.fence, durable=False, based_on=live.activity.revision)

    def _passed_on(self, live: Live, activity: Activity) -> Live | None:
        """Let the parent know how far its child is. What does not get committed after all is put right by what is."""
        parent = live.parent
        if parent is None or parent.activity.ended:
            return None
        parent.shares.put(activity)
        if not (parent.shares.changed or parent.activity.stalled):
            return None
        parent.note(Report() if parent.activity.stalled else None, live.noted_at, live.heard)
        self._dirty[parent.activity.uuid] = parent
        return parent
