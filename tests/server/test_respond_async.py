"""Endpoints as activities, for clients that would rather not wait for them."""

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from headway.admission import Limits
from headway.context import current
from headway.core.activity import Activity, State
from headway.core.errors import InvalidInput
from headway.core.policy import EVERYTHING, Principal, Role
from headway.hub import Activities
from headway.ports import HistoryQuery
from headway.server.correlation import ActivityHeader
from headway.server.respond_async import RespondAsync, RespondAsyncLimits
from headway.stores.memory import MemoryStore
from headway.testing import FakeClock
from headway.testing.asgi import DEADLINE, asgi_request, asgi_websocket

LONG = ("Prefer", "respond-async, wait=300")
AT_ONCE = ("Prefer", "respond-async")
JSON = ("Accept", "application/json")
KEY = ("Idempotency-Key", "k1")


def identify(connection: HTTPConnection) -> Principal | None:
    user = connection.headers.get("x-user", "2")
    role = Role(connection.headers.get("x-role", "user"))
    return Principal(int(user), role) if user.isdigit() else None


@pytest.fixture
async def activities() -> AsyncIterator[Activities]:
    async with Activities("memory:") as activities:
        yield activities


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def row(self) -> dict[str, Any]:
        (row,) = json.loads(self.body)["MediaContainer"]["Activity"]
        return dict(row)

    @property
    def uuid(self) -> str:
        return self.headers["x-plex-activity"]

    @property
    def reason(self) -> str:
        return str(json.loads(self.body)["errors"][0]["reason"])


class Endpoint:
    """Runs until it is let go, and then replies what it was asked to."""

    def __init__(self, reply: Callable[[], Response] = lambda: PlainTextResponse("done", 201, {"X-Own": "1"})) -> None:
        self.reply = reply
        self.begun, self.go = asyncio.Semaphore(0), asyncio.Event()
        self.runs = 0
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.runs += 1
        request = Request(scope, receive)
        self.bodies.append(await request.body())
        self.begun.release()
        await self.go.wait()
        await self.reply()(scope, receive, send)


async def ask(app: ASGIApp, *headers: tuple[str, str], body: bytes = b"", **scope: Any) -> Answer:
    """The whole answer to ``POST /work``."""
    sent = [("Host", "localhost"), JSON, *headers]
    async with asgi_request(app, **{"method": "POST", "path": "/work", **scope}, headers=sent, body=[body]) as response:
        await response.start()
        return Answer(response.status, response.headers, await response.body())


def wrapped(app: ASGIApp, activities: Activities, **options: Any) -> RespondAsync:
    return RespondAsync(app, activities, identify, **{"type": "work", "location": "/headway/activities", **options})


def app_of(endpoint: Any, activities: Activities, **options: Any) -> Starlette:
    """An application with one endpoint, wrapped by itself."""
    arguments = {"activities": activities, "identify": identify, "type": "work", "location": "/headway/activities"}
    middleware = [Middleware(RespondAsync, **{**arguments, **options})]
    return Starlette(routes=[Route("/work", endpoint, methods=["GET", "POST"], middleware=middleware)])


async def end_of(activities: Activities, uuid: str) -> Activity:
    activity = await activities.wait(uuid, DEADLINE, ended=True)
    assert activity.ended
    return activity


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.001)


async def ended(activities: Activities) -> list[Activity]:
    return list(await activities.history(HistoryQuery(EVERYTHING)))


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


async def test_nobody_who_is_unknown_starts_an_activity(activities: Activities) -> None:
    endpoint = Endpoint()
    endpoint.go.set()
    app, nobody = wrapped(endpoint, activities), ("X-User", "nobody")
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
    answer = await ask(wrapped(endpoint, activities), AT_ONCE, ("Accept", "text/xml;q=2, text/xml"))
    async with asgi_request(wrapped(endpoint, activities), headers=[AT_ONCE, ("accept", "text/xml")]) as response:
        await response.start()
        assert (await response.body()).startswith(b"<?xml")
    endpoint.go.set()
    await end_of(activities, answer.uuid)


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


async def test_where_it_is_around_an_endpoint_twice_there_is_one_activity(activities: Activities) -> None:
    endpoint = Endpoint()
    endpoint.go.set()
    await ask(wrapped(app_of(endpoint, activities), activities), LONG)
    assert len(await ended(activities)) == 1


# Clients that leave


async def test_the_endpoint_goes_on_when_its_client_leaves_before_it_is_answered(activities: Activities) -> None:
    endpoint = Endpoint()
    async with asgi_request(wrapped(endpoint, activities), headers=[LONG]):
        await endpoint.begun.acquire()
        (activity,) = activities.list()
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


