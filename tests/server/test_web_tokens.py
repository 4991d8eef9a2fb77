"""Tokens and users over HTTP: one's own, everyone's for admins, and never more rights than the caller has."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from headway.core.policy import TOKEN_ROLES, Role
from headway.server.identity.store import TokenStore
from headway.server.identity.tokens import id_of
from tests.server.browser import Browser, cut, logged_in
from tests.server.harness import DEADLINE
from tests.server.whole import JSON, Answer, Whole, make_tokens, standalone

TOKENS, USERS = "/web/tokens", "/web/users"
UNKNOWN = f"{TOKENS}/00000000"


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[Whole]:
    """A server of this test's alone."""
    async with standalone(tmp_path / "data") as whole:
        yield whole


async def ask(whole: Whole, method: str, path: str, token: str | None = "alice", body: Any = None) -> Answer:
    return await whole.ask(method, path, token, [JSON], body)


async def listed(whole: Whole, token: str) -> list[dict[str, Any]]:
    answer = await ask(whole, "GET", TOKENS, token)
    assert answer.status == 200, answer
    return list(answer.json["tokens"])


def own_id(whole: Whole, user: str) -> str:
    return id_of(whole.tokens[user]) or ""


async def test_everyone_sees_their_own_and_admins_all(own: Whole) -> None:
    (mine,) = await listed(own, "alice")
    assert mine.pop("createdAt") == pytest.approx(time.time(), abs=60)
    assert mine == {
        "id": own_id(own, "alice"),
        "name": "",
        "role": "user",
        "userID": 2,
        "userName": "alice",
        "state": "active",
        "current": True,
    }
    everyone = await listed(own, "admin")
    assert [each["userName"] for each in everyone] == ["admin", "alice", "bob", "rita", "rob"]
    assert [each["current"] for each in everyone] == [True, False, False, False, False]
    for token in ("rita", "rob"):
        assert [each["userName"] for each in await listed(own, token)] == [token]


async def test_no_secret_and_no_hash_is_listed(own: Whole) -> None:
    shown = (await ask(own, "GET", TOKENS, "admin")).body + (await ask(own, "GET", USERS, "admin")).body
    assert [token for token in own.tokens.values() if token[12:].encode() in shown] == []
    members = {"id", "name", "role", "userID", "userName", "createdAt", "expiresAt", "state", "current"}
    assert set((await listed(own, "admin"))[0]) <= members


async def test_a_new_token_is_shown_once_and_works_at_once(own: Whole) -> None:
    made = await ask(own, "POST", TOKENS, "alice", {"name": "wall\tscreen", "role": "reader", "expiresIn": 3_600})
    assert made.status == 201
    facts = made.json
    token = facts.pop("token")
    assert made.headers["cache-control"] == "no-store"
    assert (facts["name"], facts["role"], facts["userName"]) == ("wall screen", "reader", "alice")
    assert facts["expiresAt"] - facts["createdAt"] == pytest.approx(3_600)
    assert (await ask(own, "GET", "/web/session", token)).json["role"] == "reader"
    assert [each for each in await listed(own, "alice") if each["id"] == facts["id"]] == [facts]
    with closing(TokenStore.open(own.data, now=0, create=False)) as store:
        assert [record.label for record in store.tokens()][-1] == "wall screen"


async def test_a_token_is_the_caller_s_and_a_user_s_unless_more_is_said(own: Whole) -> None:
    made = (await ask(own, "POST", TOKENS, "admin", {})).json
    assert (made["userName"], made["role"], made["name"], "expiresAt" in made) == ("admin", "user", "", False)


@pytest.mark.parametrize("role", TOKEN_ROLES)
async def test_a_user_gives_no_more_rights_than_a_user_has(own: Whole, role: Role) -> None:
    made = await ask(own, "POST", TOKENS, "alice", {"role": role.value})
    if role is Role.ADMIN:
        assert made.error == (403, "not_allowed")
        assert len(await listed(own, "alice")) == 1
    else:
        assert (made.status, made.json["role"]) == (201, role.value)


@pytest.mark.parametrize("token", ["rita", "rob"])
async def test_who_may_only_look_or_report_makes_and_revokes_nothing(whole: Whole, token: str) -> None:
    assert (await ask(whole, "POST", TOKENS, token, {"role": "reader"})).error == (403, "not_allowed")
    for id in (own_id(whole, token), own_id(whole, "alice"), "00000000"):
        assert (await ask(whole, "DELETE", f"{TOKENS}/{id}", token)).error == (403, "not_allowed")


async def test_only_admins_make_tokens_and_users_for_others(own: Whole) -> None:
    refused = {(await ask(own, "POST", TOKENS, "alice", {"userName": name})).body for name in ("bob", "carl", "admin")}
    assert len(refused) == 1
    assert b"403" in refused.pop()
    assert (await ask(own, "POST", TOKENS, "alice", {"userName": "alice"})).status == 201
    made = (await ask(own, "POST", TOKENS, "admin", {"userName": "carl", "role": "admin"})).json
    assert (made["userName"], made["role"]) == ("carl", "admin")
    assert (await ask(own, "GET", "/web/session", made["token"])).json["userID"] == made["userID"]


BAD: list[tuple[Any, str]] = [
    ({"role": "owner"}, "role"),
    ({"role": "guest"}, "role"),
    ({"role": None}, "role"),
    ({"role": ["user"]}, "role"),
    ({"name": "x" * 257}, "name"),
    ({"name": 5}, "name"),
    ({"expiresIn": 0}, "expiresIn"),
    ({"expiresIn": -1}, "expiresIn"),
    ({"expiresIn": "30d"}, "expiresIn"),
    ({"expiresIn": True}, "expiresIn"),
    ({"expiresIn": 1e12}, "expiresIn"),
    ({"userName": ""}, "user name"),
    ({"userName": "no/good"}, "user name"),
    ({"user": "bob"}, "user"),
    ({"id": "00000000"}, "id"),
    ([], "object"),
]


