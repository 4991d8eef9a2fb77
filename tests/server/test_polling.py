"""A list that is polled for is answered from memory, as it would have been without, and to no one else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

import pytest
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from headway import Activities, Principal, Role
from headway.core.errors import Unavailable
from headway.core.lifecycle import Report
from headway.server import polling
from headway.server.app import create_app
from headway.server.guard import Guard
from headway.server.identity.grants import Grant
from headway.server.lists import Lists
from headway.server.polling import Polling
from headway.server.service import Service
from headway.testing.asgi import asgi_request
from headway.testing.clock import FakeClock
from tests.server.whole import eventually, revoke, standalone

Headers = Sequence[tuple[str, str]]
PAGE = "http://page.example"
USERS = {"admin": Principal(1, Role.ADMIN), "alice": Principal(2), "bob": Principal(3)}


class Answer(NamedTuple):
    """An answer, read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes


class Polled:
    """A server of two layers: one that remembers, around one that counts what comes through."""

    def __init__(self, activities: Activities) -> None:
        self.activities = activities
        self.grants = {name: Grant(principal) for name, principal in USERS.items()}
        service = Service(activities, self.identify)
        self.whole = Guard(create_app(service), origins=[PAGE])
        self.polling = Polling(self.count, service)
        self.through = 0

    def identify(self, connection: HTTPConnection) -> Grant | None:
        return self.grants.get(connection.headers.get("x-plex-token", ""))

    async def count(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.through += 1
        await self.whole(scope, receive, send)

    async def start(self, owner: str, title: str = "") -> str:
        report = Report(title=title)
        return (await self.activities.create("test.work", USERS[owner].user, lease=60.0, report=report))[0].uuid

    async def ask(
        self, token: str, query: str = "", *headers: tuple[str, str], method: str = "GET", host: str = "localhost"
    ) -> Answer:
        sent = [("host", host), ("x-plex-token", token), *headers]
        async with asgi_request(self.polling, method, f"/activities{query}", headers=sent) as response:
            await response.start()
            return Answer(response.status, response.headers, await response.body())


@pytest.fixture
async def polled() -> AsyncIterator[Polled]:
    async with Activities(clock=FakeClock()) as activities:
        polled = Polled(activities)
        for owner in ("alice", "bob", "bob"):
            await polled.start(owner, f"of {owner}")
        yield polled


@pytest.mark.parametrize("query", ["", "?type=test.work", "?q=of%20bob", "?X-Plex-Product=a"])
@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("accept", "application/json")],
        [("accept", "*/*")],
        [("if-none-match", "*")],
        [("if-none-match", '"other"')],
        [("origin", PAGE)],
    ],
)
async def test_the_second_answer_is_the_first_and_takes_no_more_than_memory(
    polled: Polled, query: str, headers: Headers
) -> None:
    for user in USERS:
        first = await polled.ask(user, query, *headers)
        through = polled.through
        assert [await polled.ask(user, query, *headers) for _ in range(2)] == [first, first]
        assert polled.through == through
        assert "x-content-type-options" in first.headers
        assert ("access-control-allow-origin" in first.headers) is (headers == [("origin", PAGE)])


async def test_it_is_the_list_as_it_stands_then(polled: Polled) -> None:
    before = [await polled.ask("alice") for _ in range(2)][1]
    assert before.body.count(b'"uuid"') == 1
    uuid = await polled.start("alice", "another")
    polled.activities.report(uuid, Report(subtitle="now"))
    through = polled.through
    after = await polled.ask("alice")
    assert polled.through == through
    assert after.body.count(b'"uuid"') == 2 and b'"subtitle":"now"' in after.body
    # As one who has never asked before is answered.
    assert after == await polled.ask("alice", "", ("x-plex-product", "other"))
    assert {name for name in after.headers if after.headers[name] != before.headers[name]} == {
        "etag",
        "x-headway-cursor",
        "content-length",
    }


