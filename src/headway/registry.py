"""Everything committed, as this process knows it: what is live, and what each audience may see."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from headway.core.activity import Activity, State
from headway.core.policy import EVERYTHING, SYSTEM_USER, Scope, audiences
from headway.core.view import View
from headway.live import Feed, Live, Operation
from headway.ports import Snapshot


class Registry:
    """Fed with committed records in order of revision, and with nothing else."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.live: dict[str, Live] = {}
        self._feeds: dict[Scope, Feed] = {}
        self._floors: dict[int, int] = {}
        self._operations: dict[str, Operation] = {}
        self._monotonic = monotonic
        self._closed = False

    def restore(self, snapshot: Snapshot) -> None:
        """Begin with what the store held when it was opened."""
        self.live.clear()
        self._closed = False
        self._floors = dict(snapshot.floors)
        floor = max((floor for owner, floor in self._floors.items() if owner != SYSTEM_USER), default=0)
        self._feeds = {EVERYTHING: Feed(EVERYTHING, View(floor=floor))}
        for owner in self._floors:
            self.feed(owner)
        for activity in snapshot.activities:
            self.apply(activity)
        for live in self.live.values():  # a parent that changed last has come after its children
            self._join_parent(live)
        for activity in snapshot.activities:
            parent = self.parent(activity)
            if activity.ended and parent is not None:  # of the latest ends the parent's record may not tell yet
                parent.shares.put(activity)

    def feed(self, scope: Scope) -> Feed:
        """What an audience may see."""
        feed = self._feeds.get(scope)
        if feed is None:
            floor = 0 if scope is EVERYTHING else self._floors.get(scope, 0)
            feed = self._feeds[scope] = Feed(scope, View(floor=floor))
        return feed

    def feeds(self) -> Sequence[Feed]:
        """Every view there is."""
        return list(self._feeds.values())

    def close(self) -> None:
        """Nothing more will come: wake everyone who waits for it."""
        self._closed = True
        for feed in self._feeds.values():
            feed.close()
        for live in self.live.values():
            live.changed.fire()

    async def childless(self, uuid: str) -> None:
        """Wait until an activity has no live children, or nothing more will come."""
        while not self._closed and (live := self.live.get(uuid)) is not None and live.children:
            await live.changed.wait()

    def known(self, uuid: str) -> Activity | None:
        """The newest record of an activity, live or recently ended."""
        live = self.live.get(uuid)
        return self.feed(EVERYTHING).view.get(uuid) if live is None else live.activity

    @contextmanager
    def expected(self, uuid: str, parent: Live | None, operation: Operation | None) -> Iterator[None]:
        """While the block brings a start to the store: what runs behind it, and that its parent has a child."""
        if operation is not None:
            self._operations[uuid] = operation
        if parent is not None:
            parent.children.add(uuid)
        try:
            yield
        finally:
            if uuid not in self.live:
                self._operations.pop(uuid, None)
                if parent is not None:
                    parent.lose_child(uuid)

    def apply(self, activity: Activity) -> Live | None:
        """Take in a committed record; the activity as held here when its lifecycle moved, else None."""
        for scope in audiences(activity):
            self.feed(scope).view.apply(activity)
        live = self.live.get(activity.uuid)
        if live is None:
            if activity.ended:
                return None
            return self._begin(activity)
        moved = activity.state is not live.activity.state
        live.advance(activity, self._monotonic())
        if live.parent is not None:
            live.parent.shares.put(activity)
        if activity.ended:
            self._end(activity)
        elif moved:
            live.cancel_seen = self._monotonic()
        return live if moved else None

    def parent(self, activity: Activity) -> Live | None:
        """The live parent of an activity."""
        return None if activity.parent is None else self.live.get(activity.parent)

    def _begin(self, activity: Activity) -> Live:
        now = self._monotonic()
        live = Live(activity, now, self._operations.pop(activity.uuid, None))
        if activity.state is State.CANCELLING:
            live.cancel_seen = now
        self.live[activity.uuid] = live
        self._join_parent(live)
        return live

    def _join_parent(self, live: Live) -> None:
        live.parent = parent = self.parent(live.activity)
        if parent is not None:
            parent.children.add(live.activity.uuid)
            parent.shares.put(live.activity)

    def _end(self, activity: Activity) -> None:
        del self.live[activity.uuid]
        if (parent := self.parent(activity)) is not None:
            parent.lose_child(activity.uuid)
