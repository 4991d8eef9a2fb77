"""A watch of a media server, through any history: connections are lost, lists fail, and what is told stays true."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import Ping, TextMessage

from headway.client.errors import Unreachable
from headway.client.exchange import Answer, Sendable
from headway.client.live.watching import Watching
from headway.client.steps import Close, Exchange, Open, Read, Sleep, Write
from headway.core.view import Kind
from headway.wire.decode import row_from
from tests.client.by_hand import ByHand, OutOfReplies, listing, options
from tests.client.streams import proof
from tests.client.world import GOES_WRONG, HAPPENS, World

Moves = list[tuple[str, int]]


class Stage(ByHand):
    """A driver to which the world happens while it waits."""

    def __init__(self, world: World, moves: Moves, transport: str) -> None:
        super().__init__()
        self.world = world
        self.moves = deque(moves)
        self.transport = transport
        self.is_last = False
        """All has happened, and the last connection is open."""
        self.has_spoken = False
        self._peer = Connection(ConnectionType.SERVER)

    def _carry_out(self, step: Any) -> Any:
        match step:
            case Sleep(seconds):
                self.now += seconds
            case Open(request):
                return self._opened(request)
            case Exchange():
                return self._listed()
            case Read(seconds):
                data = self._read()
                self.now += seconds if data is None else 0.0
                return data
            case Write() | Close():
                return None

    def _opened(self, request: Sendable) -> Answer:
        self._fail()
        self.world.underway.clear()
        self.is_last = not self.moves
        if self.transport == "sse":
            return Answer(200, {"content-type": "text/event-stream"})
        self._peer = Connection(ConnectionType.SERVER)
        accept = proof(request.headers["Sec-WebSocket-Key"].encode()).decode()
        return Answer(101, {"sec-websocket-accept": accept})

    def _listed(self) -> Answer:
        while self.moves and self.moves[0][0] in HAPPENS:
            self._happen()
        self._fail()
        return listing(*self.world.live.values())

    def _read(self) -> bytes | None:
        while self.moves and self.moves[0][0] in (*HAPPENS, *GOES_WRONG):
            self._happen()
        if not self.moves:
            return self._last_words()
        move, number = self.moves.popleft()
        if move == "fail":
            raise Unreachable("broken off")
        if move == "deliver":
            return self._told(number)
        return None if move == "silence" else b""

    def _last_words(self) -> bytes:
        """The last connection tells all there is; the one before must have been lost."""
        if not self.is_last:
            return b""
        if self.has_spoken and not self.world.underway:
            raise OutOfReplies
        self.has_spoken = True
        return self._told(100)

    def _told(self, number: int) -> bytes:
        return self._sign_of_life() + b"".join(self._said(kind, row) for kind, row in self.world.delivered(number))

    def _said(self, kind: Kind, row: dict[str, Any]) -> bytes:
        told = {"event": kind.value, "uuid": row["uuid"], "Activity": row}
        if self.transport == "sse":
            return b"event: activity\ndata: %b\n\n" % json.dumps({"ActivityNotification": told}).encode()
        container = {"NotificationContainer": {"type": "activity", "size": 1, "ActivityNotification": [told]}}
        return self._peer.send(TextMessage(json.dumps(container)))

    def _sign_of_life(self) -> bytes:
        return b"event: ping\ndata: {}\n\n" if self.transport == "sse" else self._peer.send(Ping())

    def _happen(self) -> None:
        move, number = self.moves.popleft()
        getattr(self.world, move)(number)

    def _fail(self) -> None:
        if self.moves and self.moves[0][0] == "fail":
            self.moves.popleft()
            raise Unreachable("away")


MOVES = st.tuples(st.sampled_from((*HAPPENS, *GOES_WRONG, "deliver", "lost", "silence", "fail")), st.integers(0, 99))


@given(st.lists(MOVES, max_size=60), st.sampled_from(("sse", "websocket")))
def test_what_is_told_is_true_in_the_end(moves: Moves, transport: str) -> None:
    world = World()
    stage = Stage(world, moves, transport)
    watching = Watching(options(), transport=transport, clock=stage.clock, wall=lambda: 1.0, jitter=lambda: 1.0)
    told = stage.watch(watching.steps())
    assert {row.uuid: row for row in watching.replica} == {uuid: row_from(row) for uuid, row in world.live.items()}
    world.require_true(told)
