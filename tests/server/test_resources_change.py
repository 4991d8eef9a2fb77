"""``PATCH /activities/{uuid}``: reports, heartbeats and ends."""

from __future__ import annotations

from typing import Any

import pytest

from headway.core.activity import State
from headway.hub import Activities
from headway.server.resources import DEFAULT_LEASE
from headway.testing.clock import FakeClock
from tests.server.whole import JSON, UNKNOWN, XML, Answer, Whole, in_memory

ENDS = ["succeeded", "failed", "cancelled", "lost"]


async def patch(whole: Whole, uuid: str, token: str = "alice", **members: Any) -> Answer:
    return await whole.ask("PATCH", f"/activities/{uuid}", token, [JSON], members)


async def test_a_report_answers_with_the_activity_as_it_will_be_seen(whole: Whole) -> None:
    uuid = (await whole.start())["uuid"]
    row = (await patch(whole, uuid, title="Films", subtitle="Firefly", completed=3, total=12, unit="files")).row
    told = {name: row[name] for name in ("title", "subtitle", "progress", "fraction", "completed", "total", "unit")}
    assert told == {
        "title": "Films",
        "subtitle": "Firefly",
        "progress": 25,
        "fraction": 0.25,
        "completed": 3,
        "total": 12,
        "unit": "files",
    }
    row = (await patch(whole, uuid, progress=-1)).row
    assert (row["progress"], row["title"], row["completed"]) == (-1, "Films", 3)


async def test_no_answer_forgets_what_was_reported_before(whole: Whole) -> None:
    uuid = (await whole.start())["uuid"]
    for number in range(50):
        member, other = ("title", "subtitle") if number % 2 else ("subtitle", "title")
        before = (await patch(whole, uuid, **{other: f"{number}"})).row
        after = (await patch(whole, uuid, **{member: f"{number}"})).row
        beaten = (await patch(whole, uuid)).row
        assert (before[other], after[other], after[member]) == (f"{number}",) * 3
        assert (beaten[other], beaten[member]) == (f"{number}",) * 2


async def test_context_and_response_grow(whole: Whole) -> None:
    uuid = (await whole.start(Context={"key": "1", "b": 1}))["uuid"]
    await patch(whole, uuid, Context={"a": "x", "b": 2}, Response={"x": 1})
    row = (await patch(whole, uuid, Response={"y": True})).row
    assert (row["Context"], row["Response"]) == ({"a": "x", "b": 2, "key": "1"}, {"x": 1, "y": True})


async def test_what_grows_is_measured_as_it_will_be(whole: Whole) -> None:
    uuid = (await whole.start(Context={f"a{n}": "x" for n in range(20)}))["uuid"]
    before = (await whole.ask("GET", f"/activities/{uuid}", "alice", [JSON])).row["Context"]
    for more in ({f"b{n}": "x" for n in range(20)}, {"large": "x" * 4_000}):
        answer = await patch(whole, uuid, Context=more)
        assert answer.error == (400, "invalid_input")
        assert answer.message.startswith("Context: ")
    await patch(whole, uuid, Response={"a": "x" * 9_000})
    assert (await patch(whole, uuid, state="succeeded", Response={"b": "x" * 9_000})).status == 400
    row = (await whole.ask("GET", f"/activities/{uuid}", "alice", [JSON])).row
    assert (row["Context"], row["state"]) == (before, "running")


async def test_the_answer_tells_of_a_cancel(whole: Whole) -> None:
    uuid = (await whole.start(cancellable=True))["uuid"]
    assert (await patch(whole, uuid)).row["state"] == "running"
    await whole.ask("DELETE", f"/activities/{uuid}", "alice")
    for row in ((await patch(whole, uuid)).row, (await patch(whole, uuid, progress=5)).row):
        assert (row["state"], row["cancelRequested"]) == ("cancelling", True)