@pytest.mark.parametrize(("body", "place"), BAD, ids=lambda value: json.dumps(value)[:30])
async def test_what_is_wrong_is_told_with_its_place_and_makes_nothing(whole: Whole, body: Any, place: str) -> None:
    before = len(await listed(whole, "admin"))
    answer = await ask(whole, "POST", TOKENS, "admin", body)
    assert answer.error == (400, "invalid_input")
    assert place in answer.message
    assert len(await listed(whole, "admin")) == before


async def test_only_json_makes_a_token(whole: Whole) -> None:
    answer = await whole.ask("POST", TOKENS, "alice", [JSON, ("Content-Type", "text/plain")], b"{}")
    assert answer.status == 415


async def test_revoking_cuts_what_it_opened_and_what_came_of_it(own: Whole) -> None:
    made = (await ask(own, "POST", TOKENS, "alice", {"role": "reader"})).json
    browser = await logged_in(own, made["token"])
    async with browser.events() as by_cookie, own.events(made["token"]) as by_token:
        await by_token.event()
        assert (await ask(own, "DELETE", f"{TOKENS}/{made['id']}", "alice")).status == 204
        await cut(by_cookie)
        await cut(by_token)
    assert not await browser.is_in()
    assert (await own.ask("GET", "/activities", made["token"])).status == 401
    assert made["id"] not in [each["id"] for each in await listed(own, "alice")]
    assert (await ask(own, "DELETE", f"{TOKENS}/{made['id']}", "alice")).status == 204
    assert (await ask(own, "GET", "/web/session", "alice")).status == 200


async def test_foreign_is_unknown(own: Whole) -> None:
    unknown = await ask(own, "DELETE", UNKNOWN, "alice")
    assert unknown.error == (404, "not_found")
    for user in ("bob", "admin", "rita"):
        foreign = await ask(own, "DELETE", f"{TOKENS}/{own_id(own, user)}", "alice")
        assert (foreign.status, foreign.body) == (404, unknown.body)
        assert (await own.ask("GET", "/activities", user)).status == 200
    odd = [await ask(own, "DELETE", f"{TOKENS}/{id}", "alice") for id in ("x", "%00", "%F0%9F%98%80", "1" * 2_000)]
    assert {(answer.status, answer.body) for answer in odd} == {(404, unknown.body)}


async def test_what_a_user_sees_does_not_depend_on_others(own: Whole) -> None:
    before = await ask(own, "GET", TOKENS, "alice")
    await ask(own, "POST", TOKENS, "bob", {})
    await ask(own, "POST", TOKENS, "admin", {"userName": "carl"})
    await (await logged_in(own, "bob")).ask("POST", "/web/links", {})
    assert (await ask(own, "GET", TOKENS, "alice")).body == before.body


async def test_a_user_s_own_admin_token_is_out_of_reach_of_a_lower_one(own: Whole) -> None:
    with closing(TokenStore.open(own.data, now=time.time(), create=False)) as store:
        higher = store.create("alice", Role.ADMIN, now=time.time())[1].id
    assert (await ask(own, "DELETE", f"{TOKENS}/{higher}", "alice")).error == (403, "not_allowed")
    assert (await ask(own, "DELETE", f"{TOKENS}/{higher}", "admin")).status == 204


async def test_an_admin_revokes_anyone_s(own: Whole) -> None:
    assert (await ask(own, "DELETE", f"{TOKENS}/{own_id(own, 'bob')}", "admin")).status == 204
    assert (await own.ask("GET", "/activities", "bob")).status == 401


async def test_one_may_revoke_the_token_one_came_with(own: Whole) -> None:
    browser = await logged_in(own)
    (mine,) = [each for each in (await browser.ask("GET", TOKENS)).json["tokens"] if each["current"]]
    assert (await browser.ask("DELETE", f"{TOKENS}/{mine['id']}")).status == 204
    assert not await browser.is_in()


async def test_users_are_told_to_admins_alone(own: Whole) -> None:
    await logged_in(own, "bob")
    for token in ("alice", "rita", "rob"):
        assert (await ask(own, "GET", USERS, token)).error == (403, "not_allowed")
    users = (await ask(own, "GET", USERS, "admin")).json["users"]
    assert all(abs(user.pop("createdAt") - time.time()) < 60 for user in users)
    assert users[:3] == [
        {"userID": 1, "name": "admin", "tokens": 1, "sessions": 0},
        {"userID": 2, "name": "alice", "tokens": 1, "sessions": 0},
        {"userID": 3, "name": "bob", "tokens": 1, "sessions": 1},
    ]


@pytest.mark.parametrize(("method", "path"), [("GET", TOKENS), ("POST", TOKENS), ("DELETE", UNKNOWN), ("GET", USERS)])
async def test_without_a_token_there_is_nothing(whole: Whole, method: str, path: str) -> None:
    answers = [await ask(whole, method, path, token, {}) for token in (None, "wrong")]
    assert [answer.error for answer in answers] == [(401, "not_authenticated")] * 2


async def test_a_token_made_elsewhere_logs_in_soon(own: Whole) -> None:
    token = make_tokens(own.data, {"dora": Role.USER})["dora"]
    async with asyncio.timeout(DEADLINE):
        while (await own.ask("GET", "/activities", token)).status != 200:
            pass
    assert (await Browser(own).log_in(token)).json["name"] == "dora"
