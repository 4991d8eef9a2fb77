"""A deadline for all that a thread reads and writes, however little comes at a time; and how to wake it before.

A timeout of httpx2 is one for each read: a server that sends a byte of a header now and then is never given up. On an
event loop ``asyncio.timeout`` bounds the whole; here the sockets themselves do. And a thread that waits for a server,
unlike a task, can be reached by its socket only.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpcore2
import httpx2

_thread = threading.local()


class Line:
    """The connection that one thread waits on at the moment, for another thread to cut."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stream: httpcore2.NetworkStream | None = None
        self._cut = False

    def cut(self) -> None:
        """For good: whoever waits is woken, and nobody waits any more."""
        with self._lock:
            self._cut = True
            if self._stream is not None:
                with suppress(OSError):
                    self._stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    def wait_on(self, stream: httpcore2.NetworkStream | None) -> None:
        """The thread waits on it from now on; None: on nothing, and what it waited on may be another's soon."""
        with self._lock:
            self._stream = stream
            if self._cut and stream is not None:
                raise httpcore2.ReadError("the line is cut")


@contextmanager
def within(seconds: float, line: Line | None = None) -> Iterator[None]:
    """Within the block this thread reads and writes for so long at most; what takes longer is a timeout of httpx2.

    ``line``: what may be cut meanwhile.
    """
    before = getattr(_thread, "deadline", None), getattr(_thread, "line", None)
    _thread.deadline, _thread.line = time.monotonic() + seconds, line
    try:
        yield
    finally:
        _thread.deadline, _thread.line = before
        if line is not None:
            line.wait_on(None)


def install(client: httpx2.Client) -> None:
    """Let the deadline hold for a client's connections, direct and through proxies.

    httpx2 takes no backend of ours, its pools do: should a later version hide them, only the drip is unbounded.
    """
    for transport in (client._transport, *client._mounts.values()):
        pool = getattr(transport, "_pool", None)
        if isinstance(pool, httpcore2.ConnectionPool):
            pool._network_backend = _Backend()


class _Backend(httpcore2.SyncBackend):
    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *args: Any, **kw: Any) -> _Stream:
        return _Stream(super().connect_tcp(host, port, _left(timeout, httpcore2.ConnectTimeout), *args, **kw))


class _Stream(httpcore2.NetworkStream):
    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        _wait_on(self._stream)
        return self._stream.read(max_bytes, _left(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        _wait_on(self._stream)
        self._stream.write(buffer, _left(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> _Stream:
        _wait_on(self._stream)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, _left(timeout, httpcore2.ConnectTimeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _wait_on(stream: httpcore2.NetworkStream) -> None:
    line: Line | None = getattr(_thread, "line", None)
    if line is not None:
        line.wait_on(stream)


def _left(timeout: float | None, late: type[httpcore2.TimeoutException]) -> float | None:
    """Seconds that are left of a timeout. Raises ``late``: a flood keeps nobody waiting, but must end, too."""
    deadline: float | None = getattr(_thread, "deadline", None)
    if deadline is None:
        return timeout
    left = deadline - time.monotonic()
    if left <= 0:
        raise late("the deadline is over")
    return left if timeout is None else min(timeout, left)
