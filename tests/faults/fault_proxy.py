"""A way to a server that can be cut, and cut again."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from types import TracebackType
from typing import Self

ABRUPT = struct.pack("ii", 1, 0)
"""SO_LINGER: closing drops the connection at once, with what is on its way in it."""


class FaultProxy:
    """Listens on a port of its own and passes on to another; bytes that are on their way when it is cut are lost."""

    def __init__(self, port: int) -> None:
        """``port``: of the server on this machine."""
        self.port = 0
        self.cuts = 0
        self._there = port
        self._links: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._refusing = False

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._passed_on, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Drop every connection, here and there."""
        self.cuts += 1
        for writer in list(self._links):
            connected = writer.get_extra_info("socket")
            with suppress(OSError):
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABRUPT)
            writer.transport.abort()

    def refuse(self, refusing: bool) -> None:
        """Let nobody through from now on, or let them."""
        self._refusing = refusing
        if refusing:
            self.cut()

    async def _passed_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        links = {writer}
        try:
            if self._refusing:
                return
            there, back = await asyncio.open_connection("127.0.0.1", self._there)
            links.add(back)
            self._links |= links
            await asyncio.gather(_copied(reader, back), _copied(there, writer))
        except OSError:
            pass
        finally:
            self._links -= links
            for link in links:
                link.transport.abort()


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()
