"""A program that reports to a server. Arguments: how, the port of the server, and the token for it.

Requests of HTTP are written by hand to sockets and the answers counted, so that the server is what takes the time;
what goes to Valkey goes through redis-py, as in a program.
"""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial

from bench.peers.serving import parts
from bench.peers.spending import bursts

BATCH = 32
"""Requests that are written at once without waiting for an answer in between; our server lets no more wait."""
SEVERAL = 10
"""Connections."""
ROUND = 10
"""Turns in a burst."""
TOTAL = 1_000_000
PATIENCE = 30.0
VALUES = [str(number).encode() for number in range(1_000, 2_000)]
"""Of the same length each."""
WAITING = 10.0
"""Seconds for the start of a job to be known to the server."""


class Connection:
    """One that stays open."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.missing = 0
        """Answers that have not come yet."""
        self._kept = b""

    def send(self, request: bytes, count: int) -> None:
        """So many requests at once."""
        self.missing = count
        self.socket.sendall(request)

    def receive(self) -> bytes:
        """What has come; the last body in it."""
        data = self.socket.recv(262_144)
        if not data:
            raise ConnectionError("the server closed a connection")
        self._kept += data
        body = b""
        while (end := self._kept.find(b"\r\n\r\n")) >= 0:
            head = self._kept[:end].lower()
            if not head.startswith(b"http/1.1 2"):
                raise ConnectionError(f"answered: {self._kept[:200]!r}")
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            if len(self._kept) < end + 4 + length:
                break
            body, self._kept = self._kept[end + 4 : end + 4 + length], self._kept[end + 4 + length :]
            self.missing -= 1
        return body

    def ask(self, request: bytes) -> bytes:
        """The body of the answer to one."""
        self.send(request, 1)
        body = b""
        while self.missing:
            body = self.receive()
        return body


class Asking:
    """Some connections that ask all at the same time, each as soon as all that it asked before is answered."""

    def __init__(self, connections: Sequence[Connection], requests: Sequence[Sequence[bytes]], count: int) -> None:
        """``requests``: what each asks, in turns. ``count``: how many requests are in one of them."""
        self._asked = [(connection, own) for connection, own in zip(connections, requests, strict=True)]
        self._count = count
        self._selector = selectors.DefaultSelector()
        for one in self._asked:
            self._selector.register(one[0].socket, selectors.EVENT_READ, one)

    def burst(self, numbers: range) -> None:
        """As many turns as there are numbers, of each."""
        left = {}
        for connection, own in self._asked:
            connection.send(own[numbers.start % len(own)], self._count)
            left[connection] = len(numbers)
        while left:
            for key, _ in self._selector.select():
                connection, own = key.data
                connection.receive()
                if connection.missing:
                    continue
                left[connection] -= 1
                if left[connection]:
                    connection.send(own[(numbers.stop - left[connection]) % len(own)], self._count)
                else:
                    del left[connection]


def http(port: int, token: str, *, connections: int = 1, batch: int = 1) -> None:
    opened = [Connection(port) for _ in range(connections)]
    asked = []
    for connection in opened:
        start = json.dumps({"type": "bench.ingest", "title": "Films", "total": TOTAL})
        uuid = json.loads(connection.ask(encoded("POST", "/activities", token, start.encode())))
        path = f"/activities/{uuid['MediaContainer']['Activity'][0]['uuid']}"
        bodies = [b'{"completed":%b}' % value for value in VALUES]
        asked.append(_batches([encoded("PATCH", path, token, body) for body in bodies], batch))
    bursts(Asking(opened, asked, batch).burst, ROUND, connections * batch)


def health(port: int, token: str, *, connections: int = 1, batch: int = 1) -> None:
    opened = [Connection(port) for _ in range(connections)]
    asked = [_batches([encoded("GET", "/health", token)] * batch, batch)] * connections
    bursts(Asking(opened, asked, batch).burst, ROUND, connections * batch)


def encoded(method: str, path: str, token: str, body: bytes = b"") -> bytes:
    """A request, as bytes."""
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", f"x-plex-token: {token}", "accept: application/json"]
    if body:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _batches(requests: Sequence[bytes], size: int) -> list[bytes]:
    return [b"".join(requests[start : start + size]) for start in range(0, len(requests) - size + 1, size)]


def client(port: int, token: str) -> None:
    from headway.client.address import Address
    from headway.client.jobs.reporting import Reporting
    from headway.core.activity import State

    with Reporting(Address(f"http://127.0.0.1:{port}", token)) as reporting:
        job = reporting.start("bench.ingest", title="Films")
        job.report(total=TOTAL)
        deadline = time.monotonic() + WAITING
        while job.uuid is None and time.monotonic() < deadline:
            time.sleep(0.01)
        if job.uuid is None:
            raise ConnectionError(f"not recorded: {job.problem}")

        def burst(numbers: range) -> None:
            report = job.report
            for number in numbers:
                report(completed=number)

        bursts(burst, 100 * ROUND)
        job.finish(State.SUCCEEDED)


def valkey(port: int, _: str, *, command: str, batch: int = 1) -> None:
    import redis

    with redis.Redis(host="127.0.0.1", port=port) as connected:

        def one(target: redis.Redis, number: int) -> None:
            value = VALUES[number % len(VALUES)]
            if command == "XADD":
                target.xadd("bench", {"completed": value}, maxlen=10_000, approximate=True)
            else:
                target.set("bench", value)

        def burst(numbers: range) -> None:
            for number in numbers:
                if batch == 1:
                    one(connected, number)
                else:
                    with connected.pipeline(transaction=False) as pipeline:
                        for offset in range(batch):
                            one(pipeline, number * batch + offset)
                        pipeline.execute()

        bursts(burst, ROUND, batch)


SENDERS: dict[str, Callable[[int, str], None]] = {
    "http": http,
    "http-ten": partial(http, connections=SEVERAL),
    "http-batch": partial(http, batch=BATCH),
    "client": client,
    "health": health,
    "health-ten": partial(health, connections=SEVERAL),
    "health-batch": partial(health, batch=BATCH),
    "set": partial(valkey, command="SET"),
    "set-batch": partial(valkey, command="SET", batch=BATCH),
    "xadd": partial(valkey, command="XADD"),
    "xadd-batch": partial(valkey, command="XADD", batch=BATCH),
}

if __name__ == "__main__":
    name, port, token = (part.decode() for part in parts())
    SENDERS[name](int(port), token)
