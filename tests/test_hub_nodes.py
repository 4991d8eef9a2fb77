"""Several nodes on one store: what one of them does, all of them know, and nobody is given up who lives."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from headway import liveness, records
from headway.core.activity import Activity, State
from headway.core.errors import AlreadyEnded, ChildrenRunning, LeaseLost, NotFound, Unavailable
from headway.core.lifecycle import Report
from headway.core.view import Event
from headway.hub import Activities
from headway.liveness import NODE_LEASE
from headway.testing import FakeClock
from tests.hubs import DEADLINE, until
from tests.shared_stores import SharedServer, SharedStore


class Node(Activities):
    """One of several, on a clock that obeys."""

    def __init__(self, store: SharedStore, clock: FakeClock) -> None:
        super().__init__(store, clock=clock)
        self.shared = store

    async def round(self) -> None:
        await self._liveness.round()

    def state(self, uuid: str) -> State:
        activity = self.registry.known(uuid)
        assert activity is not None
        return activity.state

    async def die(self) -> None:
        """As a process that is killed."""
        for task in (self._liveness._rounds, self._flusher._task):
            assert task is not None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self.shared.away = True
        self._open = False


class Nodes:
    """All of them, and the time."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.server = SharedServer(self.clock)
        self.all: list[Node] = []

    async def join(self, stack: AsyncExitStack) -> Node:
        node = Node(SharedStore(self.server), self.clock)
        self.all.append(node)
        for each in self.all:
            each.shared.beside(*(other.shared for other in self.all if other is not each))
        opened = await stack.enter_async_context(node)
        assert opened._liveness._rounds is not None
        opened._liveness._rounds.cancel()
        return opened

    async def pass_time(self, seconds: float) -> None:
        """With a round of each node that lives, each second."""
        for _ in range(round(seconds)):
            self.clock.advance(1.0)
            for node in self.all:
                if node._open:
                    await node.round()


class Operation:
    """Runs until it is asked to stop."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    def request_stop(self, activity: Activity) -> None:
        self.asked.set()


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Nodes:
    monkeypatch.setattr(liveness, "SHUTDOWN_GRACE", 0.01)  # nothing here stops by itself
    return Nodes()


@pytest.fixture
async def two(nodes: Nodes) -> AsyncIterator[tuple[Node, Node]]:
    async with asyncio.timeout(DEADLINE), AsyncExitStack() as stack:
        yield await nodes.join(stack), await nodes.join(stack)


Two = tuple[Node, Node]


async def started(node: Node, **attributes: Any) -> str:
    """A remote worker's."""
    activity, _ = await node.create("t", 1, **{"cancellable": True, "lease": 30.0, **attributes})
    return activity.uuid


# One record


async def test_what_starts_on_one_node_is_seen_on_the_other(two: Two) -> None:
    here, there = two
    uuid = await started(here)
    assert [activity.uuid for activity in there.list()] == [uuid]
    assert there.list() == here.list()


async def test_a_node_that_is_behind_finds_what_has_just_been_started_elsewhere(two: Two) -> None:
    here, there = two
    there.shared.behind = True
    uuid = await started(here)
    assert (await there.get(uuid)).state is State.RUNNING
    other = await started(here)
    assert (await there.request_cancel(other)).state is State.CANCELLING
    child = await started(here, parent=uuid)
    assert await started(there, parent=child)


async def test_a_cancel_on_one_node_stops_what_runs_on_the_other(two: Two) -> None:
    here, there = two
    operation = Operation()
    activity, _ = await here.create("t", 1, cancellable=True, operation=operation)
    await there.request_cancel(activity.uuid, by=2)
    assert operation.asked.is_set()
    waiting = asyncio.create_task(there.wait(activity.uuid, DEADLINE, ended=True))
    await here.finish(activity.uuid, State.CANCELLED)
    assert (await waiting).state is State.CANCELLED


