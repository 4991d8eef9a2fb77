"""What holds of every store that several nodes share: its server goes away, forgets, and is there again."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from headway.core.activity import State
from headway.core.errors import Unavailable
from headway.core.lifecycle import Report
from headway.core.view import Event
from headway.stores import StoreError, open_store
from headway.testing.opened import Opened
from tests.faults.fault_proxy import FaultProxy
from tests.stores.nats_servers import NatsServer, nats_server
from tests.stores.outages import busy, insisted, kinds, nodes, opened, until
from tests.stores.redis_servers import RedisServer, redis_server

Server = RedisServer | NatsServer


@pytest.fixture(params=[redis_server, nats_server], ids=["redis", "nats"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with request.param(tmp_path / "server") as running:
        yield running


async def test_nothing_acknowledged_is_missing_when_the_server_was_killed_meanwhile(server: Server) -> None:
    async with nodes(server.url) as both:
        running = [asyncio.create_task(busy(node)) for node in both for _ in range(4)]
        for _ in range(3):
            await asyncio.sleep(0.1)
            await asyncio.to_thread(server.kill)
            await asyncio.sleep(0.1)
            await asyncio.to_thread(server.start)
        await asyncio.sleep(1.0)
        for task in running:
            task.cancel()
        acknowledged = [ended for task in running for ended in (await task)]
        assert len(acknowledged) > 20
        for node in both:
            await node.store.sync()
            told = kinds(node)
            assert [activity for activity in acknowledged if told.get(activity) != ["started", "ended"]] == []
            assert all(each in (["started"], ["started", "ended"], ["started", "updated"]) for each in told.values())


async def test_each_lifecycle_event_is_told_once_to_a_watcher_who_stays_through_an_outage(server: Server) -> None:
    async with nodes(server.url) as (here, there):
        told: Counter[tuple[str, str]] = Counter()

        async def watch() -> None:
            async for event in there.watch(None):
                assert isinstance(event, Event)
                told[event.activity.uuid, event.kind.value] += 1

        watching = asyncio.create_task(watch())
        await asyncio.sleep(0)
        first = await insisted(here)
        await asyncio.to_thread(server.kill)
        here.report(first.uuid, Report(progress=40))
        await asyncio.to_thread(server.start)
        second = await insisted(here)
        await until(lambda: there.list() and there.list()[0].progress.percent == 40)
        for activity in (first, second):
            await here.finish(activity.uuid, State.SUCCEEDED)
        await until(lambda: told[second.uuid, "ended"])
        watching.cancel()
        assert all(count == 1 for (_, kind), count in told.items() if kind != "updated")
        assert {kind for uuid, kind in told if uuid == first.uuid} >= {"started", "ended"}


async def test_a_server_that_hangs_is_unavailable_and_then_well_again(server: Server) -> None:
    async with nodes(server.url, 1) as (node,):
        server.signal(signal.SIGSTOP)
        hanging = asyncio.create_task(insisted(node))
        await asyncio.sleep(0.2)
        server.signal(signal.SIGCONT)
        assert (await hanging).uuid in {activity.uuid for activity in node.list()}


async def test_an_end_that_is_put_back_is_told_to_nobody_again(server: Server) -> None:
    async with nodes(server.url) as both, opened(server.url) as third:
        await third.run("a")
        for node in both:
            await node.store.sync()
        await asyncio.to_thread(server.kill)
        shutil.rmtree(server.folder)
        await asyncio.to_thread(server.start)
        later = await insisted(both[0])
        await until(lambda: third.published[-1].uuid == later.uuid)
        back = await third.store.get("a")
        assert back is not None and back.revision > third.revisions[1]
        assert [each.state for each in third.published if each.uuid == "a"] == [State.RUNNING, State.SUCCEEDED]


async def test_what_a_server_has_lost_is_put_back_by_those_who_know_it(server: Server) -> None:
    async with nodes(server.url) as both:
        here, there = both
        live, ended = await insisted(here), await insisted(there)
        await here.finish(ended.uuid, State.FAILED, error="why")
        position = here.feed(None).view.revision
        await asyncio.to_thread(server.kill)
        shutil.rmtree(server.folder)
        await asyncio.to_thread(server.start)
        later = await insisted(there)
        assert later.revision > position
        await until(lambda: all(live.uuid in {each.uuid for each in node.list()} for node in both))
        for node in both:
            await until(lambda node=node: not node.degraded)
            await node.store.sync()
            assert kinds(node)[ended.uuid] == ["started", "ended"]
        await here.finish(live.uuid, State.SUCCEEDED)
        async with nodes(server.url, 1) as (third,):
            assert third.epoch == here.epoch
            assert (await third.get(ended.uuid)).error == "why"
            assert (await third.get(live.uuid)).state is State.SUCCEEDED
            assert {activity.uuid for activity in third.list()} == {later.uuid}


async def test_and_so_it_is_when_the_first_to_reach_an_empty_server_knows_of_nothing(server: Server) -> None:
    """As a replica that took over before it had copied anything."""
    scheme = urlsplit(server.url).scheme
    async with FaultProxy(server.port) as to_one, FaultProxy(server.port) as to_other, AsyncExitStack() as stack:
        (one,), (other,) = [
            await stack.enter_async_context(nodes(f"{scheme}://127.0.0.1:{way.port}", 1)) for way in (to_one, to_other)
        ]
        to_one.refuse(True)
        lost = await insisted(other)
        to_other.refuse(True)
        await asyncio.to_thread(server.kill)
        shutil.rmtree(server.folder)
        server.folder.mkdir()
        await asyncio.to_thread(server.start)
        to_one.refuse(False)
        newer = await insisted(one)
        to_other.refuse(False)
        for node in (one, other):
            await until(lambda node=node: {each.uuid for each in node.list()} == {lost.uuid, newer.uuid})
            assert all(kinds(node)[each.uuid] == ["started"] for each in (lost, newer))


async def test_commits_fail_soon_while_nobody_answers(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("redis", "nats_commits"):
        monkeypatch.setattr(f"headway.stores.{module}.PATIENCE", 0.1)
    async with opened(server.url) as store:
        await asyncio.to_thread(server.kill)
        for question in (store.start("a"), store.store.sync(), store.store.get("a"), store.store.beat(["a"])):
            with pytest.raises(Unavailable):
                await question
        await asyncio.to_thread(server.start)


async def test_namespaces_know_nothing_of_each_other(server: Server) -> None:
    async with opened(f"{server.url}?namespace=one-{uuid4()}") as one, opened(f"{server.url}?namespace=two") as two:
        await one.start("a")
        await two.store.sync()
        assert await two.store.get("a") is None
        assert two.published == []
        assert one.snapshot.epoch != two.snapshot.epoch


async def test_nobody_at_the_address_is_told_at_once(server: Server) -> None:
    server.kill()
    with pytest.raises(StoreError, match="cannot use the store at"):
        await open_store(server.url).open(lambda _: None)


async def test_a_closed_store_can_be_opened_again(server: Server) -> None:
    store = open_store(server.url)
    for _ in range(2):
        opening = await Opened(store).open()
        await store.close()
        assert opening.published == []
