"""What is NATS's own about its store: servers that go away, forget, and promise less than is asked for."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, Mock
from uuid import uuid4

import pytest

from headway.core.activity import State
from headway.core.errors import StorageFull, Unavailable
from headway.stores import StoreError, nats_address, open_store
from headway.stores.nats import NatsStore
from headway.stores.nats_address import parse_address
from headway.testing.opened import AT, Opened, ending, reporting
from tests.certificates import self_signed
from tests.client.scripted_server import free_port
from tests.stores.nats_servers import NatsServer, nats_server
from tests.stores.outages import DEADLINE, insisted, nodes, opened, until


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """For tests that harm nothing but their own namespace."""
    with nats_server(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    """One of the test's own."""
    with nats_server(tmp_path / "nats") as running:
        yield running


@pytest.fixture
def url(shared: NatsServer) -> str:
    return f"{shared.url}?namespace={uuid4()}"


def streams_of(opened: Opened) -> NatsStore:
    assert isinstance(opened.store, NatsStore)
    return opened.store


# Away


async def test_a_server_set_back_to_an_older_state_gives_no_revision_out_again(server: NatsServer) -> None:
    async with opened(server.url) as store:
        first = await store.start("a")
        server.stop()
        shutil.copytree(server.folder, server.folder.with_name("older"))
        server.start()
        await until(lambda: not streams_of(store)._feed.lost)
        for percent in range(20):
            await store.commit(reporting(first, percent))
        ended = await store.end(first)
        await asyncio.to_thread(server.kill)
        shutil.rmtree(server.folder)
        server.folder.with_name("older").rename(server.folder)
        await asyncio.to_thread(server.start)
        while True:
            with suppress(Unavailable):
                later = await store.start("b")
                break
        assert later.revision > ended.revision
        await until(lambda: {record.uuid for record in store.published[-2:]} == {"a", "b"})
        found = await store.store.get("a")
        assert found is not None and found.state is State.SUCCEEDED
        assert store.revisions == sorted(set(store.revisions))


async def test_what_was_acknowledged_and_not_heard_of_yet_is_put_back_too(server: NatsServer) -> None:
    async with opened(server.url) as opener:
        await opener.start("a")
        server.stop()
        older = shutil.copytree(server.folder, server.folder.with_name("older"))
        store = streams_of(opener)
        for _ in range(2):  # and lost again: the second time just as much
            server.start()
            await until(lambda: not store._feed.lost and store._streams.client.is_connected)
            store._feed._arrived = _Nothing()
            name = str(uuid4())
            starting = asyncio.create_task(opener.start(name))
            await until(lambda: store._commits.unheard)
            await asyncio.to_thread(server.kill)
            shutil.rmtree(server.folder)
            shutil.copytree(older, server.folder)
            store._feed._arrived = deque()
            await asyncio.to_thread(server.start)
            started = await starting
            found = await store.get(name)
            assert found is not None and found.revision > started.revision
            assert opener.revisions == sorted(set(opener.revisions))
            server.stop()
        server.start()
        await until(lambda: not store._feed.lost)


class _Nothing(deque[Any]):
    """What has arrived, as nobody hears it."""

    def append(self, _: object) -> None:
        pass


async def test_another_history_on_the_server_is_refused(
    server: NatsServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(server.url) as store:
        await store.start("a")
        await asyncio.to_thread(server.kill)
        shutil.rmtree(server.folder)
        with nats_server(tmp_path / "other") as other:
            async with opened(other.url) as stranger:
                await stranger.start("b")
        (tmp_path / "other").rename(server.folder)
        await asyncio.to_thread(server.start)
        await until(lambda: "the server holds another history now" in caplog.text)
        assert [record.uuid for record in store.published] == ["a"]


async def test_a_consumer_that_is_deleted_is_made_anew(url: str) -> None:
    async with opened(url) as store:
        streams = streams_of(store)._streams
        listed = await streams.ask(f"CONSUMER.NAMES.{streams.records}")
        (name,) = listed["consumers"]
        await streams.ask(f"CONSUMER.DELETE.{streams.records}.{name}")
        started = await store.start("a")
        assert store.published == [started]
        assert len((await streams.ask(f"CONSUMER.NAMES.{streams.records}"))["consumers"]) == 1


# Not alone


async def test_a_node_has_one_reader_however_many_watch(url: str) -> None:
    async with nodes(url, 1) as (node,):
        watchers = [asyncio.create_task(_watched(node.watch(None))) for _ in range(100)]
        await asyncio.sleep(0.05)
        assert isinstance(node.store, NatsStore)
        streams = node.store._streams
        assert len((await streams.ask(f"CONSUMER.NAMES.{streams.records}"))["consumers"]) == 1
        for watcher in watchers:
            watcher.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)