# Ends


@pytest.mark.parametrize(
    ("status", "state", "error"),
    [
        (204, State.SUCCEEDED, None),
        (303, State.SUCCEEDED, None),
        (404, State.FAILED, "the endpoint answered 404 Not Found"),
        (503, State.FAILED, "the endpoint answered 503 Service Unavailable"),
        (599, State.FAILED, "the endpoint answered 599"),
    ],
)
async def test_the_status_decides_how_it_ended(
    activities: Activities, status: int, state: State, error: str | None
) -> None:
    endpoint = Endpoint(lambda: Response(status_code=status))
    endpoint.go.set()
    answer = await ask(wrapped(endpoint, activities), LONG)
    activity = await end_of(activities, answer.uuid)
    assert (answer.status, activity.state, activity.error, activity.response) == (
        status,
        state,
        error,
        {"status": status},
    )


async def test_an_error_that_the_framework_answers_is_answered_by_it(activities: Activities) -> None:
    async def endpoint(request: Request) -> Response:
        raise HTTPException(418, "short and stout")

    answer = await ask(app_of(endpoint, activities), LONG)
    assert (answer.status, answer.body) == (418, b"short and stout")
    assert (await end_of(activities, answer.uuid)).error == "the endpoint answered 418 I'm a Teapot"


async def test_an_exception_goes_to_the_host_while_a_client_waits(
    activities: Activities, caplog: pytest.LogCaptureFixture
) -> None:
    async def endpoint(request: Request) -> Response:
        raise ZeroDivisionError("secret of the house")

    app = app_of(endpoint, activities)
    with pytest.raises(ZeroDivisionError):
        async with asgi_request(app, path="/work", headers=[LONG]) as response:
            assert (await response.start()).status == 500
            await response.body()
    (activity,) = await ended(activities)
    assert (activity.state, activity.response) == (State.FAILED, {"status": 500})
    assert activity.error == "the endpoint failed: 500 Internal Server Error"
    assert not caplog.records  # the host's to tell


async def test_an_exception_is_logged_when_nobody_waits_any_more(
    activities: Activities, caplog: pytest.LogCaptureFixture
) -> None:
    go = asyncio.Event()

    async def endpoint(request: Request) -> Response:
        await go.wait()
        raise ZeroDivisionError

    answer = await ask(app_of(endpoint, activities), AT_ONCE)
    with caplog.at_level(logging.ERROR, "headway"):
        go.set()
        assert (await end_of(activities, answer.uuid)).state is State.FAILED
        await until(lambda: caplog.records)
    assert caplog.records[0].exc_info is not None and caplog.records[0].exc_info[0] is ZeroDivisionError


async def test_an_endpoint_without_a_reply_has_failed(activities: Activities) -> None:
    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        pass

    async def stammering(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    for endpoint in (silent, stammering):
        with pytest.raises(RuntimeError, match="no complete reply"):
            await ask(wrapped(endpoint, activities), LONG)
    assert {(activity.state, activity.error) for activity in await ended(activities)} == {
        (State.FAILED, "the endpoint gave no complete reply")
    }


async def test_an_endpoint_that_says_nonsense_has_failed(activities: Activities) -> None:
    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.body", "body": b"headless"})

    with pytest.raises(RuntimeError, match="Unexpected ASGI message"):
        await ask(wrapped(endpoint, activities), LONG)
    assert (await ended(activities))[0].state is State.FAILED


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ({"made": 3, "name": "Firefly", "ok": True, "left": None}, {"made": 3, "name": "Firefly", "ok": True}),
        ({"status": "fine"}, {}),
        ({"nested": {"a": 1}}, {}),
        ([1, 2], {}),
        ({"a b": 1}, {}),
        ({"big": "x" * 20_000}, {}),
        ({"huge": 2**60}, {}),
    ],
)
async def test_the_members_of_a_small_flat_reply_are_shown(
    activities: Activities, reply: Any, expected: dict[str, Any]
) -> None:
    async def endpoint(request: Request) -> Response:
        current().report(response={"said": "before"})
        return JSONResponse(reply)

    answer = await ask(app_of(endpoint, activities), LONG)
    assert (await end_of(activities, answer.uuid)).response == {"said": "before", **expected, "status": 200}


@pytest.mark.parametrize(
    "headers", [{"content-type": "text/plain"}, {"content-encoding": "gzip", "content-type": "application/json"}]
)
async def test_other_replies_are_not(activities: Activities, headers: dict[str, str]) -> None:
    endpoint = Endpoint(lambda: Response(b'{"a":1}', headers=headers))
    endpoint.go.set()
    answer = await ask(wrapped(endpoint, activities), LONG)
    assert (await end_of(activities, answer.uuid)).response == {"status": 200}


