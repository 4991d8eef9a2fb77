"""``PATCH /activities``: what many activities have to tell, in one request."""

from __future__ import annotations

import asyncio
from typing import Any
from xml.etree import ElementTree

import pytest

from headway.server.service import StreamLimits
from headway.wire.requests import MAX_BATCH
from tests.server.harness import connected
from tests.server.whole import JSON, UNKNOWN, XML, Answer, Whole, eventually, in_memory, read_answer

AGES = "?wait=300"
MINIMAL = ("Prefer", "return=minimal")


async def patch(whole: Whole, *items: Any, token: str = "alice", query: str = "", headers: Any = (JSON,)) -> Answer:
    return await whole.ask("PATCH", f"/activities{query}", token, headers, {"Activity": list(items)})


async def started(whole: Whole, count: int, token: str = "alice", **members: Any) -> list[str]:
    return [(await whole.start(token, **{"cancellable": True, **members}))["uuid"] for _ in range(count)]


def errors(answer: Answer) -> list[tuple[str, int, str]]:
    return [(each["uuid"], each["status"], each["reason"]) for each in answer.json.get("errors", [])]


def waiters() -> int:
    """How many requests are held at this moment."""
    return sum("_within" in str(task.get_coro()) for task in asyncio.all_tasks() if not task.done())


async def held(whole: Whole, *uuids: str, headers: Any = (JSON,)) -> asyncio.Task[Answer]:
    """A request that waits."""
    before = waiters()
    task = asyncio.ensure_future(patch(whole, *({"uuid": uuid} for uuid in uuids), query=AGES, headers=headers))
    await eventually(lambda: waiters() > before or task.done())
    assert not task.done(), task.result()
    return task


async def test_each_is_reported_on_and_shown_in_the_order_it_was_named_in(whole: Whole) -> None:
    uuids = await started(whole, 3)
    answer = await patch(whole, *({"uuid": uuid, "progress": 10 + n} for n, uuid in enumerate(uuids)))
    assert answer.status == 200
    assert [(row["uuid"], row["progress"]) for row in answer.rows] == [(u, 10 + n) for n, u in enumerate(uuids)]
    assert answer.json["MediaContainer"]["size"] == 3
    assert "errors" not in answer.json


async def test_nothing_may_be_told(whole: Whole) -> None:
    assert (await patch(whole)).json == {"MediaContainer": {"size": 0}}


async def test_what_fails_harms_no_other(whole: Whole) -> None:
    ended, lost, going, full = await started(whole, 4)
    await whole.change(ended, state="succeeded")
    await whole.change(lost, state="lost")
    await whole.change(full, Response={"a": "x" * 9_000})
    (foreign,) = await started(whole, 1, "bob")
    items = [
        {"uuid": ended, "progress": 5},
        {"uuid": UNKNOWN, "progress": 5},
        {"uuid": foreign, "state": "failed"},
        {"uuid": lost},
        {"uuid": full, "Response": {"b": "x" * 9_000}},
        {"uuid": going, "state": "failed", "error": "no"},
    ]
    answer = await patch(whole, *items)
    assert [(row["uuid"], row["state"]) for row in answer.rows] == [(going, "failed")]
    assert errors(answer) == [
        (ended, 409, "already_ended"),
        (UNKNOWN, 404, "not_found"),
        (foreign, 404, "not_found"),
        (lost, 409, "lease_lost"),
        (full, 400, "invalid_input"),
    ]
    unknown, other = [{**each, "uuid": ""} for each in answer.json["errors"][1:3]]
    assert unknown == other
    assert (await whole.ask("GET", f"/activities/{foreign}", "bob", [JSON])).row["state"] == "running"


