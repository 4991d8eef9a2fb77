"""What is Redis's own: a server that goes away, forgets, is full or not ours alone; and the many ways to name one."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from uuid import uuid4

import pytest

from headway.core.activity import Activity, State
from headway.core.errors import StorageFull, Unavailable
from headway.hub import Activities
from headway.stores import StoreError, open_store
from headway.stores.redis import GROUP, RedisStore
from headway.stores.redis_address import parse_address
from headway.stores.redis_records import Records
from headway.stores.redis_vault import RedisVault
from headway.testing.opened import AT, ending, reporting, starting
from tests.certificates import self_signed
from tests.faults.fault_proxy import FaultProxy
from tests.stores.outages import DEADLINE, insisted, kinds, nodes, opened, until
from tests.stores.redis_servers import RedisServer, free_port, redis_server


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """For tests that harm nothing but their own namespace."""
    with redis_server(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """One of the test's own."""
    with redis_server(tmp_path / "valkey") as running:
        yield running


@pytest.fixture
def url(shared: RedisServer) -> str:
    return f"{shared.url}?namespace={uuid4()}"


# Away


async def test_of_what_was_lost_the_newest_version_that_any_node_knows_is_put_back(server: RedisServer) -> None:
    async with opened(server.url) as here, opened(server.url) as there:
        started = await here.start("a")
        await there.store.sync()
        assert isinstance(there.store, RedisStore)
        there.store._journal._records.client.xread = _away  # it hears of nothing more
        await asyncio.sleep(0)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        ended = await _again(lambda: here.end(started))
        await asyncio.to_thread(server.kill)
        shutil.rmtree(server.folder)
        await asyncio.to_thread(server.start)
        await there.store._look_what_is_left()  # with an older version
        assert isinstance(here.store, RedisStore)
        await here.store._look_what_is_left()
        newest = await here.store.get("a")
        assert newest is not None and newest.state is ended.state
        assert newest.revision > ended.revision
        assert newest.started_revision == started.revision


async def test_what_is_lost_again_is_put_back_again(server: RedisServer) -> None:
    async with opened(server.url) as store:
        await store.start("a")
        for _ in range(2):
            await asyncio.to_thread(server.kill)
            shutil.rmtree(server.folder)
            await asyncio.to_thread(server.start)
            await until(lambda: not store.store._journal.lost)  # type: ignore[attr-defined]
            await _again(lambda: store.start(str(uuid4())))
            assert await store.store.get("a") is not None


async def test_what_was_lost_is_put_back_though_others_have_gone_on_meanwhile(server: RedisServer) -> None:
    """The first to reach a server that was set back need not be one that knows what it has lost."""
    async with FaultProxy(server.port) as to_one, FaultProxy(server.port) as to_other, AsyncExitStack() as stack:
        (one,), (other,) = [
            await stack.enter_async_context(nodes(f"redis://127.0.0.1:{way.port}", 1)) for way in (to_one, to_other)
        ]
        live = await insisted(one)
        await asyncio.to_thread(server.stop)
        shutil.copytree(server.folder, server.folder.with_name("older"))
        await asyncio.to_thread(server.start)
        await until(lambda: not one.degraded and not other.degraded)
        to_one.refuse(True)
        lost = [await insisted(other) for _ in range(3)]
        await other.finish(live.uuid, State.SUCCEEDED)
        to_other.refuse(True)
        await asyncio.to_thread(server.kill)
        shutil.rmtree(server.folder)
        shutil.copytree(server.folder.with_name("older"), server.folder)
        await asyncio.to_thread(server.start)
        to_one.refuse(False)
        newer = [await insisted(one) for _ in range(20)]
        assert min(each.revision for each in newer) > max(each.revision for each in lost)
        to_other.refuse(False)
        known = {each.uuid for each in (*lost, *newer)}
        for node in (one, other):
            await until(lambda node=node: {each.uuid for each in node.list()} == known)
            assert kinds(node)[live.uuid] == ["started", "ended"]
            assert all(kinds(node)[uuid] == ["started"] for uuid in known)


async def test_a_server_that_was_started_again_and_lost_nothing_tells_nothing_again(server: RedisServer) -> None:
    async with opened(server.url) as here, nodes(server.url, 1) as (there,):
        await here.run("a")
        before = len(here.published)
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)
        after = await insisted(there)
        await until(lambda: here.published[-1].uuid == after.uuid)
        assert [each.uuid for each in here.published[before:]] == [after.uuid]