async def test_at_a_limit_the_client_is_told(activities: Activities) -> None:
    endpoint = Endpoint()
    async with Activities("memory:", limits=Limits(live_per_owner=1)) as small:
        app = wrapped(endpoint, small)
        first = await ask(app, AT_ONCE)
        answer = await ask(app, LONG)
        assert (answer.status, answer.reason) == (429, "too_many")
        assert (await ask(app, LONG, KEY)).status == 429
        endpoint.go.set()
        await end_of(small, first.uuid)
        assert (await ask(app, LONG, KEY)).status == 201  # the refusal was of the moment
    assert endpoint.runs == 2


# Large replies


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
    # Not even the end of its time stops what has begun.
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

    async def breaking(scope: Scope, receive: Receive, send: Send) -> None:
        async def broken(message: Any) -> None:
            raise OSError("gone")

        await app(scope, receive, broken)

    async with asgi_request(breaking, path="/work", headers=[LONG]):
        async with asyncio.timeout(DEADLINE):
            while not (found := await ended(activities)):
                await asyncio.sleep(0.001)
    assert found[0].state is State.SUCCEEDED


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


# Cancel


async def test_a_cancel_stops_the_endpoint_and_tells_who_waits(activities: Activities) -> None:
    endpoint = Endpoint()
    waiting = asyncio.ensure_future(ask(wrapped(endpoint, activities), LONG))
    await endpoint.begun.acquire()
    (activity,) = activities.list()
    await activities.request_cancel(activity.uuid, 2, by=2, reason="changed my mind")
    answer = await waiting
    assert (answer.status, answer.reason) == (409, "cancelled")
    assert "changed my mind" in answer.body.decode()
    assert (await activities.get(activity.uuid)).state is State.CANCELLED


async def test_who_does_not_read_json_is_told_in_html(activities: Activities) -> None:
    endpoint = Endpoint()
    async with asgi_request(wrapped(endpoint, activities), headers=[LONG, ("Accept", "text/html")]) as response:
        await endpoint.begun.acquire()
        await activities.request_cancel(activities.list()[0].uuid)
        assert (await response.start()).status == 409
        assert response.headers["content-type"] == "text/html"
        await response.body()


async def test_a_cancel_before_the_endpoint_begins_keeps_it_from_beginning(activities: Activities) -> None:
    endpoint = Endpoint()
    answer = await ask(wrapped(endpoint, activities), AT_ONCE)
    await activities.request_cancel(answer.uuid)
    assert (await end_of(activities, answer.uuid)).state is State.CANCELLED


async def test_an_endpoint_that_finishes_anyway_has_succeeded(activities: Activities) -> None:
    begun = asyncio.Event()

    async def endpoint(request: Request) -> Response:
        try:
            begun.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
        return PlainTextResponse("done")

    waiting = asyncio.ensure_future(ask(app_of(endpoint, activities), LONG))
    await begun.wait()
    await activities.request_cancel(activities.list()[0].uuid)
    answer = await waiting
    activity = await end_of(activities, answer.uuid)
    assert (answer.body, activity.state, activity.cancel is None) == (b"done", State.SUCCEEDED, False)


async def test_an_endpoint_that_swallows_a_cancel_gets_another(activities: Activities) -> None:
    begun, cancels = asyncio.Event(), 0

    async def endpoint(request: Request) -> Response:
        nonlocal cancels
        while cancels < 2:
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancels += 1
        raise asyncio.CancelledError

    answer = await ask(app_of(endpoint, activities), AT_ONCE)
    await begun.wait()
    await activities.request_cancel(answer.uuid)
    assert (await end_of(activities, answer.uuid)).state is State.CANCELLED
    assert cancels == 2


async def test_a_thread_is_not_said_to_have_stopped_before_it_has(activities: Activities) -> None:
    begun, go = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def endpoint(request: Request) -> Response:
        loop.call_soon_threadsafe(begun.set)
        go.wait(DEADLINE)
        return PlainTextResponse("done")

    answer = await ask(app_of(endpoint, activities), AT_ONCE)
    await begun.wait()
    await activities.request_cancel(answer.uuid)
    try:
        assert (await activities.wait(answer.uuid, 0.2, ended=True)).state is State.CANCELLING
    finally:
        go.set()
    assert (await end_of(activities, answer.uuid)).state is State.SUCCEEDED


