"""A program that starts, reports and ends activities, by requests written by hand to sockets. Arguments, in hex: a
token and the ports of the nodes that it works with, in turns. It is told on stdin:

    lifecycle SECONDS CONNECTIONS      each starts one, ends it once that is answered, and so on
    progress SECONDS ACTIVITIES RATE   all report so often a second, all of them in one request
    hold ACTIVITIES                    so many more are live from now on
"""

from __future__ import annotations

import json
import selectors
import sys
import time
from collections.abc import Sequence

from bench.frame import TITLE, TYPE, UNSTAMPED
from bench.peers.sending import PATIENCE, Connection, encoded
from bench.peers.serving import parts, tell

LEASE = 3600
AT_ONCE = 32
"""Starts, where many are to be held; and reports in a request, at most, are"""
TOGETHER = 1_000
START = {"type": TYPE, "title": TITLE, "subtitle": UNSTAMPED, "total": 1_000_000, "cancellable": True, "lease": LEASE}


class Changing:
    """Connections to the nodes, and what they ask."""

    def __init__(self, token: str, ports: Sequence[int]) -> None:
        self._token, self._ports = token, ports
        self._open: list[Connection] = []
        self._start = encoded("POST", "/activities", token, json.dumps(START).encode())
        self._held: list[str] = []

    def told(self, line: str) -> dict[str, float]:
        """Do it; what came of it."""
        name, *numbers = line.split()
        if name == "lifecycle":
            return self._lifecycle(float(numbers[0]), int(numbers[1]))
        if name == "progress":
            return self._progress(float(numbers[0]), int(numbers[1]), float(numbers[2]))
        return self._hold(int(numbers[0]))

    def _lifecycle(self, seconds: float, connections: int) -> dict[str, float]:
        running: dict[Connection, str | None] = dict.fromkeys(self._connections(connections))
        begun = time.perf_counter()
        done = 0
        with selectors.DefaultSelector() as selector:
            for one in running:
                selector.register(one.socket, selectors.EVENT_READ, one)
                one.send(self._start, 1)
            while running:
                for connection in self._ready(selector):
                    body = connection.receive()
                    if connection.missing:
                        continue
                    done += 1
                    if running[connection] is None:
                        running[connection] = uuid = _uuid(body)
                        connection.send(self._end(uuid), 1)
                    elif time.perf_counter() - begun < seconds:
                        running[connection] = None
                        connection.send(self._start, 1)
                    else:
                        selector.unregister(connection.socket)
                        del running[connection]
        return {"changes": done, "seconds": time.perf_counter() - begun}

    def _progress(self, seconds: float, activities: int, rate: float) -> dict[str, float]:
        self._hold(activities - len(self._held))
        (connection,) = self._connections(1)
        groups = [self._held[at : at + TOGETHER] for at in range(0, activities, TOGETHER)]
        reports, begun = 0, time.perf_counter()
        while (now := time.perf_counter()) - begun < seconds:
            reports += 1
            for uuids in groups:
                rows = [{"uuid": uuid, "completed": reports} for uuid in uuids]
                connection.ask(encoded("PATCH", "/activities", self._token, json.dumps({"Activity": rows}).encode()))
            time.sleep(max(0.0, now + 1 / rate - time.perf_counter()))
        return {"changes": reports * activities, "seconds": time.perf_counter() - begun}

    def _hold(self, more: int) -> dict[str, float]:
        begun = time.perf_counter()
        for at in range(0, more, AT_ONCE):
            asked = self._connections(min(AT_ONCE, more - at))
            for connection in asked:
                connection.send(self._start, 1)
            for connection in asked:
                body = connection.receive()
                while connection.missing:
                    body = connection.receive()
                self._held.append(_uuid(body))
        return {"changes": max(0, more), "seconds": time.perf_counter() - begun}

    def _end(self, uuid: str) -> bytes:
        return encoded("PATCH", f"/activities/{uuid}", self._token, b'{"state":"succeeded"}')

    def _connections(self, count: int) -> list[Connection]:
        while len(self._open) < count:
            self._open.append(Connection(self._ports[len(self._open) % len(self._ports)]))
        return self._open[:count]

    def _ready(self, selector: selectors.BaseSelector) -> list[Connection]:
        found = [key.data for key, _ in selector.select(PATIENCE)]
        if not found:
            raise ConnectionError("a change was not answered")
        return found


def _uuid(body: bytes) -> str:
    uuid: str = json.loads(body)["MediaContainer"]["Activity"][0]["uuid"]
    return uuid


def main() -> None:
    token, *ports = (part.decode() for part in parts())
    changing = Changing(token, [int(port) for port in ports])
    tell(ready=True)
    for line in sys.stdin:
        tell(**changing.told(line))


if __name__ == "__main__":
    main()
