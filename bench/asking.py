"""Asks a server the same over and over on some connections. Arguments: PORT CONNECTIONS; the rest comes on stdin.

Each connection is kept alive and asks again as soon as it has its answer. Told ``SECONDS REQUEST`` (in hex), it does so
for so long and says what came of it as a line of JSON. ``COUNTER`` in a request is a number, another one each time.
"""

from __future__ import annotations

import json
import re
import select
import socket
import sys
import time
from typing import Any

ROOM = 4 * 1024 * 1024
HEAD = 4096
COUNTER = b"0000000000"
PATIENCE = 20.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Asker:
    """One connection."""

    __slots__ = ("left", "since", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.since = 0.0
        self.left = 0
        """Bytes of the body that are still to come; -1 before the head has come."""

    def ask(self, request: bytes) -> None:
        self.left, self.since = -1, time.perf_counter()
        self.socket.sendall(request)


class Asking:
    """All of them."""

    def __init__(self, port: int, connections: int) -> None:
        self.askers = {asker.socket.fileno(): asker for asker in (Asker(port) for _ in range(connections))}
        self.epoll = select.epoll()
        for descriptor in self.askers:
            self.epoll.register(descriptor, select.EPOLLIN)
        self.number = 0
        self.room = memoryview(bytearray(ROOM))
        self.reset()

    def reset(self) -> None:
        self.samples: list[float] = []
        self.statuses: set[int] = set()
        self.bytes = 0

    def ask(self, asker: Asker, request: bytes) -> None:
        self.number += 1
        asker.ask(request.replace(COUNTER, b"%010d" % self.number, 1))

    def go(self, seconds: float, request: bytes) -> dict[str, Any]:
        """Ask for so long; what has been asked then is still waited for, and counts."""
        self.reset()
        begin = time.perf_counter()
        end, waiting = begin + seconds, len(self.askers)
        for asker in self.askers.values():
            self.ask(asker, request)
        while waiting:
            ready = self.epoll.poll(PATIENCE)
            if not ready:
                raise ConnectionError("no answer")
            for descriptor, _ in ready:
                asker = self.askers[descriptor]
                if not self.complete(asker):
                    continue
                now = time.perf_counter()
                self.samples.append(now - asker.since)
                if now < end:
                    self.ask(asker, request)
                else:
                    waiting -= 1
        return self.told(time.perf_counter() - begin)

    def complete(self, asker: Asker) -> bool:
        """Take in what there is; whether that is the last of the answer."""
        got = asker.socket.recv_into(self.room)
        if not got:
            raise ConnectionError("the server closed a connection")
        self.bytes += got
        if asker.left < 0:
            head, end, _ = bytes(self.room[: min(got, HEAD)]).partition(b"\r\n\r\n")
            if not end:
                raise ConnectionError("the head of an answer came in pieces")
            self.statuses.add(int(head[9:12]))
            length = _LENGTH.search(head)
            asker.left = (int(length[1]) if length and head[9:12] != b"304" else 0) + len(head) + 4
        asker.left -= got
        return asker.left <= 0

    def told(self, seconds: float) -> dict[str, Any]:
        ordered = sorted(self.samples)
        return {
            "answers": len(ordered),
            "seconds": seconds,
            "bytes": self.bytes,
            "statuses": sorted(self.statuses),
            **{name: ordered[int(share * (len(ordered) - 1))] for name, share in (("p50", 0.5), ("p99", 0.99))},
        }


def main() -> None:
    port, connections = map(int, sys.argv[1:])
    try:
        asking = Asking(port, connections)
        print(json.dumps({"connected": connections}), flush=True)
        for line in sys.stdin:
            seconds, request = line.split()
            print(json.dumps(asking.go(float(seconds), bytes.fromhex(request))), flush=True)
    except OSError as error:
        print(json.dumps({"error": str(error)}), flush=True)


if __name__ == "__main__":
    main()
