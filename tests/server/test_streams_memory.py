"""What open streams cost: memory of the server for those who idle, for those who do not read, and after they have gone.

It is measured from outside, in a process of its own. How long the soak takes is said by ``HEADWAY_SOAK``, in seconds.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from statistics import linear_regression

import pytest

from tests.server.apart import Apart, Inside, apart
from tests.server.harness import DEADLINE, Client, connected
from tests.server.whole import EVENTS, JSON, SOCKETS, head, read_answer

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="tells of Linux's memory")

SOAK = float(os.environ.get("HEADWAY_SOAK", "3"))
KIB = 1024
HOW = ["leave", "rubbish", "request", "half-close", "trickle", "stall"]
BROWSER = (
    *("User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120 Safari/537.36",),
    *("Accept-Language: en-GB,en;q=0.9", "Accept-Encoding: gzip, deflate, br", "X-Plex-Product: Some Client"),
    *("X-Plex-Client-Identifier: 8e1f7c3a-1f0b-4a59-9d0a-6a4a0e3b5b0f", "Cache-Control: no-cache"),
)


def say(line: str) -> None:
    sys.stderr.write(line + "\n")


async def watch(stack: AsyncExitStack, server: Apart, kind: str, query: str = "") -> Client:
    client = await stack.enter_async_context(connected(server.port))
    if kind == "sse":
        headers = [(name, value) for name, _, value in (line.partition(": ") for line in BROWSER)]
        client.send(server.whole.request("GET", EVENTS + query, "alice", headers))
        assert (await head(client))[0] == 200
    else:
        assert (await client.handshake(SOCKETS + query, "X-Plex-Token: alice", *BROWSER))[0] == 101
    return client


async def settled(server: Apart, streams: int) -> Inside:
    async with asyncio.timeout(DEADLINE):
        while (inside := await server.inside()).places != streams:
            await asyncio.sleep(0.02)
    return inside


@pytest.mark.parametrize(("kind", "bound"), [("sse", 16 * KIB), ("websocket", 24 * KIB)])
async def test_a_watcher_that_idles_costs_little(kind: str, bound: int) -> None:
    sizes: list[int] = []
    async with apart() as server, AsyncExitStack() as stack:
        for count in (100, 600):
            for _ in range(count // 10):
                await asyncio.gather(*[watch(stack, server, kind) for _ in range(10)])
            inside = await settled(server, count if not sizes else 700)
            assert inside.watchers == inside.places
            sizes.append(inside.memory)
    each = (sizes[1] - sizes[0]) / 600
    say(f"{kind}: {each / KIB:.1f} KiB a watcher")
    assert each <= bound


async def test_ones_that_do_not_read_leave_their_buffers_and_no_more() -> None:
    async with apart(activities=500) as server, AsyncExitStack() as stack:
        uuids = [row["uuid"] for row in (await server.whole.ask("GET", "/activities", "alice", [JSON])).rows]
        reader = await watch(stack, server, "sse")

        async def change_much(subtitles: str) -> None:
            for subtitle in subtitles:  # each time more than the buffers take
                await flood(server, uuids, subtitle * 300)
                await read_until(reader, subtitle.encode() * 300)

        await change_much("stuvwxyz")  # what the changes themselves take is not what is measured
        for client in [await watch(stack, server, kind) for kind in ("sse", "websocket") * 20]:
            client.pause_reading()
        before = await settled(server, 41)
        await change_much("abcdefgh")
        after = await settled(server, 41)
    each = (after.memory - before.memory) / 40
    say(f"{each / KIB:.0f} KiB of the process for each one that does not read")
    assert each <= (256 - 128) * KIB, "the kernel takes 128"


async def read_until(client: Client, wanted: bytes) -> None:
    seen = b""
    async with asyncio.timeout(DEADLINE):
        while wanted not in seen:
            seen = seen[-len(wanted) :] + await client.reader.read(65_536)


async def flood(server: Apart, uuids: list[str], subtitle: str) -> None:
    """Report on all, as fast as it is taken."""
    async with connected(server.port) as client:
        for start in range(0, len(uuids), 20):
            some = uuids[start : start + 20]
            for uuid in some:
                client.send(server.whole.request("PATCH", f"/activities/{uuid}", "alice", body={"subtitle": subtitle}))
            for _ in some:
                assert (await read_answer(client)).status == 200


# Long


async def misbehave(server: Apart, kind: str, how: str, chance: random.Random) -> None:
    """Open a stream, and end it as no client should."""
    async with AsyncExitStack() as stack:
        client = await watch(stack, server, kind, chance.choice(["", "?snapshot=1", "?since=x", "?filters=log"]))
        if how == "rubbish":
            client.send(chance.randbytes(chance.randrange(1, 200)))
        elif how == "request":
            client.send(server.whole.request("GET", "/activities", "alice"))
        elif how == "half-close":
            client.writer.write_eof()
        elif how == "trickle":
            for _ in range(20):
                with suppress(asyncio.TimeoutError):
                    async with asyncio.timeout(0.01):
                        await client.reader.read(1)
        elif how == "stall":
            client.pause_reading()
        await asyncio.sleep(chance.random() / 20)
        if chance.random() < 0.5:
            client.writer.transport.abort()


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "portable"])
async def test_crowds_that_misbehave_leave_nothing_and_keep_nothing_from_the_others(fast: bool) -> None:
    chance, loop, sizes = random.Random(0), asyncio.get_running_loop(), []
    # Who has left behind a second request is noticed by a ping or two, where others hold the connection.
    async with apart(activities=100, fast=fast, ping=1.0) as server:
        uuids = [row["uuid"] for row in (await server.whole.ask("GET", "/activities", "alice", [JSON])).rows]
        before = await settled(server, 0)
        async with server.whole.events("alice") as good, server.whole.socket("alice") as socket:
            await good.event()
            end = loop.time() + SOAK
            while loop.time() < end:
                hows = [chance.choice(HOW) for _ in range(30)]
                kinds = [chance.choice(["sse", "websocket"]) for _ in hows]
                marked = (await server.whole.start())["uuid"]
                crowd = [misbehave(server, kind, how, chance) for kind, how in zip(kinds, hows, strict=True)]
                await asyncio.gather(flood(server, uuids, "x" * chance.randrange(300)), *crowd)
                await server.whole.change(marked, state="succeeded")
                told = [event.told for event in await good.until(marked) if event.told[1] == marked]
                assert told == [("started", marked), ("ended", marked)]
                heard = [await socket.next()]
                while (heard[-1]["event"], heard[-1]["uuid"]) != ("ended", marked):
                    heard.append(await socket.next())
                assert [each["event"] for each in heard if each["uuid"] == marked] == ["started", "ended"]
                sizes.append((await settled(server, 2)).memory)
        after = await settled(server, 0)
        async with asyncio.timeout(DEADLINE):
            while (after.files, after.tasks) != (before.files, before.tasks):
                after = await server.inside()
    assert (after.channels, after.watchers) == (0, 0)
    say(f"{len(sizes)} crowds in {SOAK:g} s: {slope(sizes[len(sizes) // 3 :]) / KIB:.1f} KiB more after each")


def slope(values: list[int]) -> float:
    """Of the line that fits best."""
    if len(values) < 2:
        return 0.0
    return linear_regression(range(len(values)), values).slope
