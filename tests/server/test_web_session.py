"""Logging in and out in a browser: what the cookie is, what it opens, and everything that ends it."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from headway.hub import Activities
from headway.server.app import create_app
from headway.server.identity.accounts import Accounts
from headway.server.identity.attempts import BURST
from headway.server.identity.grants import Grants
from headway.server.identity.identities import Identities
from headway.server.identity.sessions import SESSION_LIFETIME
from headway.server.serve import TlsFiles
from headway.server.service import Service
from headway.testing.asgi import asgi_request
from tests.server.browser import COOKIE, Browser, cookie_in, cut, logged_in
from tests.server.harness import DEADLINE, connected
from tests.server.identity.support import FakeClock
from tests.server.whole import JSON, SOCKETS, Answer, Whole, in_memory, read_answer, revoke, standalone

LOGIN = "/web/session"
UNKNOWN = f"hw_00000000_{'A' * 43}"


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[Whole]:
    """A server of this test's alone."""
    async with standalone(tmp_path / "data") as whole:
        yield whole


# Logging in.


async def test_a_token_is_exchanged_for_a_cookie_that_holds_another_secret(whole: Whole) -> None:
    browser = Browser(whole)
    answer = await browser.log_in("alice")
    assert answer.status == 200
    facts = answer.json
    assert facts.pop("expiresAt") == pytest.approx(time.time() + SESSION_LIFETIME, abs=60)
    assert facts == {
        "login": True,
        "userID": 2,
        "name": "alice",
        "role": "user",
        "may": ["look", "read", "report", "cancel", "delegate"],
    }
    assert browser.secret.startswith("hws_")
    token = whole.tokens["alice"]
    for part in (token, token[12:], browser.secret):
        assert part.encode() not in answer.body
    assert token[12:] not in answer.headers["set-cookie"]
    assert answer.headers["cache-control"] == "no-store"
    assert await browser.is_in()


async def test_the_cookie_is_kept_from_scripts_and_other_sites(whole: Whole) -> None:
    cookie = cookie_in(await Browser(whole).log_in())
    assert cookie is not None
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["secure"]) == (True, "strict", "/", "")
    assert int(cookie["max-age"]) == pytest.approx(SESSION_LIFETIME, abs=60)
    assert cookie["domain"] == ""


async def test_it_crosses_no_network_unencrypted_where_there_is_tls(tmp_path: Path, certificate: TlsFiles) -> None:
    async with standalone(tmp_path, tls=certificate) as whole:
        whole.tls = ssl.create_default_context(cafile=certificate.certificate)
        browser = Browser(whole, "https")
        cookie = cookie_in(await browser.log_in())
        assert cookie is not None
        assert cookie["secure"] is True
        gone = cookie_in(await browser.ask("DELETE", LOGIN))
        assert gone is not None
        assert gone["secure"] is True


@pytest.mark.parametrize("behind_proxy", [True, False])
async def test_a_proxy_s_word_for_tls_counts_where_there_is_one(tmp_path: Path, behind_proxy: bool) -> None:
    async with standalone(tmp_path, behind_proxy=behind_proxy) as whole:
        browser = Browser(whole, "https" if behind_proxy else "http")
        body = {"token": whole.tokens["alice"]}
        answer = await browser.ask("POST", LOGIN, body, [("X-Forwarded-Proto", "https")])
        cookie = cookie_in(answer)
        assert cookie is not None
        assert bool(cookie["secure"]) is behind_proxy


async def test_a_session_opens_lists_and_streams_and_sockets(whole: Whole) -> None:
    browser = await logged_in(whole)
    uuid = (await whole.start())["uuid"]
    assert uuid in [row["uuid"] for row in (await browser.ask("GET", "/activities")).rows]
    async with browser.events() as stream:
        second = (await whole.start())["uuid"]
        assert (await stream.next()).told == ("started", second)
    async with connected(whole.port) as client:
        cookie = f"Cookie: {COOKIE}={browser.secret}"
        assert (await client.handshake(SOCKETS, cookie, f"Origin: {browser.origin}"))[0] == 101


async def test_who_is_there_is_told_to_whom_it_is(whole: Whole) -> None:
    browser = Browser(whole)
    refused = await browser.ask("GET", LOGIN)
    assert refused.error == (401, "not_authenticated")
    said = (await browser.log_in("rita")).json
    assert (await browser.ask("GET", LOGIN)).json == said
    assert (said["name"], said["role"], said["may"]) == ("rita", "reader", ["look", "read"])
    by_token = (await whole.ask("GET", LOGIN, "rita", [JSON])).json
    assert {name: said[name] for name in by_token} == by_token
    assert "expiresAt" not in by_token


