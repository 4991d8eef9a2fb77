"""Two processes with a server between them: what is published by one is received by way of the other."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple, Protocol

from bench import frame
from bench.cluster import cluster
from bench.cluster import running as streaming
from bench.frame import Split, stamp
from bench.machine import cpu_seconds
from bench.peers import valkey
from bench.reader import Reader, watching
from bench.servers import Running, module_missing, python
from bench.stores import STORES
from bench.talk import Failed, heard, say, started

RATE = 10
"""Messages a second while it is measured how long one takes."""
STEP = 0.01
"""Seconds between two looks at what has come,"""
PATIENCE = 60.0
"""and for all of it."""


class Latency(NamedTuple):
    """Seconds from publishing to receiving."""

    p50: float
    p99: float
    samples: int


class Receiver(Protocol):
    """What receives by way of the second process."""

    def latency(self, seconds: float) -> Latency:
        """Have messages published, one at a time."""

    def begin(self) -> None:
        """Count from now on."""

    def count(self) -> int:
        """What has come since."""


class Pair(NamedTuple):
    """Both, and what is between them."""

    sender: subprocess.Popen[bytes]
    receiver: Receiver
    pids: tuple[int, int, int]
    """Of the sender, of whoever receives, and of the server between them."""

    def burst(self, count: int) -> float:
        """Seconds for so many messages until the last is received. Raises ``Failed``."""
        self.receiver.begin()
        begun = time.monotonic()
        say(self.sender, f"burst {count}")
        while (come := self.receiver.count()) < count:
            if time.monotonic() > begun + PATIENCE:
                raise Failed(f"{come} of {count} messages came")
        seconds = time.monotonic() - begun
        heard(self.sender)
        return seconds

    def used(self) -> list[float]:
        """Processor time of each so far."""
        return [cpu_seconds(pid) for pid in self.pids]


class PairKind(NamedTuple):
    """One kind of pair."""

    name: str
    what: str
    running: Callable[[], AbstractContextManager[Pair]]
    missing: Callable[[], str | None]


class OneWatcher:
    """A connection to the second process that reads all."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def latency(self, seconds: float) -> Latency:
        reading = self._reader.go(seconds, RATE)
        if not reading.sound:
            raise Failed(f"{reading.lost} frames lost, {reading.cut} cut, {reading.closed} connections closed")
        return Latency(reading.p50, reading.p99, reading.samples)

    def begin(self) -> None:
        self._reader.count(0.0)

    def count(self) -> int:
        return self._reader.more(STEP).frames


class EventReceiver:
    """A process that receives Celery's events."""

    def __init__(self, sender: subprocess.Popen[bytes], process: subprocess.Popen[bytes]) -> None:
        self._sender, self._process = sender, process

    def latency(self, seconds: float) -> Latency:
        self.begin()
        total = max(1, round(seconds * RATE))
        for number in range(1, total + 1):
            say(self._sender, stamp(number, time.monotonic_ns()))
            time.sleep(1 / RATE)
        taken = sorted(self._told("count")["seconds"])
        if len(taken) < total:
            raise Failed(f"{len(taken)} of {total} events came")
        return Latency(taken[(total - 1) // 2], taken[int(0.99 * (total - 1))], total)

    def begin(self) -> None:
        self._told("reset")

    def count(self) -> int:
        time.sleep(STEP)
        return int(self._told("count")["frames"])

    def _told(self, line: str) -> dict[str, Any]:
        say(self._process, line)
        return heard(self._process)


@contextmanager
def _watched(first: Running, second: Running, between: int) -> Iterator[Pair]:
    """One watcher of the second; what it has published is published by the first."""
    across = second._replace(control=first.control)
    with watching(across, 1) as reader:
        reader.warm()
        yield Pair(first.process, OneWatcher(reader), (first.process.pid, second.process.pid, between))


@contextmanager
def _ours() -> Iterator[Pair]:
    with cluster(STORES["redis"], 2) as whole:
        first, second = whole.nodes
        with _watched(first, second, whole.store.pid) as pair:
            yield pair


@contextmanager
def _socketio() -> Iterator[Pair]:
    document = frame.document("websocket")
    with valkey.running("everysec") as server:
        command = python("socket_io", *document, b"redis://127.0.0.1:%d/0" % server.port)
        with started(command, "any") as first, started(command, "any") as second:
            both = [_sockets(process, heard(process)["port"]) for process in (first, second)]
            with _watched(both[0], both[1], server.pid) as pair:
                yield pair


def _sockets(process: subprocess.Popen[bytes], port: int) -> Running:
    request = frame.request("websocket", "/socket.io/?EIO=4&transport=websocket", port)
    whole = streaming(process, port, None)
    return whole._replace(kind="socketio", request=request, hello=b"\x81\x82\0\0\0\x0040", wrap=Split(b"", b"\n"))


@contextmanager
def _celery() -> Iterator[Pair]:
    with valkey.running("everysec") as server:
        url = b"redis://127.0.0.1:%d/0" % server.port
        with started(python("celery_events", b"receive", url), "any") as receiver:
            heard(receiver)
            with started(python("celery_events", b"send", url), "any") as sender:
                heard(sender)
                pair = Pair(sender, EventReceiver(sender, receiver), (sender.pid, receiver.pid, server.pid))
                _warm(pair)
                yield pair


def _warm(pair: Pair) -> None:
    """Until the receiver is there: events from before that are lost."""
    deadline = time.monotonic() + PATIENCE
    pair.receiver.begin()
    while not pair.receiver.count():
        if time.monotonic() > deadline:
            raise Failed("no event comes")
        say(pair.sender, stamp(1, time.monotonic_ns()))
        time.sleep(0.1)


def _needs(module: str) -> Callable[[], str | None]:
    return lambda: module_missing(module)() or valkey.missing()


PAIRS = {
    pair.name: pair
    for pair in (
        PairKind("ours", "two nodes, a watcher of the second", _ours, valkey.missing),
        PairKind(
            "socketio", "python-socketio, AsyncRedisManager, a client of the second", _socketio, _needs("socketio")
        ),
        PairKind("celery", "Celery's events, EventReceiver (no client)", _celery, _needs("celery")),
    )
}
"""By name, in the order of the table."""
