"""Endpoints as activities, for clients that would rather not wait for them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from headway.context import current
from headway.core.activity import State
from headway.core.errors import InvalidInput
from headway.correlation import noticing
from headway.hub import Activities
from headway.server.correlation import ActivityHeader
from headway.server.respond_async import RespondAsyncLimits
from headway.testing.asgi import asgi_request, asgi_websocket
from tests.server.endpoints import AT_ONCE, JSON, KEY, LONG, Endpoint, app_of, ask, end_of, ended, wrapped

# Which requests are activities


@pytest.mark.parametrize("header", [("X-Other", "1"), ("Prefer", "wait=5"), ("Prefer", "return=minimal")])
async def test_a_request_that_does_not_ask_is_left_alone(activities: Activities, header: tuple[str, str]) -> None:
    scopes: list[Scope] = []

    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        assert current().uuid == ""
        await PlainTextResponse("done")(scope, receive, send)

    given: dict[str, Any] = {"extensions": {"http.response.pathsend": {}}}
    answer = await ask(wrapped(endpoint, activities), header, **given)
    assert (answer.status, answer.body) == (200, b"done")
    assert answer.headers == {"content-length": "4", "content-type": "text/plain; charset=utf-8"}
    assert scopes[0]["extensions"] == given["extensions"]
    assert not await ended(activities)


async def test_a_function_says_which_requests_are_activities_and_of_what_type(activities: Activities) -> None:
    def type_of(request: Request) -> str | None:
        return {"POST": "made", "GET": None}[request.method]

    def endpoint(request: Request) -> Response:
        return PlainTextResponse(current().activity.type if current().uuid else "plain")

    app = wrapped(Starlette(routes=[Route("/work", endpoint, methods=["GET", "POST"])]), activities, type=type_of)
    assert (await ask(app, LONG)).body == b"made"
    assert (await ask(app, LONG, method="GET")).body == b"plain"


@pytest.mark.parametrize("nobody", [("X-User", "nobody"), ("X-Role", "guest")])
async def test_nobody_who_is_unknown_or_a_guest_starts_an_activity(
    activities: Activities, nobody: tuple[str, str]
) -> None:
    endpoint = Endpoint()
    endpoint.go.set()
    app = wrapped(endpoint, activities)
    answer = await ask(app, LONG, nobody)
    assert (answer.status, answer.reason, endpoint.runs) == (401, "not_authenticated", 0)
    assert (await ask(app, KEY, nobody)).status == 201
    assert (await ask(app, nobody)).status == 201
    assert not await ended(activities)


async def test_websockets_and_lifespans_pass(activities: Activities) -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})

    async with asgi_websocket(wrapped(app, activities), headers=[LONG]) as socket:
        assert (await socket.take())["type"] == "websocket.close"
    assert seen == ["websocket"]


async def test_what_no_activity_can_be_is_refused_early(activities: Activities) -> None:
    with pytest.raises(InvalidInput, match="type"):
        wrapped(Endpoint(), activities, type="a b")
    with pytest.raises(TypeError, match="belongs to its user"):
        wrapped(Endpoint(), activities, owner=1)
    with pytest.raises(TypeError, match="colour"):
        wrapped(Endpoint(), activities, colour="red")


# Done in time


async def test_a_reply_in_time_is_the_endpoints_own(activities: Activities) -> None:
    body = bytes(range(256)) * 10

    async def endpoint(request: Request) -> Response:
        response = Response(await request.body(), 203, media_type="application/x-own")
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response

    plain, app = Starlette(routes=[Route("/work", endpoint, methods=["POST"])]), app_of(endpoint, activities)
    expected, answer = await ask(plain, body=body), await ask(app, LONG, body=body)
    activity = await end_of(activities, answer.headers.pop("x-plex-activity"))
    assert answer.headers.pop("preference-applied") == "wait=300"
    assert answer == expected
    assert (activity.state, activity.owner, activity.type) == (State.SUCCEEDED, 2, "work")
    assert activity.response == {"status": 203}


async def test_a_stream_in_time_is_whole(activities: Activities) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"piece"
            await asyncio.sleep(0)

    async def endpoint(request: Request) -> Response:
        return StreamingResponse(pieces())

    assert (await ask(app_of(endpoint, activities), LONG)).body == b"piece" * 100


async def test_the_reply_does_not_wait_for_background_tasks_and_the_activity_does(activities: Activities) -> None:
    go = asyncio.Event()

    async def later() -> None:
        await go.wait()

    async def endpoint(request: Request) -> Response:
        return PlainTextResponse("done", background=BackgroundTask(later))

    answer = await ask(app_of(endpoint, activities), LONG)
    assert answer.body == b"done"
    assert (await activities.get(answer.uuid)).state is State.RUNNING
    go.set()
    assert (await end_of(activities, answer.uuid)).state is State.SUCCEEDED


async def test_an_endpoint_that_waits_for_its_client_to_leave_comes_to_its_end(activities: Activities) -> None:
    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await PlainTextResponse("done")(scope, receive, send)
        assert (await receive())["type"] == "http.disconnect"

    assert (await end_of(activities, (await ask(wrapped(endpoint, activities), LONG)).uuid)).state is State.SUCCEEDED


async def test_a_sync_endpoint_reports(activities: Activities) -> None:
    def endpoint(request: Request) -> Response:
        current().report(title="In a thread", progress=30)
        with current().start("part") as part:
            return PlainTextResponse(part.activity.parent)

    answer = await ask(app_of(endpoint, activities, title="Before"), LONG)
    assert answer.body.decode() == answer.uuid
    assert (await end_of(activities, answer.uuid)).title == "In a thread"


# Not done in time


async def test_202_says_where_to_follow_it(activities: Activities) -> None:
    endpoint = Endpoint()
    app = wrapped(endpoint, activities, title="Work", context={"a": "b"})
    answer = await ask(app, ("Prefer", "respond-async, wait=0"))
    uuid = answer.uuid
    assert answer.status == 202
    assert answer.headers["location"] == f"/headway/activities/{uuid}"
    assert answer.headers["preference-applied"] == "respond-async, wait=0"
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["content-type"] == "application/json"
    assert (answer.row["uuid"], answer.row["state"], answer.row["title"]) == (uuid, "running", "Work")
    endpoint.go.set()
    assert (await end_of(activities, uuid)).response == {"status": 201}


async def test_without_a_time_it_is_answered_at_once_or_after_the_hosts(activities: Activities) -> None:
    endpoint = Endpoint()
    answer = await ask(wrapped(endpoint, activities), AT_ONCE)
    assert (answer.status, answer.headers["preference-applied"]) == (202, "respond-async")
    endpoint.go.set()
    answer = await ask(wrapped(endpoint, activities, wait=60), AT_ONCE)
    assert answer.status == 201 and "preference-applied" not in answer.headers


async def test_no_more_is_waited_than_is_waited_anywhere(activities: Activities) -> None:
    endpoint = Endpoint()
    endpoint.go.set()
    answer = await ask(wrapped(endpoint, activities), ("Prefer", "respond-async, wait=99999"))
    assert answer.headers["preference-applied"] == "wait=300"


@pytest.mark.parametrize(
    ("location", "scope", "expected"),
    [
        ("/headway/activities/", {"root_path": "/base", "path": "/base/api/work"}, "/base/headway/activities/"),
        ("https://status.example/a", {"path": "/api/work"}, "https://status.example/a/"),
    ],
)
async def test_the_location_is_below_the_whole_application(
    activities: Activities, location: str, scope: dict[str, Any], expected: str
) -> None:
    endpoint = Endpoint()
    app = Starlette(routes=[Mount("/api", app_of(endpoint, activities, location=location))])
    answer = await ask(app, AT_ONCE, **scope)
    assert answer.headers["location"] == expected + answer.uuid
    endpoint.go.set()
    await end_of(activities, answer.uuid)


async def test_the_body_of_202_is_as_the_client_reads_it(activities: Activities) -> None:
    endpoint = Endpoint()
    headers = [AT_ONCE, ("Accept", "text/xml")]
    async with asgi_request(wrapped(endpoint, activities), headers=headers) as response:
        assert (await response.start()).status == 202
        assert (await response.body()).startswith(b"<?xml")
    endpoint.go.set()
    await end_of(activities, response.headers["x-plex-activity"])


async def test_other_origins_may_read_where_to_follow_it(activities: Activities) -> None:
    endpoint = Endpoint()
    page = ("Origin", "https://page.example")
    answer = await ask(wrapped(endpoint, activities), AT_ONCE, page)
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {"Location", "Retry-After", "Preference-Applied", "X-Plex-Activity"} == set(exposed)
    endpoint.go.set()
    answer = await ask(wrapped(endpoint, activities), LONG, page)
    assert answer.headers["access-control-expose-headers"] == "X-Plex-Activity, Preference-Applied"


async def test_the_middleware_around_it_names_the_same_activity(activities: Activities) -> None:
    async def endpoint(request: Request) -> Response:
        async with activities.start("own") as own:
            await asyncio.sleep(0)
            return PlainTextResponse(own.uuid)

    app = ActivityHeader(app_of(endpoint, activities))
    answers = [await ask(app, prefer) for prefer in (AT_ONCE, LONG)]
    assert [(await end_of(activities, answer.uuid)).type for answer in answers] == ["work", "work"]
    own = next(activity for activity in await ended(activities) if activity.type == "own")
    assert own.parent is None  # it did not ask to be one
    assert (await ask(app)).body.decode() not in (own.uuid, answers[1].uuid)


async def test_what_the_endpoint_starts_is_not_the_requests(activities: Activities) -> None:
    async def endpoint(request: Request) -> Response:
        async with activities.start("own"):
            return PlainTextResponse("done")

    with noticing() as started:
        await ask(app_of(endpoint, activities), LONG)
    assert [activity.type for activity in started] == ["work"]


async def test_where_it_is_around_an_endpoint_twice_there_is_one_activity(activities: Activities) -> None:
    endpoint = Endpoint()
    endpoint.go.set()
    await ask(wrapped(app_of(endpoint, activities), activities), LONG)
    assert len(await ended(activities)) == 1


# Clients that leave


async def test_the_endpoint_goes_on_when_its_client_leaves_before_it_is_answered(activities: Activities) -> None:
    endpoint = Endpoint()
    async with asgi_request(wrapped(endpoint, activities), headers=[LONG]) as response:
        await endpoint.has_begun()
        (activity,) = activities.list()
    with pytest.raises(EOFError):  # nothing was sent after it
        await response.start()
    endpoint.go.set()
    assert (await end_of(activities, activity.uuid)).state is State.SUCCEEDED


async def test_a_client_that_leaves_in_the_middle_of_its_request_starts_nothing(activities: Activities) -> None:
    endpoint = Endpoint()
    async with asgi_request(wrapped(endpoint, activities), headers=[LONG], body=[b"half"], ends=False):
        pass
    assert endpoint.runs == 0 and not activities.list()


async def test_the_endpoint_never_learns_that_its_client_has_left(activities: Activities) -> None:
    go, seen = asyncio.Event(), list[bool]()

    async def endpoint(request: Request) -> Response:
        await request.body()
        await go.wait()
        seen.append(await request.is_disconnected())
        return StreamingResponse(pieces())

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"piece"
            await asyncio.sleep(0.001)
        seen.append(False)

    answer = await ask(app_of(endpoint, activities), AT_ONCE, body=b"x")
    go.set()
    assert (await end_of(activities, answer.uuid)).state is State.SUCCEEDED
    assert seen == [False, False]


# Requests


async def test_the_endpoint_gets_the_whole_body(activities: Activities) -> None:
    endpoint = Endpoint()
    endpoint.go.set()
    async with asgi_request(wrapped(endpoint, activities), headers=[LONG], body=[b"a", b"b", b"c"]) as response:
        await response.start()
        await response.body()
    assert endpoint.bodies == [b"abc"]


@pytest.mark.parametrize("declared", [[], [("Content-Length", "11")]])
async def test_a_request_that_is_too_large_is_refused(activities: Activities, declared: list[tuple[str, str]]) -> None:
    endpoint = Endpoint()
    endpoint.go.set()
    app = wrapped(endpoint, activities, limits=RespondAsyncLimits(body=10))
    answer = await ask(app, LONG, *declared, body=b"x" * 11)
    assert (answer.status, answer.reason, endpoint.runs) == (413, "content_too_large", 0)
    assert (await ask(app, LONG, body=b"x" * 10)).status == 201
    assert (await ask(app, body=b"x" * 11)).status == 201  # this one does not ask to be an activity


async def test_one_that_is_declared_too_large_is_not_read(activities: Activities) -> None:
    app = wrapped(Endpoint(), activities)
    headers = [LONG, JSON, ("Content-Length", "99999999")]
    async with asgi_request(app, headers=headers, body=[b"x"], ends=False) as response:
        assert (await response.start()).status == 413
        await response.body()
