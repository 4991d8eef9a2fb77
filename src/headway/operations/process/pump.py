"""Output of a job on its way to where it belongs, with a look at it in passing.

A thread for each stream: the destination may be slow, and then the job waits for it as it would without us; the event
loop does not. Bytes are written first and shown to the callback second.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import selectors
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

OnOutput = Callable[[bytes], None]

CHUNK = 65536

QUIET = 0.1
"""Seconds of silence after which the stream of an ended job is taken as drained, though something keeps it open."""

TRAILING = 1 << 20
"""Bytes read at most after the end of the job: the most that a pipe can hold (pipe(7), pipe-max-size), so all that the
job wrote is among them. What a background process goes on writing is not waited for."""

_log = logging.getLogger("headway")


@dataclass(frozen=True, slots=True)
class Tee:
    """A stream of the job that goes to the descriptor `to` (None: nowhere) byte for byte, and past `on_output`.

    `on_output` is called in the stream's own thread with each piece, at last with an empty one, and delays the job as
    long as it takes: it should do no more than remember. If it raises, that is logged, and it is not called again. When
    nothing can be written any more, the job gets SIGPIPE as it would without us, or with `outlive_destination` it is
    read on to nowhere.
    """

    to: int | None = None
    on_output: OnOutput | None = None
    outlive_destination: bool = False


class Pump:
    """Copies `source` to a tee's destination."""

    def __init__(self, source: int, tee: Tee) -> None:
        """Takes over `source`, an end of a pipe or terminal that is ours: makes it non-blocking, and closes it."""
        self._source = source
        self._to = tee.to
        self._on_output = tee.on_output
        self._outlive_destination = tee.outlive_destination
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        self._asked: list[asyncio.Future[None]] = []
        self._trailing: int | None = None
        self._lock = threading.Lock()
        self._woken, self._wake = os.pipe()
        os.set_blocking(source, False)
        os.set_blocking(self._woken, False)
        threading.Thread(target=self._run, name=f"headway-pump-{source}", daemon=True).start()

    async def settle(self) -> None:
        """Wait until all that the source held when asked has been written."""
        if not self._over.is_set():
            settled: asyncio.Future[None] = self._loop.create_future()
            self._asked.append(settled)
            self._nudge()
            await settled

    def drain(self) -> None:
        """The job has ended: pass on what it wrote, then stop."""
        if self._trailing is None:
            self._trailing = TRAILING
            self._nudge()

    async def drained(self) -> None:
        """Wait until all has been passed on."""
        await self._over.wait()

    def _nudge(self) -> None:
        with self._lock:
            if self._wake >= 0:
                os.write(self._wake, b"\0")

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._source, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while self._step(selector):
                pass
        self._show(b"")
        os.close(self._source)
        with self._lock:
            os.close(self._woken)
            os.close(self._wake)
            self._wake = -1
        self._in_loop(self._end)

    def _step(self, selector: selectors.BaseSelector) -> bool:
        # What was asked before this read is answered by it finding nothing.
        trailing, asked = self._trailing, tuple(self._asked)
        try:
            data = os.read(self._source, CHUNK)
        except BlockingIOError:
            if asked:
                self._in_loop(self._settle, asked)
            return self._wait(selector, None if trailing is None else QUIET)
        except OSError:  # EIO: no process has the terminal open any more
            return False
        if trailing is not None:
            self._trailing = trailing - len(data)
        return bool(data) and self._pass_on(data) and (trailing is None or trailing > len(data))

    def _wait(self, selector: selectors.BaseSelector, timeout: float | None) -> bool:
        ready = selector.select(timeout)
        with contextlib.suppress(BlockingIOError):
            os.read(self._woken, CHUNK)
        return bool(ready)

    def _pass_on(self, data: bytes) -> bool:
        if self._to is not None:
            try:
                write_all(self._to, data)
            except OSError as gone:
                _log.debug("output cannot be passed on: %s", gone)
                self._to = None
                if not self._outlive_destination:
                    return False
        self._show(data)
        return True

    def _show(self, data: bytes) -> None:
        if self._on_output is not None:
            try:
                self._on_output(data)
            except Exception:
                _log.exception("a look at the output failed; the job goes on without it")
                self._on_output = None

    def _in_loop(self, function: Callable[..., None], *arguments: Iterable[asyncio.Future[None]]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits
            self._loop.call_soon_threadsafe(function, *arguments)

    def _settle(self, asked: Iterable[asyncio.Future[None]]) -> None:
        for settled in asked:
            if not settled.done():
                settled.set_result(None)
        self._asked = [settled for settled in self._asked if not settled.done()]

    def _end(self) -> None:
        self._over.set()
        self._settle(self._asked)


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte, however long it takes, also if whoever shares the descriptor has made it non-blocking."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            with selectors.DefaultSelector() as selector:
                selector.register(descriptor, selectors.EVENT_WRITE)
                selector.select()
