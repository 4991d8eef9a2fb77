"""A deadline for all that a thread reads and writes, and the line by which another thread wakes it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any

import httpcore2
import httpx2
import pytest

from headway.client.network import deadlines
from headway.client.network.deadlines import Line, within


class Wire(httpcore2.NetworkStream):
    """A stream that notes how long it was to wait."""

    def __init__(self, connection: socket.socket | None = None) -> None:
        self.connection = connection
        self.waits: list[float | None] = []

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self.waits.append(timeout)
        return self.connection.recv(max_bytes) if self.connection else b"x"

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.waits.append(timeout)

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        self.waits.append(timeout)
        return self

    def get_extra_info(self, info: str) -> Any:
        return {"socket": self.connection}[info]


def stream(connection: socket.socket | None = None) -> tuple[Wire, deadlines._Stream]:
    wire = Wire(connection)
    return wire, deadlines._Stream(wire)


def use(over: deadlines._Stream, timeout: float | None = None) -> None:
    """All that can take time."""
    over.read(1, timeout)
    over.write(b"x", timeout)
    over.start_tls(None, "media.example", timeout=timeout)  # type: ignore[arg-type]


def test_it_reaches_the_connections_of_httpx2() -> None:
    """By what is httpx2's own; this says so as soon as that is not there any more."""
    with httpx2.Client(proxy="http://127.0.0.1:1") as client:
        deadlines.install(client)
        transports: list[Any] = [client._transport, *client._mounts.values()]
        assert len(transports) > 1
        assert all(isinstance(each._pool._network_backend, deadlines._Backend) for each in transports)


def test_no_wait_is_longer_than_what_is_left() -> None:
    wire, over = stream()
    with within(5.0):
        use(over, 60.0)
        use(over, None)
    assert all(wait is not None and 0 < wait <= 5 for wait in wire.waits)
    assert len(wire.waits) == 6


def test_a_shorter_one_stays() -> None:
    wire, over = stream()
    with within(5.0):
        use(over, 0.5)
    assert wire.waits == [0.5] * 3


def test_what_never_waits_is_cut_all_the_same() -> None:
    _, over = stream()
    with within(-1.0):
        with pytest.raises(httpcore2.ReadTimeout):
            over.read(1)
        with pytest.raises(httpcore2.WriteTimeout):
            over.write(b"x")
        with pytest.raises(httpcore2.ConnectTimeout):
            over.start_tls(None)  # type: ignore[arg-type]
        with pytest.raises(httpcore2.ConnectTimeout):
            deadlines._Backend().connect_tcp("127.0.0.1", 1)


def test_outside_of_it_nothing_changes() -> None:
    wire, over = stream()
    with within(5.0), within(1.0):
        pass
    use(over, 60.0)
    assert wire.waits == [60.0] * 3


def test_another_thread_has_its_own() -> None:
    wire, over = stream()
    with within(5.0):
        other = threading.Thread(target=use, args=(over, 60.0))
        other.start()
        other.join()
    assert wire.waits == [60.0] * 3


class TestLine:
    def test_a_cut_wakes_who_waits(self) -> None:
        near, far = socket.socketpair()
        with near, far:
            _, over = stream(near)
            line, heard, reading = Line(), [], threading.Event()

            def read() -> None:
                with within(60.0, line), suppress(httpcore2.ReadError):  # when it comes too late to wait
                    reading.set()
                    heard.append(over.read(1))

            thread = threading.Thread(target=read)
            thread.start()
            reading.wait()
            line.cut()
            thread.join(30)
            assert not thread.is_alive()
            assert heard in ([b""], [])

    def test_after_it_nobody_waits_any_more(self) -> None:
        _, over = stream()
        line = Line()
        line.cut()
        with within(5.0, line), pytest.raises(httpcore2.ReadError):
            over.read(1)

    def test_what_is_another_s_by_now_is_left_alone(self) -> None:
        near, far = socket.socketpair()
        with near, far:
            far.sendall(b"xy")
            _, over = stream(near)
            line = Line()
            with within(5.0, line):
                assert over.read(1) == b"x"
            line.cut()
            assert over.read(1) == b"y"