async def test_a_thread_stops_where_it_asks(activities: Activities) -> None:
    begun = asyncio.Event()
    loop, ticks = asyncio.get_running_loop(), threading.Event()

    def endpoint(request: Request) -> Response:
        loop.call_soon_threadsafe(begun.set)
        while not ticks.wait(0.005):
            current().check_cancelled()
        return PlainTextResponse("never asked")

    waiting = asyncio.ensure_future(ask(app_of(endpoint, activities), LONG))
    await begun.wait()
    await activities.request_cancel(activities.list()[0].uuid)
    try:
        assert (await waiting).status == 409
    finally:
        ticks.set()


async def test_what_its_own_activities_raise_when_it_is_cancelled_is_its_cancel(activities: Activities) -> None:
    begun = asyncio.Event()

    async def endpoint(request: Request) -> Response:
        async with current().start("part"):
            begun.set()
            await asyncio.Event().wait()
        return PlainTextResponse("done")

    answer = await ask(app_of(endpoint, activities), AT_ONCE)
    await begun.wait()
    await activities.request_cancel(answer.uuid)
    assert (await end_of(activities, answer.uuid)).state is State.CANCELLED


async def test_closing_the_activities_stops_the_endpoint(activities: Activities) -> None:
    endpoint, store = Endpoint(), MemoryStore()
    async with Activities(store) as closing:
        answer = await ask(wrapped(endpoint, closing), AT_ONCE)
        await endpoint.begun.acquire()
        live = closing.registry.live[answer.uuid]
    assert live.activity.state is State.CANCELLED or closing.registry.known(answer.uuid) is not None


# The same request again


async def test_requests_with_one_key_are_one_run(activities: Activities) -> None:
    endpoint = Endpoint()
    app = wrapped(endpoint, activities)
    asked = [asyncio.ensure_future(ask(app, LONG, KEY, body=b"x")) for _ in range(50)]
    await endpoint.begun.acquire()
    endpoint.go.set()
    answers = await asyncio.gather(*asked)
    assert endpoint.runs == 1
    assert {(answer.status, answer.body, answer.uuid) for answer in answers} == {(201, b"done", answers[0].uuid)}


async def test_202_and_a_reply_may_be_of_one_run(activities: Activities) -> None:
    endpoint = Endpoint()
    app = wrapped(endpoint, activities)
    first = await ask(app, AT_ONCE, KEY)
    again = await ask(app, AT_ONCE, KEY)
    waiting = asyncio.ensure_future(ask(app, LONG, KEY))
    plain = asyncio.ensure_future(ask(app, KEY))  # does not ask for 202, and is one run all the same
    await until(lambda: "running=1" in repr(app))
    endpoint.go.set()
    answers = [first, again, await waiting, await plain]
    assert [answer.status for answer in answers] == [202, 202, 201, 201]
    assert len({answer.uuid for answer in answers}) == 1 and endpoint.runs == 1
    assert "preference-applied" not in answers[3].headers


async def test_a_reply_is_given_again_after_the_end(activities: Activities) -> None:
    endpoint = Endpoint(lambda: PlainTextResponse("refused", 422))
    endpoint.go.set()
    app = wrapped(endpoint, activities)
    first = await ask(app, LONG, KEY)
    await end_of(activities, first.uuid)
    assert await ask(app, LONG, KEY) == first
    assert (await ask(app, AT_ONCE, KEY)).status == 422
    assert endpoint.runs == 1


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize(
    "other",
    [{"body": b"other"}, {"path": "/elsewhere"}, {"path": "/work?a=1"}, {"method": "PUT"}, {"role": "admin"}],
    ids=str,
)
async def test_another_request_under_the_same_key_is_refused(
    activities: Activities, other: dict[str, Any], running: bool
) -> None:
    endpoint = Endpoint()
    app = wrapped(endpoint, activities)
    first = await ask(app, AT_ONCE, KEY, body=b"x")
    if not running:
        endpoint.go.set()
        await end_of(activities, first.uuid)
    scope = {"body": b"x", **other}
    role = ("X-Role", scope.pop("role", "user"))
    answer = await ask(app, LONG, KEY, role, **scope)
    assert (answer.status, answer.reason) == (422, "idempotency_key_reused")
    endpoint.go.set()
    await end_of(activities, first.uuid)


async def test_a_key_is_each_users_own(activities: Activities) -> None:
    endpoint = Endpoint()
    endpoint.go.set()
    app = wrapped(endpoint, activities)
    first, other = await ask(app, LONG, KEY), await ask(app, LONG, KEY, ("X-User", "3"))
    assert first.uuid != other.uuid and endpoint.runs == 2