async def test_reports_to_two_nodes_lose_nothing_of_each_other(two: Two) -> None:
    here, there = two
    uuid = await started(here)
    here.report(uuid, Report(title="Films"))
    there.report(uuid, Report(progress=40))
    here.report(uuid, Report(context={"key": "1"}))
    there.report(uuid, Report(subtitle="Firefly"))
    await until(lambda: here.registry.known(uuid) == there.registry.known(uuid) and _told(here, uuid) == 4)


def _told(node: Node, uuid: str) -> int:
    activity = node.registry.known(uuid)
    assert activity is not None
    said = activity.title == "Films", activity.progress.percent == 40, activity.context == {"key": "1"}
    return sum((*said, activity.subtitle == "Firefly"))


async def test_a_node_that_is_behind_overwrites_nothing_that_it_has_not_seen(two: Two) -> None:
    here, there = two
    uuid = await started(here)
    there.shared.behind = True
    here.report(uuid, Report(title="Films"))
    await until(lambda: here.list()[0].title == "Films")
    there.report(uuid, Report(progress=40))
    await until(lambda: here.list()[0].progress.percent == 40)
    assert here.list()[0].title == "Films"


async def test_of_racing_finishers_on_two_nodes_one_wins(two: Two) -> None:
    uuid = await started(two[0])
    ends = [node.finish(uuid, state) for node in two for state in (State.SUCCEEDED, State.FAILED)]
    outcomes = await asyncio.gather(*ends, return_exceptions=True)
    assert sum(isinstance(outcome, Activity) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, AlreadyEnded) for outcome in outcomes) == 3
    events = [two[1].feed(None).view.since(0) for node in two]
    for told in events:
        assert isinstance(told, list)
        assert [event.kind.value for event in told] == ["started", "ended"]


async def test_a_key_starts_one_activity_whichever_the_node(two: Two) -> None:
    starts = await asyncio.gather(*(node.create("t", 1, key="k", lease=30.0) for node in two for _ in range(5)))
    assert len({activity.uuid for activity, _ in starts}) == 1
    assert sum(created for _, created in starts) == 1


async def test_a_parent_waits_for_a_child_that_was_started_on_the_other_node(two: Two) -> None:
    here, there = two
    parent = await started(here)
    here.shared.behind = True
    child = await started(there, parent=parent)
    with pytest.raises(ChildrenRunning):
        await here.finish(parent, State.SUCCEEDED)
    await here.finish(child, State.SUCCEEDED)
    await here.finish(parent, State.SUCCEEDED)
    assert there.state(parent) is State.SUCCEEDED


async def test_a_cancel_reaches_all_below_once(two: Two) -> None:
    here, there = two
    parent = await started(here)
    children = [await started(there, parent=parent) for _ in range(3)]
    await here.request_cancel(parent, by=7)
    await until(lambda: all(there.state(child) is State.CANCELLING for child in children))
    told = here.feed(None).view.since(0)
    assert isinstance(told, list) and all(isinstance(event, Event) for event in told)
    assert len(two[0].registry.live) == 4
    for child in children:
        activity = here.registry.known(child)
        assert activity is not None and activity.cancel is not None and activity.cancel.by == 7


async def test_a_cursor_of_one_node_goes_on_at_the_other(two: Two) -> None:
    here, there = two
    there.shared.behind = True
    uuid = await started(here)
    cursor = here.feed(None).view.revision
    await there.synced()
    assert there.feed(None).view.since(cursor) == []
    await there.finish(uuid, State.SUCCEEDED)
    told = there.feed(None).view.since(cursor)
    assert isinstance(told, list) and [event.kind.value for event in told] == ["ended"]


# Nodes that die


