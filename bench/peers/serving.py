"""What the servers in Python share: they say where they listen, and are told on stdin what to send."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import uvicorn
import uvloop

Publish = Callable[[str], object]


BACKLOG = 2048
"""Connections that wait to be accepted; with fewer than the reader opens at once, some wait for a second."""


def parts() -> list[bytes]:
    """The arguments, which are in hex."""
    return [bytes.fromhex(argument) for argument in sys.argv[1:]]


def listener() -> socket.socket:
    """On a free port."""
    listening = socket.socket()
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listening.bind(("127.0.0.1", 0))
    listening.listen(BACKLOG)
    listening.setblocking(False)
    return listening


def tell(**told: Any) -> None:
    """A line of JSON for the bench."""
    print(json.dumps(told), flush=True)


async def lines() -> AsyncIterator[str]:
    """What the bench says, line by line. When it says no more, this process ends, whatever is still open."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line.decode().rstrip("\n")
    os._exit(0)


def under_uvicorn(app: Any, publish: Publish) -> None:
    """Serve an ASGI application until stdin ends. ``publish`` is called with each line, and awaited if it wants to."""
    uvloop.run(served(app, publish))


async def served(app: Any, publish: Publish) -> None:
    """The same, in a loop that runs already."""
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        lifespan="off",
        log_level="critical",
        access_log=False,
        timeout_keep_alive=75,
        backlog=BACKLOG,
    )
    serving = asyncio.create_task(_Server(config).serve([listener()]))
    async for line in lines():
        outcome = publish(line)
        if asyncio.iscoroutine(outcome):
            await outcome
    await serving


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listening in sockets or ():
            tell(port=listening.getsockname()[1])