async def _watched(watching: AsyncIterator[object]) -> None:
    async for _ in watching:
        pass


async def test_of_two_nodes_that_write_at_once_one_is_first_and_the_other_is_told(url: str) -> None:
    async with opened(url) as here, opened(url) as there:
        for number in range(50):
            activity = await here.start(f"a{number}")
            await there.store.sync()
            answers = await asyncio.gather(here.commit(ending(activity)), there.commit(ending(activity)))
            assert sorted(revision is None for (revision,) in answers) == [False, True]
            for node in (here, there):
                assert node.published[-1].ended


async def test_what_others_write_is_dropped_and_counted(url: str) -> None:
    async with opened(url) as store:
        streams = streams_of(store)._streams
        await store.start("a")
        for key, data in (("b", b"nonsense"), ("c", b"{}"), ("d", b"")):
            await streams.put(streams.records, streams.record(key), data)
        await streams.put(streams.records, streams.subject(streams.records, "floor", "x"), b"y")
        await streams.put(streams.records, streams.subject(streams.records, "else"), b"")
        second = await store.start("e")
        assert store.published[-1] == second
        assert await store.store.get("b") is None
        async with opened(url) as other:
            assert [activity.uuid for activity in other.snapshot.activities] == ["a", "e"]
            assert streams_of(other).dropped == streams_of(store).dropped == 3


async def test_what_one_node_has_pruned_is_history_to_no_other(url: str) -> None:
    async with opened(url) as here, opened(url) as there:
        for number in range(3):
            await here.run(f"a{number}", at=AT + number)
        await there.store.sync()
        assert await here.store.prune(before=AT + 1.5, keep=100) == 2
        streams_of(there)._archive.recent.clear()
        assert await there.history() == ["a2"]
        assert await there.store.prune(before=AT + 1.5, keep=100) == 0


async def test_what_lives_on_is_told_from_what_a_server_brings_back_of_what_was_forgotten(url: str) -> None:
    """nats-server 2.15, when it is killed soon after a subject was purged, may have an older message of it again."""
    async with opened(url) as here, opened(url) as there:
        old, ghost = await here.start("old"), await here.start("ghost")
        await here.run("gone")
        await there.store.sync()
        assert await there.store.prune(AT + 1, 100) == 1
        old_again = await here.store.get("old")
        assert old_again is not None and old_again.revision > old.revision == old_again.started_revision
        back = streams_of(here)._streams
        await back.raise_floors({1: (await back.state(back.records))[0]})
        await here.end(old_again)
        await here.store.sync()
        assert await here.store.get("ghost") is None
        async with opened(url) as third:
            assert [each.uuid for each in third.snapshot.activities if not each.ended] == []
            await third.store.prune(0, 100)
        assert await back.get(ghost.uuid) is None


async def test_ids_that_are_no_words_are_kept_apart(url: str) -> None:
    names = ["a.b", "a*", "a >", "größer", "=YS5i"]
    async with opened(url) as store:
        for name in names:
            await store.run(name)
        await store.store.beat(names)
        assert set((await store.store.silences(names)).keys()) == {*names}
        assert sorted(await store.history()) == sorted(names)
        assert [(await store.store.get(name)) is not None for name in [*names, "a"]] == [True] * 5 + [False]


# Full