async def test_what_ran_in_a_node_that_dies_is_lost_within_its_lease(nodes: Nodes, two: Two) -> None:
    here, there = two
    activity, _ = await here.create("t", 1, operation=Operation())
    await nodes.pass_time(5)
    await here.die()
    await nodes.pass_time(NODE_LEASE - 1)
    assert there.state(activity.uuid) is State.RUNNING
    await nodes.pass_time(3)
    assert there.state(activity.uuid) is State.LOST
    assert (await there.get(activity.uuid)).error == "server_restart"


async def test_a_node_whose_clock_is_wrong_ends_nothing_of_the_others(nodes: Nodes, two: Two) -> None:
    activity, _ = await two[0].create("t", 1, operation=Operation(), timeout=600.0)
    async with AsyncExitStack() as stack:
        nodes.clock, right = FakeClock(nodes.clock.now() + 3_600.0), nodes.clock
        third = await nodes.join(stack)
        nodes.clock = right
        await third.round()
        assert third.state(activity.uuid) is State.RUNNING


async def test_what_runs_in_a_node_that_lives_is_never_lost(nodes: Nodes, two: Two) -> None:
    here, there = two
    activity, _ = await here.create("t", 1, operation=Operation())
    await nodes.pass_time(10 * NODE_LEASE)
    assert there.state(activity.uuid) is State.RUNNING


async def test_a_node_that_joins_gives_up_nothing_of_the_others(nodes: Nodes, two: Two) -> None:
    activity, _ = await two[0].create("t", 1, operation=Operation())
    async with AsyncExitStack() as stack:
        third = await nodes.join(stack)
        assert third.state(activity.uuid) is State.RUNNING
    assert two[0].state(activity.uuid) is State.RUNNING


@pytest.mark.parametrize("ahead", [None, 3_600.0])
async def test_nobody_is_given_up_when_the_store_has_lost_the_signs_of_life_or_its_clock_was_set(
    nodes: Nodes, two: Two, ahead: float | None
) -> None:
    here, there = two
    activity, _ = await here.create("t", 1, operation=Operation())
    uuid = await started(here, lease=NODE_LEASE + 10)
    await nodes.pass_time(NODE_LEASE + 5)
    here.sign_of_life(uuid)
    await nodes.pass_time(2)
    for _ in range(5):
        beats = nodes.server.beats
        nodes.server.beats = {} if ahead is None else {name: at - ahead for name, at in beats.items()}
        nodes.clock.advance(1.0)
        await there.round()  # before the other gives another
    await here.round()
    here.sign_of_life(uuid)
    await nodes.pass_time(NODE_LEASE)
    assert [there.state(each) for each in (activity.uuid, uuid)] == [State.RUNNING] * 2
    await here.die()
    await nodes.pass_time(NODE_LEASE + 3)
    assert there.state(activity.uuid) is State.LOST


async def test_nobody_is_given_up_while_the_store_is_away_nor_when_it_is_back(nodes: Nodes, two: Two) -> None:
    here, there = two
    activity, _ = await here.create("t", 1, operation=Operation())
    uuid = await started(here, lease=10.0)
    for node in two:
        node.shared.away = True
    await nodes.pass_time(10 * NODE_LEASE)
    # One comes back first: of the other nothing can have been heard.
    there.shared.away = False
    await nodes.pass_time(5)
    here.shared.away = False
    here.sign_of_life(uuid)
    await nodes.pass_time(3)
    assert [there.state(each) for each in (activity.uuid, uuid)] == [State.RUNNING] * 2


async def test_a_report_is_kept_while_the_store_is_away(nodes: Nodes, two: Two) -> None:
    here, there = two
    uuid = await started(here)
    here.shared.away = True
    await nodes.pass_time(1)
    assert (here.degraded, there.degraded) == (True, False)
    here.report(uuid, Report(progress=40))
    with pytest.raises(Unavailable):
        await started(here)
    assert here.preview(here.list()[0]).progress.percent == 40
    here.shared.away = False
    await until(lambda: there.list()[0].progress.percent == 40)
    await nodes.pass_time(1)
    assert not here.degraded


