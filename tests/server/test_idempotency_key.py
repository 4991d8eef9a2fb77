"""The same request again is the same run of its endpoint."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.responses import JSONResponse, PlainTextResponse

from headway.hub import Activities
from headway.server.respond_async import RespondAsync, RespondAsyncLimits
from headway.testing import FakeClock
from headway.testing.asgi import asgi_request
from tests.server.endpoints import AT_ONCE, KEY, LONG, Endpoint, ask, end_of, until, wrapped


async def test_requests_with_one_key_are_one_run(activities: Activities) -> None:
    endpoint = Endpoint()
    app = wrapped(endpoint, activities)
    asked = [asyncio.ensure_future(ask(app, LONG, KEY, body=b"x")) for _ in range(50)]
    await endpoint.has_begun()
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


async def test_who_waits_for_one_that_runs_elsewhere_may_leave(activities: Activities) -> None:
    endpoint = Endpoint()
    await ask(wrapped(endpoint, activities), AT_ONCE, KEY)
    headers = [("Host", "localhost"), LONG, KEY]
    async with asgi_request(wrapped(endpoint, activities), "POST", "/work", headers=headers) as response:
        await until(lambda: any(Activities.wait.__qualname__ in str(task.get_coro()) for task in asyncio.all_tasks()))
    with pytest.raises(EOFError):
        await response.start()
    endpoint.go.set()
