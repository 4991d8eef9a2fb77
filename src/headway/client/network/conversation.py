"""The driver for threads: carries steps out one after the other, and waits for each."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import httpx2

from headway.client.errors import Unreachable
from headway.client.exchange import Answer, Sendable
from headway.client.network import deadlines
from headway.client.network.connecting import (
    CHUNK,
    SILENCE,
    UPGRADED,
    Collector,
    arguments,
    head_of,
    network_of,
    opened,
    timed_out,
    translated,
)
from headway.client.options import TIMEOUT
from headway.client.steps import Close, Emit, Exchange, Open, Read, Sleep, Steps, Write
from headway.core.errors import HeadwayError

if TYPE_CHECKING:
    from headway.client.network.transport import Transport


class Conversation(Iterator[Any]):
    """Steps on their way: an iterator over what they emit, which may be closed from any thread."""

    def __init__(self, transport: Transport, steps: Steps[Any]) -> None:
        self.result: Any = None
        """What the steps returned, once they have ended."""
        self.ended: bool = False
        """True once they have, which they have not when it was closed before."""
        self._transport = transport
        self._steps = steps
        self._interrupted = False
        self._stopped = threading.Event()
        self._running = threading.Lock()
        self._line = deadlines.Line()
        self._response: httpx2.Response | None = None
        self._chunks: Iterator[bytes] = iter(())
        transport.carry(self)

    def __del__(self) -> None:
        """Whoever forgets to close a watch leaves no connection behind; httpx2 itself sees to that of other streams."""
        response = getattr(self, "_response", None)
        if response is not None and response.status_code == UPGRADED:
            with suppress(OSError):
                network_of(response).close()

    def __next__(self) -> Any:
        with self._running:
            return self._advance()

    def close(self) -> None:
        """Stop: whoever waits for the next item is told that there is none."""
        self._stopped.set()
        if not self._running.acquire(blocking=False):
            self._interrupt()
            return
        try:
            self._finish()
        finally:
            self._running.release()

    def _advance(self) -> Any:
        reply: Any = None
        # Whoever waited was interrupted, by a cancel or Ctrl-C: what came of the step then, nobody knows.
        trouble: HeadwayError | None = Unreachable("interrupted") if self._interrupted else None
        try:
            while not self._stopped.is_set():
                step = self._steps.send(reply) if trouble is None else self._steps.throw(trouble)
                if isinstance(step, Emit):
                    return step.item
                reply, trouble = None, None
                self._interrupted = True
                try:
                    reply = self._carry_out(step)
                except HeadwayError as error:
                    trouble = error
                self._interrupted = False
        except StopIteration as end:
            self.result, self.ended = end.value, True
            self._finish()
        except Exception:
            self._finish()
            raise
        self._finish()
        raise StopIteration

    def _carry_out(self, step: Any) -> Any:
        match step:
            case Exchange(request):
                return self._transport.answer(request, self._line)
            case Open(request):
                return self._open(request)
            case Read(seconds):
                return self._read(seconds)
            case Write(data):
                self._write(data)
            case Close():
                self._hang_up()
            case Sleep(seconds):
                self._stopped.wait(max(0.0, seconds))
            case _:
                raise TypeError(f"not a step: {step!r}")

    def _open(self, request: Sendable) -> Answer:
        self._hang_up()
        http = self._transport.http_for(request.url)
        with deadlines.within(request.timeout, self._line), translated(request.url):
            asked = arguments(request, SILENCE)
            follow = asked.pop("follow_redirects")
            self._response = response = http.send(http.build_request(**asked), stream=True, follow_redirects=follow)
            if response.status_code in (UPGRADED, 200):
                self._chunks = response.iter_raw()
                return head_of(response)
            collector = Collector(response, request)
            for chunk in response.iter_raw():
                if not collector.takes(chunk):
                    break
        self._hang_up()
        return collector.answer

    def _read(self, seconds: float) -> bytes | None:
        response = opened(self._response)
        try:
            with deadlines.within(seconds, self._line), translated(str(response.url)):
                if response.status_code == UPGRADED:
                    return cast(bytes, network_of(response).read(CHUNK, timeout=seconds))
                return next(self._chunks, b"")
        except Unreachable as error:
            if timed_out(error):
                return None
            raise

    def _write(self, data: bytes) -> None:
        response = opened(self._response)
        with translated(str(response.url)):
            network_of(response).write(data, timeout=TIMEOUT)

    def _hang_up(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            with suppress(httpx2.HTTPError, OSError):
                response.close()

    def _interrupt(self) -> None:
        """Wake the thread that waits: its socket is at its end."""
        self._line.cut()
        response = self._response  # of an HTTP client that was given, whose lines are not ours
        if response is not None:
            with suppress(OSError, KeyError, AttributeError):
                network_of(response).get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    def _finish(self) -> None:
        self._steps.close()
        self._hang_up()
