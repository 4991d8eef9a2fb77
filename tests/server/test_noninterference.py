"""Noninterference: no byte that a user receives depends on what others do.

The same script of one user's requests and streams is played twice, on two servers with the same secret and clock:
alone, and amid another user's hectic activity. What comes back must be the same to the byte. Cursors are sealed
positions: they differ, and must be all that does, in the same places and of the same length.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, NamedTuple

import pytest
from starlette.types import ASGIApp

from headway.admission import Limits, uuid_of
from headway.core.activity import State
from headway.core.errors import HeadwayError
from headway.core.lifecycle import Report
from headway.hub import Activities
from headway.server.app import create_app
from headway.server.cursors import Cursors
from headway.server.guard import Guard
from headway.server.service import Service, StreamLimits
from headway.stores.memory import MemoryStore
from headway.testing import FakeClock
from headway.testing.asgi import Exchange, Response, asgi_request, asgi_websocket
from tests.server.whole import EVENTS, SOCKETS, UNKNOWN, by_name

SECRET, EPOCH = b"noninterference".ljust(32), "epoch"
ALICE, BOB = 2, 3
FOREIGN = [uuid_of(SECRET, BOB, f"{number}") for number in range(3)]
"""Bob's: running, cancellable and running, and ended. In the quiet run there are none of these."""
BOBS_CURSORS = {use: Cursors(EPOCH, SECRET).seal(BOB, 1, use) for use in ("watch", "history")}

CURSOR = re.compile(rb'(?<=^id: )[\w-]{22}$|(?<="cursor":")[\w-]{22}|(?<=x-headway-cursor: )[\w-]{22}', re.MULTILINE)


class Play(NamedTuple):
    """What the script works with."""

    app: ASGIApp
    service: Service
    clock: FakeClock
    heard: list[bytes]
    """Everything that was received, in order."""

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """A request of Alice's; its rows. ``body``: a text, or what JSON can hold."""
        sent = [("host", "localhost"), ("x-plex-token", "alice"), ("accept", headers.pop("accept", "application/json"))]
        sent += [(name.replace("_", "-"), value) for name, value in headers.items()]
        plain = isinstance(body, str)
        content = b"" if body is None else (body if plain else json.dumps(body)).encode()
        if body is not None:
            kind = "text/plain" if plain else "application/json"
            sent += [("content-type", kind), ("content-length", str(len(content)))]
        async with asgi_request(self.app, method, path, headers=sent, body=[content]) as response:
            await response.start()
            text = await response.body()
        lines = [
            f"{method} {path.partition('before=')[0]} {response.status}",
            *(f"{n}: {v}" for n, v in response.headers.items()),
        ]
        self.heard.append("\n".join(lines).encode() + b"\n\n" + text)
        with suppress(ValueError):
            return json.loads(text).get("MediaContainer", {}).get("Activity", [])
        return []

    def cursor(self) -> str:
        """The one in the latest answer."""
        found = CURSOR.search(self.heard[-1])
        assert found is not None
        return found[0].decode()


class Streams:
    """What Alice watches; each is read as far as it has something to tell before the script goes on."""

    def __init__(self, play: Play, stack: AsyncExitStack) -> None:
        self._play, self._stack = play, stack
        self._events: list[Response] = []
        self._sockets: list[Exchange] = []

    async def open(self, query: str = "", *, frames: int = 1, last: str | None = None) -> Response:
        """An event stream; ``frames``: writes that open it."""
        sent = [("host", "localhost"), ("x-plex-token", "alice")]
        if last is not None:
            sent.append(("last-event-id", last))
        request = asgi_request(self._play.app, "GET", EVENTS + query, headers=sent)
        response = await self._stack.enter_async_context(request)
        await response.start()
        self._play.heard.append(repr((response.status, response.headers)).encode())
        for _ in range(frames):
            self._play.heard.append(await response.chunk())
        return response

    async def follow(self, query: str = "") -> None:
        """Open an event stream and a WebSocket that hear everything from now on."""
        self._events.append(await self.open(query))
        sent = [("host", "localhost"), ("x-plex-token", "alice")]
        separator = "&" if query else "?"
        for path in (f"{SOCKETS}{query}", f"{SOCKETS}{query}{separator}snapshot=1"):
            socket = await self._stack.enter_async_context(asgi_websocket(self._play.app, path, headers=sent))
            self._play.heard.append(repr(await socket.take()).encode())
            if "snapshot" in path:
                self._play.heard.append((await socket.take())["text"].encode())
            self._sockets.append(socket)

    async def hear(self) -> None:
        """One event on each."""
        for stream in self._events:
            self._play.heard.append(await stream.chunk())
        for socket in self._sockets:
            self._play.heard.append((await socket.take())["text"].encode())


