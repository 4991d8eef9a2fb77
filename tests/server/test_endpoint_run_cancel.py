"""How the run of an endpoint is stopped."""

import asyncio
import threading
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from headway.context import current
from headway.core.activity import Activity, State
from headway.core.errors import NotCancellable, Unavailable
from headway.hub import Activities
from headway.testing.asgi import DEADLINE, asgi_request
from tests.hubs import FaultyStore
from tests.server.endpoints import AT_ONCE, LONG, Endpoint, app_of, ask, end_of, ended, until, wrapped


async def test_a_cancel_stops_the_endpoint_and_tells_who_waits(activities: Activities) -> None:
    endpoint = Endpoint()
    waiting = asyncio.ensure_future(ask(wrapped(endpoint, activities), LONG))
    await endpoint.has_begun()
    (activity,) = activities.list()
    await activities.request_cancel(activity.uuid, 2, by=2, reason="changed my mind")
    answer = await waiting
    assert (answer.status, answer.reason) == (409, "cancelled")
    assert "changed my mind" in answer.body.decode()
    assert (await activities.get(activity.uuid)).state is State.CANCELLED


async def test_who_does_not_read_json_is_told_in_html(activities: Activities) -> None:
    endpoint = Endpoint()
    async with asgi_request(wrapped(endpoint, activities), headers=[LONG, ("Accept", "text/html")]) as response:
        await endpoint.has_begun()
        await activities.request_cancel(activities.list()[0].uuid)
        assert (await response.start()).status == 409
        assert response.headers["content-type"] == "text/html"
        await response.body()


class Hasty(Activities):
    """Somebody cancels whatever has just been started."""

    async def create(self, *args: Any, **attributes: Any) -> tuple[Activity, bool]:
        created = await super().create(*args, **attributes)
        await self.request_cancel(created[0].uuid)
        return created


async def test_a_cancel_before_the_endpoint_begins_keeps_it_from_beginning() -> None:
    endpoint = Endpoint()
    async with Hasty("memory:") as activities:
        assert (await ask(wrapped(endpoint, activities), LONG)).status == 409
        assert (await ended(activities))[0].state is State.CANCELLED
    assert endpoint.runs == 0


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
    await until(begun.is_set)
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
    await until(begun.is_set)
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
    await until(begun.is_set)
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
    await until(begun.is_set)
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
    await until(begun.is_set)
    await activities.request_cancel(answer.uuid)
    assert (await end_of(activities, answer.uuid)).state is State.CANCELLED


async def test_an_endpoint_that_listens_for_its_client_is_told_that_way(activities: Activities) -> None:
    begun, cleared = asyncio.Event(), list[str]()

    async def work() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            cleared.append("work")

    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        working, listening = asyncio.ensure_future(work()), asyncio.ensure_future(receive())
        # As Django does it: were it cancelled here, it would leave the work behind.
        await asyncio.wait({working, listening}, return_when=asyncio.FIRST_COMPLETED)
        working.cancel()
        await asyncio.wait({working})

    answer = await ask(wrapped(endpoint, activities), AT_ONCE)
    await until(begun.is_set)
    await activities.request_cancel(answer.uuid)
    assert (await end_of(activities, answer.uuid)).state is State.CANCELLED
    assert cleared == ["work"]


async def test_an_endpoint_that_listens_and_does_nothing_is_cancelled_after_all(activities: Activities) -> None:
    begun = asyncio.Event()

    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.Event().wait())
            while True:
                await receive()
                begun.set()
                await asyncio.sleep(0)

    answer = await ask(wrapped(endpoint, activities), AT_ONCE)
    await until(begun.is_set)
    await activities.request_cancel(answer.uuid)
    assert (await end_of(activities, answer.uuid)).state is State.CANCELLED


async def test_an_endpoint_that_is_to_stop_sees_its_client_gone(activities: Activities) -> None:
    begun, seen = asyncio.Event(), list[bool]()

    async def endpoint(request: Request) -> Response:
        await request.body()
        try:
            begun.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append(await request.is_disconnected())
            raise
        return PlainTextResponse("never")

    answer = await ask(app_of(endpoint, activities), AT_ONCE)
    await until(begun.is_set)
    await activities.request_cancel(answer.uuid)
    await end_of(activities, answer.uuid)
    assert seen == [True]


async def test_a_thread_below_a_task_has_to_end_as_well(activities: Activities) -> None:
    begun, go = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def work() -> bool:
        loop.call_soon_threadsafe(begun.set)
        return go.wait(DEADLINE)

    async def endpoint(request: Request) -> Response:
        await asyncio.wait({asyncio.ensure_future(asyncio.to_thread(work))})
        return PlainTextResponse("done")

    answer = await ask(app_of(endpoint, activities), AT_ONCE)
    await until(begun.is_set)
    await activities.request_cancel(answer.uuid)
    try:
        assert (await activities.wait(answer.uuid, 0.2, ended=True)).state is State.CANCELLING
    finally:
        go.set()
    assert (await end_of(activities, answer.uuid)).state is State.SUCCEEDED


async def test_closing_the_activities_stops_the_endpoint() -> None:
    endpoint = Endpoint()
    async with Activities("memory:") as closing:
        answer = await ask(wrapped(endpoint, closing), AT_ONCE)
        await endpoint.has_begun()
    activity = closing.registry.known(answer.uuid)
    assert activity is not None and activity.cancel is not None
    assert (activity.state, activity.cancel.reason) == (State.CANCELLED, "server_shutdown")


async def test_what_its_threads_raise_when_it_is_cancelled_is_its_cancel(activities: Activities) -> None:
    begun = asyncio.Event()

    async def part() -> bool:
        begun.set()
        return await asyncio.Event().wait()

    def endpoint(request: Request) -> Response:
        spawned = activities.call(current().spawn, "part", part)
        activities.call(spawned.result)
        return PlainTextResponse("never")

    waiting = asyncio.ensure_future(ask(app_of(endpoint, activities), LONG))
    await until(begun.is_set)
    await activities.request_cancel(activities.list()[0].uuid)
    assert (await waiting).status == 409
    assert {activity.state for activity in await ended(activities)} == {State.CANCELLED}


async def test_an_endpoint_that_cancels_itself_is_cancelled(activities: Activities) -> None:
    async def endpoint(request: Request) -> Response:
        raise asyncio.CancelledError

    answer = await ask(app_of(endpoint, activities, cancellable=False), LONG)
    assert (answer.status, answer.reason) == (409, "cancelled")
    assert "task_cancelled" in answer.body.decode()


async def test_users_cancel_only_what_they_may(activities: Activities) -> None:
    endpoint = Endpoint()
    answer = await ask(wrapped(endpoint, activities, cancellable=False), AT_ONCE)
    with pytest.raises(NotCancellable):
        await activities.request_cancel(answer.uuid, 2)
    endpoint.go.set()
    await end_of(activities, answer.uuid)


async def test_whoever_waits_for_a_start_is_told_when_that_is_given_up() -> None:
    store, endpoint = FaultyStore(), Endpoint()
    async with Activities(store) as activities:
        store.hold()
        waiting = asyncio.ensure_future(ask(wrapped(endpoint, activities), LONG))
        await until(lambda: store.commits)
        next(task for task in asyncio.all_tasks() if task.get_name() == "headway endpoint").cancel()
        assert (await waiting).status == 503
        store.failure = Unavailable("away")
        store.release()
    assert endpoint.runs == 0
