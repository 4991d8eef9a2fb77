"""How long it takes until watchers see what a node was told. Arguments, in hex: the probe of the store as JSON (or
nothing), a token, and the ports of the nodes. For each line on stdin, a number of trials, it makes these.

A trial is a round trip to the store, a write to it, a report to the first node and a start there, one after the other.
Watched is each node, the first too. Between two trials is longer than the pace of any store: what is measured is the
way, and not the wait for the next commit of progress, which is at most that pace.
"""

from __future__ import annotations

import json
import random
import select
import socket
import sys
import time
from collections.abc import Sequence
from itertools import count
from typing import Any, NamedTuple

import msgspec

from bench.frame import TITLE, TYPE, request, stamp
from bench.peers.sending import PATIENCE, Connection, encoded
from bench.peers.serving import parts, tell
from bench.stores import Probe, Question
from headway.stores.redis import PACE

QUIET = PACE + 0.02
"""Seconds between two trials, at least,"""
SPREAD = 0.1
"""and how much more at most."""
LEASE = 3600


class Stream:
    """What a watcher of a node gets."""

    def __init__(self, port: int, token: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.sendall(request("sse", "/:/eventsource/notifications", port, token))
        self._kept = b""
        while not self.reads(b"event: ping"):
            pass

    def reads(self, mark: bytes) -> bool:
        """Take in what has come: whether the mark is in it."""
        data = self.socket.recv(262_144)
        if not data:
            raise ConnectionError("the server closed a stream")
        found = mark in self._kept + data
        self._kept = b"" if found else (self._kept + data)[-len(mark) :]
        return found


class ToStore:
    """A connection to the store, in its own protocol."""

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        self._socket = socket.create_connection(("127.0.0.1", probe.port), PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for question in probe.hello:
            self.timed(question)

    def timed(self, question: Question) -> float:
        """Seconds until it has answered."""
        begun, answer = time.perf_counter(), b""
        self._socket.sendall(question.asked)
        while not answer.endswith(question.end):
            data = self._socket.recv(65_536)
            answer += data
            if not data or answer.startswith(b"-"):
                raise ConnectionError(f"the store answered: {answer[:200]!r}")
        return time.perf_counter() - begun


class Watched(NamedTuple):
    """What came of a request: seconds until it was answered, and until each stream told of it."""

    answer: Any
    answered: float
    seen: list[float]


class Probing:
    """Makes trials, and keeps what they took: seconds, by what was measured."""

    def __init__(self, store: ToStore | None, token: str, ports: Sequence[int]) -> None:
        self._store, self._token = store, token
        self._node = Connection(ports[0])
        self._streams = [Stream(port, token) for port in ports]
        self._numbers = count(1)
        self.taken: dict[str, list[float]] = {}
        self._uuid = self._start()

    def trial(self) -> None:
        """One of each."""
        time.sleep(QUIET + random.random() * SPREAD)
        if self._store is not None:
            self._keep("ping", self._store.timed(self._store.probe.ping))
            self._keep("write", self._store.timed(self._store.probe.write))
        self._follow("report", "PATCH", f"/activities/{self._uuid}", subtitle=self._mark())
        uuid = self._start()
        self._node.ask(encoded("PATCH", f"/activities/{uuid}", self._token, b'{"state":"succeeded"}'))

    def _start(self) -> str:
        about = {"type": TYPE, "title": TITLE, "lease": LEASE}
        watched = self._follow("start", "POST", "/activities", subtitle=self._mark(), **about)
        for where, seen in zip(["here", *["there"] * len(watched.seen)], watched.seen, strict=False):
            self._keep(f"visible-{where}", max(0.0, seen - watched.answered))
        uuid: str = watched.answer["MediaContainer"]["Activity"][0]["uuid"]
        return uuid

    def _follow(self, what: str, method: str, path: str, **body: Any) -> Watched:
        asked = encoded(method, path, self._token, json.dumps(body).encode())
        watched = self._watched(asked, body["subtitle"].encode())
        self._keep(f"{what}-answer", watched.answered)
        for where, seen in zip(["here", *["there"] * len(watched.seen)], watched.seen, strict=False):
            self._keep(f"{what}-{where}", seen)
        return watched

    def _watched(self, asked: bytes, mark: bytes) -> Watched:
        answer, answered = b"", 0.0
        seen: dict[Stream, float] = {}
        begun = time.perf_counter()
        self._node.send(asked, 1)
        while self._node.missing or len(seen) < len(self._streams):
            waiting = {each.socket: each for each in self._streams if each not in seen}
            sockets = [*waiting, *([self._node.socket] if self._node.missing else [])]
            ready = select.select(sockets, [], [], PATIENCE)[0]
            if not ready:
                raise ConnectionError("a change was not seen")
            passed = time.perf_counter() - begun
            for one in ready:
                if one is self._node.socket:
                    answer, answered = self._node.receive() or answer, passed
                elif waiting[one].reads(mark):
                    seen[waiting[one]] = passed
        return Watched(json.loads(answer), answered, [seen[each] for each in self._streams])

    def _keep(self, what: str, seconds: float) -> None:
        self.taken.setdefault(what, []).append(seconds)

    def _mark(self) -> str:
        return stamp(next(self._numbers), time.monotonic_ns())


def main() -> None:
    probe, token, *ports = parts()
    store = ToStore(msgspec.json.decode(probe, type=Probe)) if probe else None
    probing = Probing(store, token.decode(), [int(port) for port in ports])
    tell(ready=True)
    for line in sys.stdin:
        probing.taken.clear()
        for _ in range(int(line)):
            probing.trial()
        tell(taken=probing.taken)


if __name__ == "__main__":
    main()
