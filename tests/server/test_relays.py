"""Watchers that are written to by ASGI's `send`: who is woken, who is given up, and what is left of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from headway.core import lifecycle
from headway.core.activity import State
from headway.core.lifecycle import Report
from headway.server import relays
from headway.server.broadcast import Broadcaster
from headway.server.ending import Ending
from headway.server.relays import Relay
from tests.server.feeds import World
from tests.server.harness import eventually

NEVER = 1_000.0


class Connection:
    """What a server's `send` is given, and whether it takes it."""

    def __init__(self, stage: Stage, **how: Any) -> None:
        self.channel = stage.world.join(direct=False, **how)
        self.sent: list[Any] = []
        self.takes = asyncio.Event()
        self.takes.set()
        self.left = asyncio.Event()
        self.error: Exception | None = None
        self.relay = Relay(stage.broadcaster, self.channel, self._send)

    def begin(self, *first: Any, since: int | None = None) -> None:
        cursor = self.channel.position if since is None else since
        self.task = asyncio.create_task(self.relay.run(first, cursor, self._leaving()))

    def pause(self) -> None:
        self.takes.clear()

    @property
    def told(self) -> list[str]:
        """The kinds of what it was told, in order."""
        text = b"".join(self.sent).decode()
        events = [line for line in text.split("\n") if line.startswith(("event: ", "data: "))]
        return [kind for kind in ("started", "updated", "ended", "ping") for line in events if f'"{kind}"' in line]

    async def _send(self, data: Any) -> None:
        if self.error is not None:
            raise self.error
        self.sent.append(data)
        await self.takes.wait()

    async def _leaving(self) -> None:
        await self.left.wait()


class Stage:
    def __init__(self, ping: float, stall: float) -> None:
        self.world = World()
        self.broadcaster = Broadcaster(ping, stall)
        self.connections: list[Connection] = []

    def join(self, *first: Any, since: int | None = None, **how: Any) -> Connection:
        connection = Connection(self, **how)
        connection.begin(*first, since=since)
        self.connections.append(connection)
        return connection

    def tick(self, seconds: float) -> None:
        now = asyncio.get_running_loop().time() + seconds
        for audience in self.broadcaster._audiences.values():
            list(audience.tick(now))


@asynccontextmanager
async def staged(ping: float = NEVER, stall: float = NEVER) -> AsyncIterator[Stage]:
    """A stage that all leave in the end, and nothing is left of."""
    stage = Stage(ping, stall)
    yield stage
    for connection in stage.connections:
        connection.left.set()
        await connection.task
    assert len(stage.broadcaster) == 0
    await turns()
    assert not {task.get_name() for task in asyncio.all_tasks()} & {
        "headway-broadcast",
        "headway-ping",
        "headway-relay",
    }


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as made:
        yield made


async def turns(count: int = 8) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_all_are_given_the_same_bytes_encoded_once(stage: Stage) -> None:
    connections = [stage.join() for _ in range(10)]
    await turns()
    for uuid in "ab":
        stage.world.start(uuid)
        await turns()
    assert stage.world.encoded == 2
    assert [len(connection.sent) for connection in connections] == [2] * 10
    assert len({id(data) for connection in connections for data in connection.sent}) == 2


async def test_the_first_frames_come_first_and_then_what_was_missed(stage: Stage) -> None:
    stage.world.start("a")
    connection = stage.join(b"first", since=0)
    await turns()
    assert connection.sent[0] == b"first"
    assert connection.told == ["started"]


async def test_what_changes_while_a_write_waits_is_conflated(stage: Stage) -> None:
    slow, quick = stage.join(), stage.join()
    await turns()
    slow.pause()
    activity = stage.world.start("a")
    await turns()
    for progress in range(10):
        activity = stage.world.apply(lifecycle.report(activity, Report(progress=progress), 2.0))
        await turns()
    stage.world.apply(lifecycle.finish(activity, State.SUCCEEDED, 3.0))
    slow.takes.set()
    await turns()
    assert slow.told == ["started", "ended"]
    assert quick.told == ["started", *["updated"] * 10, "ended"]


async def test_more_than_have_a_turn_at_once_are_all_woken(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relays, "SLICE", 3)
    connections = [stage.join() for _ in range(10)]
    await turns()
    stage.world.start("a")
    await turns()
    assert [connection.told for connection in connections] == [["started"]] * 10


async def test_messages_of_a_websocket_are_texts(stage: Stage) -> None:
    socket = stage.join(transport="websocket")
    await turns()
    stage.world.start("a")
    stage.world.start("b")
    await turns()
    ((first, second),) = socket.sent
    assert ('"uuid":"a"' in first, '"uuid":"b"' in second) == (True, True)


