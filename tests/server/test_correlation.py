"""Replies that name the activity which their request started."""

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from headway.core.policy import EVERYTHING
from headway.hub import Activities
from headway.operations.spawn import Spawned
from headway.ports import HistoryQuery
from headway.server.correlation import ActivityHeader
from headway.testing.asgi import asgi_request, asgi_websocket

PAGE = ("Origin", "https://page.example")
HOST = ("Host", "localhost")


async def headers_of(app: ASGIApp, *headers: tuple[str, str]) -> dict[str, str]:
    """The headers of the reply, read to its end."""
    async with asgi_request(app, headers=[HOST, *headers]) as response:
        await response.start()
        await response.body()
        return response.headers


def app_of(endpoint: object, middleware: Iterable[Middleware] = ()) -> ASGIApp:
    return Starlette(
        routes=[Route("/", endpoint)],  # type: ignore[arg-type]
        middleware=[Middleware(ActivityHeader), *middleware],
    )


async def uuids(activities: Activities) -> list[str]:
    """Of all that has ended, in order of its end."""
    found = await activities.history(HistoryQuery(EVERYTHING))
    return [activity.uuid for activity in reversed(found)]


async def test_the_activity_of_an_endpoint_is_named(activities: Activities) -> None:
    async def endpoint(request: Request) -> Response:
        async with activities.start("t") as activity:
            return PlainTextResponse(activity.uuid)

    async with asgi_request(app_of(endpoint)) as response:
        await response.start()
        assert response.headers["x-plex-activity"] == (await response.body()).decode()


async def test_a_sync_endpoint_is_one_too(activities: Activities) -> None:
    def endpoint(request: Request) -> Response:
        with activities.start("t") as activity:
            return PlainTextResponse(activity.uuid)

    async with asgi_request(app_of(endpoint)) as response:
        await response.start()
        assert response.headers["x-plex-activity"] == (await response.body()).decode()


async def test_what_goes_on_after_the_reply_is_named_by_it(activities: Activities) -> None:
    go, spawned = asyncio.Event(), list[Spawned[bool]]()

    async def work() -> bool:
        return await go.wait()

    async def endpoint(request: Request) -> Response:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(activities.spawn("t", work))
        spawned.append(task.result())
        return Response(status_code=202)

    headers = await headers_of(app_of(endpoint))
    assert headers["x-plex-activity"] == spawned[0].uuid and not spawned[0].activity.ended
    go.set()
    await spawned[0].wait()


async def test_what_starts_after_the_reply_is_not(activities: Activities) -> None:
    async def work() -> None:
        async with activities.start("t"):
            pass

    async def body() -> AsyncIterator[bytes]:
        await work()
        yield b"done"

    async def later(request: Request) -> Response:
        return PlainTextResponse("", background=BackgroundTask(work))

    async def streamed(request: Request) -> Response:
        return StreamingResponse(body())

    for endpoint in (later, streamed):
        assert "x-plex-activity" not in await headers_of(app_of(endpoint), PAGE)
    assert len(await uuids(activities)) == 2


async def test_a_stream_may_begin_with_its_activity(activities: Activities) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"done"

    async def endpoint(request: Request) -> Response:
        async with activities.start("t"):
            return StreamingResponse(body())

    assert (await headers_of(app_of(endpoint)))["x-plex-activity"] == (await uuids(activities))[0]


async def test_of_a_tree_the_root_is_named(activities: Activities) -> None:
    async with activities.start("elsewhere") as outside:

        async def endpoint(request: Request) -> Response:
            # A part of something older is the first that this request starts.
            async with activities.start("first", parent=outside) as first, first.start("child"):
                return PlainTextResponse(first.uuid)

        async with asgi_request(app_of(endpoint)) as response:
            await response.start()
            assert response.headers["x-plex-activity"] == (await response.body()).decode()


async def test_a_request_without_an_activity_is_left_alone(activities: Activities) -> None:
    async def endpoint(request: Request) -> Response:
        return PlainTextResponse("hello")

    assert await headers_of(app_of(endpoint), PAGE) == {
        "content-length": "5",
        "content-type": "text/plain; charset=utf-8",
    }