async def test_without_room_starts_are_refused(url: str, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(url) as store:
        streams = streams_of(store)._streams
        running = await store.start("a")
        told = await streams.ask(f"STREAM.INFO.{streams.records}")
        config = {**told["config"], "max_bytes": told["state"]["bytes"] + 10}
        await streams.ask(f"STREAM.UPDATE.{streams.records}", config)
        for _ in range(2):
            with pytest.raises(StorageFull):
                await store.start("b")
        await streams.ask(f"STREAM.UPDATE.{streams.records}", {**config, "max_bytes": -1})
        await store.start("b")
        await store.end(running)
    said = [message for message in caplog.messages if "room" in message]
    assert len(said) == 2 and "has no room, and starts are refused" in said[0] and "has room again" in said[1]


# What servers promise


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("durability=power", "set `sync_interval: always` .* monitor=http://HOST:8222"),
        ("durability=process&storage=memory", "storage=memory"),
    ],
)
async def test_a_server_that_promises_too_little_is_refused_by_the_name_of_the_setting(
    url: str, query: str, told: str
) -> None:
    with pytest.raises(StoreError, match=told):
        await NatsStore(f"{url}&{query}").open(lambda _: None)


@pytest.mark.parametrize(("query", "durability"), [("storage=file", "process"), ("storage=memory", "none")])
async def test_a_store_says_what_its_server_promises(url: str, query: str, durability: str) -> None:
    async with opened(f"{url}&{query}&durability={durability}") as store:
        assert streams_of(store).durability == durability


async def test_a_server_without_jetstream_is_told_what_it_lacks(tmp_path: Path) -> None:
    told = "has no JetStream: start it with `jetstream` enabled"
    with nats_server(tmp_path / "nats", jetstream="disabled") as server, pytest.raises(StoreError, match=told):
        await NatsStore(server.url).open(lambda _: None)


