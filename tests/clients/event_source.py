"""An EventSource as browsers have it (HTML Living Standard, section 9.2), over plain sockets.

It comes back by itself with ``Last-Event-ID`` whenever a connection ends, after the time that the stream last named;
and it is closed for good by any answer but 200 with ``text/event-stream``.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import NamedTuple

from tests.server.harness import Client, connected
from tests.server.whole import head


class Event(NamedTuple):
    """What a listener is given."""

    type: str
    data: str
    last_event_id: str


class EventSource:
    """Events arrive in ``events`` until it is closed; then None does."""

    def __init__(self, port: int, path: str, token: str) -> None:
        self.events: asyncio.Queue[Event | None] = asyncio.Queue()
        self.connections = 0
        """How often it has been told 200."""
        self.retry = 0.01
        """Seconds."""
        self._port, self._path, self._token = port, path, token
        self._last_id = ""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        while True:
            with suppress(OSError, EOFError):  # a network error: it will try again
                async with connected(self._port) as client:
                    if not await self._connect(client):
                        self.events.put_nowait(None)
                        return
                    await self._read(client)
            await asyncio.sleep(self.retry)

    async def _connect(self, client: Client) -> bool:
        lines = [
            f"GET {self._path} HTTP/1.1",
            "Host: localhost",
            "Accept: text/event-stream",
            "Cache-Control: no-cache",
        ]
        lines += [f"Cookie: headway_token={self._token}", "Sec-Fetch-Site: same-origin"]
        if self._last_id:
            lines.append(f"Last-Event-ID: {self._last_id}")
        client.send("\r\n".join([*lines, "", ""]).encode())
        status, headers = await head(client)
        if status != 200 or headers["content-type"] != "text/event-stream":
            return False
        self.connections += 1
        return True

    async def _read(self, client: Client) -> None:
        type, last_id, pending = "", self._last_id, b""
        data: list[str] = []
        while piece := await _chunk(client):
            *lines, pending = (pending + piece).split(b"\n")
            for line in lines:
                if not line:
                    self._last_id = last_id
                    if data:
                        self.events.put_nowait(Event(type or "message", "\n".join(data), last_id))
                    type, data = "", []
                    continue
                field, _, value = line.decode().partition(":")
                value = value.removeprefix(" ")
                if field == "event":
                    type = value
                elif field == "data":
                    data.append(value)
                elif field == "id":
                    last_id = value
                elif field == "retry" and value.isdigit():
                    self.retry = int(value) / 1_000


async def _chunk(client: Client) -> bytes:
    """The next piece of a chunked body; empty at its end."""
    size = int(await client.reader.readuntil(b"\r\n"), 16)
    return (await client.reader.readexactly(size + 2))[:-2]