async def script(play: Play, pause: Callable[[], Any]) -> None:
    """What Alice does. ``pause`` lets others get in between."""
    async with AsyncExitStack() as stack:
        streams = Streams(play, stack)
        await play.ask("GET", "/activities")
        beginning = play.cursor()
        await streams.follow()
        await streams.follow("?type=test.work")

        async def step(method: str, path: str, body: Any = None, **headers: str) -> Any:
            """A request that changes something, and what is heard of it."""
            rows = await play.ask(method, path, body, **headers)
            await streams.hear()
            play.clock.advance(1.5)
            await pause()
            return rows

        uuids = []
        for number in range(4):
            body = {"type": "test.work", "title": f"{number}", "cancellable": number > 0, "total": 10, "completed": 0}
            (row,) = await step("POST", "/activities", body, idempotency_key=f"a{number}")
            uuids.append(row["uuid"])
        await play.ask("POST", "/activities", {"type": "other"}, idempotency_key="a1")
        await play.ask("POST", "/activities", {"type": "test.work", "userID": BOB})
        for completed in (1, 2, 5):
            await step("PATCH", f"/activities/{uuids[0]}", {"completed": completed, "Context": {"key": f"{completed}"}})
        await play.ask("PUT", f"/activities/{uuids[0]}/output", "one\n")
        await play.ask("DELETE", f"/activities/{uuids[0]}", accept="*/*")
        await step("DELETE", f"/activities/{uuids[1]}")
        await play.ask("DELETE", f"/activities/{uuids[1]}?wait=0.01")
        await play.ask("GET", f"/activities/{uuids[1]}?wait=0.01")
        await step("PATCH", f"/activities/{uuids[1]}", {"state": "cancelled"})
        for uuid in uuids[2:]:
            await step("PATCH", f"/activities/{uuid}", {"state": "failed", "error": "no"})
            await play.ask("PATCH", f"/activities/{uuid}", {})
        await step("PATCH", "/activities", {"Activity": [{"uuid": uuids[0], "completed": 7}, {"uuid": uuids[3]}]})
        await play.ask("PATCH", "/activities?wait=0.01", {"Activity": [{"uuid": uuids[0]}]})
        await pause()

        for accept in ("application/json", "application/xml", "*/*"):
            one = f"/activities/{uuids[0]}"
            for path in ("/activities", "/activities/history", one, f"{one}/output", "/", "/nothing"):
                await play.ask("GET", path, accept=accept)
                await pause()
        await play.ask("GET", "/activities/history?limit=2")
        await play.ask("GET", f"/activities/history?limit=2&before={play.cursor()}")
        await play.ask("GET", "/activities?type=test.work&state=running&q=0")
        for query in (f"?since={beginning}", f"?since={beginning}&type=test.work", "?snapshot=1"):
            await streams.open(query, frames=1 if "snapshot" in query else 2)
            await pause()
        await meddle(play, streams, uuids[0])
        for number in range(10):  # up to the limit and beyond
            await play.ask("POST", "/activities", {"type": "test.many"}, idempotency_key=f"m{number}")
            await pause()


async def meddle(play: Play, streams: Streams, own: str) -> None:
    """Alice tries what is not hers, and what does not exist."""
    for uuid in (*FOREIGN, UNKNOWN, own.replace(own[0], "f" if own[0] != "f" else "e", 1)):
        for accept in ("application/json", "*/*"):
            await play.ask("GET", f"/activities/{uuid}", accept=accept)
            await play.ask("GET", f"/activities/{uuid}?wait=300&state=running", accept=accept)
            await play.ask("PATCH", f"/activities/{uuid}", {"progress": 5}, accept=accept)
            await play.ask("PATCH", f"/activities?wait=300&of={uuid}", {"Activity": [{"uuid": uuid}]}, accept=accept)
            await play.ask("PATCH", f"/activities/{uuid}", {"state": "succeeded"}, accept=accept)
            await play.ask("DELETE", f"/activities/{uuid}", accept=accept)
            await play.ask("DELETE", f"/activities/{uuid}?wait=300", accept=accept)
            await play.ask("GET", f"/activities/{uuid}/output", accept=accept)
            await play.ask("PUT", f"/activities/{uuid}/output", "mine", accept=accept)
            await play.ask("POST", "/activities", {"type": "a", "parentUUID": uuid}, accept=accept)
        await play.ask("GET", f"/activities?parentUUID={uuid}")
        await streams.open(f"?uuid={uuid}&snapshot=1")
        await streams.open(f"?uuid={uuid}")
    await play.ask("GET", f"/activities/history?before={BOBS_CURSORS['history']}")
    for cursor in (BOBS_CURSORS["watch"], "garbage"):
        await streams.open(f"?since={cursor}")
        await streams.open(last=cursor)


