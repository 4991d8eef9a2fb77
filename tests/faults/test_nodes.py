"""Nodes and their store, cut off from each other, killed and started again, many times: whatever was acknowledged
is told to every watcher, once.

``HEADWAY_FAULTS`` says how many faults there are to be.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import pytest

from headway.client import AsyncClient
from headway.client.retries import Retries
from headway.core.activity import State
from headway.core.errors import HeadwayError, NotFound
from headway.core.lifecycle import Report
from headway.wire.notifications import ActivityNotification, ResyncNotification, SnapshotNotification
from tests.e2e.serving import Serving
from tests.faults.fault_proxy import FaultProxy
from tests.stores.redis_servers import RedisServer, redis_server

FAULTS = int(os.environ.get("HEADWAY_FAULTS", "60"))
DEADLINE = 60.0 + FAULTS
"""Seconds after which the test does not wait any longer."""

WORKERS = 6
PAUSE = 0.05
"""Seconds between two faults, on the average."""

T = TypeVar("T")


class Node:
    """A server of its own, and its way to the store."""

    def __init__(self, folder: Path, proxy: FaultProxy) -> None:
        self.proxy = proxy
        self.serving = Serving(folder / "data", "--store", f"redis://127.0.0.1:{proxy.port}")
        self.serving.data.mkdir(parents=True)

    async def restart(self) -> None:
        await asyncio.to_thread(self.serving.kill)
        await asyncio.to_thread(self.serving.start)

    def signal(self, number: int) -> None:
        process = self.serving._process
        if process is not None:
            process.send_signal(number)


class World:
    """Two nodes, their store, those who work, and those who watch."""

    def __init__(self, store: RedisServer, nodes: list[Node], token: str) -> None:
        self.store = store
        self.nodes = nodes
        self.started: set[str] = set()
        self.ended: set[str] = set()
        """What has been acknowledged."""
        self.told: list[Counter[tuple[str, str]]] = []
        """To each watcher: how often of an activity what."""
        self.watching = 0
        """Those who have been told what there was in the beginning."""
        self.faults: Counter[str] = Counter()
        self._clients = [
            AsyncClient(node.serving.url, token, timeout=5, retries=Retries(strategy="none")) for node in nodes
        ]

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()

    async def work(self, stopping: asyncio.Event) -> None:
        """Start activities and end them, each word to whichever node."""
        while not stopping.is_set():
            key = str(uuid4())
            row = await self._insisted(lambda client, key=key: client.activities.create("t", key=key, lease=600))  # type: ignore[misc]
            self.started.add(row.uuid)
            with suppress(HeadwayError):
                await random.choice(self._clients).activities.report(row.uuid, Report(progress=40))
            await self._insisted(lambda client, uuid=row.uuid: self._end(client, uuid))  # type: ignore[misc]
            self.ended.add(row.uuid)

    async def watch(self, client: AsyncClient) -> None:
        """For ever, on one node, from its cursor on after each break."""
        told: Counter[tuple[str, str]] = Counter()
        self.told.append(told)
        async with client.activities.watch(type="t") as watch:
            async for news in watch:
                assert not isinstance(news, ResyncNotification)
                self.watching += isinstance(news, SnapshotNotification)
                if isinstance(news, ActivityNotification):
                    told[news.row.uuid, news.kind.value] += 1

    async def fault(self) -> None:
        """One, of any kind."""
        node = random.choice(self.nodes)
        kinds = {"cut": 80, "refuse": 8, "store killed": 4, "store hangs": 3, "node killed": 3, "node hangs": 2}
        kind = random.choices([*kinds], [*kinds.values()])[0]
        self.faults[kind] += 1
        if kind == "cut":
            node.proxy.cut()
        elif kind == "refuse":
            node.proxy.refuse(True)
            await asyncio.sleep(random.uniform(0, 0.5))
            node.proxy.refuse(False)
        elif kind == "store killed":
            await asyncio.to_thread(self.store.kill)
            await asyncio.to_thread(self.store.start)
        elif kind == "node killed":
            await node.restart()
        else:
            hangs = self.store if kind == "store hangs" else node
            hangs.signal(signal.SIGSTOP)
            await asyncio.sleep(random.uniform(0, 0.5))
            hangs.signal(signal.SIGCONT)

    async def _end(self, client: AsyncClient, uuid: str) -> None:
        try:
            await client.activities.finish(uuid, State.SUCCEEDED)
        except HeadwayError as error:
            # Where the answer to the first try was lost, the second finds it ended.
            if error.code != "already_ended":
                raise

    async def _insisted(self, asking: Callable[[AsyncClient], Awaitable[T]]) -> T:
        while True:
            try:
                return await asking(random.choice(self._clients))
            except NotFound:
                raise
            except HeadwayError:
                await asyncio.sleep(0.02)


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        store = stack.enter_context(redis_server(folder / "valkey"))
        nodes: list[Node] = []
        for name in ("a", "b"):
            proxy = await stack.enter_async_context(FaultProxy(store.port))
            node = Node(folder / name, proxy)
            nodes.append(node)
            await asyncio.to_thread(node.serving.start)
            stack.push_async_callback(asyncio.to_thread, node.serving.__exit__)
        token = (nodes[0].serving.data / "admin.token").read_text().strip()
        made = World(store, nodes, token)
        stack.push_async_callback(made.close)
        yield made


@pytest.mark.skipif(FAULTS < 1, reason="HEADWAY_FAULTS is 0")
async def test_no_lifecycle_event_is_lost_or_told_twice_whatever_breaks(tmp_path: Path) -> None:
    async with asyncio.timeout(DEADLINE), world(tmp_path) as all_of_it:
        stopping = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            watching = [group.create_task(all_of_it.watch(client)) for client in all_of_it._clients]
            await _until(lambda: all_of_it.watching == 2)
            working = [group.create_task(all_of_it.work(stopping)) for _ in range(WORKERS)]
            for _ in range(FAULTS):
                await asyncio.sleep(random.expovariate(1 / PAUSE))
                await all_of_it.fault()
            stopping.set()
            await asyncio.gather(*working)
            assert len(all_of_it.ended) > FAULTS / 10
            for told in all_of_it.told:
                await _until(lambda told=told: all(told[uuid, "ended"] for uuid in all_of_it.ended))  # type: ignore[misc]
            for watcher in watching:
                watcher.cancel()
        for told in all_of_it.told:
            assert all_of_it.watching == 2
            for kind, acknowledged in (("started", all_of_it.started), ("ended", all_of_it.ended)):
                assert {uuid: told[uuid, kind] for uuid in acknowledged if told[uuid, kind] != 1} == {}, kind
            twice = {event: count for event, count in told.items() if count > 1 and event[1] != "updated"}
            assert twice == {}


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.05)