@pytest.mark.parametrize(("known", "patience"), [(False, "PATIENCE"), (True, "PATIENCE_AWAY")])
async def test_whoever_looks_is_not_held_by_a_store_that_hangs(
    two: Two, known: bool, patience: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in ("PATIENCE", "PATIENCE_AWAY"):
        monkeypatch.setattr(records, each, 0.05 if each == patience else 10 * DEADLINE)
    here, _ = two
    uuid = await started(here)
    here.shared.away = known
    await here.round()
    assert here.degraded is known
    here.shared.hangs = True
    here.report(uuid, Report(progress=10))
    async with asyncio.timeout(DEADLINE):
        await here.settled()
        await here.synced()
    assert [activity.uuid for activity in here.list()] == [uuid]
    here.shared.away = here.shared.hangs = False


async def test_a_start_that_could_not_be_acknowledged_is_not_left_running_for_ever(nodes: Nodes, two: Two) -> None:
    here, there = two
    commit = here.shared.commit

    async def losing_the_answer(writes: object) -> list[int | None]:
        await commit(writes)  # type: ignore[arg-type]
        raise Unavailable("the answer was lost")

    here.shared.commit = losing_the_answer  # type: ignore[method-assign]
    here.shared.behind = True
    here_read, here.shared.read = here.shared.read, lambda: None  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        await here.create("t", 1, operation=Operation())
    here.shared.commit, here.shared.read = commit, here_read  # type: ignore[method-assign]
    await here.synced()
    (orphan,) = here.list()
    await nodes.pass_time(1)
    assert there.state(orphan.uuid) is State.LOST


# Workers


async def test_a_worker_that_talks_to_one_node_lives_for_the_other(nodes: Nodes, two: Two) -> None:
    here, there = two
    uuid = await started(here, lease=10.0)
    for _ in range(20):
        await nodes.pass_time(9)
        here.sign_of_life(uuid)
    assert there.state(uuid) is State.RUNNING


async def test_a_worker_may_change_the_node_with_each_word(nodes: Nodes, two: Two) -> None:
    uuid = await started(two[0], lease=10.0)
    for turn in range(20):
        await nodes.pass_time(9)
        two[turn % 2].sign_of_life(uuid)
    assert two[0].state(uuid) is State.RUNNING


async def test_a_dead_worker_is_lost_within_its_lease_and_two_seconds_with_two_nodes_too(
    nodes: Nodes, two: Two
) -> None:
    here, there = two
    uuid = await started(here, lease=10.0)
    await nodes.pass_time(7)
    here.sign_of_life(uuid)
    await nodes.pass_time(10)
    assert there.state(uuid) is State.RUNNING
    await nodes.pass_time(2)
    assert there.state(uuid) is State.LOST
    with pytest.raises(LeaseLost):
        here.report(uuid, Report(progress=1))


async def test_a_worker_whose_node_has_died_is_lost_all_the_same(nodes: Nodes, two: Two) -> None:
    here, there = two
    uuid = await started(here, lease=10.0)
    await nodes.pass_time(5)
    here.sign_of_life(uuid)
    await nodes.pass_time(2)
    await here.die()
    await nodes.pass_time(13)
    assert there.state(uuid) is State.LOST


async def test_work_that_is_reported_elsewhere_is_not_stalled(nodes: Nodes, two: Two) -> None:
    here, there = two
    uuid = await started(here, lease=30.0, stall=20.0)
    for percent in range(10):
        here.report(uuid, Report(progress=percent))
        await until(lambda percent=percent: there.list()[0].progress.percent == percent)  # type: ignore[misc]
        await nodes.pass_time(15)
    assert not there.list()[0].stalled


async def test_unknown_is_unknown_on_every_node(two: Two) -> None:
    for node in two:
        with pytest.raises(NotFound):
            await node.get("00000000-0000-4000-8000-000000000000")
