"""The servers that are compared, and how each is started, watched and told what to send."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from bench import frame
from bench.frame import PROTOCOLS, Protocol, Split
from bench.machine import compiled
from bench.peers import nginx, node
from bench.talk import heard, say, started
from headway.server.sockets import raise_open_files

PATIENCE = 30.0
"""Seconds for a server to start."""


class Running(NamedTuple):
    """A server that waits for watchers."""

    process: subprocess.Popen[bytes]
    port: int
    token: str | None
    kind: str
    """How a reader takes its bytes: ``sse``, ``websocket`` or ``socketio``."""
    request: bytes
    """What a watcher asks."""
    hello: bytes
    """What it says then."""
    control: int
    """The descriptor on which it is told to publish: with ``wrap`` around a stamp."""
    wrap: Split

    def tell(self, line: str) -> None:
        """A command."""
        say(self.process, line)

    def hear(self) -> dict[str, float]:
        """What it says to that."""
        return heard(self.process)


class Server(NamedTuple):
    """One kind of server."""

    name: str
    what: str
    protocols: tuple[Protocol, ...]
    missing: Callable[[], str | None]
    """Why it cannot be measured here."""
    command: Callable[[Protocol, Path], list[str]]
    """How it is started; the folder is its own."""
    paths: tuple[str, str] = ("/events", "/socket")
    kind: str | None = None
    hello: bytes = b""

    @contextmanager
    def running(self, protocol: Protocol) -> Iterator[Running]:
        """Started, on a free port; ended with the block."""
        with tempfile.TemporaryDirectory(prefix="headway-bench-") as folder, ExitStack() as stack:
            if self.name == "nchan":
                yield stack.enter_context(_nchan(self, protocol, Path(folder)))
                return
            process = stack.enter_context(started(self.command(protocol, Path(folder)), "server"))
            told = heard(process)
            assert process.stdin is not None
            yield self._ready(process, protocol, told["port"], told.get("token"), process.stdin.fileno(), _LINE)

    def _ready(
        self,
        process: subprocess.Popen[bytes],
        protocol: Protocol,
        port: int,
        token: str | None,
        control: int,
        wrap: Split,
    ) -> Running:
        path = self.paths[PROTOCOLS.index(protocol)]
        request = frame.request(protocol, path, port, token)
        return Running(process, port, token, self.kind or protocol, request, self.hello, control, wrap)


_LINE = Split(b"", b"\n")


@contextmanager
def _nchan(server: Server, protocol: Protocol, folder: Path) -> Iterator[Running]:
    with socket.socket() as picked:
        picked.bind(("127.0.0.1", 0))
        port = picked.getsockname()[1]
    document = frame.document(protocol)
    head = (
        f"POST /publish HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
        f"x-eventsource-event: activity\r\ncontent-length: {document.size}\r\n\r\n"
    )
    with started(nginx.command(folder, port, raise_open_files()), "server") as process, _connected(port) as control:
        wrap = Split(head.encode() + document.before, document.after)
        yield server._ready(process, protocol, port, None, control.fileno(), wrap)


def _connected(port: int) -> socket.socket:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 1.0)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _hex(*parts: bytes) -> list[str]:
    return [part.hex() for part in parts]


def python(module: str, *parts: bytes) -> list[str]:
    """The command for a module of ``peers``, with its arguments."""
    return [sys.executable, "-m", f"bench.peers.{module}", *_hex(*parts)]


def module_missing(name: str) -> Callable[[], str | None]:
    """Asks why a module cannot be used here."""
    return lambda: None if importlib.util.find_spec(name) else f"{name} is not installed (make bench installs it)"


def _nothing_missing() -> str | None:
    return None


def _no_compiler() -> str | None:
    return None if compiled("send") else "there is no C compiler (cc)"


def _ours(name: str, what: str) -> Server:
    paths = ("/:/eventsource/notifications", "/:/websockets/notifications")
    command = lambda _, folder: python("ours", name.encode(), str(folder).encode())  # noqa: E731
    return Server(name, what, PROTOCOLS, _nothing_missing, command, paths)


SERVERS = {
    server.name: server
    for server in (
        _ours("fast", "Headway as `headway serve` runs it"),
        _ours("portable", "Headway under plain uvicorn"),
        Server(
            "send",
            "a C loop over send(2)",
            PROTOCOLS,
            _no_compiler,
            lambda protocol, _: [str(compiled("send")), *_hex(frame.head(protocol), *frame.framed(protocol))],
        ),
        Server(
            "loop",
            "a loop over uvloop's transport.write",
            PROTOCOLS,
            _nothing_missing,
            lambda protocol, _: python("loop", frame.head(protocol), *frame.framed(protocol)),
        ),
        Server(
            "queues",
            "Starlette (and sse-starlette), a queue per client",
            PROTOCOLS,
            module_missing("sse_starlette"),
            lambda protocol, _: python("queues", *frame.document(protocol)),
        ),
        Server("nchan", "nginx with nchan", PROTOCOLS, nginx.missing, lambda _, folder: []),
        Server(
            "broadcast",
            "websockets.broadcast",
            ("websocket",),
            _nothing_missing,
            lambda protocol, _: python("broadcast", *frame.document(protocol)),
        ),
        Server(
            "ws",
            "Node's ws",
            ("websocket",),
            node.missing,
            lambda protocol, _: [*node.command(), *_hex(*frame.document(protocol))],
        ),
        Server(
            "socketio",
            "python-socketio",
            ("websocket",),
            module_missing("socketio"),
            lambda protocol, _: python("socket_io", *frame.document(protocol)),
            ("", "/socket.io/?EIO=4&transport=websocket"),
            "socketio",
            b"\x81\x82\0\0\0\x0040",
        ),
    )
}
"""By name, in the order of the tables."""
