"""The limit that Python sets: one loop over ``transport.write`` of uvloop. Arguments: HEAD BEFORE AFTER."""

from __future__ import annotations

import asyncio
from typing import cast

import uvloop

from bench.frame import Split
from bench.peers.serving import BACKLOG, lines, listener, parts, tell

writers: dict[asyncio.Transport, None] = {}


class Connection(asyncio.Protocol):
    """Answers whatever is asked with the head, and has everything sent to it from then on."""

    def __init__(self, head: bytes) -> None:
        self._head = head

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._transport not in writers:
            self._transport.write(self._head)
            writers[self._transport] = None

    def connection_lost(self, exc: Exception | None) -> None:
        writers.pop(self._transport, None)


async def main() -> None:
    head, frame = parts()[0], Split(*parts()[1:])
    listening = listener()
    await asyncio.get_running_loop().create_server(lambda: Connection(head), sock=listening, backlog=BACKLOG)
    tell(port=listening.getsockname()[1])
    async for stamp in lines():
        data = frame.stamped(stamp.encode())
        for transport in list(writers):
            transport.write(data)


uvloop.run(main())
