"""Waiting for an activity: ``GET ?wait``, ``DELETE ?wait`` and ``Prefer: wait``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from headway.server.service import StreamLimits
from tests.server.harness import connected
from tests.server.whole import JSON, UNKNOWN, Answer, Whole, eventually, in_memory, read_answer

AGES = "?wait=300"


def waiters(whole: Whole) -> int:
    """How many requests wait at this moment."""
    running = [task for task in asyncio.all_tasks() if not task.done()]
    return sum("Records.wait" in str(task.get_coro()) for task in running)


async def while_waiting(whole: Whole, waiting: Awaitable[Answer], *then: Awaitable[Any]) -> Answer:
    """The answer to a request that waits until the others are answered."""
    before = waiters(whole)
    task = asyncio.ensure_future(waiting)
    await eventually(lambda: waiters(whole) > before or task.done())
    assert not task.done(), task.result()
    for other in then:
        await other
    return await task


async def test_get_waits_for_the_next_lifecycle_change(whole: Whole) -> None:
    uuid = (await whole.start(cancellable=True))["uuid"]
    path = f"/activities/{uuid}"

    cancel = whole.ask("DELETE", path, "alice")
    answer = await while_waiting(whole, whole.ask("GET", path + AGES, "alice", [JSON]), cancel)
    assert answer.row["state"] == "cancelling"

    end = whole.change(uuid, state="cancelled")
    answer = await while_waiting(whole, whole.ask("GET", path + AGES, "alice", [JSON]), end)
    assert answer.row["state"] == "cancelled"


async def test_a_report_is_no_lifecycle_change(whole: Whole) -> None:
    uuid = (await whole.start())["uuid"]
    path = f"/activities/{uuid}"
    report, end = whole.change(uuid, progress=50), whole.change(uuid, state="succeeded")
    answer = await while_waiting(whole, whole.ask("GET", path + AGES, "alice", [JSON]), report, end)
    assert (answer.row["state"], answer.row["progress"]) == ("succeeded", 100)


async def test_what_changed_before_the_wait_is_not_waited_for(whole: Whole) -> None:
    uuid = (await whole.start(cancellable=True))["uuid"]
    await whole.ask("DELETE", f"/activities/{uuid}", "alice")
    answer = await whole.ask("GET", f"/activities/{uuid}{AGES}&state=running", "alice", [JSON])
    assert answer.row["state"] == "cancelling"


async def test_an_ended_one_is_not_waited_for(whole: Whole) -> None:
    uuid = (await whole.start())["uuid"]
    await whole.change(uuid, state="failed", error="no")
    for query in (AGES, f"{AGES}&state=failed", f"{AGES}&state=running"):
        assert (await whole.ask("GET", f"/activities/{uuid}{query}", "alice", [JSON])).row["state"] == "failed"


async def test_a_wait_that_is_over_answers_with_what_stands(whole: Whole) -> None:
    uuid = (await whole.start())["uuid"]
    answer = await whole.ask("GET", f"/activities/{uuid}?wait=0.05", "alice", [JSON])
    assert answer.row["state"] == "running"


async def test_unknown_and_foreign_are_answered_at_once(whole: Whole) -> None:
    foreign = (await whole.start("bob"))["uuid"]
    for uuid in (UNKNOWN, foreign):
        assert (await whole.ask("GET", f"/activities/{uuid}{AGES}", "alice", [JSON])).error == (404, "not_found")


@pytest.mark.parametrize(("query", "headers"), [(AGES, []), ("", [("Prefer", "respond-async, wait=300")])])
async def test_delete_waits_for_the_end(whole: Whole, query: str, headers: list[tuple[str, str]]) -> None:
    uuid = (await whole.start(cancellable=True))["uuid"]
    waiting = whole.ask("DELETE", f"/activities/{uuid}{query}", "alice", headers)
    report, end = whole.change(uuid, progress=50), whole.change(uuid, state="cancelled")
    answer = await while_waiting(whole, waiting, report, end)
    assert (answer.status, answer.body, answer.headers["x-headway-state"]) == (200, b"", "cancelled")


async def test_delete_answers_after_the_wait_with_the_state_it_has_then(whole: Whole) -> None:
    uuid = (await whole.start(cancellable=True))["uuid"]
    answer = await whole.ask("DELETE", f"/activities/{uuid}?wait=0.05", "alice", [("Prefer", "wait=300")])
    assert (answer.status, answer.headers["x-headway-state"]) == (200, "cancelling")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_wait_ends_when_its_client_goes(whole: Whole, method: str) -> None:
    uuid, before = (await whole.start(cancellable=True))["uuid"], waiters(whole)
    async with connected(whole.port) as client:
        client.send(whole.request(method, f"/activities/{uuid}{AGES}", "alice"))
        await eventually(lambda: waiters(whole) > before)
    await eventually(lambda: waiters(whole) == before)


async def test_whoever_waits_is_answered_when_the_server_stops() -> None:
    async with in_memory(streams=StreamLimits(farewell=0)) as whole:
        uuid = (await whole.start(cancellable=True))["uuid"]
        async with connected(whole.port) as client:
            client.send(whole.request("GET", f"/activities/{uuid}{AGES}", "alice", [JSON]))
            await eventually(lambda: waiters(whole) > 0)
            whole.server.stop()
            assert (await read_answer(client)).row["state"] == "running"