@asynccontextmanager
async def hectic(service: Service) -> AsyncIterator[Callable[[], Any]]:
    """Bob, doing all he can: what is asked for between Alice's steps, and at any other moment too."""
    activities, bob = service.activities, asyncio.get_running_loop()
    for number, uuid in enumerate(FOREIGN):
        made, _ = await activities.create("test.work", BOB, key=f"{number}", cancellable=number == 1)
        assert made.uuid == uuid
    await activities.finish(FOREIGN[2], State.SUCCEEDED)
    app = Guard(create_app(service))
    numbers = itertools.count()

    async def turn() -> None:
        """A life or two of Bob's, and a try at what is Alice's."""
        for _ in range(next(numbers) % 3 + 1):
            made, _ = await activities.create("test.work", BOB, cancellable=True)
            activities.report(made.uuid, Report(progress=50, title="Bob's"))
            await activities.write_output(made.uuid, "Bob's", BOB)
            await activities.request_cancel(made.uuid, by=BOB)
            await activities.finish(made.uuid, State.FAILED)
        for row in activities.list(ALICE):
            for method, below in (("GET", ""), ("DELETE", ""), ("PATCH", ""), ("GET", "/output"), ("PUT", "/output")):
                kind = "text/plain" if below else "application/json"
                sent = [("host", "localhost"), ("x-plex-token", "bob"), ("content-type", kind)]
                sent += [("content-length", "2")] if method == "PATCH" else []
                body, path = [b"{}"] if method == "PATCH" else [b""], f"/activities/{row.uuid}{below}"
                async with asgi_request(app, method, path, headers=sent, body=body) as response:
                    assert (await response.start()).status == 404

    async def storm() -> None:
        running = FOREIGN[0]
        while True:
            for percent in range(100):
                activities.report(running, Report(progress=percent))
                await asyncio.sleep(0)
            with suppress(HeadwayError):
                made, _ = await activities.create("test.storm", BOB)
                await activities.finish(made.uuid, State.SUCCEEDED)

    sent = [("host", "localhost"), ("x-plex-token", "bob")]
    async with AsyncExitStack() as stack:
        for _ in range(20):
            await stack.enter_async_context(asgi_request(app, "GET", EVENTS, headers=sent))
        raging = bob.create_task(storm())
        try:
            yield turn
        finally:
            raging.cancel()


@asynccontextmanager
async def alone(service: Service) -> AsyncIterator[Callable[[], Any]]:
    """Nobody else is there."""

    async def nothing() -> None:
        await asyncio.sleep(0)

    yield nothing


async def played(others: Callable[[Service], Any]) -> list[bytes]:
    """The script, on a server of its own."""
    store, clock = MemoryStore(), FakeClock()
    store._secret, store._epoch = SECRET, EPOCH
    async with Activities(store, clock=clock, limits=Limits(live_per_owner=8)) as activities:
        service = Service(activities, by_name, friendly_name="box", streams=StreamLimits(ping=3_600.0))
        play = Play(Guard(create_app(service)), service, clock, [])
        async with others(service) as pause, asyncio.timeout(60):
            await script(play, pause)
    return play.heard


@pytest.fixture(scope="module")
async def quiet() -> list[bytes]:
    return await played(alone)


@pytest.fixture(scope="module")
async def amid() -> list[bytes]:
    return await played(hectic)


async def test_what_a_user_receives_is_the_same_to_the_byte_whatever_others_do(
    quiet: list[bytes], amid: list[bytes]
) -> None:
    assert len(quiet) == len(amid) > 200
    for one, other in zip(quiet, amid, strict=True):
        assert CURSOR.sub(b"(sealed)", one) == CURSOR.sub(b"(sealed)", other)
        assert len(one) == len(other)


async def test_positions_differ_and_are_sealed(quiet: list[bytes], amid: list[bytes]) -> None:
    sealed = [[cursor.decode() for heard in run for cursor in CURSOR.findall(heard)] for run in (quiet, amid)]
    assert len(sealed[0]) == len(sealed[1]) > 50
    cursors = Cursors(EPOCH, SECRET)
    positions = [
        [cursors.open(ALICE, cursor) or cursors.open(ALICE, cursor, "history") for cursor in run] for run in sealed
    ]
    # They count everybody's changes: were they not sealed, this is where it would show.
    assert max(filter(None, positions[1])) > 2 * max(filter(None, positions[0]))


async def test_two_runs_alone_are_the_same_cursors_included(quiet: list[bytes]) -> None:
    assert await played(alone) == quiet


async def test_foreign_is_unknown_in_every_byte(amid: list[bytes]) -> None:
    """Within one run: Bob's uuids against one that nobody has."""
    answers: dict[bytes, list[bytes]] = {}
    for heard in amid:
        line, _, rest = heard.partition(b"\n")
        for uuid in (*FOREIGN, UNKNOWN):
            if uuid.encode() in line:
                answers.setdefault(line.replace(uuid.encode(), b""), []).append(rest.replace(uuid.encode(), b"(it)"))
    assert len(answers) >= 5
    for given in answers.values():
        each = len(given) // 4  # in the order they were tried in: three of Bob's, then the one that nobody has
        assert [given[place : place + each] for place in range(0, len(given), each)] == [given[-each:]] * 4