@pytest.mark.parametrize("keys", [[("Idempotency-Key", "")], [KEY, KEY], [("Idempotency-Key", "x" * 256)]])
async def test_a_senseless_key_is_refused(activities: Activities, keys: list[tuple[str, str]]) -> None:
    answer = await ask(wrapped(Endpoint(), activities), LONG, *keys)
    assert (answer.status, answer.reason) == (400, "invalid_input")


@asynccontextmanager
async def restarted(store: Any, endpoint: Endpoint) -> AsyncIterator[tuple[RespondAsync, Activities]]:
    async with Activities(store) as activities:
        yield wrapped(endpoint, activities), activities


@pytest.mark.parametrize(("status", "again", "state"), [(201, 200, "succeeded"), (503, 409, "failed")])
async def test_after_a_restart_the_activity_tells_how_it_ended(
    tmp_path: Any, status: int, again: int, state: str
) -> None:
    endpoint = Endpoint(lambda: JSONResponse({"made": 3}, status))
    endpoint.go.set()
    async with restarted(f"sqlite:{tmp_path}", endpoint) as (app, activities):
        first = await ask(app, LONG, KEY)
        await end_of(activities, first.uuid)
    async with restarted(f"sqlite:{tmp_path}", endpoint) as (app, _):
        answer = await ask(app, LONG, KEY)
        assert (answer.status, answer.headers["x-headway-state"]) == (again, state)
        assert answer.headers["content-location"] == f"/headway/activities/{first.uuid}"
        assert answer.headers["preference-applied"] == "wait=300"
        assert (answer.uuid, answer.row["Response"]) == (first.uuid, {"made": 3, "status": status})
        assert (await ask(app, LONG, KEY, body=b"other")).status == 422
    assert endpoint.runs == 1


@pytest.mark.parametrize(
    "limits",
    [RespondAsyncLimits(kept_replies=1), RespondAsyncLimits(kept_size=100), RespondAsyncLimits(reply=3)],
    ids=["number", "size", "of one"],
)
async def test_replies_are_kept_within_bounds(activities: Activities, limits: RespondAsyncLimits) -> None:
    endpoint = Endpoint()
    endpoint.go.set()
    app = wrapped(endpoint, activities, limits=limits)
    for key in ("old", "new"):
        answer = await ask(app, LONG, ("Idempotency-Key", key))
        await end_of(activities, answer.uuid)
        await until(lambda: "running=0" in repr(app))
    again = await ask(app, LONG, ("Idempotency-Key", "old"))
    assert (again.status, again.row["state"], endpoint.runs) == (200, "succeeded", 2)
    if limits.reply > 3:
        assert (await ask(app, LONG, ("Idempotency-Key", "new"))).body == b"done"


async def test_replies_are_kept_for_a_time() -> None:
    endpoint, clock = Endpoint(), FakeClock()
    endpoint.go.set()
    async with Activities("memory:", clock=clock) as activities:
        app = wrapped(endpoint, activities, limits=RespondAsyncLimits(kept_age=60))
        await end_of(activities, (await ask(app, LONG, KEY)).uuid)
        clock.advance(60)
        assert (await ask(app, LONG, KEY)).status == 201
        clock.advance(1)
        assert (await ask(app, LONG, KEY)).status == 200
    assert endpoint.runs == 1


async def test_after_a_cancel_the_key_tells_of_it(activities: Activities) -> None:
    endpoint = Endpoint()
    app = wrapped(endpoint, activities)
    first = await ask(app, AT_ONCE, KEY)
    await activities.request_cancel(first.uuid)
    await end_of(activities, first.uuid)
    await until(lambda: "running=0" in repr(app))
    answer = await ask(app, LONG, KEY)
    assert (answer.status, answer.row["state"], endpoint.runs) == (409, "cancelled", 1)


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


async def test_one_that_runs_elsewhere_is_waited_for(activities: Activities) -> None:
    # As another process would do it: the same endpoint under another roof.
    endpoint = Endpoint()
    first = await ask(wrapped(endpoint, activities), AT_ONCE, KEY)
    other = wrapped(endpoint, activities)
    assert (await ask(other, AT_ONCE, KEY)).status == 202
    waiting = asyncio.ensure_future(ask(other, LONG, KEY))
    endpoint.go.set()
    answer = await waiting
    assert (answer.status, answer.uuid, endpoint.runs) == (200, first.uuid, 1)


async def test_a_key_of_a_plain_start_is_not_an_endpoints(activities: Activities) -> None:
    await activities.create("t", 2, key="k1")
    answer = await ask(wrapped(Endpoint(), activities), LONG, KEY)
    assert answer.status == 422
