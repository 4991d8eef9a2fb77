"""Handing a connection over to the broadcaster: its answer has begun as ASGI has it, and goes on without.

So an open stream costs no coroutine of the application, and a frame no `send` through all that lies in between.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from headway.server.ending import Ending
from headway.server.extension import Reader

HIGH_WATER = 32 * 1024
"""Bytes that wait in this process for a socket to drain; with more it is left out until it has."""

SEND_BUFFER = 48 * 1024
"""Bytes that the kernel takes for a socket; Linux doubles it for its own accounts, and goes beyond by half. With the
high-water mark, a piece more (``channels.PIECE``), and 64 KiB that TLS has encrypted, a client that reads nothing costs
less than 256 KiB."""

PARTING = 1.0
"""Seconds for the last word to a client that does not read: it must keep neither its place nor the server."""

ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]


class Outlet:
    """One connection whose answer the broadcaster writes."""

    def __init__(self, transport: asyncio.Transport, reader: Reader, last: Callable[[Ending, bytes], bytes]) -> None:
        """``last``: what to write at the end, by what ends it and the last frames."""
        self.write: Callable[[bytes], object] = transport.write
        self._transport = transport
        self._reader: Reader | None = reader
        self._last = last
        self._finished = False
        self._lost = asyncio.get_running_loop().create_future()
        transport.set_write_buffer_limits(high=HIGH_WATER)
        with suppress(OSError):  # a transport over something else than TCP
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)

    def finish(self, ending: Ending, last: bytes) -> None:
        """See ``broadcast.Outlet``."""
        if self._finished:
            return
        self._finished = True
        if ending is Ending.STALLED:
            self._transport.abort()
            return
        if not self._transport.is_closing():  # as after a half-close: what waits for the client is all it will get
            self.write(self._last(ending, last))
            self._transport.close()
        asyncio.get_running_loop().call_later(PARTING, self._transport.abort)

    def paused(self) -> None:
        """The transport's buffer is full."""
        if self._reader is not None:
            self._reader.paused()

    def resumed(self) -> None:
        """It has drained."""
        if self._reader is not None and not self._finished:
            self._reader.resumed()

    def detach(self) -> None:
        """The protocol below says the last word: nothing may follow that."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.gone()

    def lost(self) -> None:
        """The connection is over."""
        self.detach()
        if not self._lost.done():
            self._lost.set_result(None)

    async def wait(self) -> None:
        """Until the connection is over."""
        try:
            await self._lost
        finally:
            self._transport.abort()  # nothing, once it is over; else the server is done waiting
