"""The driver on an event loop: the same steps, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self, cast

import httpx2

from headway.client.errors import Unreachable
from headway.client.exchange import Answer, Sendable
from headway.client.network.connecting import (
    CHUNK,
    SILENCE,
    UPGRADED,
    Collector,
    arguments,
    head_of,
    network_of,
    opened,
    silent,
    timed_out,
    translated,
)
from headway.client.options import TIMEOUT
from headway.client.steps import Close, Emit, Exchange, Open, Read, Sleep, Steps, Write
from headway.core.errors import HeadwayError

if TYPE_CHECKING:
    from headway.client.network.transport import AsyncTransport


class AsyncConversation(AsyncIterator[Any]):
    """Steps on their way: an iterator over what they emit, which may be closed from any task of its loop."""

    def __init__(self, transport: AsyncTransport, steps: Steps[Any]) -> None:
        self.result: Any = None
        """What the steps returned, once they have ended."""
        self.ended: bool = False
        """True once they have, which they have not when it was closed before."""
        self._transport = transport
        self._steps = steps
        self._interrupted = False
        self._stopped = False
        self._waiting: asyncio.Timeout | None = None
        self._response: httpx2.Response | None = None
        self._chunks: AsyncIterator[bytes] | None = None
        transport.carry(self)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        if self._waiting is not None:
            raise RuntimeError("somebody waits for the next item already")
        try:
            async with asyncio.timeout(None) as self._waiting:
                return await self._advance()
        except TimeoutError:
            if not self._stopped:  # a callback's own
                raise
            await self._finish()  # closed meanwhile, by another task
            raise StopAsyncIteration from None
        finally:
            self._waiting = None

    async def close(self) -> None:
        """Stop: whoever waits for the next item is told that there is none."""
        self._stopped = True
        if self._waiting is None:
            await self._finish()
        elif not self._waiting.expired():
            self._waiting.reschedule(asyncio.get_running_loop().time())

    async def _advance(self) -> Any:
        reply: Any = None
        # Whoever waited was interrupted, by a cancel or Ctrl-C: what came of the step then, nobody knows.
        trouble: HeadwayError | None = Unreachable("interrupted") if self._interrupted else None
        try:
            while not self._stopped:
                step = self._steps.send(reply) if trouble is None else self._steps.throw(trouble)
                if isinstance(step, Emit):
                    return step.item
                reply, trouble = None, None
                self._interrupted = True
                try:
                    reply = await self._carry_out(step)
                except HeadwayError as error:
                    trouble = error
                self._interrupted = False
        except StopIteration as end:
            self.result, self.ended = end.value, True
        except Exception:
            await self._finish()
            raise
        await self._finish()
        raise StopAsyncIteration

    async def _carry_out(self, step: Any) -> Any:
        match step:
            case Exchange(request):
                return await self._transport.answer(request)
            case Open(request):
                return await self._open(request)
            case Read(seconds):
                return await self._read(seconds)
            case Write(data):
                await self._write(data)
            case Close():
                await self._hang_up()
            case Sleep(seconds):
                await asyncio.sleep(max(0.0, seconds))
            case _:
                raise TypeError(f"not a step: {step!r}")

    async def _open(self, request: Sendable) -> Answer:
        await self._hang_up()
        http = self._transport.http_for(request.url)
        try:
            with translated(request.url):
                async with asyncio.timeout(request.timeout):
                    return await self._opened(http, request)
        except TimeoutError:
            await self._hang_up()
            raise silent(request) from None

    async def _opened(self, http: httpx2.AsyncClient, request: Sendable) -> Answer:
        asked = arguments(request, SILENCE)
        follow = asked.pop("follow_redirects")
        self._response = response = await http.send(http.build_request(**asked), stream=True, follow_redirects=follow)
        if response.status_code in (UPGRADED, 200):
            self._chunks = response.aiter_raw()
            return head_of(response)
        collector = Collector(response, request)
        async for chunk in response.aiter_raw():
            if not collector.takes(chunk):
                break
        await self._hang_up()
        return collector.answer

    async def _read(self, seconds: float) -> bytes | None:
        response, chunks = opened(self._response), self._chunks
        try:
            with translated(str(response.url)):
                if response.status_code == UPGRADED:
                    return cast(bytes, await network_of(response).read(CHUNK, timeout=seconds))
                async with asyncio.timeout(seconds):
                    return b"" if chunks is None else await anext(chunks, b"")
        except TimeoutError:
            return None
        except Unreachable as error:
            if timed_out(error):
                return None
            raise

    async def _write(self, data: bytes) -> None:
        response = opened(self._response)
        with translated(str(response.url)):
            await network_of(response).write(data, timeout=TIMEOUT)

    async def _hang_up(self) -> None:
        response, self._response, self._chunks = self._response, None, None
        if response is not None:
            with suppress(httpx2.HTTPError, OSError):
                await response.aclose()

    async def _finish(self) -> None:
        self._steps.close()
        await self._hang_up()
