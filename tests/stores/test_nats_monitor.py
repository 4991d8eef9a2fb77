"""A server's monitoring port tells whether what it acknowledges outlives its machine's power."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from headway.stores import StoreError
from headway.stores.nats import NatsStore
from headway.stores.nats_address import parse_address
from tests.client.scripted_server import free_port
from tests.stores.nats_servers import NatsServer, nats_server


@contextmanager
def monitored(folder: Path, jetstream: str = "") -> Iterator[tuple[NatsServer, str]]:
    """A server, and the URL of its monitoring port."""
    port = free_port()
    with nats_server(folder, f'http: "127.0.0.1:{port}"', jetstream=jetstream) as server:
        yield server, f"http://127.0.0.1:{port}"


async def promised(url: str) -> str | None:
    store = NatsStore(url)
    try:
        await store.open(lambda _: None)
        return store.durability
    finally:
        await store.close()


async def test_a_server_that_waits_for_its_disk_promises_to_outlive_its_power(tmp_path: Path) -> None:
    with monitored(tmp_path / "nats", "sync_interval: always") as (server, monitor):
        assert await promised(f"{server.url}?durability=power&monitor={monitor}") == "power"
        assert await promised(f"{server.url}?monitor={monitor}/") == "power"
        assert await promised(server.url) == "process"
        assert await promised(f"{server.url}?namespace=m&storage=memory&monitor={monitor}") == "none"
        with pytest.raises(StoreError, match="monitor=http"):
            await promised(f"{server.url}?durability=power")


async def test_one_that_does_not_is_refused_by_the_name_of_the_setting(tmp_path: Path) -> None:
    with monitored(tmp_path / "nats", 'sync_interval: "1s"') as (server, monitor):
        assert await promised(f"{server.url}?durability=process&monitor={monitor}") == "process"
        with pytest.raises(StoreError, match="set `sync_interval: always` in the `jetstream` part") as refused:
            await promised(f"{server.url}?durability=power&monitor={monitor}")
        assert "monitor=" not in str(refused.value)


async def test_another_servers_word_is_worth_nothing(tmp_path: Path) -> None:
    with (
        monitored(tmp_path / "here") as (server, mine),
        monitored(tmp_path / "there", "sync_interval: always") as (_, other),
    ):
        with pytest.raises(StoreError, match="none of those that are monitored"):
            await promised(f"{server.url}?durability=power&monitor={other}")
        with pytest.raises(StoreError, match="sync_interval: always"):
            await promised(f"{server.url}?durability=power&monitor={other},{mine}")


async def test_a_port_that_is_none_is_told(tmp_path: Path) -> None:
    with nats_server(tmp_path / "nats") as server:
        for port in (free_port(), server.port):
            with pytest.raises(
                StoreError, match=r"monitoring port at http://127\.0\.0\.1:\d+ does not answer as one does"
            ):
                await promised(f"{server.url}?monitor=http://127.0.0.1:{port}")


@pytest.mark.parametrize("monitor", ["file:///etc/passwd", "h:8222", "http://", "http://u:geheim@h:8222"])
def test_a_monitor_that_cannot_be_is_refused(monitor: str) -> None:
    with pytest.raises(StoreError, match="is not http://HOST:PORT") as refused:
        parse_address(f"nats://h?monitor={monitor}")
    assert "geheim" not in str(refused.value)
