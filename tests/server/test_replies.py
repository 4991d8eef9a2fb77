"""Replies that are too large to be held back."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from headway.core.activity import State
from headway.hub import Activities
from headway.server.respond_async import RespondAsyncLimits
from headway.testing.asgi import DEADLINE, asgi_request
from tests.server.endpoints import AT_ONCE, KEY, LONG, app_of, ask, end_of, ended, until


def streaming(pieces: int, gate: asyncio.Event | None = None) -> Any:
    async def body() -> AsyncIterator[bytes]:
        for place in range(pieces):
            if gate is not None and place == pieces // 2:
                await gate.wait()
            yield b"%05d" % place

    async def endpoint(request: Request) -> Response:
        return StreamingResponse(body(), headers={"X-Own": "1"})

    return endpoint


async def test_a_large_reply_goes_to_who_waits_as_it_is_made(activities: Activities) -> None:
    gate = asyncio.Event()
    app = app_of(streaming(100, gate), activities, limits=RespondAsyncLimits(reply=20))
    async with asgi_request(app, path="/work", headers=[("Prefer", "respond-async, wait=1")]) as response:
        await response.start()
        assert (response.status, response.headers["x-own"]) == (200, "1")
        assert response.headers["preference-applied"] == "wait=1"
        pieces = await response.chunk()
        while len(pieces) < 250:
            pieces += await response.chunk()
        gate.set()
        pieces += await response.body()
    assert pieces == b"".join(b"%05d" % place for place in range(100))
    assert (await end_of(activities, response.headers["x-plex-activity"])).response == {"status": 200}


async def test_a_large_reply_that_nobody_waits_for_is_dropped(activities: Activities) -> None:
    app = app_of(streaming(50_000), activities, limits=RespondAsyncLimits(reply=20))
    answer = await ask(app, AT_ONCE)
    assert answer.status == 202
    assert (await end_of(activities, answer.uuid)).state is State.SUCCEEDED


async def test_a_large_reply_goes_on_when_its_client_leaves(activities: Activities) -> None:
    gate = asyncio.Event()
    app = app_of(streaming(100, gate), activities, limits=RespondAsyncLimits(reply=20))
    async with asgi_request(app, path="/work", headers=[LONG]) as response:
        uuid = (await response.start()).headers["x-plex-activity"]
    gate.set()
    assert (await end_of(activities, uuid)).state is State.SUCCEEDED


async def test_a_large_reply_goes_on_when_a_connection_breaks(activities: Activities) -> None:
    app = app_of(streaming(100), activities, limits=RespondAsyncLimits(reply=20))

    tried: list[Any] = []

    async def breaking(scope: Scope, receive: Receive, send: Send) -> None:
        async def broken(message: Any) -> None:
            tried.append(message)
            raise OSError("gone")

        await app(scope, receive, broken)

    async with asgi_request(breaking, path="/work", headers=[LONG]):
        async with asyncio.timeout(DEADLINE):
            while not (found := await ended(activities)):
                await asyncio.sleep(0.001)
    assert found[0].state is State.SUCCEEDED
    assert len(tried) == 1


async def test_a_large_reply_that_breaks_off_breaks_the_connection(activities: Activities) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"x" * 100
        raise ZeroDivisionError

    async def endpoint(request: Request) -> Response:
        return StreamingResponse(body())

    app = app_of(endpoint, activities, limits=RespondAsyncLimits(reply=20))
    with pytest.raises(ZeroDivisionError):
        async with asgi_request(app, path="/work", headers=[LONG]) as response:
            assert (await response.start()).status == 200
            assert await response.chunk() == b"x" * 100
            await response.chunk()
    assert (await ended(activities))[0].state is State.FAILED


async def test_who_joins_a_large_reply_too_late_gets_the_activity(activities: Activities) -> None:
    gate = asyncio.Event()
    app = app_of(streaming(100, gate), activities, limits=RespondAsyncLimits(reply=20))
    async with asgi_request(app, "POST", "/work", headers=[LONG, KEY]) as response:
        await response.start()
        late = asyncio.ensure_future(ask(app, LONG, KEY))
        assert (await ask(app, AT_ONCE, KEY)).status == 202
        gate.set()
        await response.body()
        answer = await late
    assert (answer.status, answer.row["state"]) == (200, "succeeded")


async def test_two_who_wait_for_a_large_reply_both_get_it(activities: Activities) -> None:
    begin = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        await begin.wait()
        for _ in range(100):
            yield b"piece"

    async def endpoint(request: Request) -> Response:
        return StreamingResponse(body())

    app = app_of(endpoint, activities, limits=RespondAsyncLimits(reply=20))
    asked = [asyncio.ensure_future(ask(app, LONG, KEY)) for _ in range(2)]
    await until(activities.list)
    for _ in range(20):
        await asyncio.sleep(0)  # both listen
    begin.set()
    assert [answer.body for answer in await asyncio.gather(*asked)] == [b"piece" * 100] * 2
