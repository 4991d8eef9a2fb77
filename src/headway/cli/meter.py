"""Progress of a command, read off what it prints and reported as it comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from headway.cli.progress import RULES, ProgressReader, Reading

if TYPE_CHECKING:
    from headway.client.reporting import Job

QUIET = 0.25
"""Seconds of silence after which an unfinished line counts as it stands."""


class Meter:
    """One rule that reads both streams of a command; each has its own lines. Called from the threads that pass the
    output on, so that it must be quick and never raise.
    """

    def __init__(self, rule: str) -> None:
        """``rule``: one of ``headway.cli.progress.RULES``."""
        shared = RULES[rule]()
        self._readers = [ProgressReader(shared), ProgressReader(shared)]
        self._lock = threading.Lock()
        self._job: Job | None = None
        self._latest: Reading | None = None
        self._fed_at: float | None = None

    def stream(self, number: int) -> Callable[[bytes], None]:
        """What takes the output of a stream: 0 or 1."""
        reader = self._readers[number]

        def take(data: bytes) -> None:
            with self._lock:
                self._fed_at = time.monotonic()
                self._tell(reader.feed(data))

        return take

    def report_to(self, job: Job) -> None:
        """From now on, and what has been read so far."""
        with self._lock:
            self._job = job
            self._tell(self._latest)

    def flush(self, quiet: float = QUIET) -> None:
        """Read what has been standing there unfinished for ``quiet`` seconds."""
        with self._lock:
            if self._fed_at is None or time.monotonic() - self._fed_at < quiet:
                return
            self._fed_at = None
            for reader in self._readers:
                self._tell(reader.flush())

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