async def test_what_was_acknowledged_and_not_heard_of_yet_is_put_back_too(server: RedisServer) -> None:
    async with opened(server.url) as opener:
        store = opener.store
        assert isinstance(store, RedisStore)
        await opener.start("a")
        older = shutil.copytree(server.folder, server.folder.with_name("older"))
        cut = await _deafened(store)
        starting = asyncio.create_task(opener.start("b"))
        await until(lambda: store._unheard.keys() - {store._position.revision})
        await asyncio.to_thread(server.kill)
        shutil.rmtree(server.folder)
        older.rename(server.folder)
        await asyncio.to_thread(server.start)
        cut.set()
        started = await starting
        found = await store.get("b")
        assert found is not None and found.revision > started.revision
        assert opener.revisions == sorted(set(opener.revisions))


async def _deafened(store: RedisStore) -> asyncio.Event:
    """It hears of nothing more, until what is answered says that it was cut off."""
    reader, deaf, cut = store._journal._records.client, asyncio.Event(), asyncio.Event()
    read = reader.xread

    async def hear(*_: object, **__: object) -> None:
        deaf.set()
        await cut.wait()
        reader.xread = read
        raise OSError("cut off")

    reader.xread = hear
    await reader.aclose()
    await deaf.wait()
    return cut


async def _again(change: Callable[[], Awaitable[Activity]]) -> Activity:
    while True:
        with suppress(Unavailable):
            return await change()
        await asyncio.sleep(0.01)


# Not alone on the server


async def test_a_journal_that_is_gone_is_made_up_for_by_the_records(server: RedisServer) -> None:
    async with opened(server.url) as here, opened(server.url) as there:
        first = await here.start("a")
        with server.client() as client:
            client.delete("{headway}:journal")
        second = await here.start("b")
        ended = await here.end(first)
        await there.store.sync()
        assert [record.uuid for record in there.published][-2:] == ["b", "a"]
        assert there.published[-1] == ended
        assert there.revisions == sorted(set(there.revisions))
        assert second in there.published


