"""Streams under servers that are not ours, as processes of their own: by ASGI's ``send`` alone."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.server.harness import DEADLINE
from tests.server.whole import Whole

ROOT = Path(__file__).parents[2]
SERVERS = {
    "granian": ("granian", "--interface", "asgi", "--workers", "1", "--host", "127.0.0.1", "--port", "{port}"),
    "hypercorn": ("hypercorn", "--bind", "127.0.0.1:{port}"),
}


class Foreign(Whole):
    """A server of others, from outside."""

    def __init__(self, port: int) -> None:
        self.port, self.tokens = port, {}

    async def streams(self, count: int) -> None:
        """Wait until so many are open."""
        async with asyncio.timeout(DEADLINE):
            while (await self.ask("GET", "/inside")).body != b"%d" % count:
                await asyncio.sleep(0.01)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


async def answering(process: subprocess.Popen[bytes], port: int) -> None:
    async with asyncio.timeout(DEADLINE):
        while process.poll() is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            return
    raise AssertionError("the server does not start")


@pytest.fixture(scope="module", params=list(SERVERS))
async def foreign(request: pytest.FixtureRequest) -> AsyncIterator[Foreign]:
    port = free_port()
    command = [sys.executable, "-m", *(part.format(port=port) for part in SERVERS[request.param])]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
    with subprocess.Popen([*command, "tests.server.foreign:app"], cwd=ROOT, env=environment) as process:
        try:
            await answering(process, port)
            yield Foreign(port)
        finally:
            process.terminate()
            try:
                code = await asyncio.to_thread(process.wait, DEADLINE)
            finally:
                process.kill()
    assert code == 0


async def test_an_activity_is_listed_watched_and_cancelled(foreign: Foreign) -> None:
    async with foreign.events("alice") as stream, foreign.socket("alice") as socket:
        assert stream.headers["content-type"] == "text/event-stream"
        assert (await stream.event()).type == "ping"
        uuid = (await foreign.start(cancellable=True))["uuid"]
        assert (await stream.next()).told == ("started", uuid)
        assert (await socket.next())["event"] == "started"
        assert await foreign.listed() == [uuid]
        assert (await foreign.ask("DELETE", f"/activities/{uuid}", "alice")).status == 200
        assert (await stream.next()).row["state"] == (await socket.next())["Activity"]["state"] == "cancelling"
        await foreign.change(uuid, state="cancelled")
        assert (await stream.next()).told == ("ended", uuid)
        assert (await socket.next())["event"] == "ended"
        for _ in range(3):
            assert (await stream.event()).type == "ping"


@pytest.mark.parametrize("how", ["close", "reset", "half-close"])
async def test_it_is_noticed_that_a_client_has_gone(foreign: Foreign, how: str) -> None:
    await foreign.streams(0)
    async with foreign.events("alice") as stream, foreign.socket("alice") as socket:
        await stream.event()
        await foreign.streams(2)
        for client in (stream.client, socket.client):
            if how == "reset":
                client.writer.transport.abort()
            elif how == "half-close":
                client.writer.write_eof()
            else:
                client.writer.close()
        await foreign.streams(0)


async def test_a_client_that_resumes_misses_and_repeats_nothing(foreign: Foreign) -> None:
    async with foreign.events("alice") as stream:
        last = (await stream.event()).id
    uuid = (await foreign.start())["uuid"]
    await foreign.change(uuid, state="failed")
    async with foreign.events("alice", headers=[("Last-Event-ID", last or "")]) as stream:
        assert [event.told for event in await stream.until(uuid)] == [("started", uuid), ("ended", uuid)]


async def test_the_streams_end_when_their_host_stops(foreign: Foreign) -> None:
    """The last one: no stream is opened after it."""
    async with foreign.events("alice") as stream, foreign.socket("alice") as socket:
        await stream.event()
        assert (await foreign.ask("POST", "/stop")).status == 200
        assert (await stream.block()).startswith(b"retry: ")
        assert (await stream.block(), stream.ended) == (b"", True)
        assert await socket.client.close_code() == 1012
    async with foreign.events("alice") as late:
        assert (await late.block()).startswith(b"retry: ")
