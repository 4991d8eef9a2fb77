"""Shares over HTTP: made by who may delegate, of what they see, and good until they are revoked or their token is."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from headway.core.policy import Role
from headway.server.identity.shares import MAX_SHARE_LIFETIME, SHARE_LIFETIME
from tests.server.browser import cut, logged_in
from tests.server.harness import DEADLINE
from tests.server.test_resources_wait import while_waiting
from tests.server.whole import JSON, UNKNOWN, Answer, Whole, make_tokens, revoke, standalone

SHARES = "/web/shares"


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[Whole]:
    """A server of this test's alone."""
    async with standalone(tmp_path / "data") as whole:
        yield whole


async def ask(whole: Whole, method: str, path: str, token: str | None = "alice", body: Any = None) -> Answer:
    return await whole.ask(method, path, token, [JSON], body)


async def shared(whole: Whole, uuid: str, token: str = "alice", **more: Any) -> dict[str, Any]:
    answer = await ask(whole, "POST", SHARES, token, {"uuid": uuid, **more})
    assert answer.status == 201, answer
    return dict(answer.json)


async def listed(whole: Whole, token: str) -> list[dict[str, Any]]:
    answer = await ask(whole, "GET", SHARES, token)
    assert answer.status == 200, answer
    return list(answer.json["shares"])


async def seen(whole: Whole, uuid: str, secret: str, query: str = "") -> Answer:
    return await ask(whole, "GET", f"/activities/{uuid}{query}", secret)


async def until_ended(whole: Whole, uuid: str, secret: str) -> None:
    """Another process has changed something."""
    async with asyncio.timeout(DEADLINE):
        while (await seen(whole, uuid, secret)).status != 401:
            pass


async def test_whoever_has_the_secret_sees_the_activity_to_its_end(whole: Whole) -> None:
    uuid = (await whole.start(title="Scan", progress=5))["uuid"]
    made = await shared(whole, uuid)
    assert list(made) == ["id", "secret", "uuid", "expiresAt"]
    assert made["uuid"] == uuid
    assert made["secret"].startswith(f"hwg_{made['id']}_")
    assert made["expiresAt"] == pytest.approx(time.time() + SHARE_LIFETIME, abs=60)
    row = (await seen(whole, uuid, made["secret"])).row
    assert (row["uuid"], row["title"], row["progress"]) == (uuid, "Scan", 5)
    await whole.change(uuid, progress=50)
    assert (await seen(whole, uuid, made["secret"])).row["progress"] == 50
    end = whole.change(uuid, state="failed", error="no disk")
    waited = await while_waiting(whole, seen(whole, uuid, made["secret"], "?wait=300"), end)
    assert (waited.row["state"], waited.row["error"]) == ("failed", "no disk")
    assert (await seen(whole, uuid, made["secret"])).row["state"] == "failed"


async def test_what_has_ended_can_be_shared_too(whole: Whole) -> None:
    uuid = (await whole.start())["uuid"]
    await whole.change(uuid, state="succeeded")
    made = await shared(whole, uuid.upper())
    assert (await seen(whole, uuid, made["secret"])).row["state"] == "succeeded"


async def test_it_is_told_to_its_maker_and_to_admins_without_its_secret(own: Whole) -> None:
    uuid = (await own.start(title="Scan"))["uuid"]
    made = await shared(own, uuid, expiresIn=60)
    (mine,) = await listed(own, "alice")
    assert mine.pop("createdAt") == pytest.approx(time.time(), abs=60)
    assert mine.pop("expiresAt") == made["expiresAt"] == pytest.approx(time.time() + 60, abs=60)
    told = {"id": made["id"], "uuid": uuid, "userID": 2, "userName": "alice", "title": "Scan", "type": "test.work"}
    assert mine == told
    everyone = await ask(own, "GET", SHARES, "admin")
    assert [each["id"] for each in everyone.json["shares"]] == [made["id"]]
    assert made["secret"][-43:].encode() not in everyone.body
    for token in ("bob", "rita", "rob"):
        assert await listed(own, token) == []


async def test_an_admin_shares_what_is_somebody_else_s(own: Whole) -> None:
    uuid = (await own.start("alice"))["uuid"]
    made = await shared(own, uuid, "admin")
    assert (await seen(own, uuid, made["secret"])).row["userID"] == 2
    assert await listed(own, "alice") == []
    assert (await ask(own, "DELETE", f"{SHARES}/{made['id']}", "alice")).status == 404
    revoke(own.data, "alice")
    async with asyncio.timeout(DEADLINE):
        while (await own.ask("GET", "/activities", "alice")).status != 401:
            pass
    assert (await seen(own, uuid, made["secret"])).status == 200, "it hangs on the token that it was made with"


async def test_foreign_is_unknown(whole: Whole) -> None:
    foreign = (await whole.start("bob"))["uuid"]
    answers = [await ask(whole, "POST", SHARES, "alice", {"uuid": each}) for each in (foreign, UNKNOWN)]
    assert [answer.error for answer in answers] == [(404, "not_found")] * 2
    assert answers[0].body == answers[1].body
    made = await shared(whole, foreign, "bob")
    ended = [await ask(whole, "DELETE", f"{SHARES}/{each}", "alice") for each in (made["id"], "00000000", "x", "%00")]
    assert {(answer.status, answer.body) for answer in ended} == {(404, ended[1].body)}
    assert (await seen(whole, foreign, made["secret"])).status == 200


