"""What connections of both protocols have in common: how long they may stand still, and answers that go on by
themselves.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from headway.server.ending import Ending
from headway.server.extension import EXTENSION, Reader
from headway.server.protocols.limits import Limits, Stall
from headway.server.protocols.outlet import ASGIApp, Outlet


class Connection(asyncio.Protocol, ABC):
    """Stands before a protocol of uvicorn among its bases."""

    limits: ClassVar[Limits] = Limits()
    app: ASGIApp
    transport: asyncio.Transport

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._application, self.app = self.app, self._answered
        self._outlet: Outlet | None = None
        """Who writes the rest of the answer, once that is not the application."""
        self._answering: asyncio.Task[Any] | None = None
        """Runs the application."""

    def extensions(self) -> dict[str, dict[Any, Any]]:
        """What the application may use beyond plain ASGI, for its scope."""
        return {EXTENSION: {"attach": self._attach}}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._stall = Stall(self.transport, self.limits.stall)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stall.end()
        super().connection_lost(exc)
        if self._outlet is not None:
            self._outlet.lost()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall.begin()
        if self._outlet is not None:
            self._outlet.paused()

    def resume_writing(self) -> None:
        self._stall.end()
        super().resume_writing()
        if self._outlet is not None:
            self._outlet.resumed()

    def _attach(self, reader: Reader) -> Outlet | None:
        if asyncio.current_task() is not self._answering:
            return None  # in another task, or not begun: something in between passes it on, and may change what follows
        if self.transport.is_closing() or not self._may_be_handed_over():
            return None
        self._hand_over()
        self._outlet = Outlet(self.transport, reader, self._last_words)
        return self._outlet

    @abstractmethod
    def _may_be_handed_over(self) -> bool:
        """Whether an answer has begun that frames of a stream may follow."""

    @abstractmethod
    def _hand_over(self) -> None:
        """The application is about to leave; what was held back for it is not any more."""

    @abstractmethod
    def _last_words(self, ending: Ending, last: bytes) -> bytes:
        """What to write at the end of the stream: the last frames, and what the protocol has to say."""

    @abstractmethod
    def _forget_request(self) -> None:
        """What is an open stream's for long should be small."""

    async def _answered(self, scope: Any, receive: Any, send: Any) -> None:
        self._answering = asyncio.current_task()
        await self._application(scope, receive, send)
        self._answering = None
        if self._outlet is not None:
            del scope, receive, send
            self._forget_request()
            await self._outlet.wait()
