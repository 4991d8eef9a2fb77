"""WebSocket connections."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import Generator
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import PayloadTooBig
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import LoggerLike, StatusLike

from headway.server.ending import Ending
from headway.server.guard import SECURITY_HEADERS
from headway.server.protocols.connection import Connection
from headway.server.protocols.limits import Limits

_utf_8 = codecs.getincrementaldecoder("utf-8")


class WebSocketProtocol(Connection, WebSocketsSansIOProtocol):
    """WebSocket by websockets; never compressed."""

    conn: _Protocol
    queue: Any
    frames: list[bytes]
    disconnected: bool
    close_sent: bool
    close_timer: asyncio.TimerHandle | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn = _Protocol(self.limits, self.logger)
        self._failed = False

    def shutdown(self) -> None:
        self._detach()
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

    def send_receive_event_to_app(self) -> None:
        if self._outlet is None:
            super().send_receive_event_to_app()
        else:
            self.frames = []  # the application is not there any more to ignore it

    def handle_ping(self) -> None:
        pongs = b"".join(self.conn.data_to_send())
        # A client that pings and does not read would have the answers pile up. RFC 6455, section 5.5.3: only the most
        # recent ping needs one.
        if self.writable.is_set():
            self.transport.write(pongs)

    def handle_close(self, event: Frame) -> None:
        self._detach()
        super().handle_close(event)

    def keepalive_timeout(self) -> None:
        self._detach()
        super().keepalive_timeout()
        self.disconnected = True  # what the application still sends is told that nobody is there

    async def send(self, message: Any) -> None:
        await super().send(message)
        if message["type"] == "websocket.accept" and self.handshake_complete:
            self.conn.forget_handshake()
        if message["type"] == "websocket.http.response.body" and self.close_sent:
            self.handshake_complete = True  # refused, but complete; uvicorn would log an error for each

    def send_500_response(self) -> None:
        if not self.conn.eof_sent:
            super().send_500_response()

    def handle_parser_exception(self) -> None:
        """The client broke the protocol: say how, then close once it has had the time to read that."""
        self._detach()
        self._failed = self.close_sent = self.disconnected = True
        close = self.conn.close_sent or Close(CloseCode.ABNORMAL_CLOSURE, "")
        self.queue.put_nowait({"type": "websocket.disconnect", "code": close.code, "reason": close.reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(self.limits.linger, self.transport.close)

    def _may_be_handed_over(self) -> bool:
        return self.handshake_complete and not self.close_sent and not self.disconnected and self.writable.is_set()

    def _hand_over(self) -> None:
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()

    def _detach(self) -> None:
        """RFC 6455, section 5.5.1: no data follows a close. uvloop and asyncio raise for a write behind `write_eof`."""
        if self._outlet is not None:
            self._outlet.detach()

    def _last_words(self, ending: Ending, last: bytes) -> bytes:
        self.stop_keepalive()
        self.close_sent = True
        self.conn.send_close(ending.value)
        return last + b"".join(self.conn.data_to_send())

    def _forget_request(self) -> None:
        del self.scope, self.request, self.response
        self.queue = _Nobody()

    def _answer_bad_handshake(self) -> None:
        answer = b"".join(self.conn.data_to_send())
        if not answer:
            answer = self.conn.reject(HTTPStatus.BAD_REQUEST, "Failed to open a WebSocket connection.\n").serialize()
        self.transport.write(answer)
        self.transport.close()


class _Nobody:
    """Takes what would be told to an application that has left."""

    def put_nowait(self, message: object) -> None:
        pass


class _Protocol(ServerProtocol):
    """The protocol without its transport."""

    parser: Generator[None, None, None]

    def __init__(self, limits: Limits, logger: LoggerLike) -> None:
        super().__init__(max_size=limits.message, logger=logger)
        self.debug = False  # it would log headers, and tokens with them
        self._limits = limits
        self._fragments = 0
        self._decoder: codecs.IncrementalDecoder | None = None
        """For the text that is being received."""

    def reject(self, status: StatusLike, text: str) -> Response:
        response = super().reject(status, text)
        for name, value in SECURITY_HEADERS:
            response.headers[name.decode()] = value.decode()
        return response

    def forget_handshake(self) -> None:
        """The parser keeps the request for ever. There are no frames before our part of the handshake, so that here it
        stands between two.
        """
        self.parser = self.parse()
        next(self.parser)

    def recv_frame(self, frame: Frame) -> None:
        super().recv_frame(frame)
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._fragments = 0
            self._decoder = _utf_8() if frame.opcode is Opcode.TEXT else None
        elif frame.opcode is not Opcode.CONT:
            return
        self._fragments += 1
        if self._fragments > self._limits.fragments:
            raise PayloadTooBig(None, self._limits.message)
        if self._decoder is not None:
            # RFC 6455, section 8.1. uvicorn would look at whole messages only, and log a traceback.
            self._decoder.decode(bytes(frame.data), final=frame.fin)
