"""An HTTP server on loopback that does as it is told: slow, hanging, full, broken, hostile, gone and back again."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

UUID = "0b9f9bd2-6f3f-4d0b-9e49-3f1f8a1c5a10"
OTHER = "7c1d7bf4-2f70-4f0e-8f57-b0a8b4d3a0c2"


@dataclass
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Reply:
    """What to answer. An iterable body is sent in chunks, each as it comes."""

    status: int = 200
    body: bytes | Iterable[bytes] = b""
    headers: dict[str, str] = field(default_factory=dict)


class Drop:
    """Close the connection without a word."""


class Hang:
    """Say nothing until the server stops."""


Script = Callable[[Asked], Reply | Drop | Hang]


class ScriptedServer:
    """Runs a script; remembers what was asked."""

    def __init__(self, script: Script, *, port: int = 0) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self.stopping = threading.Event()
        self._http = _Listener(("127.0.0.1", port), self)
        self.port = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop listening and break every connection."""
        if self.stopping.is_set():
            return
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._http.break_connections()

    def asked_for(self, method: str, path: str = "") -> list[Asked]:
        """The requests so far with that method, and a path that begins so."""
        return [asked for asked in list(self.asked) if asked.method == method and asked.path.startswith(path)]


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 1_024

    def __init__(self, where: tuple[str, int], owner: ScriptedServer) -> None:
        self.owner = owner
        self._connections: set[socket.socket] = set()
        super().__init__(where, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def break_connections(self) -> None:
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        self._answer(self._asked())

    def _asked(self) -> Asked:
        parts = urlsplit(self.path)
        size = int(self.headers.get("Content-Length", 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        return Asked(self.command, parts.path, query, headers, self.rfile.read(size))

    def _answer(self, asked: Asked) -> None:
        owner = self.server.owner
        owner.asked.append(asked)
        reply = owner.script(asked)
        if isinstance(reply, Hang):
            owner.stopping.wait()
        if isinstance(reply, Drop | Hang):
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if isinstance(reply.body, bytes):
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
            self.end_headers()
            for chunk in reply.body:
                self.wfile.write(chunk)
                self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Tests are quiet."""


def row(uuid: str = UUID, **members: Any) -> dict[str, Any]:
    """An activity as the server shows it."""
    return {
        "uuid": uuid,
        "type": "command.test",
        "cancellable": True,
        "userID": 1,
        "title": "Testing",
        "subtitle": "",
        "progress": 0,
        "state": "running",
        **members,
    }


def listed(*rows: dict[str, Any], status: int = 200, **headers: str) -> Reply:
    """A list of activities, or one as a list of one."""
    container: dict[str, Any] = {"size": len(rows)}
    if rows:
        container["Activity"] = list(rows)
    return as_json({"MediaContainer": container}, status, **headers)


def refused(status: int, reason: str, message: str = "no", **headers: str) -> Reply:
    """An error as Headway answers it."""
    errors = [{"code": status * 10, "reason": reason, "message": message, "status": status}]
    return as_json({"errors": errors}, status, **headers)


def as_json(document: Any, status: int = 200, **headers: str) -> Reply:
    """A JSON answer; of header names an underscore is a hyphen."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps(document).encode(), {"Content-Type": "application/json", **named})


def html(status: int, text: str = "Welcome") -> Reply:
    """What a proxy or a different server says."""
    body = f"<html><body><h1>{text}</h1></body></html>".encode()
    return Reply(status, body, {"Content-Type": "text/html"})


def free_port() -> int:
    """A port on which nobody listens, at least not now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def eventually(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait until something is so; the deadline is only there to fail a test that would hang."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)
    return result