WRONG: list[tuple[Any, int]] = [
    ({"token": UNKNOWN}, 401),
    ({"token": "secret-of-mine"}, 401),
    ({"token": "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.secret-of-mine"}, 401),
    ({"token": "ä\udcff secret-of-mine"}, 401),
    ({"link": "secret-of-mine"}, 401),
    ({"link": f"hwl_{'A' * 43}"}, 401),
    ({"token": ""}, 400),
    ({"token": "secret-of-mine" * 1_000}, 400),
    ({"token": ["secret-of-mine"]}, 400),
    ({"token": None}, 400),
    ({"link": {"secret-of-mine": 1}}, 400),
    ({"token": UNKNOWN, "link": "secret-of-mine"}, 400),
    ({"token": UNKNOWN, "user": "secret-of-mine"}, 400),
    ({}, 400),
    ([], 400),
    (b'{"token": "a", "token": "secret-of-mine"}', 415),
]


async def test_whatever_is_wrong_is_refused_without_repeating_it(own: Whole) -> None:
    refused = set()
    for body, status in WRONG:
        browser = Browser(own)
        answer = await browser.ask("POST", LOGIN, body)
        assert (answer.status, "set-cookie" in answer.headers) == (status, False), body
        assert b"secret-of-mine" not in answer.body
        if status == 401:
            refused.add(answer.body)
    assert len(refused) == 1


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_only_json_logs_in(whole: Whole, kind: str) -> None:
    body = b'{"token": "%s"}' % whole.tokens["alice"].encode()
    answer = await Browser(whole).ask("POST", LOGIN, body, [("Content-Type", kind)] if kind else [])
    assert (answer.status, "set-cookie" in answer.headers) == (415, False)


