"""How the run of an endpoint ends."""

import asyncio
import logging
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from headway.admission import Limits
from headway.context import current
from headway.core.activity import State
from headway.hub import Activities
from headway.testing.asgi import asgi_request
from tests.server.endpoints import AT_ONCE, KEY, LONG, Endpoint, app_of, ask, end_of, ended, until, wrapped


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


async def test_nothing_that_reaches_around_the_reply_is_offered_to_the_endpoint(activities: Activities) -> None:
    offered: list[Any] = []

    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        offered.append(scope["extensions"])
        await PlainTextResponse("done")(scope, receive, send)

    await ask(wrapped(endpoint, activities), LONG, extensions={"http.response.pathsend": {}})
    assert offered == [{}]


async def test_only_as_much_of_a_reply_is_shown_as_there_is_room_for(activities: Activities) -> None:
    async def endpoint(request: Request) -> Response:
        current().report(response={"said": "x" * 10_000})
        return JSONResponse({"more": "x" * 10_000})

    answer = await ask(app_of(endpoint, activities), LONG)
    assert (await end_of(activities, answer.uuid)).response == {"said": "x" * 10_000, "status": 200}


async def test_the_names_of_headers_may_be_in_any_case(activities: Activities) -> None:
    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"Content-Type", b"application/json")]})
        await send({"type": "http.response.body", "body": b'{"made":3}'})

    answer = await ask(wrapped(endpoint, activities), LONG)
    assert (await end_of(activities, answer.uuid)).response == {"made": 3, "status": 200}
