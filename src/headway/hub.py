"""The one place where the core meets the outside: every change goes through here to the store, and everything that
the store has committed comes back through here to the views.

All of it runs on one event loop; only ``report`` may be called from any thread.
"""

from __future__ import annotations

import asyncio
import uuid as uuids
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Any, ParamSpec, Self, TypeVar, Unpack, overload

from headway import forks
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
from headway.liveness import Liveness
from headway.operations import remote, spawn
from headway.operations.decorate import Decorator
from headway.operations.options import StartOptions
from headway.operations.start import Start
from headway.portal import Portal
from headway.ports import Clock, HistoryQuery, Store, SystemClock
from headway.registry import Registry
from headway.starts import Starts
from headway.stores import open_store

P = ParamSpec("P")
T = TypeVar("T")

RETRY = 1.0
"""Seconds between two tries of a change that the store cannot take now."""


class Activities:
    """Records of operations, their live changes, and control over them."""

    def __init__(
        self,
        store: Store | str = "memory:",
        *,
        clock: Clock | None = None,
        limits: Limits | None = None,
        new_uuid: Callable[[], uuids.UUID] = uuids.uuid4,
    ) -> None:
        """``store``: a store, or the URL of one (``memory:``, ``sqlite:FOLDER``)."""
        self.clock = clock or SystemClock()
        self.limits = limits or Limits()
        self.store = open_store(store) if isinstance(store, str) else store
        self.node = uuids.uuid4().hex
        self.epoch = ""
        self.secret = b""
        self.registry = Registry(self.clock.monotonic)
        """Everything committed. Others read it; the store alone fills it."""
        self._flusher = Flusher(self.store)
        self._changes = Changes(self.store, self.registry, self._flusher, self.clock)
        self._durations = Durations(self.store)
        self._starts = Starts(self, self._durations, new_uuid)
        self._cascade = Cascade(self)
        self._liveness = Liveness(self)
        self.portal = Portal()
        """The way to the event loop that all of this runs on."""
        self._opening = asyncio.Lock()
        self._open = self._closing = self._forked = False

    def __repr__(self) -> str:
        return f"<Activities {self.store!r} live={len(self.registry.live)} open={self._open}>"

    # Opening and closing

    async def open(self) -> Self:
        """Open the store and take up where it left off; once open, nothing. The first start does it too, for hosts
        that have no place to do it. Raises ``StoreError``.
        """
        if self._forked:
            raise Unavailable(forks.REFUSAL)
        self.portal.attach()
        async with self._opening:
            if not self._open:
                self._closing = False
                await self._take_up()
        return self

    async def _take_up(self) -> None:
        async with AsyncExitStack() as undo:
            snapshot = await self.store.open(self._published)
            undo.push_async_callback(self.store.close)
            self.epoch, self.secret = snapshot.epoch, snapshot.secret
            self.registry.restore(snapshot)
            self._flusher.start()
            undo.push_async_callback(self._flusher.stop)
            self._open = True
            forks.tell(self)
            undo.callback(self._shut)
            for live in list(self.registry.live.values()):
                self._cascade.follow(live)  # a cancel may not have reached all below it when the last process died
            await self._liveness.start()
            undo.pop_all()

    async def close(self) -> None:
        """Stop the operations of this process, write down everything and close the store. Nothing starts any more."""
        self._closing = True
        if not self._open:
            return
        async with AsyncExitStack() as rest:  # whatever fails on the way, the store is let go
            rest.push_async_callback(self.store.close)
            rest.push_async_callback(self._flusher.stop)
            rest.callback(self._shut)
            await self._liveness.stop()
        self.portal.detach()

    def forked(self) -> None:
        """In a forked child: all of it is the parent's. What its copies of running code report goes nowhere."""
        self._open, self._forked = False, True
        self._flusher.forked()
        self.portal.forked()

    def _shut(self) -> None:
        self._open = False
        self.registry.close()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __enter__(self) -> Self:
        """For a program without an event loop: open on a loop in a thread of its own."""
        self.call(self.open)
        return self

    def __exit__(self, *_: object) -> None:
        if not self._forked:  # a child that leaves the block ends nothing
            self.call(self.close)
            self.portal.stop()

    def call(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Any coroutine method from a thread, such as ``activities.call(activities.get, uuid)``; waits for it.

        Raises what it raises, and RuntimeError where an event loop runs, which must not wait.
        """
        return self.portal.call(function, *args, **kwargs)

    # Reading

    def feed(self, scope: Scope) -> Feed:
        """What an audience may see, live."""
        return self.registry.feed(scope)

    def list(self, scope: Scope = EVERYTHING) -> list[Activity]:
        """The live activities in order of start."""
        return list(self.feed(scope).view.live())

    async def get(self, uuid: str, scope: Scope = EVERYTHING) -> Activity:
        """One activity, live or ended. Raises ``NotFound`` for what does not exist within the scope."""
        activity = await self._changes.newest(uuid)
        if not visible(activity, scope):
            raise NotFound
        return activity

    async def history(self, query: HistoryQuery) -> Sequence[Activity]:
        """Ended activities, newest first."""
        return await self.store.history(query)

    async def settled(self, scope: Scope = EVERYTHING) -> None:
        """Wait (one flush at most) until every report made so far within the scope shows in its view."""
        await self._flusher.settled(lambda activity: visible(activity, scope))

    async def wait(
        self, uuid: str, timeout: float, scope: Scope = EVERYTHING, *, known: State | None = None, ended: bool = False
    ) -> Activity:
        """The activity after its next lifecycle change, or as it stands after ``timeout`` seconds.

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

    # Operations of this program

    def start(self, type: str, **options: Unpack[StartOptions]) -> Start:
        """``async with activities.start("library.scan", title="Films") as activity:``, or ``with`` in a thread.

        The block is the operation; see ``Start``. Raises ``InvalidInput`` for what a rule forbids.
        """
        return Start(self, type, **options)

    @overload
    async def spawn(
        self, type: str, function: Callable[..., Coroutine[Any, Any, T]], *args: Any, **options: Unpack[StartOptions]
    ) -> spawn.Spawned[T]: ...
    @overload
    async def spawn(
        self, type: str, function: Callable[..., T], *args: Any, **options: Unpack[StartOptions]
    ) -> spawn.Spawned[T]: ...
    async def spawn(
        self, type: str, function: Callable[..., Any], *args: Any, **options: Unpack[StartOptions]
    ) -> spawn.Spawned[Any]:
        """Run a function as an operation that goes on by itself: a coroutine function in a task, any other in a thread.

        Returns as soon as the start is on record. In the function, ``headway.current()`` is its reporter. Raises what
        ``create`` raises.
        """
        return await spawn.spawn(self, type, function, args, options)

    async def delegate(
        self, type: str, *, lease: float = remote.LEASE, key: str | None = None, **options: Unpack[StartOptions]
    ) -> Activity:
        """Start an activity for a worker elsewhere, which reports by HTTP under its uuid.

        ``lease``: seconds without a sign of life after which it is lost, 10..86,400. ``key``: the same owner and key
        give the same activity. Raises what ``create`` raises.
        """
        return await remote.delegate(self, type, lease=lease, key=key, **options)

    def activity(self, type: str, **options: Any) -> Decorator:
        """Decorator: each call of the function is an operation; see ``Decorator``."""
        return Decorator(self, type, options)

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
        other ``attributes`` see ``lifecycle.start``. Raises ``NotFound`` or ``ParentEnding`` for the parent,
        ``TooMany`` and ``Unavailable`` at a limit, ``StorageFull``.
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

    async def mark_stalled(self, uuid: str) -> Activity:
        """Show that an activity lives and has long said nothing of its work."""
        return await self._changes.make(uuid, lifecycle.become_stalled)

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
