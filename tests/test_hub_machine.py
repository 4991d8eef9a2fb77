"""Any sequence of commands through the hub, with watchers that read, stall, stop and resume as they please."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from headway.core.activity import Activity, State
from headway.core.errors import HeadwayError, NotFound
from headway.core.lifecycle import Report
from headway.core.policy import EVERYTHING, Scope, visible
from headway.core.view import Event, Kind, Resync
from headway.stores.memory import MemoryStore
from tests.hubs import Hub

OWNERS = (1, 2)
SCOPES: tuple[Scope, ...] = (EVERYTHING, *OWNERS)
DAY = 86_400.0

T = TypeVar("T")


class Watcher:
    """Someone who watches, keeps a replica, and may stall or go away and come back with a cursor."""

    def __init__(self, activities: Hub, scope: Scope) -> None:
        self.scope = scope
        self.reading = asyncio.Event()
        self.gaps = 0
        self.begin_again(activities)
        self.resume(activities)

    def begin_again(self, activities: Hub) -> None:
        self.cursor = activities.feed(self.scope).view.revision
        self.replica = {activity.uuid: activity for activity in activities.list(self.scope)}
        self.ended: set[str] = set()

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

    def take(self, event: Event) -> None:
        activity = event.activity
        assert visible(activity, self.scope)
        assert event.revision > self.cursor
        assert (event.kind is Kind.STARTED) is (activity.uuid not in self.replica)
        assert activity.uuid not in self.ended
        assert activity.ended is (event.kind is Kind.ENDED)
        self.cursor = event.revision
        if event.kind is Kind.ENDED:
            del self.replica[activity.uuid]
            self.ended.add(activity.uuid)
        else:
            self.replica[activity.uuid] = activity


class Hubs(RuleBasedStateMachine):
    """One hub after the other over the same store."""

    activities: Bundle[str] = Bundle("activities")
    watchers: Bundle[Watcher] = Bundle("watchers")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.hub = Hub(MemoryStore())
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
    def start(self, owner: int, cancellable: bool) -> str:
        return self.wait(self.hub.run(owner, cancellable=cancellable)).uuid

    @rule(target=activities, parent=activities)
    def start_child(self, parent: str) -> str:
        try:
            owner = self.hub.now_is(parent).owner
            return self.wait(self.hub.run(owner, parent=parent)).uuid
        except (HeadwayError, AssertionError):
            return parent

    @rule(uuid=activities, percents=st.lists(st.integers(-1, 100), min_size=1, max_size=3))
    def report(self, uuid: str, percents: list[int]) -> None:
        try:
            for percent in percents:
                self.hub.report(uuid, Report(progress=percent))
        except HeadwayError:
            assert uuid not in {activity.uuid for activity in self.hub.list()}

    @rule(uuid=activities, states=st.lists(st.sampled_from([s for s in State if s.ended]), min_size=1, max_size=3))
    def end(self, uuid: str, states: list[State]) -> None:
        self.wait(self.all_at_once(*(self.hub.finish(uuid, state) for state in states)))

    @rule(uuid=activities, state=st.sampled_from([s for s in State if s.ended]), first=st.booleans())
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
        before, self.hub = self.hub, Hub(self.hub.store)
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
        async def turns() -> None:
            for _ in range(20):
                await asyncio.sleep(0)

        self.wait(turns())

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
            self.wait(self.everyone_catches_up())
            for watcher in self.everyone:
                self.wait(watcher.stop())
            self.wait(self.hub.close())
        finally:
            self.runner.close()


Hubs.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
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
