"""``DELETE /activities/{uuid}``, row by row of its table."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from headway.core.errors import Cancelled
from tests.server.whole import JSON, UNKNOWN, Answer, Whole

HTML_404 = b"<html><head><title>Not Found</title></head><body><h1>404 Not Found</h1></body></html>"
HTML_400 = b"<html><head><title>Bad Request</title></head><body><h1>400 Bad Request</h1></body></html>"
HTML_401 = b"<html><head><title>Unauthorized</title></head><body><h1>401 Unauthorized</h1></body></html>"
ANY = ("Accept", "*/*")


def stripped(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    """All of an answer but the date."""
    return answer.status, {name: value for name, value in answer.headers.items() if name != "date"}, answer.body


async def cancel(whole: Whole, uuid: str, token: str | None = "alice", *headers: Any, query: str = "") -> Answer:
    return await whole.ask("DELETE", f"/activities/{uuid}{query}", token, headers)


async def test_a_cancel_on_record_is_200_and_empty(whole: Whole) -> None:
    uuid = (await whole.start(cancellable=True))["uuid"]
    for _ in range(3):
        answer = await cancel(whole, uuid)
        assert (answer.status, answer.body) == (200, b"")
        assert answer.headers["content-type"] == "text/html"
        assert answer.headers["content-length"] == "0"
        assert answer.headers["x-headway-state"] == "cancelling"
    row = (await whole.ask("GET", f"/activities/{uuid}", "alice", [JSON])).row
    assert (row["state"], row["cancelRequested"], row["cancelledBy"]) == ("cancelling", True, row["userID"])


@pytest.mark.parametrize("end", ["cancelled", "succeeded", "failed"])
async def test_a_cancel_stays_on_record_after_the_end(whole: Whole, end: str) -> None:
    uuid = (await whole.start(cancellable=True))["uuid"]
    await cancel(whole, uuid)
    assert (await whole.change(uuid, state=end))["cancelRequested"] is True
    again = await cancel(whole, uuid)
    assert (again.status, again.body, again.headers["x-headway-state"]) == (200, b"", end)


async def test_parallel_cancels_make_one_record(whole: Whole) -> None:
    uuid = (await whole.start(cancellable=True))["uuid"]
    async with whole.events("alice", f"?uuid={uuid}") as stream:
        await stream.next("ping")
        answers = await asyncio.gather(*[cancel(whole, uuid, user) for user in ["alice", "admin"] * 10])
        assert {answer.status for answer in answers} == {200}
        await whole.change(uuid, state="cancelled")
        assert [event.told[0] for event in await stream.until(uuid)] == ["updated", "ended"]


@pytest.mark.parametrize(
    ("headers", "content_type"),
    [
        ([ANY], "text/html"),
        ([JSON], "application/json"),
        ([], "application/json"),
        ([("Accept", "text/xml")], "text/html"),
    ],
)
async def test_unknown_malformed_ended_and_foreign_are_one_answer(
    whole: Whole, headers: list[tuple[str, str]], content_type: str
) -> None:
    ended, foreign, stubborn = [(await whole.start(owner))["uuid"] for owner in ("alice", "bob", "bob")]
    await whole.change(ended, state="succeeded")
    await cancel(whole, foreign)
    unseen = [UNKNOWN, "nonsense", "%00", ended, foreign, stubborn, ended.upper(), f"%7B{UNKNOWN}%7D"]
    answers = [stripped(await cancel(whole, uuid, "alice", *headers)) for uuid in unseen]
    assert answers[0][0] == 404
    assert answers[0][1]["content-type"] == content_type
    if content_type == "text/html":
        assert answers[0][2] == HTML_404
    else:
        assert b'"code":4040' in answers[0][2]
    assert [answer for answer in answers if answer != answers[0]] == []


async def test_running_visible_and_not_cancellable_is_400(whole: Whole) -> None:
    uuid = (await whole.start())["uuid"]
    page, document = await cancel(whole, uuid, "alice", ANY), await cancel(whole, uuid, "admin", JSON)
    assert (page.status, page.headers["content-type"], page.body) == (400, "text/html", HTML_400)
    assert (document.headers["content-type"], document.error) == ("application/json", (400, "not_cancellable"))
    assert document.json == {
        "errors": [
            {
                "code": 4001,
                "message": "This activity cannot be cancelled.",
                "status": 400,
                "reason": "not_cancellable",
            }
        ]
    }


@pytest.mark.parametrize("token", [None, "wrong", "hw_00000000_" + "A" * 43, ""])
async def test_no_or_a_bad_token_is_401_whatever_the_uuid(whole: Whole, token: str | None) -> None:
    uuid = (await whole.start(cancellable=True))["uuid"]
    for one in (uuid, UNKNOWN, "nonsense"):
        page, document = await cancel(whole, one, token, ANY), await cancel(whole, one, token)
        assert (page.status, page.headers["content-type"], page.body) == (401, "text/html", HTML_401)
        assert document.json == {
            "errors": [
                {
                    "code": 1001,
                    "message": "User could not be authenticated",
                    "status": 401,
                    "reason": "not_authenticated",
                }
            ]
        }
        assert "www-authenticate" not in {**page.headers, **document.headers}
    assert (await whole.ask("GET", f"/activities/{uuid}", "alice", [JSON])).row["state"] == "running"


@pytest.mark.parametrize("user", ["rita", "rob"])
async def test_a_role_that_may_not_cancel_is_403_whatever_the_uuid(whole: Whole, user: str) -> None:
    own = (await whole.start("rob", cancellable=True))["uuid"]
    foreign = (await whole.start("alice", cancellable=True))["uuid"]
    answers = [stripped(await cancel(whole, uuid, user, JSON)) for uuid in (own, foreign, UNKNOWN, "nonsense")]
    assert answers[0][0] == 403
    assert answers == answers[:1] * 4


async def test_admins_cancel_everybodys(whole: Whole) -> None:
    started = await whole.start(cancellable=True)
    assert (await cancel(whole, started["uuid"], "admin")).status == 200
    row = (await whole.ask("GET", f"/activities/{started['uuid']}", "alice", [JSON])).row
    assert (row["cancelledBy"], row["userID"]) == (1, started["userID"])


async def test_a_cancel_reaches_the_children(whole: Whole) -> None:
    parent = (await whole.start(cancellable=True))["uuid"]
    child = (await whole.start(cancellable=True, parentUUID=parent))["uuid"]
    deaf = (await whole.start(parentUUID=parent))["uuid"]
    assert (await cancel(whole, parent)).status == 200
    waited = await whole.ask("GET", f"/activities/{child}?wait=20&state=running", "alice", [JSON])
    assert waited.row["state"] == "cancelling"
    assert (await whole.ask("GET", f"/activities/{deaf}", "alice", [JSON])).row["state"] == "running"
    late = await whole.ask("POST", "/activities", "alice", [JSON], {"type": "test.work", "parentUUID": parent})
    assert late.error == (409, "parent_ending")


# Force


@pytest.mark.parametrize("cancellable", [True, False])
async def test_force_ends_as_lost_with_a_cancel_on_record(whole: Whole, cancellable: bool) -> None:
    uuid = (await whole.start(cancellable=cancellable))["uuid"]
    forced = await cancel(whole, uuid, "admin", query="?force=1")
    assert (forced.status, forced.body, forced.headers["x-headway-state"]) == (200, b"", "lost")
    row = (await whole.ask("GET", f"/activities/{uuid}", "alice", [JSON])).row
    assert (row["state"], row["error"], row["cancelRequested"], row["cancelledBy"]) == ("lost", "abandoned", True, 1)
    for again in (await cancel(whole, uuid), await cancel(whole, uuid, "admin", query="?force=1")):
        assert (again.status, again.headers["x-headway-state"]) == (200, "lost")
    report = await whole.ask("PATCH", f"/activities/{uuid}", "alice", [JSON], {"progress": 5})
    assert report.error == (409, "lease_lost")


async def test_force_is_for_admins_whatever_the_uuid(whole: Whole) -> None:
    uuid = (await whole.start(cancellable=True))["uuid"]
    answers = [stripped(await cancel(whole, one, "alice", JSON, query="?force=1")) for one in (uuid, UNKNOWN)]
    assert answers[0][0] == 403
    assert answers[0] == answers[1]


async def test_force_of_what_has_ended_is_as_without(whole: Whole) -> None:
    uuid = (await whole.start())["uuid"]
    await whole.change(uuid, state="succeeded")
    assert (await cancel(whole, uuid, "admin", query="?force=1")).status == 404
    assert (await cancel(whole, UNKNOWN, "admin", query="?force=1")).status == 404


async def test_force_and_an_end_at_the_same_moment_are_both_answered(whole: Whole) -> None:
    for _ in range(10):
        uuid = (await whole.start(cancellable=True))["uuid"]
        forced, ended = await asyncio.gather(
            cancel(whole, uuid, "admin", query="?force=1"),
            whole.ask("PATCH", f"/activities/{uuid}", "alice", [JSON], {"state": "failed"}),
        )
        row = (await whole.ask("GET", f"/activities/{uuid}", "alice", [JSON])).row
        assert ended.status == (200 if row["state"] == "failed" else 409)
        # Without a cancel on record, the end was there before anyone asked.
        assert forced.status == (200 if row.get("cancelRequested") else 404)


async def test_an_abandoned_operation_of_the_server_itself_is_asked_to_stop(whole: Whole) -> None:
    started = asyncio.Event()

    async def work() -> None:
        async with whole.activities.start("test.work"):
            started.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await started.wait()
    (uuid,) = [one.uuid for one in whole.activities.list() if one.node is not None and one.type == "test.work"]
    assert (await cancel(whole, uuid, "admin", query="?force=1")).status == 200
    with pytest.raises(Cancelled):
        await task
    assert (await whole.activities.get(uuid)).ended


# Arguments and noise


@pytest.mark.parametrize("query", ["?wait=x", "?wait=-1", "?wait=301", "?force=2", "?wait=1&wait=1"])
async def test_a_bad_argument_is_400_and_cancels_nothing(whole: Whole, query: str) -> None:
    uuid = (await whole.start(cancellable=True))["uuid"]
    assert (await cancel(whole, uuid, "admin", JSON, query=query)).error == (400, "invalid_input")
    assert (await whole.ask("GET", f"/activities/{uuid}", "alice", [JSON])).row["state"] == "running"


@pytest.mark.parametrize(
    "noise",
    [
        [("Authorization", "Basic Og==")],
        [("cookie", "")],
        [("Content-Type", "application/json")],
        [("CONTENT-LENGTH", "0")],
        [("Content-Length", "0"), ("Content-Type", "application/json"), ("accepts", "application/xml")],
        [("X-PLEX-CLIENT-IDENTIFIER", "x"), ("x-plex-Product", "é"), ("user-agent", "speakeasy-sdk/python")],
    ],
)
async def test_the_noise_of_real_clients_does_not_matter(whole: Whole, noise: list[tuple[str, str]]) -> None:
    uuid = (await whole.start(cancellable=True))["uuid"]
    answer = await cancel(whole, uuid, "alice", *noise, query="?X-Plex-Product=a%20b&X-Plex-Device-Name=")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html")


async def test_the_token_is_taken_from_header_query_cookie_and_bearer(whole: Whole) -> None:
    uuid, token = (await whole.start(cancellable=True))["uuid"], whole.tokens["alice"]
    path = f"/activities/{uuid}"
    answers = [
        await whole.ask("DELETE", path, None, [("x-PLEX-token", token)]),
        await whole.ask("DELETE", f"{path}?X-Plex-Token={token}"),
        await whole.ask("DELETE", f"{path}?x-plex-token={token}"),
        await whole.ask("DELETE", path, None, [("Cookie", f"headway_token={token}")]),
        await whole.ask("DELETE", path, None, [("Authorization", f"Bearer {token}")]),
    ]
    assert [answer.status for answer in answers] == [200] * 5


@pytest.mark.parametrize(
    "escape", [str.upper, lambda uuid: uuid.replace("-", "%2D"), lambda uuid: "%" + uuid.encode().hex("%")]
)
async def test_an_id_in_upper_case_or_escaped_is_the_same_id(whole: Whole, escape: Any) -> None:
    uuid = (await whole.start(cancellable=True))["uuid"]
    assert (await cancel(whole, escape(uuid))).status == 200
