"""A server on loopback that says exactly the bytes that it is told to, however wrong they are."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Self

Say = Callable[[bytes], Iterable[bytes]]
"""From the head of a request to what is written; after that the connection is closed."""

MAX_HEAD = 64 * 1024


class RawServer:
    """One thread for each connection; remembers the heads of the requests."""

    def __init__(self, say: Say | bytes) -> None:
        self.say: Say = (lambda head: [say]) if isinstance(say, bytes) else say
        self.heads: list[bytes] = []
        self.stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(30)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head and len(head) < MAX_HEAD:
                data = connection.recv(MAX_HEAD)
                if not data:
                    return
                head += data
            self.heads.append(head)
            for data in self.say(head):
                if self.stopping.is_set():
                    return
                connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(5)
            while connection.recv(MAX_HEAD):  # else what was said last may be lost with the connection
                continue
