"""Any sequence of commands through the hub, with watchers that read, stall, stop and resume as they please, a store
that fails, another node that is first, and processes that die; and what parents show against a sum over all records.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine
from fractions import Fraction
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, invariant, multiple, rule

from headway.core import lifecycle
from headway.core.activity import Activity, State
from headway.core.errors import HeadwayError, NotFound, Unavailable
from headway.core.lifecycle import Report
from headway.core.policy import EVERYTHING, Scope
from headway.core.view import Event, Kind, Resync
from headway.ports import Write
from tests.core.witness import Witness
from tests.crashing import CrashingStore
from tests.hubs import FaultyStore, Hub

OWNERS = (1, 2)
SCOPES: tuple[Scope, ...] = (EVERYTHING, *OWNERS)
ENDS = [state for state in State if state.ended]
DAY = 86_400.0

T = TypeVar("T")


class Watcher(Witness):
    """Someone who watches, keeps a replica, and may stall or go away and come back with a cursor."""

    def __init__(self, activities: Hub, scope: Scope) -> None:
        super().__init__(scope)
        self.reading = asyncio.Event()
        self.gaps = 0
        self.begin_again(activities)
        self.resume(activities)

    def begin_again(self, activities: Hub) -> None:
        self.begin(activities.feed(self.scope).view.revision, activities.list(self.scope))

    def resume(self, activities: Hub) -> None:
        self.task = asyncio.ensure_future(self._read(activities, activities.watch(self.scope, self.cursor)))

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def _read(self, activities: Hub, watching: AsyncIterator[Event | Resync]) -> None:
        while True:
            await self.reading.wait()
            news = await anext(watching)
            if isinstance(news, Resync):
                assert self.missed_something(activities)
                self.gaps += 1
                self.begin_again(activities)
            else:
                self.take(news)

    def missed_something(self, activities: Hub) -> bool:
        """Something that it holds for live is no longer known to its view, or its cursor is older than the floor."""
        return self.cursor < activities.feed(self.scope).view.floor


class Hubs(RuleBasedStateMachine):
    """One hub after the other over the same store."""

    activities: Bundle[str] = Bundle("activities")
    watchers: Bundle[Watcher] = Bundle("watchers")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.disk = CrashingStore()
        self.store = FaultyStore(self.disk)
        self.hub = Hub(self.store)
        self.weights: dict[str, dict[str, float]] = defaultdict(dict)
        """Of every child there has ever been, by parent."""
        self.everyone: list[Watcher] = []
        self.ends: dict[str, State] = {}
        self.last_revision = 0
        self.wait(self.hub.open())

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(self._wait(coroutine))

    async def _wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        async with asyncio.timeout(30):
            return await coroutine

    async def all_at_once(self, *changes: Coroutine[Any, Any, Activity]) -> None:
        """Make changes together; each may be refused, but only in the ways that are foreseen."""
        for result in await asyncio.gather(*changes, return_exceptions=True):
            assert isinstance(result, Activity | HeadwayError), result

    # Commands

    @rule(target=activities, owner=st.sampled_from(OWNERS), cancellable=st.booleans())
    def start(self, owner: int, cancellable: bool) -> str | MultipleResults[str]:
        try:
            return self.wait(self.hub.run(owner, cancellable=cancellable, stall=15.0)).uuid
        except Unavailable:
            return multiple()

    @rule(target=activities, parent=activities, weight=st.sampled_from([1.0, 3.0, 0.1, 1_000_000.0]))
    def start_child(self, parent: str, weight: float) -> str | MultipleResults[str]:
        try:
            owner = self.hub.now_is(parent).owner
            child = self.wait(self.hub.run(owner, parent=parent, weight=weight)).uuid
        except (HeadwayError, AssertionError):
            return multiple()
        self.weights[parent][child] = weight
        return child

    @rule(uuid=activities, percents=st.lists(st.integers(-1, 100), min_size=1, max_size=3))
    def report(self, uuid: str, percents: list[int]) -> None:
        try:
            for percent in percents:
                self.hub.report(uuid, Report(progress=percent))
        except HeadwayError:
            assert uuid not in {activity.uuid for activity in self.hub.list()}

    @rule(uuid=activities, percent=st.floats(0, 100), what=st.sampled_from(["report", "cancel", "end"]))
    def another_node_is_first(self, uuid: str, percent: float, what: str) -> None:
        """While a report is on its way to the store."""

        async def overtake() -> None:
            if uuid not in self.hub.registry.live or self.hub.registry.live[uuid].children:
                return
            self.store.hold()
            self.hub.report(uuid, Report(progress=percent))
            await self.turns()
            stored = await self.disk.get(uuid)
            assert stored is not None
            now = self.hub.time.now()
            theirs = {
                "report": lambda: lifecycle.report(stored, Report(progress=100 - percent), now),
                "cancel": lambda: lifecycle.request_cancel(stored, now, required=True),
                "end": lambda: lifecycle.finish(stored, State.FAILED, now),
            }[what]()
            if theirs is not stored:
                assert await self.disk.commit([Write(theirs, stored.fence, durable=what != "report")]) != [None]
            self.store.release()

        self.wait(overtake())

    @rule(fails=st.booleans())
    def let_the_store_fail_or_heal(self, fails: bool) -> None:
        self.store.failure = Unavailable("away") if fails else None

    @rule(uuids=st.lists(activities, max_size=3))
    def save(self, uuids: list[str]) -> None:
        """What the store writes down once a second, if it comes to it."""
        self.disk.save(*(uuid for uuid in uuids if uuid in self.disk._records))

    @rule(uuid=activities, states=st.lists(st.sampled_from(ENDS), min_size=1, max_size=3))
    def end(self, uuid: str, states: list[State]) -> None:
        self.wait(self.all_at_once(*(self.hub.finish(uuid, state) for state in states)))

    @rule(uuid=activities, state=st.sampled_from(ENDS), first=st.booleans())
    def race(self, uuid: str, state: State, first: bool) -> None:
        changes = [self.hub.request_cancel(uuid), self.hub.finish(uuid, state)]
        self.wait(self.all_at_once(*(changes if first else reversed(changes))))

    @rule(seconds=st.sampled_from([1.0, 5.0, 20.0, 40.0, DAY, 8 * DAY]))
    def let_time_pass(self, seconds: float) -> None:
        self.wait(self.hub.stand_still(seconds) if seconds > 60 else self.hub.pass_time(seconds))

    @rule(clean=st.booleans())
    def restart(self, clean: bool) -> None:
        for watcher in self.everyone:
            self.wait(watcher.stop())
        self.wait(self.hub.close() if clean else self.hub.die())
        if not clean:
            self.disk.crash()
        self.store.failure = None
        before, self.hub = self.hub, Hub(self.store)
        self.hub.time = self.hub.clock = before.time
        self.wait(self.hub.open())
        for watcher in self.everyone:
            watcher.resume(self.hub)

    # Watching

    @rule(target=watchers, scope=st.sampled_from(SCOPES))
    def watch(self, scope: Scope) -> Watcher:
        async def begin() -> Watcher:
            return Watcher(self.hub, scope)

        self.everyone.append(self.wait(begin()))
        return self.everyone[-1]

    @rule(watcher=watchers)
    def read_or_stall(self, watcher: Watcher) -> None:
        if watcher.reading.is_set():
            watcher.reading.clear()
        else:
            watcher.reading.set()
        self.let_run()

    @rule(watcher=watchers)
    def go_away_and_come_back(self, watcher: Watcher) -> None:
        async def again() -> None:
            await watcher.stop()
            watcher.resume(self.hub)

        self.wait(again())

    @rule()
    def let_run(self) -> None:
        self.wait(self.turns())

    async def turns(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    # Laws

    @invariant()
    def no_watcher_has_broken_down(self) -> None:
        for watcher in self.everyone:
            if watcher.task.done():
                watcher.task.result()

    @invariant()
    def an_end_is_for_ever(self) -> None:
        view = self.hub.feed(EVERYTHING).view
        news = view.since(view.floor)
        assert isinstance(news, list)
        for event in news:
            if event.kind is Kind.ENDED:
                assert self.ends.setdefault(event.activity.uuid, event.activity.state) is event.activity.state

    @invariant()
    def revisions_only_grow(self) -> None:
        revision = self.hub.feed(EVERYTHING).view.revision
        assert revision >= self.last_revision
        self.last_revision = revision

    @rule()
    def every_parent_shows_what_its_children_add_up_to(self) -> None:
        if self.store.failure is None:
            self.wait(self.sums_are_right())

    async def sums_are_right(self) -> None:
        while self.hub._flusher._dirty or self.hub._flusher._in_flight or self.hub._cascade.busy:
            await self.hub.settled()
            await asyncio.sleep(0.001)
        for parent, weights in self.weights.items():
            live = self.hub.registry.live.get(parent)
            if live is not None:
                expected = self.summed(live.activity.progress.own, weights)
                assert live.activity.progress.fraction == (None if expected is None else pytest.approx(float(expected)))

    def summed(self, own: float | None, weights: dict[str, float]) -> Fraction | None:
        """How far a parent is, from all records there are; of which there is none left, that has ended."""
        parts = [(Fraction(1), own)] if own is not None else []
        known = False
        for uuid, weight in weights.items():
            child = self.hub.registry.known(uuid)
            fraction = 1.0 if child is None or child.ended else child.progress.fraction
            known = known or fraction is not None
            parts.append((Fraction(weight), fraction or 0.0))
        if not known:
            return None if own is None else Fraction(own)
        done = sum((weight * Fraction(share) for weight, share in parts), Fraction(0))
        return done / sum((weight for weight, _ in parts), Fraction(0))

    async def everyone_catches_up(self) -> None:
        await self.hub.settled()
        for watcher in self.everyone:
            watcher.reading.set()
            view = self.hub.feed(watcher.scope).view
            while watcher.cursor != view.revision:
                await asyncio.sleep(0)
                if watcher.task.done():
                    watcher.task.result()
            assert watcher.replica == {activity.uuid: activity for activity in self.hub.list(watcher.scope)}

    def teardown(self) -> None:
        try:
            self.store.failure = None
            self.wait(self.everyone_catches_up())
            self.wait(self.sums_are_right())
            for watcher in self.everyone:
                self.wait(watcher.stop())
            self.wait(self.hub.close())
        finally:
            self.runner.close()


Hubs.TestCase.settings = settings(max_examples=settings().max_examples * 3 // 5, stateful_step_count=40)
TestHubs = Hubs.TestCase


def test_what_the_watchers_check_can_fail() -> None:
    async def deceived() -> None:
        async with Hub() as activities:
            watcher = Watcher(activities, 1)
            watcher.reading.set()
            activity = await activities.run(owner=1)
            while not watcher.replica:
                await asyncio.sleep(0)
            for event in (
                Event(Kind.STARTED, activity, 5),
                Event(Kind.UPDATED, activity, watcher.cursor),
                Event(Kind.ENDED, activity, 5),
            ):
                try:
                    watcher.take(event)
                except AssertionError:
                    continue
                raise NotFound("a false event was taken for true")
            await watcher.stop()

    asyncio.run(deceived())