async def test_what_a_newer_release_needs_is_left_alone(url: str, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(url) as store:
        activity = await store.start("a")
        streams = streams_of(store)._streams
        subject = streams.subject(streams.records, "meta")
        entry = await streams.last(streams.records, subject)
        assert entry is not None
        newer = {**json.loads(entry.data), "version": 2}
        await streams.put(streams.records, subject, json.dumps(newer).encode())
        await store.store.sync()
        with pytest.raises(Unavailable):
            await store.commit(ending(activity))
        assert await store.store.get("a") == activity
        assert "nothing can be changed by this node any more" in caplog.text
    with pytest.raises(StoreError, match="newer release"):
        await NatsStore(url).open(lambda _: None)


# Which server


@pytest.mark.parametrize(
    ("config", "right", "wrong"),
    [
        ("authorization { user: hw, password: geheim }", "hw:geheim@", "hw:falsch@"),
        ("authorization { token: geheim }", "geheim@", ""),
    ],
)
async def test_a_secret_opens_it_and_is_shown_nowhere(tmp_path: Path, config: str, right: str, wrong: str) -> None:
    with nats_server(tmp_path / "nats", config) as server:
        with pytest.raises(StoreError, match="refuses the user, the password or the token") as refused:
            await NatsStore(server.url.replace("//", f"//{wrong}")).open(lambda _: None)
        assert "falsch" not in str(refused.value)
        async with opened(server.url.replace("//", f"//{right}")) as store:
            await store.start("a")
            assert "geheim" not in repr(store.store) + repr(streams_of(store).address)


async def test_it_speaks_tls(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    config = f"tls {{ cert_file: {json.dumps(str(certificate))}, key_file: {json.dumps(str(key))} }}"
    with nats_server(tmp_path / "nats", config) as server:
        with pytest.raises(StoreError, match="certificate"):
            await NatsStore(f"tls://localhost:{server.port}").open(lambda _: None)
        async with opened(f"tls://localhost:{server.port}?ca={certificate}") as store:
            await store.run("a")


async def test_a_server_without_tls_is_told_no_password_where_tls_is_asked_for(
    shared: NatsServer, tmp_path: Path
) -> None:
    certificate, _ = self_signed(tmp_path)
    for url in (f"tls://u:hidden@localhost:{shared.port}", f"nats://u:hidden@localhost:{shared.port}?ca={certificate}"):
        with pytest.raises(StoreError, match="does not speak TLS, which the URL asks for"):
            await NatsStore(url).open(lambda _: None)


async def test_a_server_that_leaves_tls_to_its_clients_is_asked_for_it(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    files = f"cert_file: {json.dumps(str(certificate))}, key_file: {json.dumps(str(key))}"
    with nats_server(tmp_path / "nats", f"tls {{ {files} }}\nallow_non_tls: true") as server:
        with pytest.raises(StoreError, match="certificate"):
            await NatsStore(f"tls://localhost:{server.port}").open(lambda _: None)
        async with opened(f"tls://localhost:{server.port}?ca={certificate}") as store:
            await store.run("a")


async def test_what_answers_and_is_no_nats_server_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nats_address, "TIMEOUT", 0.2)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(StoreError, match="no answer in time, or not as of a NATS server"),
    ):
        await NatsStore(f"nats://127.0.0.1:{silent.getsockname()[1]}").open(lambda _: None)


async def test_what_a_file_of_credentials_takes_is_said(shared: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nkeys", None)
    with pytest.raises(StoreError, match="nkeys package: pip install"):
        await NatsStore(f"{shared.url}?creds=/nowhere").open(lambda _: None)


async def test_a_cluster_goes_on_without_one_of_its_servers(tmp_path: Path) -> None:
    routes = [free_port() for _ in range(3)]
    with ExitStack() as stack:
        servers = []
        for number, port in enumerate(routes):
            others = ", ".join(f'"nats://127.0.0.1:{each}"' for each in routes)
            config = f'server_name: n{number}\ncluster {{ name: c, listen: "127.0.0.1:{port}", routes: [{others}] }}'
            servers.append(stack.enter_context(nats_server(tmp_path / f"n{number}", config)))
        url = ",".join(server.url.removeprefix("nats://") for server in servers)
        async with asyncio.timeout(DEADLINE):
            while True:  # until they have found each other
                with suppress(StoreError):
                    await _opened_and_closed(f"nats://{url}?replicas=3")
                    break
                await asyncio.sleep(0.1)
        async with nodes(f"nats://{url}?replicas=3") as both:
            before = await insisted(both[0])
            await asyncio.to_thread(servers[0].kill)
            after = await insisted(both[1])
            for node in both:
                await until(lambda node=node: {a.uuid for a in node.list()} == {before.uuid, after.uuid})


async def _opened_and_closed(url: str) -> None:
    store = NatsStore(url)
    await store.open(lambda _: None)
    await store.close()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("nats://h?namespaces=a", "'namespaces' is not known"),
        ("nats://h?namespace=a.b", "namespace 'a.b'"),
        ("nats://h?durability=paper", "must be one of none, process, power"),
        ("nats://h?storage=paper", "must be file or memory"),
        ("nats://h?replicas=6", "must be 1 to 5"),
        ("nats://h:port", "HOST:PORT"),
        ("nats://h/films", "'/films' means nothing to NATS"),
        ("nats://h?namespace=a_beats", "must not end in _outputs, _beats, _documents"),
    ],
)
def test_a_url_that_cannot_be_is_told_why(url: str, told: str) -> None:
    with pytest.raises(StoreError, match=told):
        open_store(url)


@pytest.mark.parametrize(
    ("url", "name"),
    [("nats://", "localhost:4222"), ("nats://u:p@h,i:7", "h:4222,i:7"), ("tls://[::1]:7000", "[::1]:7000")],
)
def test_a_store_is_named_without_its_password(url: str, name: str) -> None:
    assert parse_address(url).name == name


@pytest.mark.parametrize("error", [RuntimeError("the handler is closed"), ConnectionResetError()])
async def test_a_connection_that_breaks_while_it_is_closed_leaves_nothing_behind(url: str, error: Exception) -> None:
    lost, nobody = asyncio.Event(), AsyncMock()
    connection: Any = await parse_address(url).connect(AsyncMock(side_effect=lost.set))
    subscription = await connection.subscribe("a", cb=nobody)
    transport, connection._pending_data_size = connection._transport, 1
    connection._transport = Mock(transport, drain=AsyncMock(side_effect=error), close=transport.close)
    await connection.close()
    await until(subscription._wait_for_msgs_task.done)
    assert lost.is_set()