async def test_a_parent_may_end_with_its_children_in_whatever_order(whole: Whole) -> None:
    (parent,) = await started(whole, 1)
    (child,) = await started(whole, 1, parentUUID=parent)
    leaves = await started(whole, 2, parentUUID=child)
    answer = await patch(whole, *({"uuid": uuid, "state": "succeeded"} for uuid in (parent, child, leaves[0])))
    assert errors(answer) == [(uuid, 409, "children_running") for uuid in (parent, child)]
    answer = await patch(whole, *({"uuid": uuid, "state": "succeeded"} for uuid in (parent, child, leaves[1])))
    assert [row["state"] for row in answer.rows] == ["succeeded"] * 3


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "Activity: is missing"),
        ({"Activity": {}}, "Activity: must be a list, not {}"),
        ({"Activity": [], "wait": 5}, '"wait": no such member'),
        ({"Activity": [5]}, "Activity[0]: must be an object, not 5"),
        ({"Activity": [{}]}, "Activity[0].uuid: is missing"),
        ({"Activity": [{"uuid": "x"}]}, "Activity[0].uuid: must be the uuid of an activity"),
        ({"Activity": [{"uuid": UNKNOWN}, {"uuid": UNKNOWN}]}, "Activity[1].uuid: is given twice"),
        ({"Activity": [{"uuid": UNKNOWN, "titel": ""}]}, 'Activity[0]."titel": no such member; did you mean title?'),
        ({"Activity": [{"uuid": UNKNOWN, "progress": 101}]}, "Activity[0].progress: must be a number from -1 to 100"),
        ({"Activity": [{"uuid": UNKNOWN, "Context": {"a": {}}}]}, "Activity[0].Context.a: "),
        ({"Activity": [{"uuid": UNKNOWN, "error": "x"}]}, "Activity[0].error: only goes with a state"),
        ({"Activity": [{}] * (MAX_BATCH + 1)}, f"Activity: must have at most {MAX_BATCH} members"),
        (b'{"Activity":[{"progress":NaN}]}', "Activity[0].progress: NaN is not JSON"),
    ],
)
async def test_a_body_that_breaks_a_rule_is_refused_as_a_whole(whole: Whole, body: Any, message: str) -> None:
    (uuid,) = await started(whole, 1)
    if isinstance(body, dict) and isinstance(body.get("Activity"), list):
        body["Activity"].append({"uuid": uuid, "progress": 50})
    headers = [JSON, ("Content-Type", "application/json")] if isinstance(body, bytes) else [JSON]
    answer = await whole.ask("PATCH", "/activities", "alice", headers, body)
    assert answer.error == (400, "invalid_input")
    assert answer.message.startswith(message)
    assert (await whole.ask("GET", f"/activities/{uuid}", "alice", [JSON])).row["progress"] == 0


async def test_as_many_as_a_user_may_have_fit_into_one_request(whole: Whole) -> None:
    items = [{"uuid": f"{number:08d}-0000-4000-8000-000000000000"} for number in range(MAX_BATCH)]
    answer = await patch(whole, *items)
    assert [reason for _, _, reason in errors(answer)] == ["not_found"] * MAX_BATCH


async def test_readers_and_those_without_a_token_do_not_report(whole: Whole) -> None:
    (uuid,) = await started(whole, 1)
    assert (await patch(whole, {"uuid": uuid}, token="rita")).error == (403, "not_allowed")
    assert (await patch(whole, {"uuid": uuid}, token="nobody")).error == (401, "not_authenticated")
    assert (await patch(whole, {"uuid": uuid, "progress": 5}, token="admin")).row["progress"] == 5


async def test_xml_shows_the_errors_behind_the_rows(whole: Whole) -> None:
    (uuid,) = await started(whole, 1)
    container = ElementTree.fromstring((await patch(whole, {"uuid": uuid}, {"uuid": UNKNOWN}, headers=[XML])).body)
    assert (container.get("size"), [each.tag for each in container]) == ("1", ["Activity", "Error"])
    assert (container[1].get("uuid"), container[1].get("reason")) == (UNKNOWN, "not_found")


