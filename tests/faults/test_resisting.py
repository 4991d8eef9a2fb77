"""Work that resists being stopped, and hosts that die with it: no end is faked, none is told twice, none is missing.

Each check is also run against a build that breaks the promise on purpose, and must notice. ``HEADWAY_RACES`` sets how
many pairs of a finish and a cancel race on one hub.
"""

import asyncio
import hashlib
import json
import os
import random
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from headway import EVERYTHING, Spawned, current, live, liveness, records
from headway.admission import Limits
from headway.core.activity import Activity, State
from headway.core.errors import AlreadyEnded, HeadwayError, IllegalTransition, NotFound
from headway.core.view import Event, Kind
from headway.operations import spawn as spawn_module
from headway.operations import task as task_module
from headway.operations.start import Start
from headway.ports import Write
from headway.records import Records
from headway.stores.memory import MemoryStore
from headway.stores.sqlite import SqliteStore
from headway.stores.sqlite_ledger import Ledger
from tests.hubs import DEADLINE, Hub, hub, until

RACES = int(os.environ.get("HEADWAY_RACES", "10000"))
SEED = int(os.environ.get("HEADWAY_RACE_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
AT_ONCE = 500
ROOT = Path(__file__).parents[2]

Sabotage = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_module, "RECANCEL", 0.01)
    monkeypatch.setattr(records, "RETRY", 0.001)
    monkeypatch.setattr(liveness, "SHUTDOWN_GRACE", 0.2)


# Sabotage


def overdue_is_called_cancelled(patch: pytest.MonkeyPatch) -> None:
    """What does not stop in its grace is said to have stopped."""

    async def fake(self: Records, uuid: str) -> Activity:
        return await self.finish(uuid, State.CANCELLED)

    patch.setattr(Records, "mark_overdue", fake)


def threads_are_left_alone(patch: pytest.MonkeyPatch) -> None:
    """A cancel stops the waiting for a thread, as with ``asyncio.to_thread``."""

    async def in_thread(activities: Any, type: str, function: Any, args: Any, options: Any) -> Spawned[Any]:
        start = Start(activities, type, **options)
        return await spawn_module.supervised(activities, start, lambda _: asyncio.to_thread(function, *args))

    patch.setattr(spawn_module, "_in_thread", in_thread)


def writes_are_not_compared(patch: pytest.MonkeyPatch) -> None:
    """The last of any racing changes wins, whatever it was decided on."""

    class Open:
        """A lock that holds up nobody."""

        async def __aenter__(self) -> None: ...
        async def __aexit__(self, *_: object) -> None: ...
        async def acquire(self) -> bool:
            return True

        def release(self) -> None: ...
        def locked(self) -> bool:
            return False

    patch.setattr(live, "asyncio", SimpleNamespace(Lock=Open, Event=asyncio.Event))
    patch.setattr(Write, "holds", lambda self, current: (current is None) is (self.expected is None))


def the_dead_are_not_given_up(patch: pytest.MonkeyPatch) -> None:
    """What ran in a process that died stays as it was."""

    async def nobody(self: liveness.Liveness) -> Sequence[Awaitable[object]]:
        return ()

    patch.setattr(liveness.Liveness, "_dead", nobody)


def the_dead_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """What ran in a process that died is not taken up at all."""
    take_up = Ledger._taken_up

    def forget(self: Ledger) -> list[Activity]:
        take_up(self)
        return []

    patch.setattr(Ledger, "_taken_up", forget)


# What swallows its cancels, or never looks


class Stubborn:
    """Work that ends when it is let go, and not before."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self._read, self._write = os.pipe()

    def let_go(self) -> None:
        """Let it end."""
        self.over.set()
        os.write(self._write, b"x")

    async def coroutine(self) -> str:
        """Swallows every cancel."""
        while not self.over.is_set():
            try:
                await asyncio.sleep(0.001)
            except asyncio.CancelledError:
                continue
        return "done"

    def hashing(self) -> str:
        """One long hash after the other."""
        while not self.over.is_set():
            hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 20_000)
        return "done"

    def packing(self) -> str:
        """One large piece after the other."""
        piece = os.urandom(1_000_000)
        while not self.over.is_set():
            zlib.compress(piece, 9)
        return "done"

    def sleeping(self) -> str:
        """Sleeps on."""
        while not self.over.is_set():
            time.sleep(0.02)
        return "done"

    def reading(self) -> str:
        """In one call of the system from its beginning to its end."""
        os.read(self._read, 1)
        return "done"


KINDS = ["coroutine", "hashing", "packing", "sleeping", "reading"]


async def resist(activities: Hub, kind: str) -> None:
    """It is shown as it is: cancelling, then overdue, for as long as it runs; it has succeeded if it has."""
    work = Stubborn()
    try:
        spawned: Spawned[str] = await activities.spawn("t", getattr(work, kind), grace=5)
        await spawned.cancel(by=7)
        await activities.pass_time(4)
        assert (spawned.activity.state, spawned.activity.overdue) == (State.CANCELLING, False)
        for _ in range(10):
            await activities.pass_time(5)
            assert (spawned.activity.state, spawned.activity.overdue) == (State.CANCELLING, True)
        assert "ended" not in await activities.story(spawned.uuid)
    finally:
        work.let_go()
    ended = await spawned.wait()
    assert (ended.state, ended.overdue, ended.progress.percent) == (State.SUCCEEDED, False, 100)
    assert ended.cancel is not None and ended.cancel.by == 7
    assert await spawned.result() == "done"
    assert await activities.story(spawned.uuid) == ["started", "ended"]


@pytest.mark.parametrize("kind", KINDS)
async def test_what_does_not_stop_is_never_said_to_have_stopped(kind: str) -> None:
    async with hub() as activities:
        await resist(activities, kind)


@pytest.mark.parametrize("kind", KINDS)
async def test_an_end_that_is_faked_is_noticed(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hub() as activities:
        overdue_is_called_cancelled(monkeypatch)
        with pytest.raises(AssertionError):
            await resist(activities, kind)


@pytest.mark.parametrize("kind", KINDS[1:])
async def test_a_thread_that_is_left_alone_is_noticed(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hub() as activities:
        threads_are_left_alone(monkeypatch)
        with pytest.raises(AssertionError):
            await resist(activities, kind)


async def stop_late(activities: Hub) -> None:
    """It takes its time after it has seen the request; when it is cancelled, nothing of it runs."""
    seen, go, running = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        running.set()
        try:
            while not current().cancel_requested:
                time.sleep(0.001)
            seen.set()
            go.wait(DEADLINE)
            current().check_cancelled()
        finally:
            running.clear()

    spawned = await activities.spawn("t", work, grace=5)
    try:
        await until(running.is_set)
        await spawned.cancel()
        await until(seen.is_set)
        await activities.pass_time(10)
        assert not spawned.activity.ended and spawned.activity.overdue
    finally:
        go.set()
    assert (await spawned.wait()).state is State.CANCELLED
    assert not running.is_set()


async def test_after_cancelled_nothing_of_a_thread_runs() -> None:
    async with hub() as activities:
        await stop_late(activities)


@pytest.mark.parametrize("sabotage", [overdue_is_called_cancelled, threads_are_left_alone])
async def test_a_thread_that_runs_on_after_cancelled_is_noticed(
    sabotage: Sabotage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hub() as activities:
        sabotage(monkeypatch)
        with pytest.raises(AssertionError):
            await stop_late(activities)


# Races


class SlowStore(MemoryStore):
    """Takes a moment to commit, so that others come in between."""

    async def commit(self, writes: Sequence[Write]) -> list[int | None]:
        await asyncio.sleep(0)
        return await super().commit(writes)


class Race:
    """One activity, a cancel of it, and two who want to end it."""

    def __init__(self, activities: Hub, pool: ThreadPoolExecutor, chance: random.Random) -> None:
        self._activities, self._pool, self._chance = activities, pool, chance

    async def run(self) -> None:
        """Raises AssertionError for a result that cannot be."""
        activity = await self._activities.run(owner=self._chance.randint(1, 3))
        self.uuid = activity.uuid
        states = self._chance.choices([State.SUCCEEDED, State.FAILED, State.CANCELLED], k=2)
        changes: list[Callable[[], Awaitable[Activity]]] = [
            lambda: self._activities.finish(self.uuid, states[0]),
            lambda: self._activities.finish(self.uuid, states[1]),
            lambda: self._activities.request_cancel(self.uuid),
        ]
        order = self._chance.sample(range(3), 3)
        answers = dict(zip(order, await asyncio.gather(*(self._try(changes[n]) for n in order)), strict=True))
        self._judge(states, [answers[0], answers[1]], answers[2])

    async def _try(self, change: Callable[[], Awaitable[Activity]]) -> Activity | HeadwayError:
        for _ in range(self._chance.randrange(3)):
            await asyncio.sleep(0)
        try:
            if self._chance.random() < 0.05:
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._pool, self._activities.call, change)
            return await change()
        except HeadwayError as error:
            return error

    def _judge(self, states: list[State], ends: list[Activity | HeadwayError], asked: Activity | HeadwayError) -> None:
        won = [state for state, end in zip(states, ends, strict=True) if isinstance(end, Activity)]
        newest = self._activities.now_is(self.uuid)
        assert len(won) <= 1, f"ended twice: {ends}"
        for state, end in zip(states, ends, strict=True):
            allowed = (AlreadyEnded, IllegalTransition) if state is State.CANCELLED else (AlreadyEnded,)
            assert isinstance(end, (Activity, *allowed)), end
        assert isinstance(asked, Activity | NotFound), asked
        assert (newest.cancel is not None) is isinstance(asked, Activity), (newest, asked)
        if won:
            assert newest.state is won[0]
        else:
            assert states == [State.CANCELLED] * 2  # both came before the request
            assert newest.state in (State.RUNNING, State.CANCELLING)
        assert newest.state is not State.CANCELLED or newest.cancel is not None


async def race(store: Any, races: int) -> None:
    """However they race, there is one end, and it is told once for ever."""
    chance = random.Random(SEED)
    told: Counter[str] = Counter()
    pool = ThreadPoolExecutor(8)
    watching: asyncio.Task[None] | None = None
    try:
        async with Hub(store, limits=Limits(live_per_owner=10 * races, live=10 * races)) as activities:
            watching = asyncio.create_task(count_ends(activities, told))
            await asyncio.sleep(0)
            uuids: list[str] = []
            while len(uuids) < races:
                heat = [Race(activities, pool, chance) for _ in range(min(AT_ONCE, races - len(uuids)))]
                async with asyncio.TaskGroup() as runs:
                    for each in heat:
                        runs.create_task(each.run())
                uuids += [each.uuid for each in heat]
            for activity in activities.list():
                await activities.finish(activity.uuid, State.FAILED)
            revision = activities.feed(EVERYTHING).view.revision
        await watching
    finally:
        if watching is not None:  # another test would be told what it has failed with
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        pool.shutdown(wait=False)  # its threads may wait for this very loop
    assert set(told) == set(uuids)
    assert set(told.values()) == {1}, "an end was told twice"
    async with Hub(store) as activities:
        assert await activities.told(revision) == []
        assert activities.list() == []


async def count_ends(activities: Hub, told: Counter[str]) -> None:
    ended: set[str] = set()
    async for event in activities.watch():
        assert isinstance(event, Event), event
        uuid = event.activity.uuid
        assert uuid not in ended, f"told of after its end: {event}"
        if event.kind is Kind.ENDED:
            ended.add(uuid)
            told[uuid] += 1


def store_of(kind: str, folder: Path) -> Any:
    return SlowStore() if kind == "memory" else SqliteStore(folder / "data")


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_of_racing_ends_and_cancels_there_is_one_end_for_ever(kind: str, tmp_path: Path) -> None:
    async with asyncio.timeout(30 * DEADLINE):
        await race(store_of(kind, tmp_path), RACES)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_an_end_that_is_taken_back_is_noticed(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes_are_not_compared(monkeypatch)
    with pytest.raises((AssertionError, ExceptionGroup)) as noticed:
        async with asyncio.timeout(DEADLINE):
            await race(store_of(kind, tmp_path), 200)
    if isinstance(noticed.value, ExceptionGroup):
        assert noticed.value.subgroup(AssertionError) is not None


# Hosts that are killed


HOST = """
import asyncio, json, sys, threading
from headway import Activities, EVERYTHING, current, liveness

liveness.ROUND = 0.01

async def deaf():
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass

async def parent():
    async with current().task_group() as group:
        group.create_task(parent_of_a_thread(), "task")
        group.create_task(deaf(), "task")
        await deaf()

async def parent_of_a_thread():
    await current().spawn("thread", threading.Event().wait)
    await deaf()

async def main(folder, state):
    async with Activities("sqlite:" + folder) as activities:
        grace = 0 if state == "overdue" else 300
        if state == "ended":
            spawned = [await activities.spawn("thread", bool), await activities.spawn("task", asyncio.sleep, 0)]
            for each in spawned:
                await each.wait()
        elif state.startswith("family"):
            await activities.spawn("task", parent, grace=grace)
            while len(activities.list()) < 4:
                await asyncio.sleep(0.001)
        else:
            await activities.spawn("task", deaf, grace=grace)
            await activities.spawn("thread", threading.Event().wait, grace=grace)
        if state in ("cancelling", "overdue", "family cancelling"):
            await activities.request_cancel(activities.list()[0].uuid, by=7)
            await activities.request_cancel(activities.list()[1].uuid, by=7)
            while any(activity.cancel is None for activity in activities.list()):
                await asyncio.sleep(0.001)
        while state == "overdue" and not all(activity.overdue for activity in activities.list()):
            await asyncio.sleep(0.001)
        view = activities.feed(EVERYTHING).view
        news = [event.activity.uuid for event in view.since(0)]
        print(json.dumps([view.revision, list(dict.fromkeys(news))]), flush=True)
        await deaf()

asyncio.run(main(*sys.argv[1:]))
"""
STATES = ["running", "cancelling", "overdue", "family", "family cancelling"]


async def killed_host(folder: Path, state: str) -> tuple[int, list[str]]:
    """A host brought to that state and killed; the newest revision it had told, and what it had."""
    command = [sys.executable, "-c", HOST, str(folder), state]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            revision, uuids = json.loads(await asyncio.to_thread(process.stdout.readline))
        finally:
            process.kill()
    return revision, uuids


@asynccontextmanager
async def next_host(folder: Path) -> AsyncIterator[Hub]:
    """The folder opened again, now: the store forgets what ended long ago."""
    activities = Hub(f"sqlite:{folder}")
    activities.time.jump(time.time() - activities.time.now())
    async with asyncio.timeout(DEADLINE), activities:
        yield activities


async def die_and_open_again(folder: Path, state: str) -> None:
    """At the next start each has ended once, as lost, parts before their whole; at those after it nothing happens."""
    revision, uuids = await killed_host(folder, state)
    assert len(uuids) == (4 if state.startswith("family") else 2)
    async with next_host(folder) as activities:
        told = [event for event in await activities.told(revision) if isinstance(event, Event)]
        ends = [event.activity for event in told if event.kind is Kind.ENDED]
        assert sorted(activity.uuid for activity in ends) == sorted(uuids)
        assert {(activity.state, activity.error) for activity in ends} == {(State.LOST, "server_restart")}
        assert all((activity.cancel is not None) is (state not in ("running", "family")) for activity in ends)
        order = {activity.uuid: activity.revision for activity in ends}
        assert all(order[activity.uuid] < order[activity.parent] for activity in ends if activity.parent)
        assert activities.list() == []
        revision = activities.feed(EVERYTHING).view.revision
    for _ in range(2):
        async with next_host(folder) as activities:
            assert await activities.told(revision) == []
            assert [await activities.story(uuid) for uuid in uuids] == [["started", "ended"]] * len(uuids)


@pytest.mark.parametrize("state", STATES)
async def test_what_a_killed_host_ran_is_lost_exactly_once(state: str, tmp_path: Path) -> None:
    await die_and_open_again(tmp_path / "data", state)


async def test_what_had_ended_before_the_kill_stays_as_it_was(tmp_path: Path) -> None:
    revision, uuids = await killed_host(tmp_path / "data", "ended")
    async with next_host(tmp_path / "data") as activities:
        assert await activities.told(revision) == []
        assert {activities.now_is(uuid).state for uuid in uuids} == {State.SUCCEEDED}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("sabotage", [the_dead_are_not_given_up, the_dead_are_forgotten])
async def test_the_dead_that_nobody_gives_up_are_noticed(
    state: str, sabotage: Sabotage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sabotage(monkeypatch)
    with pytest.raises(AssertionError):
        await die_and_open_again(tmp_path / "data", state)
