"""The sockets of the fake Plex Media Server: a thread for each connection, streams that write when they are told to."""

from __future__ import annotations

import select
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from websockets.protocol import State
from websockets.server import ServerProtocol

from tests.client.scripted_server import Asked as OnceAsked
from tests.plex.answers import REASONS, Answer
from tests.plex.notifications import PING, Filters, Notification

STALLED = 10.0
"""Seconds after which a client that does not read is let go."""


@dataclass
class Asked(OnceAsked):
    """A request as it came; ``path`` is decoded."""

    arguments: list[tuple[str, str]] = field(default_factory=list)
    """The query with what stands in it more than once."""

    @property
    def token(self) -> str | None:
        return self.headers.get("x-plex-token") or self.query.get("X-Plex-Token")


class Stream(ABC):
    """A client that is told things."""

    kind: ClassVar[str]
    sign_of_life: ClassVar[bytes] = b""
    """What it says when there is nothing to say."""

    def __init__(self, asked: Asked, user_id: int) -> None:
        self.asked = asked
        self.user_id = user_id
        self.half_dead = False
        """Its socket stays open, and nothing comes over it any more."""
        self.received = 0
        """Bytes that came from the client and were dealt with."""
        self._filters = Filters.of(asked.arguments)
        self._writing = threading.Lock()
        self._connection: socket.socket | None = None

    def open(self, connection: socket.socket) -> None:
        connection.settimeout(STALLED)
        self._connection = connection
        self._write(self.opening())

    def tell(self, notification: Notification) -> None:
        concerned = notification.user_id in (None, self.user_id) or self.user_id == 1
        if concerned and self._filters.admit(notification.type):
            self._write(self.told(notification))

    def drop(self) -> None:
        """Break its connection."""
        assert self._connection is not None
        shut(self._connection)

    def listen(self, silence: float) -> None:
        """Until the client has gone. ``silence``: seconds between two signs of life."""
        assert self._connection is not None
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        while not self.closed:
            if not poll.poll(silence * 1000):
                self.ping()
            elif data := _received(self._connection):
                self._write(self.heard(data))
                self.received += len(data)
            else:
                return

    @property
    def closed(self) -> bool:
        """The client has said goodbye."""
        return False

    def ping(self) -> None:
        """Give a sign of life, where this kind of stream has one."""
        self._write([self.sign_of_life])

    @abstractmethod
    def opening(self) -> Iterable[bytes]:
        """What it begins with."""

    @abstractmethod
    def told(self, notification: Notification) -> Iterable[bytes]:
        """A notification as bytes."""

    @abstractmethod
    def heard(self, data: bytes) -> Iterable[bytes]:
        """What to reply to what the client sends."""

    def _write(self, chunks: Iterable[bytes]) -> None:
        assert self._connection is not None
        with self._writing:
            if self.half_dead:
                return
            try:
                self._connection.sendall(b"".join(chunks))
            except OSError:
                self.drop()


class EventSource(Stream):
    """``/:/eventsource/notifications``."""

    kind = "eventsource"
    sign_of_life = PING

    def opening(self) -> Iterable[bytes]:
        octets = "octet-stream" in self.asked.headers.get("accept", "")
        content_type = "application/octet-stream" if octets else "text/event-stream"
        yield f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n".encode()
        yield b"X-Plex-Protocol: 1.0\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\n" + PING

    def told(self, notification: Notification) -> Iterable[bytes]:
        yield notification.event()

    def heard(self, data: bytes) -> Iterable[bytes]:
        return ()


class WebSocket(Stream):
    """``/:/websockets/notifications``, and the same without the ``s``."""

    kind = "websocket"

    def __init__(self, asked: Asked, user_id: int, head: bytes) -> None:
        super().__init__(asked, user_id)
        self._head = head
        self._protocol = ServerProtocol()

    @property
    def closed(self) -> bool:
        return self._protocol.state is not State.OPEN

    def opening(self) -> Iterable[bytes]:
        self._protocol.receive_data(self._head)
        (request,) = self._protocol.events_received()
        self._protocol.send_response(self._protocol.accept(request))  # type: ignore[arg-type]
        yield from self._protocol.data_to_send()

    def told(self, notification: Notification) -> Iterable[bytes]:
        # A generator, so that the protocol is only touched by whoever writes.
        if not self.closed:
            self._protocol.send_text(notification.frame().encode())
            yield from self._protocol.data_to_send()

    def heard(self, data: bytes) -> Iterable[bytes]:
        self._protocol.receive_data(data)
        self._protocol.events_received()  # junk, which clients send; the protocol itself answers pings
        yield from self._protocol.data_to_send()


class Answering(Protocol):
    """Who knows what to answer."""

    def answer(self, asked: Asked, head: bytes) -> Answer | Stream: ...

    def hold(self, stream: Stream, connection: socket.socket) -> None:
        """Open the stream and stay until its client has gone."""


class Listener(ThreadingHTTPServer):
    """A listening socket and what was accepted on it."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 1_024

    def __init__(self, owner: Answering, port: int) -> None:
        self.owner = owner
        self._connections: set[Any] = set()
        super().__init__(("127.0.0.1", port), _Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def stop(self) -> None:
        """Stop listening and break every connection."""
        self.shutdown()
        self._thread.join()
        self.server_close()
        for connection in list(self._connections):
            shut(connection)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Listener

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        head = self.raw_requestline + b"".join(f"{name}: {value}\r\n".encode() for name, value in self.headers.items())
        answer = self.server.owner.answer(self._asked(), head + b"\r\n")
        if isinstance(answer, Stream):
            self.close_connection = True
            self.server.owner.hold(answer, self.connection)
        else:
            self._send(answer)

    def _asked(self) -> Asked:
        parts = urlsplit(self.path)
        arguments = parse_qsl(parts.query, keep_blank_values=True)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        return Asked(self.command, unquote(parts.path), dict(arguments), headers, body, arguments)

    def _send(self, answer: Answer) -> None:
        self.send_response_only(answer.status, REASONS[answer.status])
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("X-Plex-Protocol", "1.0")
        self.send_header("Cache-Control", "no-cache")
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Tests are quiet."""


def shut(connection: socket.socket) -> None:
    """Break a connection; its thread notices."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65_536)
    except OSError:
        return b""
