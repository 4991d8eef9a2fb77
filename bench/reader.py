"""The watchers of a bench: one process that opens all connections, has frames published and counts what arrives."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from bench.machine import compiled
from bench.servers import Running
from bench.talk import Failed, heard, say, started


class Reading(msgspec.Struct, frozen=True):
    """What came of a round. Times in seconds."""

    frames: int
    seconds: float
    publishes: int
    lost: int
    """Stamps that somebody did not get."""
    cut: int
    """Frames that did not end as they should, or came twice."""
    closed: int
    """Connections that the server ended."""
    samples: int
    """Frames with a time in their stamp."""
    p50: float
    p99: float
    max: float
    complete: bool
    """Whether the last stamp has reached everyone."""
    unread: int
    """Bytes that wait for the stalled watcher with the fewest; -1 when there is none."""

    @property
    def sound(self) -> bool:
        """Whether everyone got everything."""
        return self.complete and not (self.lost or self.cut or self.closed)


class Reader:
    """The process, once all its connections are open."""

    def __init__(self, process: subprocess.Popen[bytes], connect_seconds: float) -> None:
        self.process = process
        self.connect_seconds = connect_seconds

    def warm(self) -> Reading:
        """Publish until a frame has reached everyone."""
        reading = self._asked("warm")
        if not reading.complete:
            raise Failed("not everyone is served")
        return reading

    def go(self, seconds: float, rate: float = 0) -> Reading:
        """Publish so many times a second; with 0 each time that the last frame has reached everyone."""
        return self._asked(f"go {seconds} {rate}", seconds)

    def count(self, seconds: float) -> Reading:
        """Only listen."""
        return self._asked(f"count {seconds}", seconds)

    def more(self, seconds: float) -> Reading:
        """Go on to count: with what the last reading had."""
        return self._asked(f"more {seconds}", seconds)

    def _asked(self, line: str, seconds: float = 0.0) -> Reading:
        say(self.process, line)
        return msgspec.convert(heard(self.process, seconds), Reading)


@contextmanager
def watching(server: Running, watchers: int, *, stalled: int = 0, in_c: bool = True) -> Iterator[Reader]:
    """Open the connections; so many of them read nothing then. Raises ``Failed``."""
    program = compiled("reader") if in_c else None
    command = [str(program)] if program else [sys.executable, "-m", "bench.reader_epoll"]
    texts = [server.request.hex(), server.hello.hex(), str(server.control), *(part.hex() for part in server.wrap)]
    command += [str(server.port), str(watchers), str(stalled), server.kind, *texts]
    with started(command, "reader", [server.control]) as process:
        yield Reader(process, heard(process)["seconds"])