async def test_a_node_that_was_asleep_while_the_journal_was_trimmed_misses_nobody(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headway.stores.redis_records.JOURNAL", 5)
    async with opened(server.url) as there:
        store = there.store
        assert isinstance(store, RedisStore)
        reader = store._journal._records.client
        await reader.aclose()
        read, reader.xread = reader.xread, _away
        async with opened(server.url) as here:
            started = [await here.start(f"a{n}") for n in range(300)]
            for activity in started[:150]:
                await here.end(activity)
        reader.xread = read
        await there.store.sync()
        newest = {record.uuid: record for record in there.published}
        assert [newest[f"a{n}"].ended for n in range(300)] == [n < 150 for n in range(300)]
        assert there.revisions == sorted(set(there.revisions))


async def _away(*_: object, **__: object) -> None:
    raise OSError("asleep")


async def test_a_node_that_is_opened_while_much_changes_begins_with_one_moment(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(server.url) as here:
        await here.run("a")
        activity = await here.start("b")
        read = Records.live
        ends: list[Activity] = []

        async def slowly(self: Records) -> list[Activity]:
            found = await read(self)
            if not ends:
                await here.start("c")
                ends.append(await here.end(activity))
                await here.commit(reporting(await here.start("d"), 40))
            return found

        monkeypatch.setattr(Records, "live", slowly)
        async with opened(server.url) as there:
            assert dict(there.snapshot.floors) == {}
            found = {record.uuid: record for record in there.snapshot.activities}
            assert [record.uuid for record in there.snapshot.activities] == ["a", "c", "b", "d"]
            assert found["b"] == ends[0]
            assert found["d"].started_revision < found["d"].revision
            await there.store.sync()
            assert there.published == []


async def test_a_start_is_not_hidden_by_what_changes_while_the_records_are_looked_at(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(server.url) as here, opened(server.url) as there:
        read = Records.live
        later: list[object] = []

        async def slowly(self: Records) -> list[Activity]:
            if not later:
                later.append(await here.start("b"))
                later.append(await here.commit(reporting(started, 40)))
            return await read(self)

        assert isinstance(there.store, RedisStore)
        follow = there.store._journal._records.client.xread
        there.store._journal._records.client.xread = _away  # it hears of nothing for a while
        await asyncio.sleep(0)
        started = await here.start("a")
        monkeypatch.setattr(Records, "live", slowly)
        await _caught_up(there.store, follow)
        assert there.published[-1].uuid == "a"
        assert {record.uuid: record.started_revision for record in there.published} == {"a": 1, "b": 2}
        assert there.revisions == sorted(set(there.revisions))


async def _caught_up(store: RedisStore, follow: object) -> None:
    store._journal._records.client.xread = follow
    await store.sync()


async def test_what_others_write_is_dropped_and_counted(server: RedisServer) -> None:
    async with opened(server.url) as store:
        await store.start("a")
        with server.client() as client:
            client.xadd("{headway}:journal", {"record": "nonsense"})
            client.hset("{headway}:records", "b", "7 7 1 running 0 x\n{}")
            client.sadd("{headway}:live", "b", "c")
            client.hset("{headway}:beats", "d", "never")
        second = await store.start("e")
        assert store.published[-1] == second
        assert await store.store.get("b") is None
        assert (await store.store.silences(["d"]))["d"] == 0.0
        async with opened(server.url) as other:
            assert [activity.uuid for activity in other.snapshot.activities] == ["a", "e"]
            assert isinstance(other.store, RedisStore)
            assert other.store._records.dropped == 1


async def test_a_history_that_cannot_be_read_is_told(server: RedisServer) -> None:
    with server.client() as client:
        client.hset("{headway}:meta", mapping={"version": "theirs"})
    with pytest.raises(StoreError, match=r"somebody else has written to {headway}:meta"):
        await RedisStore(server.url).open(lambda _: None)


async def test_what_others_add_to_the_journal_keeps_nobody_busy(server: RedisServer) -> None:
    async with opened(server.url) as store:
        started = await store.start("a")
        with server.client() as client:
            client.xadd("{headway}:journal", {"record": "nonsense"})
            async with opened(server.url) as other:
                assert [activity.uuid for activity in other.snapshot.activities] == ["a"]
            assert client.xlen("{headway}:journal") == 1
        assert (await store.end(started)).uuid == "a"


async def test_an_end_does_not_wait_for_the_progress_of_thousands(server: RedisServer) -> None:
    async with opened(server.url) as store:
        await store.commit(*(starting(str(number)) for number in range(1_000)))
        first, *others = store.published
        progress = asyncio.create_task(store.commit(*(reporting(each, 10) for each in others)))
        await asyncio.sleep(0)
        ended = await store.end(first)
        revisions = await progress
        assert None not in revisions and len(revisions) == 999
        assert ended.revision < max(filter(None, revisions))
        assert store.store.transactions > 2 * 1_000 / GROUP  # type: ignore[attr-defined]


async def test_any_number_may_ask_at_once(server: RedisServer) -> None:
    async with opened(server.url) as store:
        assert await asyncio.gather(*(store.store.get(str(number)) for number in range(500))) == [None] * 500
        with server.client() as client:
            assert len(client.client_list()) < 100


async def test_signs_of_life_are_forgotten_when_no_lease_is_as_long(server: RedisServer) -> None:
    async with opened(server.url) as store:
        await store.store.beat(["a"])
        with server.client() as client:
            client.hset("{headway}:beats", mapping={"b": 1_000, "c": "never"})
            await store.store.prune(0.0, 100)
            assert client.hkeys("{headway}:beats") == [b"a"]


async def test_a_node_has_one_reader_however_many_watch(server: RedisServer) -> None:
    async with nodes(server.url, 1) as (node,):
        watchers = [asyncio.create_task(_watched(node)) for _ in range(100)]
        await asyncio.sleep(0.05)
        with server.client() as client:
            assert len([each for each in client.client_list() if each["cmd"] == "xread"]) == 1
            assert len(client.client_list()) <= 4
        for watcher in watchers:
            watcher.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)


async def _watched(node: Activities) -> None:
    async for _ in node.watch(None):
        pass


# Full


async def test_without_memory_starts_are_refused_and_ends_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with redis_server(tmp_path / "valkey") as server:
        async with opened(server.url) as store:
            running = await store.start("a")
            with server.client() as client:
                client.config_set("maxmemory", "1mb")  # less than it has taken already
                for _ in range(2):
                    with pytest.raises(StorageFull):
                        await store.start("b")
                ended = await store.end(running)
                assert await store.store.get("a") == ended
                client.config_set("maxmemory", "100mb")
            await store.start("b")
    told = [message for message in caplog.messages if "room" in message]
    assert len(told) == 2 and "has no room, and starts are refused" in told[0] and "maxmemory" in told[0]
    assert "has room again" in told[1]


async def test_without_memory_nodes_go_on_and_what_is_old_makes_room(tmp_path: Path) -> None:
    with redis_server(tmp_path / "valkey") as server:
        async with opened(server.url) as store:
            running = await store.start("a")
            await store.run("b")
            with server.client() as client:
                client.config_set("maxmemory", "1mb")  # less than it has taken already
                await store.store.beat(["n"])
                assert await store.store.prune(AT + 1.0, 100) == 1
                client.client_kill_filter(_type="normal", skipme=True)
                assert (await _again(lambda: store.end(running))).ended
                async with opened(server.url) as other:
                    assert [activity.uuid for activity in other.snapshot.activities] == ["a"]
                client.config_set("maxmemory", "100mb")


async def test_without_memory_users_can_be_shut_out(tmp_path: Path) -> None:
    with redis_server(tmp_path / "valkey") as server:
        vault, other = RedisVault(server.url, "users"), RedisVault(server.url, "users")
        version = await vault.write(b"all", 0)
        assert version is not None
        with server.client() as client:
            client.config_set("maxmemory", "1mb")  # less than it has taken already
            await vault.lock()
            assert not await other._taken()
            assert await vault.write(b"some", version) == version + 1
            await vault.unlock()
            assert await other._taken()
        for each in (vault, other):
            await each.close()


# What a server must promise


@pytest.mark.parametrize(
    ("settings", "query", "told"),
    [
        (("--appendfsync", "everysec"), "durability=power", "set appendfsync always"),
        (("--appendonly", "no"), "durability=process", "set appendonly yes"),
        (("--appendonly", "no"), "durability=power", "set appendonly yes"),
        (
            ("--appendfsync", "always", "--no-appendfsync-on-rewrite", "yes"),
            "durability=power",
            "no-appendfsync-on-rewrite no, and let its user see that by CONFIG GET",
        ),
        (("--maxmemory-policy", "allkeys-lru"), "", "set maxmemory-policy to noeviction, not allkeys-lru"),
    ],
)
async def test_a_server_that_promises_too_little_is_refused_by_the_name_of_the_setting(
    tmp_path: Path, settings: tuple[str, ...], query: str, told: str
) -> None:
    with redis_server(tmp_path / "valkey", *settings) as server, pytest.raises(StoreError, match=told):
        await RedisStore(f"{server.url}?{query}").open(lambda _: None)


@pytest.mark.parametrize(
    ("settings", "durability"),
    [
        (("--appendfsync", "always"), "power"),
        (("--appendfsync", "everysec"), "process"),
        (("--appendonly", "no"), "none"),
    ],
)
async def test_a_store_says_what_its_server_promises(
    tmp_path: Path, settings: tuple[str, ...], durability: str
) -> None:
    with redis_server(tmp_path / "valkey", *settings) as server:
        async with opened(f"{server.url}?durability={durability}") as store:
            assert isinstance(store.store, RedisStore)
            assert store.store.durability == durability


async def test_what_a_newer_release_has_written_is_left_alone(server: RedisServer) -> None:
    async with opened(server.url):
        pass
    with server.client() as client:
        client.hset("{headway}:meta", "version", 2)
    with pytest.raises(StoreError, match="newer release"):
        await RedisStore(server.url).open(lambda _: None)


async def test_nor_does_a_node_change_it_that_was_there_before(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(server.url) as node:
        activity = await node.start("a")
        with server.client() as client:
            client.hset("{headway}:meta", "version", 2)
        for _ in range(2):
            with pytest.raises(Unavailable):
                await node.commit(ending(activity))
        assert await node.store.get(activity.uuid) == activity
    assert caplog.text.count("nothing can be changed by this node any more") == 1


# Which server


async def test_a_password_opens_it_and_is_shown_nowhere(tmp_path: Path) -> None:
    with redis_server(tmp_path / "valkey", "--requirepass", "geheim") as server:
        for wrong in (server.url, server.url.replace("//", "//:falsch@")):
            with pytest.raises(StoreError, match="refuses the user or the password"):
                await RedisStore(wrong).open(lambda _: None)
        async with opened(server.url.replace("//", "//:geheim@")) as store:
            await store.start("a")
            assert "geheim" not in repr(store.store)


async def test_a_user_who_may_touch_one_namespace_is_enough(tmp_path: Path) -> None:
    rule = "user hw on >secret ~{team}:* +@all -@dangerous +info"
    with redis_server(tmp_path / "valkey", "--user", *rule.split()[1:]) as server:
        async with opened(server.url.replace("//", "//hw:secret@") + "?namespace=team") as store:
            await store.run("a")
            assert await store.history() == ["a"]
        with pytest.raises(StoreError, match="may not do"):
            await RedisStore(server.url.replace("//", "//hw:secret@")).open(lambda _: None)


async def test_it_speaks_tls(shared: RedisServer, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", shared.port)
        await asyncio.gather(_copied(reader, back), _copied(there, writer))

    proxy = await asyncio.start_server(forward, "127.0.0.1", 0, ssl=context)
    port = proxy.sockets[0].getsockname()[1]
    async with proxy:
        with pytest.raises(StoreError, match="certificate"):
            await RedisStore(f"rediss://localhost:{port}").open(lambda _: None)
        async with opened(f"rediss://localhost:{port}?ssl_ca_certs={certificate}&namespace={uuid4()}") as store:
            await store.run("a")


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def test_it_works_on_a_cluster(tmp_path: Path) -> None:
    with redis_server(tmp_path / "valkey", "--cluster-enabled", "yes") as server:
        with server.client() as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16_383)
            async with asyncio.timeout(DEADLINE):
                while b"cluster_state:ok" not in client.execute_command("CLUSTER", "INFO"):
                    await asyncio.sleep(0.05)
        async with opened(server.url) as here, opened(server.url) as there:
            started = await here.start("a")
            await there.store.sync()
            assert there.published == [started]
            assert await there.commit(ending(started)) != [None]
            assert await here.history() == ["a"]
            await here.store.beat(["n"])
            assert 0 <= (await there.store.silences(["n"]))["n"] < DEADLINE
            assert await here.store.prune(before=0.0, keep=0) == 1


async def test_sentinels_name_the_server_and_the_one_that_takes_over(tmp_path: Path) -> None:
    with redis_server(tmp_path / "first") as first:
        replica = RedisServer(tmp_path / "second", "--replicaof", "127.0.0.1", str(first.port)).start()
        sentinel = _sentinel(tmp_path / "sentinel", first)
        try:
            async with nodes(f"redis+sentinel://127.0.0.1:{sentinel.port}/main") as both:
                before = await insisted(both[0])
                await asyncio.to_thread(first.kill)
                after = await insisted(both[1])
                for node in both:
                    await until(lambda node=node: {a.uuid for a in node.list()} == {before.uuid, after.uuid})
                with replica.client() as client:
                    assert client.hexists("{headway}:records", before.uuid)
        finally:
            sentinel.kill()
            replica.kill()


def _sentinel(folder: Path, watched: RedisServer) -> RedisServer:
    folder.mkdir()
    port = free_port()
    file = folder / "sentinel.conf"
    file.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {folder}\nsentinel monitor main 127.0.0.1 {watched.port} 1\n"
        "sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n"
    )
    return RedisServer(folder, config=file, port=port).start()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://h?namespaces=a", "'namespaces' is not known"),
        ("redis://h?namespace=a b", "namespace 'a b'"),
        ("redis://h?namespace={x}", "namespace"),
        ("redis://h?durability=paper", "must be one of none, process, power"),
        ("redis://h:port", "HOST:PORT"),
        ("redis://h/first", "database 'first': must be a number"),
        ("redis+sentinel://h/main/first", "database 'first': must be a number"),
        ("redis://[::1", "cannot be read"),
        ("redis+sentinel://h", "names no master"),
        ("rabbit://h", "no store is known by the scheme 'rabbit'"),
    ],
)
def test_a_url_that_cannot_be_is_told_why(url: str, told: str) -> None:
    with pytest.raises(StoreError, match=told):
        open_store(url)


@pytest.mark.parametrize("scheme", ["redis", "redis+sentinel", "nats"])
@pytest.mark.parametrize("password", ["hid/den", "hid?den", "hid#den"])
def test_half_a_password_is_shown_to_nobody(scheme: str, password: str) -> None:
    with pytest.raises(StoreError, match="must be written as") as told:
        open_store(f"{scheme}://u:{password}@h:1/m")
    assert "hid" not in str(told.value) and "den" not in str(told.value)
    assert "hidden" not in repr(parse_address("redis://u:hidden@h"))


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("redis://", "localhost:6379"),
        ("valkey://u:p@h/3", "h:6379"),
        ("rediss://[::1]:7000", "::1:7000"),
        ("redis+sentinel://u:p@a,b:7/main/2", "main of a,b:7"),
    ],
)
def test_a_store_is_named_without_its_password(url: str, name: str) -> None:
    assert parse_address(url).name == name
