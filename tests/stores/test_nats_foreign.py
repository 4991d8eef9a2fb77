"""Servers that are set up for something else, and streams that somebody else writes to."""

from __future__ import annotations

from pathlib import Path

import pytest

from headway.stores import StoreError
from headway.stores.nats import NatsStore
from headway.testing.opened import Opened
from tests.stores.nats_servers import nats_server


async def test_a_server_that_takes_no_large_message_is_refused_by_the_name_of_the_setting(tmp_path: Path) -> None:
    told = pytest.raises(StoreError, match="set max_payload to 131072")
    with nats_server(tmp_path / "nats", "max_payload: 65536") as server, told:
        await NatsStore(server.url).open(lambda _: None)


async def test_a_history_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with nats_server(tmp_path / "nats") as server:
        store = NatsStore(server.url)
        await Opened(store).open()
        streams = store._streams
        await streams.put(streams.records, streams.subject(streams.records, "meta"), b"theirs")
        with pytest.raises(StoreError, match=r"somebody else has written to .*meta"):
            await NatsStore(server.url).open(lambda _: None)
        await store.close()
