"""One-use links: from whoever has a token to a browser, once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from headway.server.identity.links import LIFETIME
from tests.server.browser import Browser, logged_in
from tests.server.whole import JSON, Whole, revoke, standalone

LINKS = "/web/links"


async def link(whole: Whole, token: str = "alice") -> str:
    answer = await whole.ask("POST", LINKS, token, [JSON], {})
    assert answer.status == 201, answer
    return str(answer.json["code"])


async def test_a_link_lets_one_browser_in_as_whom_it_came_from(whole: Whole) -> None:
    answer = await whole.ask("POST", LINKS, "rita", [JSON], {})
    assert (answer.status, list(answer.json)) == (201, ["code", "expiresAt"])
    assert answer.headers["cache-control"] == "no-store"
    left = answer.json["expiresAt"] - whole.activities.clock.now()
    assert LIFETIME - 60 < left <= LIFETIME
    browser = Browser(whole)
    said = await browser.ask("POST", "/web/session", {"link": answer.json["code"]})
    assert (said.status, said.json["name"], said.json["role"]) == (200, "rita", "reader")
    assert await browser.is_in()


async def test_it_is_worth_nothing_the_second_time(whole: Whole) -> None:
    code = await link(whole)
    first, second = Browser(whole), Browser(whole)
    assert (await first.ask("POST", "/web/session", {"link": code})).status == 200
    replayed = await second.ask("POST", "/web/session", {"link": code})
    assert (replayed.error, second.secret) == ((401, "not_authenticated"), "")
    assert await first.is_in()


async def test_of_many_that_use_it_at_once_one_is_let_in(whole: Whole) -> None:
    code = await link(whole)
    bodies = [Browser(whole).ask("POST", "/web/session", {"link": code}) for _ in range(8)]
    statuses = sorted([answer.status for answer in await asyncio.gather(*bodies)])
    assert statuses == [200, *[401] * 7]


async def test_a_browser_that_is_in_lets_another_in(whole: Whole) -> None:
    first, second = await logged_in(whole), Browser(whole)
    code = (await first.ask("POST", LINKS, {})).json["code"]
    assert (await second.ask("POST", "/web/session", {"link": code})).json["name"] == "alice"
    await first.ask("DELETE", "/web/session")
    assert await second.is_in()


async def test_it_is_worth_nothing_anywhere_else(whole: Whole) -> None:
    code = await link(whole)
    assert (await whole.ask("GET", "/activities", code)).status == 401
    assert (await whole.ask("GET", f"/activities?link={code}")).status == 401
    assert (await Browser(whole).ask("POST", "/web/session", {"token": code})).status == 401
    browser = Browser(whole)
    browser.secret = code
    assert not await browser.is_in()
    assert (await Browser(whole).ask("POST", "/web/session", {"link": whole.tokens["alice"]})).status == 401


@pytest.mark.parametrize("body", [None, [], "", {"userID": 1}, {"role": "admin"}])
async def test_nobody_chooses_whose_it_is(whole: Whole, body: object) -> None:
    answer = await whole.ask("POST", LINKS, "alice", [JSON], body)
    assert answer.status == (415 if body is None else 400)


async def test_without_a_token_there_is_none(whole: Whole) -> None:
    assert (await whole.ask("POST", LINKS, None, [JSON], {})).status == 401


async def test_it_ends_with_its_token_and_not_with_the_server(tmp_path: Path) -> None:
    async with standalone(tmp_path) as own:
        lost, kept = await link(own, "alice"), await link(own, "bob")
        revoke(own.data, "alice")
        assert (await Browser(own).ask("POST", "/web/session", {"link": lost})).status == 401
    async with standalone(tmp_path, {}) as own:
        assert (await Browser(own).ask("POST", "/web/session", {"link": kept})).status == 200