async def test_who_has_the_list_is_told_so_until_it_changes(polled: Polled) -> None:
    tag = (await polled.ask("alice")).headers["etag"]
    known = ("if-none-match", f'"x", W/{tag}')
    answers = [await polled.ask("alice", "", known) for _ in range(2)]
    assert [(one.status, one.body, one.headers["etag"]) for one in answers] == [(304, b"", tag)] * 2
    await polled.start("bob")
    assert await polled.ask("alice", "", known) == answers[0]
    await polled.start("alice")
    changed = await polled.ask("alice", "", known)
    assert (changed.status, changed.headers["content-length"]) == (200, str(len(changed.body)))
    assert changed.headers["etag"] != tag


async def test_everyone_sees_their_own(polled: Polled) -> None:
    for _ in range(2):
        bodies = {user: (await polled.ask(user)).body for user in USERS}
        assert {user: body.count(b'"uuid"') for user, body in bodies.items()} == {"admin": 3, "alice": 1, "bob": 2}
        assert b"of bob" not in bodies["alice"]


async def test_an_ended_grant_ends_what_is_known(polled: Polled) -> None:
    grant = polled.grants["alice"]
    assert [(await polled.ask("alice")).status for _ in range(2)] == [200, 200]
    grant.revoked = True
    assert [(await polled.ask("alice")).status for _ in range(2)] == [401, 401]
    polled.grants["alice"] = Grant(Principal(2), expires_at=polled.activities.clock.now() + 10)
    assert [(await polled.ask("alice")).status for _ in range(2)] == [200, 200]
    polled.activities.clock.advance(10)  # type: ignore[attr-defined]
    assert (await polled.ask("alice")).status == 401


async def test_a_token_that_was_given_more_rights_has_them_at_once(polled: Polled) -> None:
    await polled.ask("alice")
    polled.grants["alice"].revoked = True
    polled.grants["alice"] = Grant(Principal(2, Role.ADMIN))
    assert [(await polled.ask("alice")).body.count(b'"uuid"') for _ in range(3)] == [3, 3, 3]


async def test_what_is_refused_is_refused_each_time(polled: Polled) -> None:
    for _ in range(2):
        assert (await polled.ask("alice")).status == 200
        assert (await polled.ask("nobody")).status == 401
        assert (await polled.ask("alice", host="evil.example")).status == 421
        assert (await polled.ask("alice", "", ("origin", "http://evil.example"))).status == 403
        assert (await polled.ask("alice", "?state=done")).status == 400
        assert (await polled.ask("alice", method="DELETE")).status == 405
    assert repr(polled.polling) == "<Polling: 1 requests are known>"


async def test_an_error_on_the_way_to_the_list_is_not_remembered(
    polled: Polled, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> NoReturn:
        raise Unavailable

    with monkeypatch.context() as broken:
        broken.setattr(Lists, "get", fails)
        failed = await polled.ask("alice")
    assert (failed.status, repr(polled.polling)) == (503, "<Polling: 0 requests are known>")
    answers = [await polled.ask("alice") for _ in range(2)]
    assert answers[0] == answers[1] and answers[0].status == 200
    assert "retry-after" not in answers[1].headers


async def test_large_requests_and_those_with_a_body_are_not_remembered(polled: Polled) -> None:
    for header in (("x-filler", "x" * polling.HEAD), ("content-length", "0")):
        for _ in range(2):
            assert (await polled.ask("alice", "", header)).status == 200
    assert polled.through == 4
    assert repr(polled.polling) == "<Polling: 0 requests are known>"


async def test_no_more_than_so_many_are_remembered(polled: Polled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "CAPACITY", 3)
    for number in range(5):
        assert (await polled.ask("alice", f"?X-Plex-Any={number}")).status == 200
    assert repr(polled.polling) == "<Polling: 2 requests are known>"


async def test_a_revoked_token_is_useless_to_who_polls_a_whole_server(tmp_path: Path) -> None:
    async with standalone(tmp_path / "data") as whole:
        assert [(await whole.ask("GET", "/activities", "alice")).status for _ in range(2)] == [200, 200]
        identities = whole.service.identify.__self__  # type: ignore[attr-defined]
        revoke(whole.data, "alice")
        await eventually(lambda: identities.authenticate(whole.tokens["alice"], whole.activities.clock.now()) is None)
        assert [(await whole.ask("GET", "/activities", user)).status for user in ("alice", "bob")] == [401, 200]