@pytest.mark.parametrize("token", ["rita", "rob"])
async def test_who_may_only_look_or_report_shares_and_revokes_nothing(whole: Whole, token: str) -> None:
    for uuid in ((await whole.start("alice"))["uuid"], UNKNOWN):
        assert (await ask(whole, "POST", SHARES, token, {"uuid": uuid})).error == (403, "not_allowed")
    assert (await ask(whole, "DELETE", f"{SHARES}/00000000", token)).error == (403, "not_allowed")


BAD: list[tuple[Any, str]] = [
    ({}, "uuid"),
    ({"uuid": None}, "uuid"),
    ({"uuid": "x"}, "uuid"),
    ({"uuid": [UNKNOWN]}, "uuid"),
    ({"uuid": UNKNOWN, "expiresIn": 0}, "expiresIn"),
    ({"uuid": UNKNOWN, "expiresIn": "1d"}, "expiresIn"),
    ({"uuid": UNKNOWN, "expiresIn": True}, "expiresIn"),
    ({"uuid": UNKNOWN, "expiresIn": MAX_SHARE_LIFETIME + 1}, "expiresIn"),
    ({"uuid": UNKNOWN, "userName": "bob"}, "userName"),
    ([], "object"),
]


@pytest.mark.parametrize(("body", "place"), BAD, ids=lambda value: json.dumps(value)[:50])
async def test_what_is_wrong_is_told_with_its_place(whole: Whole, body: Any, place: str) -> None:
    answer = await ask(whole, "POST", SHARES, "alice", body)
    assert answer.error == (400, "invalid_input")
    assert place in answer.message


async def test_it_lives_no_longer_than_the_token_it_was_made_with(own: Whole) -> None:
    soon = time.time() + 600
    own.tokens = {**own.tokens, **make_tokens(own.data, {"dora": Role.USER}, expires_at=soon)}
    async with asyncio.timeout(DEADLINE):
        while (await own.ask("GET", "/activities", "dora")).status != 200:
            pass
    uuid = (await own.start("dora"))["uuid"]
    assert (await shared(own, uuid, "dora"))["expiresAt"] == pytest.approx(soon)
    refused = await ask(own, "POST", SHARES, "dora", {"uuid": uuid, "expiresIn": 700})
    assert refused.error == (403, "not_allowed")
    assert "your own token lives for another" in refused.message


async def test_revoked_it_shows_nothing_any_more_not_even_to_who_waits(own: Whole) -> None:
    uuid = (await own.start())["uuid"]
    made, other = await shared(own, uuid), await shared(own, uuid)
    waiting = seen(own, uuid, made["secret"], "?wait=300")
    waited = await while_waiting(own, waiting, ask(own, "DELETE", f"{SHARES}/{made['id']}", "alice"))
    assert waited.error == (401, "not_authenticated")
    assert (await seen(own, uuid, made["secret"])).status == 401
    assert (await seen(own, uuid, other["secret"])).status == 200
    assert [each["id"] for each in await listed(own, "alice")] == [other["id"]]
    assert (await ask(own, "DELETE", f"{SHARES}/{other['id']}", "admin")).status == 204
    assert (await seen(own, uuid, other["secret"])).status == 401


async def test_it_ends_with_its_token_and_not_with_the_browser_that_it_was_made_in(own: Whole) -> None:
    uuid = (await own.start())["uuid"]
    browser = await logged_in(own)
    made = (await browser.ask("POST", SHARES, {"uuid": uuid})).json
    await browser.ask("DELETE", "/web/session")
    assert (await seen(own, uuid, made["secret"])).status == 200
    revoke(own.data, "alice")
    await until_ended(own, uuid, made["secret"])


async def test_it_outlives_a_restart(tmp_path: Path) -> None:
    async with standalone(tmp_path) as own:
        uuid = (await own.start())["uuid"]
        made = await shared(own, uuid)
    async with standalone(tmp_path, {}) as own:
        assert (await seen(own, uuid, made["secret"])).row["uuid"] == uuid


async def test_a_browser_s_own_session_is_left_alone_by_a_guest_in_it(own: Whole) -> None:
    uuid = (await own.start())["uuid"]
    made, browser = await shared(own, uuid), await logged_in(own, "bob")
    as_guest = [("X-Plex-Token", made["secret"])]
    async with browser.events() as stream:
        assert (await browser.ask("GET", f"/activities/{uuid}", more=as_guest)).status == 200
        for method, path in (("DELETE", "/web/session"), ("DELETE", "/web/sessions"), ("GET", "/activities")):
            assert (await browser.ask(method, path, more=as_guest)).status == 403
        assert await browser.is_in()
        await browser.ask("DELETE", "/web/session")
        await cut(stream)


@pytest.mark.parametrize(("method", "path"), [("GET", SHARES), ("POST", SHARES), ("DELETE", f"{SHARES}/1")])
async def test_without_a_token_there_is_nothing(whole: Whole, method: str, path: str) -> None:
    answers = [await ask(whole, method, path, token, {}) for token in (None, "wrong")]
    assert [answer.error for answer in answers] == [(401, "not_authenticated")] * 2
