"""How a stream is asked for and read: as server-sent events, or as a WebSocket. Without I/O."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterator
from typing import Protocol

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.utilities import ProtocolError

from headway.client.errors import Unreachable
from headway.client.exchange import LARGEST, Answer, Request
from headway.core.text import clean
from headway.wire.errors import Unreadable
from headway.wire.event_stream import MAX_EVENT, EventStreamReader
from headway.wire.notifications import Notification, decode_event, decode_frame

Query = tuple[tuple[str, str], ...]

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""What proves that a server speaks WebSocket (RFC 6455, section 1.3)."""


class Framing(Protocol):
    """One connection of a stream, from its request on."""

    @property
    def retry(self) -> int | None:
        """Milliseconds to wait before connecting again, where the server says so."""
        ...

    def request(self, query: Query) -> Request:
        """What opens the stream."""
        ...

    def require(self, answer: Answer) -> None:
        """Raise the error of an answer that is no stream; ``Unreadable`` when this is no server that has any."""
        ...

    def feed(self, data: bytes) -> tuple[bool, Iterator[Notification]]:
        """Whether bytes are a sign of life, and what they tell. Raises ``Unreadable``, also while it is iterated."""
        ...

    def outgoing(self) -> bytes:
        """What is to be written now; often nothing."""
        ...

    def inquire(self) -> bool:
        """Ask the other side for a sign of life, by what is ``outgoing`` then; False where that cannot be."""
        ...


class EventStream:
    """Server-sent events."""

    def __init__(self, cursor: str | None) -> None:
        """``cursor``: the one that is resumed from; it holds until the stream gives another."""
        self._cursor = cursor or ""
        self._reader = EventStreamReader(last_id=self._cursor)

    @property
    def retry(self) -> int | None:
        """As the stream says."""
        return self._reader.retry

    def request(self, query: Query) -> Request:
        """The EventSource endpoint."""
        headers = (("Accept", "text/event-stream"),)
        return Request(path="/:/eventsource/notifications", query=query, headers=headers, largest=LARGEST)

    def require(self, answer: Answer) -> None:
        """It must be an event stream; whatever was read before belongs to another."""
        self._reader = EventStreamReader(last_id=self._cursor)
        answer.require_success()
        if answer.content_type != "text/event-stream":
            raise Unreadable(f"an event stream was expected, {_kind(answer)} came")
        if answer.headers.get("content-encoding", "identity") != "identity":
            raise Unreadable("the stream is compressed, which was not asked for")

    def feed(self, data: bytes) -> tuple[bool, Iterator[Notification]]:
        """Whole events only are a sign of life."""
        events = self._reader.feed(data)
        return bool(events), map(decode_event, events)

    def outgoing(self) -> bytes:
        """Nothing, ever."""
        return b""

    def inquire(self) -> bool:
        """The server gives signs of life by itself."""
        return False


class WebSocket:
    """A WebSocket, at one of the two paths that servers have."""

    PATHS = ("/:/websockets/notifications", "/:/websocket/notifications")
    """All established clients' path, and that of the official text."""

    retry: None = None
    """No WebSocket says so."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._key = base64.b64encode(secrets.token_bytes(16))
        self._connection = Connection(ConnectionType.CLIENT)
        self._outgoing = b""
        self._text: list[str] = []
        self._size = 0

    def request(self, query: Query) -> Request:
        """The opening handshake (RFC 6455, section 4.1)."""
        headers = (
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", self._key.decode()),
        )
        return Request(path=self._path, query=query, headers=headers, largest=LARGEST)

    def require(self, answer: Answer) -> None:
        """It must be the answer to our handshake."""
        if answer.status != 101:
            answer.require_success()
            raise Unreadable(f"a WebSocket was expected, {_kind(answer)} came")
        expected = base64.b64encode(hashlib.sha1(self._key + _GUID, usedforsecurity=False).digest()).decode()
        if answer.headers.get("sec-websocket-accept") != expected:
            raise Unreadable("the server did not understand the WebSocket handshake")

    def feed(self, data: bytes) -> tuple[bool, Iterator[Notification]]:
        """Every frame is a sign of life. Raises ``Unreachable`` when the server closes."""
        self._connection.receive_data(data)
        heard = False
        frames: list[str | None] = []
        try:
            for event in self._connection.events():
                heard = True
                if isinstance(event, Ping):
                    self._outgoing += self._connection.send(event.response())
                elif isinstance(event, CloseConnection):
                    frames.append(None)
                    break
                elif isinstance(event, TextMessage | BytesMessage):
                    frames += self._joined(event)
        except ProtocolError as error:
            raise Unreadable(f"the WebSocket is broken: {error}") from error
        return heard, _told(frames)

    def outgoing(self) -> bytes:
        """Pongs and pings."""
        data, self._outgoing = self._outgoing, b""
        return data

    def inquire(self) -> bool:
        """By a ping."""
        self._outgoing += self._connection.send(Ping(b"headway"))
        return True

    def _joined(self, event: TextMessage | BytesMessage) -> list[str | None]:
        """Whole messages; binary ones tell us nothing."""
        if isinstance(event, BytesMessage):
            return []
        self._size += len(event.data)
        if self._size > MAX_EVENT:
            raise Unreadable(f"a frame of more than {MAX_EVENT} characters")
        self._text.append(event.data)
        if not event.message_finished:
            return []
        whole, self._text, self._size = "".join(self._text), [], 0
        return [whole]


def _kind(answer: Answer) -> str:
    return clean(answer.content_type[:64]) or "nothing"


def _told(frames: list[str | None]) -> Iterator[Notification]:
    for frame in frames:
        if frame is None:
            raise Unreachable("the server closed the stream")
        yield from decode_frame(frame)
