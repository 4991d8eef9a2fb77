"""The one place where the core meets the outside: every change goes through here to the store, and everything that
the store has committed comes back through here to the views.

All of it runs on one event loop; only ``report`` may be called from any thread.
"""

from __future__ import annotations

import abc
import asyncio
import uuid as uuids
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, Self

from headway.admission import Limits
from headway.cascade import Cascade
from headway.changes import Changes
from headway.core import lifecycle
from headway.core.activity import Activity, State
from headway.core.errors import ChildrenRunning, NotFound, Unavailable
from headway.core.lifecycle import Report
from headway.core.policy import EVERYTHING, Scope, audiences, visible
from headway.core.view import Event, Resync
from headway.durations import Durations
from headway.flusher import Flusher
from headway.live import Feed, Live, Operation
from headway.ports import Clock, HistoryQuery, Store, SystemClock
from headway.registry import Registry
from headway.starts import Starts
from headway.stores import open_store

RETRY = 1.0
"""Seconds between two tries of a change that the store cannot take now."""

PATIENCE = 5.0
"""Seconds that whoever asks waits for a store that does not answer; then what is known here has to do."""

PATIENCE_AWAY = 1.0
"""And where it is known to be away. Not none: it may be back, and have what was acknowledged elsewhere since."""


class Records(abc.ABC):
    """The records of operations and their changes."""

    def __init__(
        self,
        store: Store | str,
        clock: Clock | None,
        limits: Limits | None,
        new_uuid: Callable[[], uuids.UUID],
    ) -> None:
        self.clock: Clock = clock or SystemClock()
        self.limits: Limits = limits or Limits()
        self.store: Store = open_store(store) if isinstance(store, str) else store
        self.node: str = uuids.uuid4().hex
        self.epoch: str = ""
        self.secret: bytes = b""
        self.registry: Registry = Registry(self.clock.monotonic)
        """Everything committed. Others read it; the store alone fills it."""
        self._flusher = Flusher(self.store)
        self._changes = Changes(self.store, self.registry, self._flusher, self.clock)
        self._durations = Durations(self.store)
        self._starts = Starts(self, self._durations, new_uuid)
        self._cascade = Cascade(self)
        self._open = self._closing = self._forked = False

    @abc.abstractmethod
    async def open(self) -> Self:
        """Open the store and take up where it left off; once open, nothing."""

    @property
    @abc.abstractmethod
    def degraded(self) -> bool:
        """Whether the store could not be reached lately: what others do is not known here, and nothing can start."""

    # Reading

    def feed(self, scope: Scope) -> Feed:
        """What an audience may see, live."""
        return self.registry.feed(scope)

    def list(self, scope: Scope = EVERYTHING) -> list[Activity]:
        """The live activities in order of start."""
        return list(self.feed(scope).view.live())

    async def get(self, uuid: str, scope: Scope = EVERYTHING) -> Activity:
        """One activity, live or ended. Raises ``NotFound`` for what does not exist within the scope."""
        if uuid not in self.registry.live:
            await self.synced()  # it may have been started on another node just now
        activity = await self._changes.newest(uuid)
        if not visible(activity, scope):
            raise NotFound
        return activity

    async def history(self, query: HistoryQuery) -> Sequence[Activity]:
        """Ended activities, newest first."""
        return await self.store.history(query)

    async def settled(self, scope: Scope = EVERYTHING) -> None:
        """Wait (one flush at most) until every report made so far within the scope shows in its view, and so does what
        other nodes have committed, if the store can be asked.
        """
        async with self._patience():
            await self._flusher.settled(lambda activity: visible(activity, scope))
            await self.store.sync()

    async def synced(self) -> None:
        """Wait until what other nodes have committed so far is known here, if the store can be asked."""
        async with self._patience():
            await self.store.sync()

    @asynccontextmanager
    async def _patience(self) -> AsyncIterator[None]:
        """What waits for the store, and can do without: one that hangs would hold everybody who looks."""
        with suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(PATIENCE_AWAY if self.degraded else PATIENCE):
                yield

    async def wait(
        self,
        uuid: str,
        timeout: float | None,
        scope: Scope = EVERYTHING,
        *,
        known: State | None = None,
        ended: bool = False,
    ) -> Activity:
        """The activity after its next lifecycle change, or as it stands after ``timeout`` seconds (None: however long).

        ``known``: the state the caller knows (default: the present one); any other answers at once. ``ended``: wait
        for the end, whatever comes before. Raises ``NotFound``.
        """
        activity = await self.get(uuid, scope)
        known = known or activity.state
        try:
            async with asyncio.timeout(timeout):
                while activity.state is known or (ended and not activity.ended):
                    live = self.registry.live.get(uuid)
                    if live is None or activity.ended:
                        break
                    await live.changed.wait()
                    activity = await self.get(uuid, scope)
        except TimeoutError:
            pass
        return await self.get(uuid, scope)

    async def watch(self, scope: Scope = EVERYTHING, since: int | None = None) -> AsyncIterator[Event | Resync]:
        """Events within a scope, from now on or after a revision, until the hub is closed; ``Resync`` tells of a gap,
        then they go on.
        """
        await self._ready()
        async with aclosing(self.feed(scope).news(since)) as news:
            async for event in news:
                yield event

    # Records and their changes

    async def create(
        self,
        type: str,
        owner: int,
        *,
        key: str | None = None,
        fingerprint: str | None = None,
        parent: str | None = None,
        operation: Operation | None = None,
        **attributes: Any,
    ) -> tuple[Activity, bool]:
        """Record a new activity; it, and True when it is new.

        ``key`` makes the start idempotent: the same owner and key give the same activity, unless ``fingerprint`` (what
        was asked for) differs, which raises ``KeyReused``. ``operation`` is what runs behind it in this process; for
        other ``attributes`` see ``lifecycle.start``. Raises ``InvalidInput`` for a number beyond its bounds or a tree
        too deep, ``NotFound`` or ``ParentEnding`` for the parent, ``TooMany`` and ``Unavailable`` at a limit,
        ``StorageFull``.
        """
        await self._ready()
        return await self._starts.make(
            type, owner, key=key, fingerprint=fingerprint, parent=parent, operation=operation, **attributes
        )

    def report(self, uuid: str, news: Report) -> Activity:
        """Take in a report: a memory write, from any thread. The record as it will be seen.

        Raises ``NotFound``, ``AlreadyEnded`` or ``LeaseLost`` unless the activity is live.
        """
        live = self.registry.live.get(uuid)
        if live is None:
            ended = self.registry.known(uuid)
            if ended is None:
                raise NotFound
            return lifecycle.report(ended, news, self.clock.now())  # raises what fits
        live.seen = self.clock.monotonic()
        live.note(news, self.clock.now(), live.seen)
        self._flusher.mark(live)
        return live.preview()

    def tell(self, live: Live) -> None:
        """An activity's source has something to say; from any thread."""
        if self._forked:  # a thread of the parent may have held the lock of it
            return
        live.note(None, self.clock.now(), self.clock.monotonic())
        self._flusher.mark(live)

    def preview(self, activity: Activity) -> Activity:
        """The record as it will be seen once everything reported so far is committed."""
        live = self.registry.live.get(activity.uuid)
        return activity if live is None else live.preview()

    def sign_of_life(self, uuid: str) -> None:
        """The worker lives, whether or not it has news."""
        live = self.registry.live.get(uuid)
        if live is not None:
            live.seen = self.clock.monotonic()

    async def request_cancel(
        self,
        uuid: str,
        scope: Scope = EVERYTHING,
        *,
        by: int | None = None,
        reason: str | None = None,
        required: bool = False,
    ) -> Activity:
        """Put a cancel on record, on the activity and what is below it; it is durable on return.

        ``required``: also on one that users may not cancel, as for a timeout or a shutdown. Raises
        ``NotFound`` (unknown, foreign, or ended with no cancel on record) and ``NotCancellable``.
        """
        await self.get(uuid, scope)

        def decide(activity: Activity, now: float) -> Activity:
            return lifecycle.request_cancel(activity, now, by=by, reason=reason, required=required)

        return await self._changes.make(uuid, decide)

    async def finish(
        self, uuid: str, state: State, *, error: str | None = None, news: Report | None = None
    ) -> Activity:
        """End an activity. Raises ``NotFound``, ``ChildrenRunning``, and what ``lifecycle.finish`` raises."""

        await self.synced()  # a child may have been started on another node

        def decide(activity: Activity, now: float) -> Activity:
            live = self.registry.live.get(uuid)
            if live is not None and live.children and state is not State.LOST:
                raise ChildrenRunning(f"{len(live.children)} of its children are still running; end them first")
            return lifecycle.finish(activity, state, now, error=error, news=news or Report())

        return await self._changes.make(uuid, decide)

    async def give_up(self, uuid: str, reason: str) -> Activity:
        """End an activity as lost and fence off whoever runs it."""
        return await self._changes.make(uuid, lambda activity, now: lifecycle.expire(activity, now, reason))

    async def abandon(self, uuid: str, scope: Scope = EVERYTHING, *, by: int | None = None) -> Activity:
        """Give an activity up although it may still run: it ends as lost, its worker is fenced off, and a cancel is on
        record. Raises ``NotFound`` (unknown, foreign, or ended with no cancel on record).
        """
        await self.get(uuid, scope)
        return await self._changes.make(uuid, lambda activity, now: lifecycle.abandon(activity, now, by=by))

    async def mark_overdue(self, uuid: str) -> Activity:
        """Show that an activity still runs after its grace."""
        return await self._changes.make(uuid, lifecycle.become_overdue)

    async def mark_stalled(self, uuid: str, since: float | None) -> Activity:
        """Show that an activity lives and has said nothing of its work ``since`` (its ``reported_at``)."""
        return await self._changes.make(uuid, lambda activity, now: lifecycle.become_stalled(activity, now, since))

    async def insist(self, change: Callable[[], Awaitable[object]]) -> None:
        """Make a change as soon as the store and its children let it, unless the hub is closed before. Raises what it
        raises otherwise.
        """
        while self._open:
            try:
                await change()
            except (Unavailable, ChildrenRunning):
                await asyncio.sleep(RETRY)
            else:
                return

    # Inside

    async def _ready(self) -> None:
        if self._closing:
            raise Unavailable("the server is stopping")
        await self.open()

    def _published(self, activities: Sequence[Activity]) -> None:
        scopes: set[Scope] = set()
        for activity in activities:
            scopes.update(audiences(activity))
            moved = self.registry.apply(activity)
            if activity.ended:
                self._durations.learn(activity)
            if moved is not None:
                self._cascade.follow(moved)
            parent = self.registry.parent(activity)
            if parent is not None and parent.shares.changed:
                self.tell(parent)
        for scope in scopes:
            self.feed(scope).changed.fire()
