"""One life of a server: it works, says what it has acknowledged and what its watchers are told, until it is killed.

Each line goes out in one write, after the await it tells of has returned; what is in the pipe survives the kill.
"""

import asyncio
import os
import random
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from headway.core.activity import Activity, State
from headway.core.errors import HeadwayError
from headway.core.lifecycle import Report
from headway.core.policy import Scope
from headway.core.view import Resync
from headway.hub import Activities
from headway.stores.sqlite import SqliteStore

WORKERS = 4
OUTPUT = 1
"""The file descriptor it talks to."""


class Order(msgspec.Struct):
    """What a life is told at its beginning."""

    folder: str
    seed: int
    seconds: float = 0.0
    """How long it lives, before it is killed."""
    warned: float | None = None
    """How long it has, in seconds, to close in order before that."""
    cursors: list[tuple[Scope, int]] = []
    """Who watches from where on."""
    keys: list[str] = []
    """Starts to repeat."""
    sabotage: str | None = None


class Line(msgspec.Struct, omit_defaults=True):
    """What a life tells."""

    what: str
    uuid: str = ""
    owner: int = 0
    scope: Scope = None
    revision: int = 0
    state: State = State.RUNNING
    asked: bool = False
    """A cancel is on record."""
    local: bool = False
    """It runs in the process itself."""
    key: str = ""
    new: bool = True


def say(what: str, activity: Activity | None = None, **more: Any) -> None:
    """Tell; about an activity, as it stands."""
    if activity is not None:
        more = {
            "uuid": activity.uuid,
            "owner": activity.owner,
            "state": activity.state,
            "asked": activity.cancel is not None,
            "local": activity.node is not None,
            "revision": activity.revision,
            **more,
        }
    os.write(OUTPUT, msgspec.json.encode(Line(what, **more)) + b"\n")


async def live(order: Order) -> None:
    """Open, watch, work; close in order when told to by SIGTERM."""
    chance = random.Random(order.seed)
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    async with Activities(SqliteStore(Path(order.folder))) as activities:
        say("open")
        for activity in activities.list():
            say("live", activity)
        tasks = [asyncio.create_task(watch(activities, scope, cursor)) for scope, cursor in order.cursors]
        for key in order.keys:
            await keyed(activities, key)
        calm = chance.random() < 0.3
        for worker in range(WORKERS):
            own = random.Random(chance.random())
            local = worker == 0 and not calm
            work = work_locally(activities, own) if local else work_remotely(activities, own, calm)
            tasks.append(asyncio.create_task(work))
        await asyncio.wait([*tasks, asyncio.create_task(stopping.wait())], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()  # none of them ends by itself
    say("closed")


async def watch(activities: Activities, scope: Scope, cursor: int) -> None:
    if cursor == activities.feed(scope).view.revision:
        say("caught up", scope=scope)
    behind = True
    async for event in activities.watch(scope, cursor):
        if isinstance(event, Resync):
            say("resync", scope=scope)
            continue
        say(event.kind.value, event.activity, scope=scope, revision=event.revision)
        if behind and event.revision == activities.feed(scope).view.revision:
            behind = False
            say("caught up", scope=scope)


async def keyed(activities: Activities, key: str) -> Activity:
    activity, new = await activities.create("keyed", 1, key=key, fingerprint=key, cancellable=True, lease=300.0)
    say("start acknowledged", activity, key=key, new=new)
    return activity


async def work_remotely(activities: Activities, chance: random.Random, calm: bool) -> None:
    """What requests of remote workers do, also to activities of an earlier life; in a calm life, they only report."""
    while True:
        await asyncio.sleep(0)
        choice = 0.5 if calm else chance.random()
        remote = [activity for activity in activities.list() if activity.node is None]
        with suppress(HeadwayError):  # another worker was first
            if choice < 0.25 or not remote:
                await start(activities, chance)
            elif choice < 0.65:
                activities.report(chance.choice(remote).uuid, Report(progress=chance.randrange(100)))
                await activities.settled()
            elif choice < 0.8:
                say("cancel acknowledged", await activities.request_cancel(chance.choice(remote).uuid))
            else:
                uuid = chance.choice(remote).uuid
                state = chance.choice([State.SUCCEEDED, State.FAILED, State.CANCELLED, State.LOST])
                await activities.finish(uuid, state)
                say("end acknowledged", await activities.get(uuid))


async def start(activities: Activities, chance: random.Random) -> None:
    if chance.random() < 0.3:
        await keyed(activities, str(chance.random()))
        return
    activity, _ = await activities.create(
        "remote", chance.randint(1, 2), cancellable=chance.random() < 0.8, lease=300.0
    )
    say("start acknowledged", activity)


async def work_locally(activities: Activities, chance: random.Random) -> None:
    """Blocks of this process: a kill leaves them to the next boot."""
    while True:
        blocks = [asyncio.create_task(run_block(activities, chance)) for _ in range(chance.randint(1, 3))]
        await asyncio.sleep(chance.random() * 0.02)
        if chance.random() < 0.3:
            blocks[0].cancel()
        await asyncio.gather(*blocks, return_exceptions=True)


async def run_block(activities: Activities, chance: random.Random) -> None:
    reporter = None
    with suppress(HeadwayError):
        try:
            async with activities.start("local", owner=chance.randint(1, 2)) as reporter:
                say("start acknowledged", reporter.activity)
                for percent in range(chance.randrange(20)):
                    reporter.report(percent)
                    await asyncio.sleep(0.002)
        finally:
            if reporter is not None and reporter.activity.ended:
                say("end acknowledged", reporter.activity)