@pytest.mark.parametrize(("end", "progress"), [("succeeded", 100), ("failed", 40), ("cancelled", 40), ("lost", 40)])
async def test_an_end_is_an_end(whole: Whole, end: str, progress: int) -> None:
    uuid = (await whole.start(cancellable=True))["uuid"]
    await whole.ask("DELETE", f"/activities/{uuid}", "alice")
    error: dict[str, Any] = {} if end == "succeeded" else {"error": "it broke"}
    row = (await patch(whole, uuid, progress=40, state=end, subtitle="last", **error)).row
    assert (row["state"], row["progress"], row["subtitle"], row.get("error")) == (
        end,
        progress,
        "last",
        error.get("error"),
    )
    assert row["endedAt"] >= row["startedAt"]
    later: list[dict[str, Any]] = [{}, {"progress": 1}, *({"state": again} for again in ENDS)]
    for members in later:
        answer = await patch(whole, uuid, **members)
        assert answer.error == (409, "lease_lost" if end == "lost" else "already_ended")
    assert (await whole.ask("GET", f"/activities/{uuid}", "alice", [JSON])).row == row


async def test_cancelled_needs_a_cancel(whole: Whole) -> None:
    uuid = (await whole.start(cancellable=True))["uuid"]
    assert (await patch(whole, uuid, state="cancelled")).error == (409, "illegal_transition")
    assert (await patch(whole, uuid, state="running")).error == (400, "invalid_input")
    assert (await patch(whole, uuid, progress=1)).row["state"] == "running"


async def test_unknown_malformed_and_foreign_are_one_answer(whole: Whole) -> None:
    foreign, ended = [(await whole.start("bob"))["uuid"] for _ in range(2)]
    await whole.change(ended, "bob", state="succeeded")
    for members in ({}, {"progress": 5}, {"state": "failed"}):
        answers = [await patch(whole, uuid, **members) for uuid in (UNKNOWN, "x", foreign, ended)]
        assert [answer.error for answer in answers] == [(404, "not_found")] * 4
        assert len({answer.body for answer in answers}) == 1
    page = await whole.ask("PATCH", f"/activities/{foreign}", "alice", [XML], {})
    assert page.body == b"<html><head><title>Not Found</title></head><body><h1>404 Not Found</h1></body></html>"


async def test_admins_and_reporters_report_readers_do_not(whole: Whole) -> None:
    uuid, own = (await whole.start())["uuid"], (await whole.start("rob"))["uuid"]
    assert (await patch(whole, uuid, "admin", progress=5)).row["progress"] == 5
    assert (await patch(whole, own, "rob", state="succeeded")).status == 200
    refused = [await patch(whole, one, "rita", progress=5) for one in (uuid, UNKNOWN)]
    assert [answer.error for answer in refused] == [(403, "not_allowed")] * 2
    assert refused[0].body == refused[1].body


async def test_what_runs_inside_the_server_is_reported_by_it_alone(whole: Whole) -> None:
    async with whole.activities.start("test.inside") as activity:
        for members in ({}, {"progress": 5}, {"state": "failed"}):
            assert (await patch(whole, activity.uuid, "admin", **members)).error == (409, "conflict")
    assert (await patch(whole, activity.uuid, "admin")).error == (409, "already_ended")


async def test_a_lease_lasts_as_long_as_there_are_signs_of_life() -> None:
    clock = FakeClock()
    async with in_memory(Activities(clock=clock)) as whole:
        default, short = (await whole.start())["uuid"], (await whole.start(lease=10))["uuid"]
        liveness = whole.activities._liveness
        signs: list[dict[str, Any]] = [{}, {"progress": 5}, {}]
        for sign in signs:
            for _ in range(3):
                clock.advance(3)
                await liveness.round()
            assert (await patch(whole, short, **sign)).row["state"] == "running"
        for _ in range(4):
            clock.advance(3)
            await liveness.round()
        lost = (await whole.ask("GET", f"/activities/{short}", "alice", [JSON])).row
        assert (lost["state"], lost["error"]) == ("lost", "lease_expired")
        assert (await patch(whole, short)).error == (409, "lease_lost")
        for _ in range(int(DEFAULT_LEASE / 3)):
            clock.advance(3)
            await liveness.round()
        assert (await whole.activities.get(default)).state is State.LOST


async def test_a_heartbeat_is_no_report() -> None:
    clock = FakeClock()
    async with in_memory(Activities(clock=clock)) as whole:
        uuid = (await whole.start())["uuid"]
        reported = (await patch(whole, uuid, progress=5)).row
        await whole.activities.settled()
        clock.advance(5)
        async with whole.events("alice") as stream:
            await stream.event()
            beaten = (await patch(whole, uuid)).row
            assert beaten["lastReportAt"] == reported["lastReportAt"]
            await patch(whole, uuid, state="succeeded")
            assert [event.told[0] for event in await stream.until(uuid)] == ["ended"]