FOREIGN = [
    [("Origin", "https://evil.example")],
    [("Origin", "null")],
    [("Origin", "http://localhost:1")],
    [("Origin", "https://localhost")],
    [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")],
    [("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "empty")],
]


@pytest.mark.parametrize("headers", FOREIGN, ids=lambda headers: headers[0][1])
async def test_other_sites_log_nobody_in_or_out_and_learn_nothing(whole: Whole, headers: list[tuple[str, str]]) -> None:
    browser = await logged_in(whole)
    sent = [("Cookie", f"{COOKIE}={browser.secret}"), *headers]
    body = {"token": whole.tokens["bob"]}
    for method, path in (
        ("POST", LOGIN),
        ("DELETE", LOGIN),
        ("DELETE", "/web/sessions"),
        ("POST", "/web/links"),
        ("POST", "/web/tokens"),
        ("DELETE", "/web/tokens/00000000"),
        ("POST", "/web/shares"),
        ("DELETE", "/web/shares/00000000"),
    ):
        answer = await whole.ask(method, path, None, sent, body if method == "POST" else None)
        assert (answer.status, "set-cookie" in answer.headers) == (403, False), path
    if headers[0][0] == "Origin":
        assert (await whole.ask("GET", LOGIN, None, sent)).status == 403
    assert await browser.is_in()


async def test_another_host_name_gets_no_further(whole: Whole) -> None:
    request = whole.request("POST", LOGIN, None, [JSON], {"token": whole.tokens["alice"]})
    async with connected(whole.port) as client:
        client.send(request.replace(b"Host: localhost", b"Host: evil.example"))
        assert (await read_answer(client)).status == 421


# What it is not.


async def test_a_session_is_no_token(whole: Whole) -> None:
    secret = (await logged_in(whole)).secret
    assert (await whole.ask("GET", "/activities", secret)).status == 401
    assert (await whole.ask("GET", "/activities", None, [("Authorization", f"Bearer {secret}")])).status == 401
    assert (await whole.ask("GET", f"/activities?X-Plex-Token={secret}")).status == 401
    assert (await Browser(whole).log_in(secret)).status == 401


async def test_a_cookie_beside_a_token_does_not_count(whole: Whole) -> None:
    bob = await logged_in(whole, "bob")
    cookie = ("Cookie", f"{COOKIE}={bob.secret}")
    assert (await whole.ask("GET", LOGIN, "alice", [JSON, cookie])).json["name"] == "alice"
    assert (await whole.ask("GET", LOGIN, UNKNOWN, [JSON, cookie])).status == 401
    bearer = ("Authorization", f"Bearer {whole.tokens['alice']}")
    assert (await whole.ask("GET", LOGIN, None, [JSON, bearer, cookie])).json["name"] == "alice"


async def test_a_guessed_or_changed_cookie_opens_nothing(whole: Whole) -> None:
    browser = await logged_in(whole)
    good = browser.secret
    other = "A" if good[-1] != "A" else "B"
    for bad in (good[:-1] + other, good + "A", good[:12], f"hws_00000000_{'A' * 43}", good.upper(), f"x{good}", "hws_"):
        browser.secret = bad
        assert not await browser.is_in(), bad


async def test_a_planted_cookie_is_never_gone_on_with(whole: Whole) -> None:
    attacker = await logged_in(whole, "bob")
    victim = Browser(whole)
    victim.secret = attacker.secret
    assert (await victim.log_in("alice")).json["name"] == "alice"
    assert victim.secret != attacker.secret
    assert not await attacker.is_in()
    assert (await victim.ask("GET", LOGIN)).json["name"] == "alice"
    invented = Browser(whole)
    invented.secret = f"hws_12345678_{'A' * 43}"
    await invented.log_in("alice")
    assert invented.secret != f"hws_12345678_{'A' * 43}"


async def test_a_login_that_fails_leaves_the_session_there_was(whole: Whole) -> None:
    browser = await logged_in(whole)
    assert (await browser.log_in(UNKNOWN)).status == 401
    assert await browser.is_in()


# Its end.


async def test_signing_out_ends_this_session_and_cuts_its_streams(whole: Whole) -> None:
    here, there = await logged_in(whole), await logged_in(whole)
    secret = here.secret
    async with here.events() as stream, there.events():
        answer = await here.ask("DELETE", LOGIN)
        assert (answer.status, answer.body) == (204, b"")
        await cut(stream)
        cookie = cookie_in(answer)
        assert cookie is not None
        assert (cookie.value, cookie["max-age"], cookie["path"]) == ("", "0", "/")
        assert here.secret == ""
    here.secret = secret
    assert not await here.is_in()
    assert await there.is_in()
    assert (await whole.ask("GET", "/activities", "alice")).status == 200


async def test_a_poll_that_was_answered_before_is_not_after_signing_out(whole: Whole) -> None:
    browser = await logged_in(whole)
    headers = browser.headers
    for _ in range(2):
        assert (await whole.ask("GET", "/activities", None, headers)).status == 200
    await browser.ask("DELETE", LOGIN)
    assert (await whole.ask("GET", "/activities", None, headers)).status == 401


async def test_signing_out_by_a_token_ends_no_session_and_sets_no_cookie(whole: Whole) -> None:
    browser = await logged_in(whole)
    answer = await whole.ask("DELETE", LOGIN, "alice")
    assert (answer.status, "set-cookie" in answer.headers) == (204, False)
    assert await browser.is_in()


async def test_signing_out_everywhere_ends_all_of_ones_own(whole: Whole) -> None:
    await (await logged_in(whole)).ask("DELETE", "/web/sessions")
    first, second, other = await logged_in(whole), await logged_in(whole), await logged_in(whole, "bob")
    code = (await first.ask("POST", "/web/links", {})).json["code"]
    async with second.events() as stream:
        answer = await first.ask("DELETE", "/web/sessions")
        assert (answer.status, answer.json) == (200, {"ended": 2})
        await cut(stream)
    assert first.secret == ""
    assert not await second.is_in()
    assert await other.is_in()
    assert (await first.ask("POST", LOGIN, {"link": code})).status == 401
    assert (await whole.ask("GET", "/activities", "alice")).status == 200


async def test_it_ends_with_its_token(own: Whole) -> None:
    browser, other = await logged_in(own), await logged_in(own, "bob")
    async with browser.events() as stream:
        revoke(own.data, "alice")
        await cut(stream)
    assert not await browser.is_in()
    assert await other.is_in()
    assert (await Browser(own).log_in("alice")).status == 401


async def test_it_ends_when_its_token_is_demoted_and_stays_ended(own: Whole) -> None:
    browser = await logged_in(own, "admin")
    async with browser.events() as stream:
        set_role(own.data, "admin", "reader")
        await cut(stream)
    assert not await browser.is_in()
    set_role(own.data, "admin", "admin")
    async with asyncio.timeout(DEADLINE):
        while (await own.ask("GET", LOGIN, "admin", [JSON])).json["role"] != "admin":
            pass
    assert not await browser.is_in()


def set_role(data: Path, user: str, role: str) -> None:
    with closing(sqlite3.connect(data / "identity.db")) as db, db:
        db.execute("UPDATE tokens SET role = ? WHERE user_id = (SELECT id FROM users WHERE name = ?)", (role, user))


async def test_it_ends_when_the_life_of_its_token_is_cut_short(own: Whole) -> None:
    browser = await logged_in(own)
    async with browser.events() as stream:
        with closing(sqlite3.connect(own.data / "identity.db")) as db, db:
            db.execute("UPDATE tokens SET expires_at = ? WHERE user_id = 2", (time.time() - 1,))
        await cut(stream)
    assert not await browser.is_in()


async def test_it_outlives_the_server(tmp_path: Path) -> None:
    async with standalone(tmp_path) as whole:
        browser = await logged_in(whole)
    async with standalone(tmp_path, {}) as whole:
        browser.whole = whole
        assert await browser.is_in()
        assert (await browser.ask("GET", LOGIN)).json["name"] == "alice"


# Guessing.


async def test_who_fails_too_often_has_to_wait_even_with_a_good_token(own: Whole) -> None:
    browser = await logged_in(own)
    statuses = [(await Browser(own).log_in(UNKNOWN)).status for _ in range(BURST + 1)]
    assert statuses == [*[401] * BURST, 429]
    refused = await Browser(own).log_in("alice")
    assert refused.error == (429, "too_many")
    assert int(refused.headers["retry-after"]) >= 1
    assert (await Browser(own).ask("POST", LOGIN, {"link": "hwl_x"})).status == 429
    # It is about logins: who is in stays in, and a token that stands where tokens do is none.
    assert await browser.is_in()
    assert (await own.ask("GET", "/activities", UNKNOWN)).status == 401


async def test_nothing_secret_is_logged(own: Whole, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    browser = await logged_in(own)
    code = (await browser.ask("POST", "/web/links", {})).json["code"]
    await Browser(own).ask("POST", LOGIN, {"link": code})
    await Browser(own).log_in(UNKNOWN)
    secrets = [browser.secret, code, own.tokens["alice"], UNKNOWN]
    assert [secret for secret in secrets if secret[-43:] in caplog.text] == []


# Other homes.


async def test_a_host_s_own_users_have_no_login(tmp_path: Path) -> None:
    async with in_memory() as whole:
        facts = (await whole.ask("GET", LOGIN, "rita", [JSON])).json
        assert facts == {"login": False, "userID": 4, "name": "", "role": "reader", "may": ["look", "read"]}
        assert (await whole.ask("GET", LOGIN, None, [JSON])).status == 401
        assert (await whole.ask("POST", LOGIN, None, [JSON], {"token": "alice"})).status == 404
        for method, path in (
            ("DELETE", LOGIN),
            ("DELETE", "/web/sessions"),
            ("POST", "/web/links"),
            ("GET", "/web/tokens"),
            ("POST", "/web/tokens"),
            ("DELETE", "/web/tokens/1"),
            ("GET", "/web/shares"),
            ("POST", "/web/shares"),
            ("DELETE", "/web/shares/1"),
            ("GET", "/web/users"),
        ):
            body: Any = {} if method == "POST" else None
            assert (await whole.ask(method, path, "admin", [JSON], body)).status == 404, path


async def test_below_a_path_the_cookie_is_for_that_path(tmp_path: Path) -> None:
    clock = FakeClock(time.time())
    grants = Grants(clock)
    async with Activities() as activities:
        with closing(Identities.open(tmp_path, grants, clock)) as identities:
            accounts = Accounts(identities, clock)
            app = create_app(Service(activities, identities.identify, grants=grants, accounts=accounts))
            host = Starlette(routes=[Mount("/my tools/headway", app)])
            token = (tmp_path / "admin.token").read_text().strip()
            answer = await posted(host, "/my tools/headway/web/session", b'{"token": "%s"}' % token.encode())
            cookie = cookie_in(answer)
            assert cookie is not None
            assert cookie["path"] == "/my%20tools/headway/"
            headers = [("host", "localhost"), ("cookie", f"{COOKIE}={cookie.value}")]
            async with asgi_request(host, "GET", "/my tools/headway/activities", headers=headers) as response:
                assert (await response.start()).status == 200


async def posted(app: Starlette, path: str, body: bytes) -> Answer:
    headers = [("host", "localhost"), ("content-type", "application/json"), JSON]
    async with asgi_request(app, "POST", path, headers=headers, body=[body]) as response:
        await response.start()
        return Answer(response.status, response.headers, await response.body())
