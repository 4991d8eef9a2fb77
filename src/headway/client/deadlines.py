"""A deadline for all that a thread reads and writes, however little comes at a time.

A timeout of httpx2 is one for each read: a server that sends a byte of a header now and then is never given up. On an
event loop ``asyncio.timeout`` bounds the whole; here the sockets themselves do.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpcore2
import httpx2

_thread = threading.local()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Within the block this thread reads and writes for so long at most; what takes longer is a timeout of httpx2."""
    before = getattr(_thread, "deadline", None)
    _thread.deadline = time.monotonic() + seconds
    try:
        yield
    finally:
        _thread.deadline = before


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
        return _Stream(super().connect_tcp(host, port, _left(timeout), *args, **kw))


class _Stream(httpcore2.NetworkStream):
    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(self, *args: Any, **options: Any) -> _Stream:
        return _Stream(self._stream.start_tls(*args, **options))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(timeout: float | None) -> float | None:
    deadline: float | None = getattr(_thread, "deadline", None)
    if deadline is None:
        return timeout
    left = max(0.001, deadline - time.monotonic())  # 0 would mean: do not wait at all, which is another error
    return left if timeout is None else min(timeout, left)
