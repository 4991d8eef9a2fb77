"""How streams end: with their token, and with the server."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from headway.admission import Limits
from headway.core.lifecycle import Report
from headway.core.policy import Role
from headway.hub import Activities
from headway.server.identity.grants import SWEEP
from headway.server.identity.identities import POLL
from headway.server.service import StreamLimits
from tests.server.harness import DEADLINE, connected
from tests.server.whole import (
    EVENTS,
    Events,
    Whole,
    both_ways,
    eventually,
    head,
    in_memory,
    make_tokens,
    revoke,
    standalone,
)


async def refused(whole: Whole, token: str) -> None:
    """Wait until a token opens nothing any more."""
    async with asyncio.timeout(DEADLINE):
        while (await whole.ask("GET", "/activities", token)).status != 401:
            await asyncio.sleep(0.01)


def test_the_end_of_a_token_is_noticed_within_a_second() -> None:
    assert POLL + SWEEP < 1


@both_ways
@pytest.mark.parametrize("how", ["revoked", "demoted", "deleted"])
async def test_both_kinds_of_stream_end_with_their_token(tmp_path: Path, how: str) -> None:
    async with (
        standalone(tmp_path) as whole,
        whole.events("alice") as stream,
        whole.socket("alice") as socket,
        whole.events("bob") as other,
    ):
        for each in (stream, other):
            await each.event()
        if how == "revoked":
            revoke(whole.data, "alice")
        else:
            change = "UPDATE tokens SET role = 'reader'" if how == "demoted" else "DELETE FROM tokens"
            with closing(sqlite3.connect(whole.data / "identity.db", isolation_level=None)) as db:
                db.execute(f"{change} WHERE user_id = (SELECT id FROM users WHERE name = 'alice')")
        assert await stream.block() == b""
        assert await socket.client.close_code() == 1008
        if how == "demoted":
            assert (await whole.ask("POST", "/activities", "alice", body={"type": "a"})).status == 403
        else:
            await refused(whole, "alice")
            assert (await whole.ask("GET", EVENTS, "alice")).status == 401
        uuid = (await whole.start("bob"))["uuid"]
        assert (await other.next()).told == ("started", uuid)
        await eventually(lambda: len(whole.service.places) == 1)


@both_ways
async def test_both_kinds_of_stream_end_when_their_token_expires(tmp_path: Path) -> None:
    async with standalone(tmp_path, {}) as whole:
        token = make_tokens(tmp_path, {"carol": Role.USER}, expires_at=time.time() + 1.5)["carol"]
        async with asyncio.timeout(DEADLINE):
            while (await whole.ask("GET", "/activities", token)).status != 200:
                await asyncio.sleep(0.01)
        async with whole.events(token) as stream, whole.socket(token) as socket:
            assert (await stream.event()).type == "ping"
            assert await stream.block() == b""
            assert await socket.client.close_code() == 1008
            assert (await whole.ask("GET", EVENTS, token)).status == 401


# The server stops


@both_ways
async def test_streams_end_in_band_when_the_server_stops() -> None:
    async with (
        in_memory(streams=StreamLimits(farewell=0.05)) as whole,
        whole.events("alice") as stream,
        whole.socket("alice") as socket,
    ):
        last = await stream.event()
        assert last.id is not None
        uuid = (await whole.start())["uuid"]
        await stream.until(uuid, "started")
        whole.server.stop()
        retry, _, milliseconds = (await stream.block()).partition(b": ")
        assert (retry, 1_500 <= int(milliseconds) <= 4_500) == (b"retry", True)
        assert (await stream.block(), stream.ended) == (b"", True)
        assert (await socket.next())["uuid"] == uuid
        assert await socket.client.close_code() == 1012


@both_ways
async def test_an_event_stream_that_comes_while_the_server_stops_is_told_to_return() -> None:
    async with in_memory(streams=StreamLimits(farewell=60, farewell_each=60)) as whole, whole.events("alice") as open:
        await open.event()
        whole.server.stop()
        await eventually(whole.service.stopping.is_set)
        assert not whole.server.ready
        async with connected(whole.port) as client:
            client.send(whole.request("GET", EVENTS, "bob"))
            late = Events(client, *(await head(client)))
            # Any status but 200 would close a browser's EventSource for good.
            assert (late.status, late.headers["content-type"]) == (200, "text/event-stream")
            assert (await late.block()).startswith(b"retry: ")
            assert await late.block() == b""
        # What is open goes on until its turn to be told.
        uuid = (await whole.start())["uuid"]
        assert (await open.next()).told == ("started", uuid)


@both_ways
async def test_a_stop_does_not_wait_for_the_turns_of_those_who_have_left(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("headway.server.serve.FAREWELL", DEADLINE)
    forever = StreamLimits(farewell=1e9, farewell_each=1e9)
    async with asyncio.timeout(DEADLINE / 2), in_memory(streams=forever) as whole, whole.events("alice") as stream:
        await stream.event()
        whole.server.stop()
        await eventually(whole.service.stopping.is_set)
    assert "were not closed" not in caplog.text


@both_ways
async def test_farewells_are_spread() -> None:
    async with in_memory(streams=StreamLimits(farewell=0.3)) as whole:
        loop, ends = asyncio.get_running_loop(), []

        async def follow() -> None:
            async with whole.events("alice") as stream:
                while (await stream.block()) != b"":
                    pass
                ends.append(loop.time())

        following = [asyncio.create_task(follow()) for _ in range(30)]
        await eventually(lambda: len(whole.service.places) == 30)
        whole.server.stop()
        await asyncio.gather(*following)
        assert ends[-1] - ends[0] > 0.03, "thirty ends at random within 0.3 seconds"


@both_ways
async def test_a_client_that_reads_nothing_does_not_keep_the_server(caplog: pytest.LogCaptureFixture) -> None:
    large = Activities(limits=Limits(live_per_owner=4_000))
    async with in_memory(large, streams=StreamLimits(farewell=0)) as whole:
        for _ in range(4_000):  # more than any buffer takes
            await whole.activities.create("test.large", 2, report=Report(context={"text": "x" * 4_000}))
        async with whole.events("alice", "?snapshot=1") as stalled, whole.socket("alice", "?snapshot=1") as socket:
            for client in (stalled.client, socket.client):
                client.pause_reading()
            await eventually(lambda: len(whole.service.places) == 2)
            whole.server.stop()
            await eventually(lambda: len(whole.service.places) == 0)
    assert [record for record in caplog.records if record.exc_info or "not closed" in record.getMessage()] == []
