"""Endpoints as activities in real servers and frameworks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
import uvicorn
from fastapi import Depends, FastAPI
from litestar import Litestar, Request, post
from litestar.middleware import DefineMiddleware
from starlette.types import ASGIApp

from headway.context import current
from headway.core.activity import State
from headway.hub import Activities
from headway.server.correlation import ActivityHeader
from headway.server.embedded import ActivitiesApp
from headway.server.respond_async import RespondAsync
from tests.server.endpoints import AT_ONCE, KEY, LONG, Endpoint, ask, end_of, identify, until, wrapped
from tests.server.harness import connected


@asynccontextmanager
async def served(app: ASGIApp, http: str) -> AsyncIterator[int]:
    """The port of a server."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, http=http, lifespan="off", log_config=None))
    serving = asyncio.ensure_future(server.serve())
    await until(lambda: server.started)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await serving


def wrapping(activities: Activities) -> DefineMiddleware:
    """As Litestar has it. Its types of messages are not those of Starlette."""
    wrapper: Any = RespondAsync
    location = "/headway/activities"
    return DefineMiddleware(wrapper, activities=activities, identify=identify, type="work", location=location)


def post_of(*lines: str, body: str = "body") -> bytes:
    head = [
        "POST /work HTTP/1.1",
        "Host: localhost",
        "Accept: application/json",
        f"Content-Length: {len(body)}",
        *lines,
    ]
    return ("\r\n".join(head) + f"\r\n\r\n{body}").encode()


@pytest.mark.parametrize("http", ["h11", "httptools"])
async def test_a_client_leaves_and_comes_back_for_the_reply(activities: Activities, http: str) -> None:
    endpoint = Endpoint()
    request = post_of("Prefer: respond-async, wait=300", "Idempotency-Key: k")
    async with served(wrapped(endpoint, activities), http) as port:
        async with connected(port) as client:
            client.send(request)
            await endpoint.has_begun()
        async with connected(port) as client:
            client.send(request)
            endpoint.go.set()
            status, headers, body = await client.answer()
            assert (status, body, headers["preference-applied"]) == (201, b"done", "wait=300")
            # The connection is as good as before.
            endpoint.go.clear()
            client.send(post_of("Prefer: respond-async"))
            status, headers, _ = await client.answer()
            assert (status, headers["preference-applied"]) == (202, "respond-async")
        endpoint.go.set()
        await end_of(activities, headers["x-plex-activity"])
    assert (endpoint.runs, endpoint.bodies) == (2, [b"body"] * 2)


@pytest.mark.parametrize("http", ["h11", "httptools"])
async def test_the_endpoint_goes_on_after_202_and_the_end_of_the_connection(activities: Activities, http: str) -> None:
    endpoint = Endpoint()
    async with served(wrapped(endpoint, activities), http) as port:
        async with connected(port) as client:
            client.send(post_of("Prefer: respond-async"))
            status, headers, _ = await client.answer()
            await endpoint.has_begun()
        assert status == 202
        endpoint.go.set()
        assert (await end_of(activities, headers["x-plex-activity"])).state is State.SUCCEEDED


async def test_the_activity_is_where_the_location_says(activities: Activities) -> None:
    app, endpoint = FastAPI(), Endpoint()
    app.mount("/headway", ActivitiesApp(activities, identify))
    app.mount("/", endpoint)
    app.add_middleware(
        RespondAsync,
        activities=activities,
        identify=identify,
        type=lambda request: "work" if request.url.path == "/work" else None,
        location="/headway/activities",
    )
    answer = await ask(app, AT_ONCE)
    found = await ask(app, method="GET", path=answer.headers["location"])
    assert (found.status, found.row["uuid"]) == (200, answer.uuid)
    await ask(app, method="DELETE", path=answer.headers["location"])
    assert (await end_of(activities, answer.uuid)).state is State.CANCELLED


async def test_what_a_fastapi_endpoint_depends_on_stays_when_its_client_has_gone(activities: Activities) -> None:
    app, begun, go, session = FastAPI(), asyncio.Event(), asyncio.Event(), list[str]()

    async def opened() -> AsyncIterator[list[str]]:
        session.append("open")
        yield session
        session.append("closed")

    @app.post("/work")
    async def work(session: Annotated[list[str], Depends(opened)]) -> dict[str, str]:
        begun.set()
        await go.wait()
        return {"session": session[-1]}

    app.add_middleware(
        RespondAsync, activities=activities, identify=identify, type=lambda _: "work", location="/headway/activities"
    )
    app.add_middleware(ActivityHeader)
    answer = await ask(app, AT_ONCE)
    await until(begun.is_set)
    go.set()
    assert (await end_of(activities, answer.uuid)).response == {"session": "open", "status": 200}
    assert session == ["open", "closed"]


async def test_a_litestar_handler_may_be_an_activity(activities: Activities) -> None:
    @post("/work", middleware=[wrapping(activities)], sync_to_thread=True)
    def work(request: Request) -> dict[str, str]:  # type: ignore[type-arg]
        current().report(title="From Litestar")
        return {"uuid": current().uuid}

    @post("/plain")
    async def plain() -> str:
        return "plain"

    app = Litestar([work, plain], openapi_config=None)
    answer = await ask(app, LONG, KEY)  # type: ignore[arg-type]
    assert answer.status == 201
    activity = await end_of(activities, answer.uuid)
    assert (activity.title, activity.response) == ("From Litestar", {"uuid": answer.uuid, "status": 201})
    assert (await ask(app, LONG, path="/plain")).body == b"plain"  # type: ignore[arg-type]


async def test_a_thread_of_litestar_is_not_said_to_have_stopped_before_it_has(activities: Activities) -> None:
    begun, loop = asyncio.Event(), asyncio.get_running_loop()

    @post("/work", middleware=[wrapping(activities)], sync_to_thread=True)
    def work() -> str:
        loop.call_soon_threadsafe(begun.set)
        while not current().cancel_requested:
            pass
        return "finished"

    app = Litestar([work], openapi_config=None)
    waiting = asyncio.ensure_future(ask(app, LONG))  # type: ignore[arg-type]
    await until(begun.is_set)
    await activities.request_cancel(activities.list()[0].uuid)
    assert (await waiting).body == b"finished"
