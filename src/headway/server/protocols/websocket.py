"""WebSocket connections."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import Any, ClassVar

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Close, CloseCode, Frame
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import StatusLike

from headway.server.guard import SECURITY_HEADERS
from headway.server.protocols.limits import Limits, Stall


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """WebSocket by websockets; never compressed."""

    limits: ClassVar[Limits] = Limits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn = _Handshake(max_size=self.limits.message, logger=self.logger)
        self._failed = False

    def extensions(self) -> dict[str, dict[Any, Any]]:
        """What the application may use beyond plain ASGI, for its scope."""
        return {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._stall = Stall(self.transport, self.limits.stall)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stall.end()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall.begin()

    def resume_writing(self) -> None:
        self._stall.end()
        super().resume_writing()

    def shutdown(self) -> None:
        if self.transport.is_closing():
            self.transport.abort()  # it was closed already and its client does not read
        else:
            super().shutdown()

    def data_received(self, data: bytes) -> None:
        if self._failed:
            return  # read on only so that the client gets to see why it was closed
        if self.handshake_initiated and not self.handshake_complete:
            # RFC 6455, section 4.1: the client waits for our part of the handshake. The parser cannot take it earlier.
            self.transport.abort()
            return
        super().data_received(data)
        if not self.handshake_initiated and self.conn.handshake_exc is not None:
            self._answer_bad_handshake()

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            self.scope["extensions"] = {**self.scope["extensions"], **self.extensions()}

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) >= self.limits.fragments:
            self._fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
        elif not self._failed:
            super().handle_cont(event)

    def handle_ping(self) -> None:
        pongs = b"".join(self.conn.data_to_send())
        # A client that pings and does not read would have the answers pile up. RFC 6455, section 5.5.3: only the most
        # recent ping needs one.
        if self.writable.is_set() and not self._failed:
            self.transport.write(pongs)

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.disconnected = True  # what the application still sends is told that nobody is there

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self._fail(CloseCode.INVALID_DATA, "text is not UTF-8")
                return
        super().send_receive_event_to_app()

    def send_500_response(self) -> None:
        if not self.conn.eof_sent:
            super().send_500_response()

    def handle_parser_exception(self) -> None:
        """The client broke the protocol: say how, then close once it has had the time to read that."""
        if self._failed:
            return
        self._failed = self.close_sent = self.disconnected = True
        close = self.conn.close_sent or Close(CloseCode.ABNORMAL_CLOSURE, "")
        self.queue.put_nowait({"type": "websocket.disconnect", "code": close.code, "reason": close.reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.close_timer = self.loop.call_later(self.limits.linger, self.transport.close)

    def _fail(self, code: CloseCode, reason: str) -> None:
        self.frames = []
        self.conn.fail(code, reason)
        self.handle_parser_exception()

    def _answer_bad_handshake(self) -> None:
        answer = b"".join(self.conn.data_to_send())
        if not answer:
            answer = self.conn.reject(HTTPStatus.BAD_REQUEST, "Failed to open a WebSocket connection.\n").serialize()
        self.transport.write(answer)
        self.transport.close()


class _Handshake(ServerProtocol):
    def __init__(self, *, max_size: int, logger: logging.Logger) -> None:
        super().__init__(max_size=max_size, logger=logger)
        self.debug = False  # it would log headers, and tokens with them

    def reject(self, status: StatusLike, text: str) -> Response:
        response = super().reject(status, text)
        for name, value in SECURITY_HEADERS:
            response.headers[name.decode()] = value.decode()
        return response
