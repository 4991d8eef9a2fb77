"""What open streams cost: memory of the server for those who idle, for those who do not read, and after they have gone.

It is measured from outside, in a process of its own. How long the soak takes is said by ``HEADWAY_SOAK``, in seconds.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.server.apart import Apart, Inside, apart
from tests.server.harness import DEADLINE, Client, connected
from tests.server.whole import EVENTS, SOCKETS, head

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="tells of Linux's memory")

SOAK = float(os.environ.get("HEADWAY_SOAK", "3"))
KIB = 1024
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
