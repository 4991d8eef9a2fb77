"""The one place where the core meets the outside: every change goes through here to the store, and everything that
the store has committed comes back through here to the views.

All of it runs on one event loop; only ``report`` may be called from any thread.
"""

from __future__ import annotations

import asyncio
import uuid as uuids
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack, aclosing, suppress
from typing import Any, Self

from headway.admission import Admission, Limits, uuid_of
from headway.core import lifecycle
from headway.core.activity import Activity, State
from headway.core.errors import ChildrenRunning, HeadwayError, KeyReused, NotFound, Unavailable
from headway.core.lifecycle import Report
from headway.core.policy import EVERYTHING, Scope, audiences, visible
from headway.core.view import Event, Resync
from headway.correlation import notice
from headway.flusher import Flusher
from headway.live import Feed, Live, Operation
from headway.liveness import Liveness
from headway.operations.task import TaskActivity
from headway.ports import Clock, HistoryQuery, Store, SystemClock, Write
from headway.registry import Registry
from headway.stores import open_store

Decision = Callable[[Activity, float], Activity]
"""From the newest record and the time (seconds since the epoch) to the changed record; raises to change nothing."""


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
        self._new_uuid = new_uuid
        self.registry = Registry(self.clock.monotonic)
        """Everything committed. Others read it; the store alone fills it."""
        self._admission = Admission(self.limits, self.registry)
        self._cascades: set[asyncio.Task[None]] = set()
        self._flusher = Flusher(self.store)
        self._liveness = Liveness(self)
        self._opening = asyncio.Lock()
        self._open = self._closing = False

    def __repr__(self) -> str:
        return f"<Activities {self.store!r} live={len(self.registry.live)} open={self._open}>"

    # Opening and closing

    async def open(self) -> Self:
        """Open the store and take up where it left off; once open, nothing. The first start does it too, for hosts
        that have no place to do it. Raises ``StoreError``.
        """
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
            undo.callback(self._shut)
            for live in list(self.registry.live.values()):
                self._act_on(live)  # a cancel may not have reached all below it when the last process died
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

    def _shut(self) -> None:
        self._open = False
        self.registry.close()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # Reading

    def feed(self, scope: Scope) -> Feed:
        """What an audience may see, live."""
        return self.registry.feed(scope)

    def list(self, scope: Scope = EVERYTHING) -> list[Activity]:
        """The live activities in order of start."""
        return list(self.feed(scope).view.live())

    async def get(self, uuid: str, scope: Scope = EVERYTHING) -> Activity:
        """One activity, live or ended. Raises ``NotFound`` for what does not exist within the scope."""
        activity = await self._newest(uuid)
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

    # Changing

    def start(self, type: str, **options: Any) -> TaskActivity:
        """``async with activities.start("library.scan", title="Films") as activity:``; see ``TaskActivity``."""
        return TaskActivity(self, type, **options)

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
        uuid = str(self._new_uuid()) if key is None else uuid_of(self.secret, owner, key)
        if key is not None and (known := await self._started_before(uuid, fingerprint)):
            return known, False
        family = self._family(parent, owner)
        started = lifecycle.start(
            uuid,
            type,
            owner,
            self.clock.now(),
            parent=None if family is None else family.activity,
            fingerprint=fingerprint,
            node=None if operation is None else self.node,
            **attributes,
        )
        with ExitStack() as room:
            room.enter_context(self._admission.admit(owner))
            room.enter_context(self.registry.expected(uuid, family, operation))
            committing = asyncio.ensure_future(self.store.commit([Write(started, None)]))
            # Whoever gives up waiting must not take away what the start needs while it is on its way.
            room = room.pop_all()
            committing.add_done_callback(lambda _: room.close())
        (revision,) = await asyncio.shield(committing)
        if revision is None:  # a parallel request with the same key was first
            known = await self._started_before(uuid, fingerprint)
            if known is None:
                raise Unavailable("the start collided with another; try again")
            return known, False
        activity = await self._newest(uuid)
        notice(activity)
        return activity, True

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
        live.note(news, self.clock.now())
        self._flusher.mark(live)
        return live.preview()

    def tell(self, live: Live) -> None:
        """An activity's source has something to say; from any thread."""
        live.note(None, self.clock.now())
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
        self, uuid: str, scope: Scope = EVERYTHING, *, by: int | None = None, reason: str | None = None
    ) -> Activity:
        """Put a cancel on record, on the activity and what is below it; it is durable on return.

        Raises ``NotFound`` (unknown, foreign, or ended with no cancel on record) and ``NotCancellable``.
        """
        await self.get(uuid, scope)
        return await self._change(uuid, lambda now_is, now: lifecycle.request_cancel(now_is, now, by=by, reason=reason))

    async def finish(
        self, uuid: str, state: State, *, error: str | None = None, news: Report | None = None
    ) -> Activity:
        """End an activity. Raises ``NotFound``, ``ChildrenRunning``, and what ``lifecycle.finish`` raises."""

        def decide(activity: Activity, now: float) -> Activity:
            live = self.registry.live.get(uuid)
            if live is not None and live.children and state is not State.LOST:
                raise ChildrenRunning(f"{len(live.children)} of its children are still running; end them first")
            return lifecycle.finish(activity, state, now, error=error, news=news or Report())

        return await self._change(uuid, decide)

    async def give_up(self, uuid: str, reason: str) -> Activity:
        """End an activity as lost and fence off whoever runs it."""
        return await self._change(uuid, lambda activity, now: lifecycle.expire(activity, now, reason))

    async def abandon(self, uuid: str, scope: Scope = EVERYTHING, *, by: int | None = None) -> Activity:
        """Give an activity up although it may still run: it ends as lost, its worker is fenced off, and a cancel is on
        record. Raises ``NotFound`` (unknown, foreign, or ended with no cancel on record).
        """
        await self.get(uuid, scope)
        return await self._change(uuid, lambda activity, now: lifecycle.abandon(activity, now, by=by))

    async def mark_overdue(self, uuid: str) -> Activity:
        """Show that an activity still runs after its grace."""
        return await self._change(uuid, lifecycle.become_overdue)

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

    async def _newest(self, uuid: str) -> Activity:
        activity = self.registry.known(uuid) or await self.store.get(uuid)
        if activity is None:
            raise NotFound
        return activity

    async def _change(self, uuid: str, decide: Decision) -> Activity:
        """Read, decide, compare-and-set; again when somebody else was first."""
        while (live := self.registry.live.get(uuid)) is not None:
            async with live.lock:
                if live.activity.ended:
                    continue
                draft, committed = live.take(), False
                try:
                    now = self.clock.now()
                    base = live.activity if draft is None else lifecycle.report(live.activity, draft, live.noted_at)
                    changed = decide(base, now)
                    if changed is base:
                        return live.activity
                    (revision,) = await self.store.commit([Write(changed, live.activity.fence)])
                    committed = revision is not None
                finally:
                    if not committed and draft is not None:
                        live.give_back(draft)
                        self._flusher.mark(live)
                if committed:
                    return await self._newest(uuid)
        newest = await self._newest(uuid)
        if not newest.ended:  # committed, but its news has not come through yet: nothing can be promised
            raise Unavailable("the activity is only just known here; try again")
        return decide(newest, self.clock.now())

    def _published(self, activities: Sequence[Activity]) -> None:
        scopes: set[Scope] = set()
        for activity in activities:
            scopes.update(audiences(activity))
            moved = self.registry.apply(activity)
            if moved is not None:
                self._act_on(moved)
        for scope in scopes:
            self.feed(scope).changed.fire()

    def _act_on(self, live: Live) -> None:
        """A lifecycle change is committed: carry it to whoever must know."""
        parent = self.registry.parent(live.activity)
        if live.activity.state is State.CANCELLING:
            live.request_stop()
            for child in live.children:
                self._cascade(child, live.activity)
        elif parent is not None and parent.activity.state is State.CANCELLING and not live.activity.ended:
            # The parent was asked to stop while this start was on its way.
            self._cascade(live.activity.uuid, parent.activity)
        live.changed.fire()

    def _cascade(self, uuid: str, parent: Activity) -> None:
        request = parent.cancel
        if request is None:
            return

        async def ask() -> None:
            # A child that ended by itself or cannot be cancelled is waited for; so is the store.
            with suppress(HeadwayError):
                await self.insist(lambda: self.request_cancel(uuid, by=request.by, reason=request.reason))

        task = asyncio.get_running_loop().create_task(ask())
        self._cascades.add(task)
        task.add_done_callback(self._cascades.discard)

    async def _started_before(self, uuid: str, fingerprint: str | None) -> Activity | None:
        activity = self.registry.known(uuid) or await self.store.get(uuid)
        if activity is not None and activity.fingerprint != fingerprint:
            raise KeyReused
        return activity

    def _family(self, parent: str | None, owner: int) -> Live | None:
        if parent is None:
            return None
        live = self.registry.live.get(parent)
        if live is None or live.activity.owner != owner:
            raise NotFound("parentUUID: there is no such running activity")
        return live