async def test_a_minimal_answer_tells_of_what_does_not_just_go_on(whole: Whole) -> None:
    going, stopping, ending = await started(whole, 3)
    await whole.ask("DELETE", f"/activities/{stopping}", "alice")
    items = [{"uuid": going, "progress": 7}, {"uuid": stopping}, {"uuid": ending, "state": "succeeded"}]
    answer = await patch(whole, *items, headers=[JSON, MINIMAL])
    assert [(row["uuid"], row["state"]) for row in answer.rows] == [(stopping, "cancelling"), (ending, "succeeded")]
    assert answer.headers["preference-applied"] == "return=minimal"
    assert (await whole.ask("GET", f"/activities/{going}", "alice", [JSON])).row["progress"] == 7


class TestWaiting:
    """``?wait=`` holds an answer that would tell nothing new."""

    async def test_a_cancel_of_any_is_told_at_once(self, whole: Whole) -> None:
        uuids = await started(whole, 3)
        waiting = await held(whole, *uuids)
        await whole.ask("DELETE", f"/activities/{uuids[1]}", "alice")
        assert [row["state"] for row in (await waiting).rows] == ["running", "cancelling", "running"]

    async def test_so_is_an_end(self, whole: Whole) -> None:
        uuids = await started(whole, 2)
        waiting = await held(whole, *uuids, headers=[JSON, MINIMAL])
        await whole.activities.give_up(uuids[0], "lease_expired")
        assert [(row["state"], row["error"]) for row in (await waiting).rows] == [("lost", "lease_expired")]

    async def test_reports_are_no_news(self, whole: Whole) -> None:
        (uuid,) = await started(whole, 1)
        waiting = await held(whole, uuid)
        await whole.change(uuid, progress=50)
        await whole.activities.settled()
        assert not waiting.done()
        await whole.change(uuid, state="succeeded")
        assert (await waiting).row["state"] == "succeeded"

    async def test_what_it_tells_itself_is_taken_in_before_it_waits(self, whole: Whole) -> None:
        (uuid,) = await started(whole, 1)
        row = (await patch(whole, {"uuid": uuid, "progress": 30}, query="?wait=0.05")).row
        assert (row["progress"], row["state"]) == (30, "running")

    async def test_news_and_errors_are_not_waited_with(self, whole: Whole) -> None:
        going, stopping = await started(whole, 2)
        await whole.ask("DELETE", f"/activities/{stopping}", "alice")
        for other in (stopping, UNKNOWN):
            assert (await patch(whole, {"uuid": going}, {"uuid": other}, query=AGES)).status == 200
        assert (await patch(whole, query=AGES)).rows == []

    async def test_the_preference_counts_as_the_argument_does(self, whole: Whole) -> None:
        (uuid,) = await started(whole, 1)
        prefer = ("Prefer", "return=minimal, wait=300")
        answer = await patch(whole, {"uuid": uuid}, query="?wait=0.01", headers=[JSON, prefer])
        assert answer.rows == []
        before = waiters()
        task = asyncio.ensure_future(patch(whole, {"uuid": uuid}, headers=[JSON, prefer]))
        await eventually(lambda: waiters() > before)
        await whole.change(uuid, state="succeeded")
        assert (await task).row["state"] == "succeeded"

    async def test_too_long_a_wait_is_refused(self, whole: Whole) -> None:
        answer = await patch(whole, query="?wait=301")
        assert (answer.error, answer.message.partition(":")[0]) == ((400, "invalid_input"), "wait")

    async def test_a_client_that_has_gone_is_not_waited_for(self, whole: Whole) -> None:
        (uuid,) = await started(whole, 1)
        before = waiters()
        async with connected(whole.port) as client:
            client.send(whole.request("PATCH", f"/activities{AGES}", "alice", [JSON], {"Activity": [{"uuid": uuid}]}))
            await eventually(lambda: waiters() > before)
        await eventually(lambda: waiters() == before)

    async def test_a_server_that_stops_answers_first(self) -> None:
        async with in_memory(streams=StreamLimits(farewell=0.01)) as whole:
            (uuid,) = await started(whole, 1)
            async with connected(whole.port) as client:
                body = {"Activity": [{"uuid": uuid}]}
                client.send(whole.request("PATCH", f"/activities{AGES}", "alice", [JSON], body))
                await eventually(lambda: waiters() > 0)
                await whole.service.stop()
                assert (await read_answer(client)).row["state"] == "running"