async def test_whoever_waits_is_given_signs_of_life_and_a_websocket_none_from_here() -> None:
    async with staged(ping=10.0) as stage:
        waiting, socket, busy = stage.join(), stage.join(transport="websocket"), stage.join(type="t")
        await turns()
        busy.pause()
        stage.world.start("a")
        for seconds, signs in ((5.0, 0), (9.5, 1), (13.0, 1), (18.6, 2)):
            stage.tick(seconds)
            await turns()
            pings = [sent for sent in waiting.sent if b"event: ping" in sent]
            assert (len(pings), len(socket.sent), len(busy.sent)) == (signs, 1, 1)
        busy.takes.set()


async def test_that_the_store_is_away_and_that_it_is_back_is_said_at_once() -> None:
    async with staged(ping=10.0) as stage:
        stream, socket = stage.join(), stage.join(transport="websocket")
        await turns()
        said = []
        for seconds, stage.world.degraded in ((1.0, False), (2.0, True), (3.0, True), (4.0, False), (5.0, False)):
            stage.tick(seconds)
            await turns()
            said.append((len(stream.sent), len(socket.sent)))
        assert said == [(0, 0), (1, 1), (1, 1), (2, 1), (2, 1)]
        assert [b'{"degraded":true}' in sign for sign in stream.sent] == [True, False]
        assert "DegradedNotification" in socket.sent[0][0]


async def test_a_sign_of_life_never_names_a_position_that_was_not_read() -> None:
    async with staged(ping=10.0) as stage:
        connection = stage.join()
        await turns()
        stage.world.start("a")
        stage.tick(9.5)  # before anyone was told of it
        await turns()
        news, sign = connection.sent
        assert (b'"started"' in news, b"event: ping" in sign) == (True, True)
        assert sign.rpartition(b"id: ")[2] == news.rpartition(b"id: ")[2]


async def test_one_that_does_not_drain_is_given_up_and_nobody_else() -> None:
    async with staged(stall=30.0) as stage:
        full, other = stage.join(), stage.join()
        await turns()
        full.pause()
        stage.world.start("a")
        await turns()
        stage.tick(29.0)
        await turns()
        assert not full.task.done()
        stage.tick(30.1)
        assert await full.task is Ending.STALLED
        assert not other.task.done()


@pytest.mark.parametrize("error", [OSError("gone"), RuntimeError("closed"), BrokenPipeError()])
async def test_one_that_cannot_be_written_to_has_gone(stage: Stage, error: Exception) -> None:
    gone, other = stage.join(), stage.join()
    await turns()
    gone.error = error
    stage.world.start("a")
    assert await gone.task is Ending.GONE
    await turns()
    assert other.told == ["started"]


@pytest.mark.parametrize("where", ["waiting", "writing", "before"])
async def test_one_that_is_ended_is_written_nothing_more_whatever_it_does(stage: Stage, where: str) -> None:
    connection, other = stage.join(b"first"), stage.join()
    if where != "before":
        await turns()
    if where == "writing":
        connection.pause()
        stage.world.start("a")
        await turns()
    sent = len(connection.sent)
    connection.relay.end(Ending.REVOKED)
    stage.world.start("b")  # wakes it in the same turn
    assert await connection.task is Ending.REVOKED
    stage.world.start("c")
    await turns()
    assert len(connection.sent) == sent
    assert other.told[-1:] == ["started"]


async def test_what_cannot_be_read_is_an_error_and_nobody_is_left(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(cursor: int) -> Any:
        raise ValueError(f"cannot read from {cursor}")

    connection = Connection(stage)
    monkeypatch.setattr(connection.channel, "read", fail)
    connection.begin()
    await turns()
    stage.world.start("a")
    with pytest.raises(ValueError, match="cannot read from 0"):
        await connection.task
    assert len(stage.broadcaster) == 0


async def test_the_first_end_is_the_one_that_counts(stage: Stage) -> None:
    connection = stage.join()
    await turns()
    connection.relay.end(Ending.STOPPING)
    connection.relay.end(Ending.REVOKED)
    assert await connection.task is Ending.STOPPING


async def test_a_server_that_cancels_is_obeyed(stage: Stage) -> None:
    cancelled = Connection(stage)
    cancelled.begin()
    await turns()
    cancelled.task.cancel()
    stage.world.start("a")
    with pytest.raises(asyncio.CancelledError):
        await cancelled.task
    assert len(stage.broadcaster) == 0


async def test_one_too_far_behind_is_ended_unless_it_understands_a_resync(stage: Stage) -> None:
    plain, asking = stage.join(transport="websocket", cursors=False), stage.join()
    await turns()
    stage.world.start("a")
    stage.world.feed(1).view.floor = 1
    assert await plain.task is Ending.BEHIND
    await turns()
    assert b"event: resync" in asking.sent[0]


async def test_the_farewell_ends_everyone(stage: Stage) -> None:
    connections = [stage.join() for _ in range(5)]
    await turns()
    await stage.broadcaster.farewell(0.01)
    await eventually(lambda: all(connection.task.done() for connection in connections))
    assert {connection.task.result() for connection in connections} == {Ending.STOPPING}
