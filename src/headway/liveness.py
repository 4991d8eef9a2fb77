"""Who still lives: leases of remote workers, graces of cancels, operations of this process and of one that died, and
the age of what is remembered.

Everything here runs on the monotonic clock, once a second. When the round itself comes late, it was this process that
stood still (stopped, suspended, starved), so every lease starts anew: a live worker is never lost by our trouble. So
does it when the store could not be reached: what other nodes have heard of came through nowhere meanwhile.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from headway.core.activity import State
from headway.core.errors import HeadwayError, Unavailable
from headway.core.view import TOMBSTONE_AGE
from headway.live import Live

if TYPE_CHECKING:
    from headway.hub import Activities

ROUND = 1.0
"""Seconds between two rounds."""

PAUSE = 3.0
"""Seconds a round may be late before it counts as a pause of our own."""

PRUNING = 600.0
"""Seconds between two prunings of the history."""

SHUTDOWN_GRACE = 10.0
"""Seconds that the operations of this process get to stop when it is closed."""

NODE_LEASE = 30.0
"""Seconds without a sign of life after which a node is gone, and what ran in it lost."""

SAME = 0.1
"""Seconds by which a sign of life must be later than the one that was passed on here, to be another one."""

CONFIRMATION = 2.0
"""Seconds of these before the end at which the last of them are stopped harder, so that their end is still recorded."""


class Liveness:
    """The caretaker of one hub."""

    def __init__(self, activities: Activities) -> None:
        self._activities = activities
        self._clock = activities.clock
        self._rounds: asyncio.Task[None] | None = None
        self._pruning: asyncio.Task[None] | None = None
        self._last_round = self._prune_due = 0.0
        self.connected: bool = True
        """Whether the store could be reached in the last round."""
        self._alone = True
        """No other node can be on the store: not even this one's sign of life is known to it."""
        self._watched: dict[str, float] = {}
        """Since when the other nodes' signs of life could be seen without a break."""

    async def start(self) -> None:
        """Give up what died with its process, and begin the rounds. Every lease counts from now. Who does not show all
        that its children had done is put right.
        """
        store, node = self._activities.store, self._activities.node
        await store.beat([node])
        self._alone = (await store.silences([node]))[node] == math.inf
        await asyncio.gather(*await self._dead())
        now = self._last_round = self._prune_due = self._clock.monotonic()
        for live in self._activities.registry.live.values():
            live.start_lease(now)
            live.begun = now - max(0.0, self._clock.now() - live.activity.started_at)
            if live.shares.children != live.activity.progress.children:
                self._activities.tell(live)
        self._rounds = asyncio.get_running_loop().create_task(self._run(), name="headway-liveness")

    async def stop(self) -> None:
        """End the rounds, and the operations of this process."""
        for task in (self._rounds, self._pruning):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        await self._stop_operations()

    async def round(self) -> None:
        """Look at everything alive once."""
        now = self._clock.monotonic()
        everything = list(self._activities.registry.live.values())
        self.connected = await self._told(everything, now)
        if now - self._last_round > ROUND + PAUSE or not self.connected:
            self._watched.clear()
            for live in everything:
                live.start_lease(now)
        self._last_round = now
        # Together: they share a commit, and a thousand dead workers are lost as soon as one.
        lapsed = [
            self._activities.give_up(live.activity.uuid, "lease_expired")
            for live in await self._unheard([live for live in everything if _lapsed(live, now)], now)
        ]
        late = [self._activities.mark_overdue(live.activity.uuid) for live in everything if _late(live, now)]
        expired = [
            self._activities.request_cancel(live.activity.uuid, reason="timeout", required=True)
            for live in everything
            if _expired(live, now) and live.activity.node in (None, self._activities.node)
        ]
        stalled = [
            self._activities.mark_stalled(live.activity.uuid, live.activity.reported_at)
            for live in everything
            if _silent(live, now)
        ]
        dead = await self._dead()
        await asyncio.gather(*map(_attempt, [*dead, *lapsed, *late, *expired, *stalled]))
        if now >= self._prune_due:
            self._prune_due = now + PRUNING
            self._pruning = asyncio.get_running_loop().create_task(self._forget(), name="headway-pruning")

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(ROUND)
            await self.round()

    async def _forget(self) -> None:
        limits, wall = self._activities.limits, self._clock.now()
        for feed in self._activities.registry.feeds():
            feed.view.expire(wall - TOMBSTONE_AGE)
        await _attempt(self._activities.store.prune(wall - limits.retention, limits.history))

    async def _told(self, everything: Sequence[Live], now: float) -> bool:
        """Tell the other nodes who lives; whether they can be told."""
        news = [live for live in everything if live.activity.lease is not None and live.seen > live.told]
        try:
            whole = bool(await self._silences([]))
            await self._activities.store.beat([self._activities.node, *(live.activity.uuid for live in news)])
        except Unavailable:
            return False
        for live in news:
            live.told = now
        return whole

    async def _unheard(self, silent: Sequence[Live], now: float) -> Sequence[Live]:
        """Those of whom no other node has heard either."""
        if not silent:
            return ()
        try:
            silences = await self._silences([live.activity.uuid for live in silent])
        except Unavailable:
            return ()
        if not silences:
            return ()
        for live in silent:
            heard = now - silences[live.activity.uuid]
            if heard > live.told + SAME:
                live.seen = live.told = heard + ROUND  # the next may be on its way for as long
        return [live for live in silent if _lapsed(live, now)]

    async def _dead(self) -> Sequence[Awaitable[object]]:
        """The ends of what ran in nodes that are gone, children before their parents; and of what was to run in this
        one, when whoever started it was told that it could not be recorded.
        """
        nodes = await self._dead_nodes()
        everything = self._activities.registry.live.values()
        doomed = [live for live in everything if live.activity.node in nodes or self._is_orphan(live)]
        doomed.sort(key=lambda live: -live.activity.started_revision)
        return [self._activities.give_up(live.activity.uuid, "server_restart") for live in doomed]

    def _is_orphan(self, live: Live) -> bool:
        return live.activity.node == self._activities.node and live.operation is None

    async def _dead_nodes(self) -> Collection[str]:
        """Those that have been silent for all of a lease under our eyes; where there can be no other, all of them."""
        named = {live.activity.node for live in self._activities.registry.live.values()}
        others = [node for node in named if node is not None and node != self._activities.node]
        if not others:
            return ()
        try:
            silences = await self._silences(others)
        except Unavailable:
            return ()
        now = self._clock.monotonic()
        self._watched = {node: self._watched.get(node, now) for node in others}
        return [
            node
            for node, silence in silences.items()
            if node != self._activities.node
            and (self._alone or (silence > NODE_LEASE and now - self._watched[node] > NODE_LEASE))
        ]

    async def _silences(self, names: Sequence[str]) -> Mapping[str, float]:
        """Of these and of this node; empty where this node's own last sign of life is not known for what it was: the
        store has lost it, or its clock has been set, or another server with another clock is the store now.
        """
        mine = self._activities.node
        silences = await self._activities.store.silences([*names, mine])
        return silences if self._alone or silences[mine] < ROUND + PAUSE else {}

    async def _stop_operations(self) -> None:
        running = [live for live in self._activities.registry.live.values() if live.operation is not None]
        await asyncio.gather(*map(self._stop, running))
        # Whatever does not stop in time dies with the process, and is given up by whoever opens the store next.
        with suppress(TimeoutError):
            async with asyncio.timeout(SHUTDOWN_GRACE):
                for live in running:
                    await _attempt(self._activities.wait(live.activity.uuid, SHUTDOWN_GRACE, ended=True))

    async def _stop(self, live: Live) -> None:
        with suppress(HeadwayError):  # the store is away: it cannot outlive its process all the same
            await self._activities.request_cancel(live.activity.uuid, reason="server_shutdown", required=True)
        # Again, if it was asked before: there is less time now, and its end has to be recorded in it.
        live.request_stop(within=SHUTDOWN_GRACE - CONFIRMATION)


def _lapsed(live: Live, now: float) -> bool:
    return live.activity.lease is not None and now - live.seen > live.activity.lease


def _late(live: Live, now: float) -> bool:
    activity, since = live.activity, live.cancel_seen
    cancelling = activity.state is State.CANCELLING and not activity.overdue
    return cancelling and since is not None and now - since > activity.grace and not _lapsed(live, now)


def _expired(live: Live, now: float) -> bool:
    timeout = live.activity.timeout
    return timeout is not None and live.activity.state is State.RUNNING and now - live.begun > timeout


def _silent(live: Live, now: float) -> bool:
    """Whether one that has spoken before has not for long; how it is with the others, nobody can tell."""
    activity = live.activity
    told = activity.reported_at is not None and not activity.stalled and activity.state is State.RUNNING
    return told and activity.stall is not None and now - live.heard > activity.stall


async def _attempt(change: Awaitable[object]) -> None:
    with suppress(HeadwayError):  # it ended meanwhile, or the store is away: the next round looks again
        await change
