"""One change of one activity: read, decide, compare-and-set; again when somebody else was first."""

from __future__ import annotations

from collections.abc import Callable

from headway.core import lifecycle
from headway.core.activity import Activity
from headway.core.errors import NotFound, Unavailable
from headway.flusher import Flusher
from headway.live import Live
from headway.ports import Clock, Store, Write
from headway.registry import Registry

Decision = Callable[[Activity, float], Activity]
"""From the newest record and the time (seconds since the epoch) to the changed record; raises to change nothing."""


class Changes:
    """Brings decisions to the store, and with each what has been reported up to then."""

    def __init__(self, store: Store, registry: Registry, flusher: Flusher, clock: Clock) -> None:
        self._store = store
        self._registry = registry
        self._flusher = flusher
        self._clock = clock

    async def newest(self, uuid: str) -> Activity:
        """The newest committed record, however old. Raises ``NotFound``."""
        activity = self._registry.known(uuid) or await self._store.get(uuid)
        if activity is None:
            raise NotFound
        return activity

    async def make(self, uuid: str, decide: Decision) -> Activity:
        """The activity after the change, which is durable.

        Raises ``NotFound``, ``Unavailable`` and what ``decide`` raises, with nothing changed.
        """
        while (live := self._registry.live.get(uuid)) is not None:
            async with live.lock:
                if live.activity.ended:
                    continue
                seen = live.activity
                changed = await self._tried(live, decide)
                if changed is live.activity:
                    return changed
                if changed is not None:
                    return await self.newest(uuid)
                if live.activity is seen:  # nobody was first: somebody has deleted it, say
                    raise Unavailable("the store holds another version than it has told of; try again in a moment")
        await self._store.sync()
        if uuid in self._registry.live:
            return await self.make(uuid, decide)
        newest = await self.newest(uuid)
        if not newest.ended:  # committed, but its news has not come through yet: nothing can be promised
            raise Unavailable("the activity is only just known here; try again")
        return decide(newest, self._clock.now())

    async def _tried(self, live: Live, decide: Decision) -> Activity | None:
        """The changed record once it is committed, the very same one if nothing changes, None if someone was first."""
        seen, draft, committed = live.activity, live.take(), False
        try:
            now = self._clock.now()
            base = seen if draft is None else lifecycle.report(seen, draft, live.noted_at)
            changed = decide(base, now)
            if changed is base:
                return live.activity
            live.ending = changed.ended
            (revision,) = await self._store.commit([Write(changed, seen.fence, based_on=seen.revision)])
            committed = revision is not None
        finally:
            live.ending = False
            if not committed and draft is not None:
                live.give_back(draft)
                self._flusher.mark(live)
        return changed if committed else None
