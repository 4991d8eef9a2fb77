"""Plain readers of the streams: the websockets library, and an EventSource that comes back by itself."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from headway.core.policy import Role
from headway.server import ending
from headway.server.service import StreamLimits
from tests.clients.event_source import Event, EventSource
from tests.server.harness import DEADLINE
from tests.server.whole import EVENTS, Whole, eventually, make_tokens, revoke, standalone

PATHS = ["/:/websockets/notifications", "/:/websocket/notifications"]


def address(whole: Whole, path: str = PATHS[0], user: str = "alice") -> str:
    token = whole.tokens.get(user, user)
    return f"ws://127.0.0.1:{whole.port}{path}?X-Plex-Token={token}"


@pytest.mark.parametrize("path", PATHS)
async def test_the_websockets_library_reads_the_life_of_an_activity(whole: Whole, path: str) -> None:
    async with connect(address(whole, path)) as socket:
        uuid = (await whole.start())["uuid"]
        await whole.change(uuid, progress=50)
        await whole.change(uuid, state="succeeded")
        told: list[str] = []
        while not told or told[-1] != "ended":
            message = await socket.recv()
            assert isinstance(message, str)
            container = json.loads(message)["NotificationContainer"]
            assert (container["type"], container["size"]) == ("activity", 1)
            (notification,) = container["ActivityNotification"]
            assert notification["uuid"] == notification["Activity"]["uuid"] == uuid
            told.append(notification["event"])
        assert told[0] == "started"
        assert set(told[1:-1]) <= {"updated"}


async def test_it_pings_and_is_answered(whole: Whole) -> None:
    async with connect(address(whole), ping_interval=0.05, ping_timeout=DEADLINE) as socket:
        for _ in range(3):
            assert await (await socket.ping()) >= 0
        await socket.send("junk")
        uuid = (await whole.start())["uuid"]
        assert uuid in str(await socket.recv())


async def test_a_bad_token_is_told_at_the_handshake(whole: Whole) -> None:
    with pytest.raises(InvalidStatus) as raised:
        await connect(address(whole, user="wrong"))
    assert raised.value.response.status_code == 401


async def test_a_revoked_token_is_told_as_it_closes(whole: Whole) -> None:
    whole.tokens = {**whole.tokens, **make_tokens(whole.data, {"dora": Role.USER})}
    await eventually_known(whole, "dora")
    async with connect(address(whole, user="dora")) as socket:
        revoke(whole.data, "dora")
        with pytest.raises(ConnectionClosed) as raised:
            await socket.recv()
    assert raised.value.rcvd is not None
    assert raised.value.rcvd.code == 1008


async def eventually_known(whole: Whole, user: str) -> None:
    """Wait until the server knows a new token."""
    async with asyncio.timeout(DEADLINE):
        while (await whole.ask("GET", "/activities", user)).status != 200:
            await asyncio.sleep(0.01)


# EventSource


async def told(source: EventSource, uuid: str, kind: str) -> list[tuple[str, str]]:
    """The events of activities up to one."""
    events: list[tuple[str, str]] = []
    while (kind, uuid) not in events:
        async with asyncio.timeout(DEADLINE):
            event = await source.events.get()
        assert isinstance(event, Event), "it was closed for good"
        assert event.type in ("activity", "ping"), event
        if event.type == "activity":
            notification = json.loads(event.data)["ActivityNotification"]
            events.append((notification["event"], notification["uuid"]))
    return events


async def test_an_event_source_comes_back_to_a_restarted_server_and_misses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "RETRY", 30)
    limits = StreamLimits(farewell=0.05)
    async with standalone(tmp_path, streams=limits) as whole:
        tokens, port = whole.tokens, whole.port
        source = EventSource(port, EVENTS, tokens["alice"])
        await eventually(lambda: len(whole.service.channels) == 1)
        first = (await whole.start())["uuid"]
        heard = await told(source, first, "started")
    assert 0.015 <= source.retry <= 0.045
    async with standalone(tmp_path, {}, streams=limits, port=port) as whole:
        whole.tokens = tokens
        second = (await whole.start())["uuid"]
        await whole.change(first, state="succeeded")
        heard += await told(source, first, "ended")
        assert source.connections >= 2
    async with standalone(tmp_path, {}, streams=limits, port=port) as whole:
        whole.tokens = tokens
        await whole.change(second, state="failed")
        heard += await told(source, second, "ended")
        await source.close()
    lifecycle = Counter(event for event in heard if event[0] != "updated")
    assert lifecycle == Counter([(kind, uuid) for kind in ("started", "ended") for uuid in (first, second)])


async def test_an_event_source_whose_token_ends_is_closed_for_good(tmp_path: Path) -> None:
    async with standalone(tmp_path) as whole:
        source = EventSource(whole.port, EVENTS, whole.tokens["alice"])
        await eventually(lambda: len(whole.service.channels) == 1)
        revoke(whole.data, "alice")
        async with asyncio.timeout(DEADLINE):
            while await source.events.get() is not None:
                pass
        assert source.connections == 1
        await source.close()
