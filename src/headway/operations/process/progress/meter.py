"""Progress of a command, read off what it prints and reported as it comes."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable
from typing import Protocol

from headway.operations.process.progress.reader import RULES, ProgressReader
from headway.operations.process.progress.reading import Reading

QUIET = 0.25
"""Seconds of silence after which an unfinished line counts as it stands."""

LOOK = 0.5
"""Seconds between two looks for such a line."""

SHARE = 0.1
"""The part of the time that may be spent on reading. What is printed waits for it, and so does the command: one that
prints more than can be read in that time, such as an archive on its way through a pipe, is only read now and then."""

BURST = 0.1
"""Seconds of reading that may come at once."""

_LINE_END = re.compile(rb"[\r\n]")


class SupportsReport(Protocol):
    """An activity of this process, or a job that is reported to a server."""

    def report(
        self,
        progress: float | None = None,
        *,
        completed: float | None = None,
        total: float | None = None,
        unit: str | None = None,
        subtitle: str | None = None,
    ) -> None:
        """Say how the work stands; what is None stays as it was. Does not wait."""


class Meter:
    """One rule that reads both streams of a command. Called from the threads that pass the output on."""

    def __init__(self, rule: str, clock: Callable[[], float] = time.monotonic) -> None:
        """``rule``: one of ``RULES``. ``clock``: seconds."""
        shared = RULES[rule]()
        # Each stream has lines of its own.
        self._streams = [_Stream(lambda: ProgressReader(shared)) for _ in range(2)]
        self._clock = clock
        self._lock = threading.Lock()
        self._job: SupportsReport | None = None
        self._latest: Reading | None = None
        self._fed_at: float | None = None
        self._allowance = BURST
        self._counted_at = clock()

    def stream(self, number: int) -> Callable[[bytes], None]:
        """What takes the output of a stream: 0 or 1."""
        stream = self._streams[number]

        def take(data: bytes) -> None:
            with self._lock:
                began = self._fed_at = self._clock()
                self._allowance = min(BURST, self._allowance + (began - self._counted_at) * SHARE)
                self._counted_at = began
                if self._allowance < 0:
                    stream.skip()
                    return
                self._tell(stream.feed(data))
                self._allowance -= self._clock() - began

        return take

    def report_to(self, job: SupportsReport) -> None:
        """From now on, and what has been read so far."""
        with self._lock:
            self._job = job
            self._tell(self._latest)

    def flush(self, quiet: float = QUIET) -> None:
        """Read what has been standing there unfinished for ``quiet`` seconds."""
        with self._lock:
            if self._fed_at is None or self._clock() - self._fed_at < quiet:
                return
            self._fed_at = None
            for stream in self._streams:
                self._tell(stream.flush())

    async def watch(self) -> None:
        """Look for lines that are left unfinished, until cancelled."""
        while True:
            await asyncio.sleep(LOOK)
            self.flush()

    def _tell(self, reading: Reading | None) -> None:
        if reading is None:
            return
        self._latest = reading
        if self._job is not None:
            self._job.report(
                -1 if reading.fraction is None else reading.fraction * 100,
                completed=reading.completed,
                total=reading.total,
                unit=reading.unit,
                subtitle=reading.subtitle,
            )


class _Stream:
    """One stream, of which pieces may be missing: then it is read again from the next line on."""

    def __init__(self, new_reader: Callable[[], ProgressReader]) -> None:
        self._new_reader = new_reader
        self._reader = new_reader()
        self._broken = False

    def feed(self, data: bytes) -> Reading | None:
        if self._broken:
            end = _LINE_END.search(data)
            if end is None:
                return None
            data, self._reader, self._broken = data[end.end() :], self._new_reader(), False
        return self._reader.feed(data)

    def flush(self) -> Reading | None:
        return None if self._broken else self._reader.flush()

    def skip(self) -> None:
        self._broken = True