async def test_requests_at_the_same_time_do_not_mix(activities: Activities) -> None:
    barrier = asyncio.Barrier(20)

    async def endpoint(request: Request) -> Response:
        await barrier.wait()
        async with activities.start("t") as activity:
            await barrier.wait()
            return PlainTextResponse(activity.uuid)

    app = app_of(endpoint)

    async def named_rightly() -> bool:
        async with asgi_request(app) as response:
            await response.start()
            return response.headers["x-plex-activity"] == (await response.body()).decode()

    assert all(await asyncio.gather(*(named_rightly() for _ in range(20))))


async def test_the_endpoints_own_header_stays(activities: Activities) -> None:
    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        async with activities.start("t"):
            # Not every framework sends names in lower case.
            headers = [(b"X-Plex-Activity", b"mine")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b""})

    assert await headers_of(ActivityHeader(endpoint)) == {"x-plex-activity": "mine"}


@pytest.mark.parametrize(
    ("exposed", "expected"),
    [
        (None, "X-Plex-Activity"),
        ("ETag", "ETag, X-Plex-Activity"),
        ("ETag,x-plex-activity", "ETag,x-plex-activity"),
        ("*", "*"),
    ],
)
async def test_the_header_is_exposed_to_pages_of_other_origins(
    activities: Activities, exposed: str | None, expected: str
) -> None:
    async def endpoint(request: Request) -> Response:
        async with activities.start("t"):
            return Response(headers={"Access-Control-Expose-Headers": exposed} if exposed else None)

    app = app_of(endpoint)
    assert (await headers_of(app, PAGE))["access-control-expose-headers"] == expected
    assert (await headers_of(app)).get("access-control-expose-headers") == exposed


async def test_the_hosts_cors_rules_are_added_to(activities: Activities) -> None:
    async def endpoint(request: Request) -> Response:
        async with activities.start("t"):
            return Response()

    cors = Middleware(CORSMiddleware, allow_origins=["*"], expose_headers=["ETag"])
    headers = await headers_of(app_of(endpoint, [cors]), PAGE)
    assert headers["access-control-expose-headers"] == "ETag, X-Plex-Activity"


async def test_the_activity_of_a_refused_request_is_named(activities: Activities) -> None:
    async def endpoint(request: Request) -> Response:
        async with activities.start("t"):
            raise HTTPException(418)

    async with asgi_request(app_of(endpoint)) as response:
        assert (await response.start()).status == 418
        assert response.headers["x-plex-activity"] == (await uuids(activities))[0]
        await response.body()


async def test_an_error_goes_through_and_around_everything_it_is_named_too(activities: Activities) -> None:
    async def endpoint(request: Request) -> Response:
        async with activities.start("t"):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with asgi_request(ActivityHeader(Starlette(routes=[Route("/", endpoint)]))) as response:
            assert (await response.start()).status == 500
            assert response.headers["x-plex-activity"] == (await uuids(activities))[0]
            await response.body()


async def test_it_works_around_middleware_that_runs_the_endpoint_in_a_task(activities: Activities) -> None:
    async def dispatch(request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)

    def endpoint(request: Request) -> Response:
        with activities.start("t"):
            return Response()

    headers = await headers_of(app_of(endpoint, [Middleware(BaseHTTPMiddleware, dispatch=dispatch)]))
    assert headers["x-plex-activity"] == (await uuids(activities))[0]


async def test_a_websocket_and_a_lifespan_pass_untouched(activities: Activities) -> None:
    seen: list[tuple[Scope, Receive, Send]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((scope, receive, send))

    async def receive() -> dict[str, object]:
        return {}

    async def send(message: object) -> None:
        pass

    for type in ("lifespan", "websocket"):
        given = ({"type": type}, receive, send)
        await ActivityHeader(app)(*given)
        assert seen.pop() == given

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        async with activities.start("t") as activity:
            await websocket.send_text(activity.uuid)

    async with asgi_websocket(ActivityHeader(Starlette(routes=[WebSocketRoute("/", socket)]))) as exchange:
        assert not (await exchange.take()).get("headers")
        assert len((await exchange.take())["text"]) == 36
