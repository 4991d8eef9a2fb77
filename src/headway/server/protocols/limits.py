"""What one connection may take up."""

from __future__ import annotations

import asyncio

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """What one connection may take up. Sizes in bytes, times in seconds."""

    head: int = 16 * 1024
    """Request line and headers together, as they would be written without optional white space."""
    lines: int = 100
    """Header lines."""
    target: int = 8 * 1024
    """Path and query."""
    head_time: float = 10.0
    """From connecting, or from the first byte of a later request, to the end of the head."""
    pipelined: int = 32
    """Requests that wait for the answer to an earlier one on the same connection."""
    unread: int = 4 * 1024 * 1024
    """Of one request, read only to be thrown away: closing on a client that still writes would lose it the answer."""
    linger: float = 5.0
    """For such reading."""
    message: int = 64 * 1024
    """A WebSocket message from a client."""
    fragments: int = 1024
    """Frames of such a message; empty ones would add up for ever."""
    stall: float = 30.0
    """For a client to read anything of what waits for it."""
    connections: int | None = None
    """At the same time; None for no limit."""


class Stall:
    """Ends a connection whose client has stopped reading, so that what waits for it is not kept for ever."""

    def __init__(self, transport: asyncio.Transport, seconds: float) -> None:
        self._transport = transport
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """The transport's buffer is full: from now on something must leave it."""
        self._check_later(self._transport.get_write_buffer_size())

    def end(self) -> None:
        """The buffer has drained, or there is nothing more to wait for."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check_later(self, size: int) -> None:
        self.end()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._check, size)

    def _check(self, before: int) -> None:
        size = self._transport.get_write_buffer_size()
        if size < before:
            self._check_later(size)
        else:
            self._transport.abort()
