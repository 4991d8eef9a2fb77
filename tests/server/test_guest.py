"""A guest sees one activity: every route is tried, and no byte of an answer depends on what else its owner does."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from starlette.requests import HTTPConnection
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp

from headway.admission import uuid_of
from headway.core.activity import State
from headway.core.lifecycle import Report
from headway.core.policy import Principal, Role
from headway.hub import Activities
from headway.server.app import create_app, routes
from headway.server.authentication import LOGIN, PUBLIC
from headway.server.service import Service
from headway.stores.memory import MemoryStore
from headway.testing import FakeClock
from headway.testing.asgi import asgi_request
from tests.server.harness import connected
from tests.server.whole import EVENTS, JSON, UNKNOWN, XML, Whole, by_name, standalone

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
ONE = "/activities/{uuid}"
TOLD = {"content-type", "content-length", "cache-control", "x-plex-protocol", "x-content-type-options", "date"}
TOLD |= {"referrer-policy", "content-security-policy", "x-frame-options", "cross-origin-resource-policy"}
"""The headers that a guest's answer may have: none of them counts or positions anything."""


def looks(path: str, method: str) -> bool:
    """What a guest may ask."""
    return path.startswith(ONE) and method in ("GET", "HEAD")


@pytest.fixture(scope="module")
async def home(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Whole, str, str, str]]:
    """A server, an activity of Alice's, another one of hers, and the secret of a share of the first."""
    async with standalone(tmp_path_factory.mktemp("data")) as whole:
        shown, other = (await whole.start(cancellable=True))["uuid"], (await whole.start())["uuid"]
        made = await whole.ask("POST", "/web/shares", "alice", [JSON], {"uuid": shown})
        yield whole, shown, other, made.json["secret"]


async def test_of_all_routes_a_guest_gets_through_to_one_activity(home: tuple[Whole, str, str, str]) -> None:
    whole, shown, _, secret = home
    tried = 0
    for path, known in paths(whole.service):
        for method in METHODS:
            where = path.format(uuid=shown, id="00000000")
            answer = await whole.ask(method, where, secret, [JSON], {} if method in ("POST", "PATCH", "PUT") else None)
            if path in PUBLIC:
                assert answer.status in (200, 405, 503), (method, path)
            elif method not in known:
                assert answer.status == 405, (method, path)
            elif (method, path) == LOGIN:
                assert answer.status == 400, "it says that a token is to be in the body"
            elif looks(path, method):
                assert answer.status in (200, 404), (method, path)
            else:
                assert answer.status == 403, (method, path)
                tried += 1
    assert tried > 20


def paths(service: Service) -> Iterator[tuple[str, set[str]]]:
    for route in routes(service):
        if isinstance(route, Route):
            yield route.path, route.methods or set()


async def test_no_stream_opens_for_a_guest(home: tuple[Whole, str, str, str]) -> None:
    whole, shown, _, secret = home
    sockets = [route.path for route in routes(whole.service) if isinstance(route, WebSocketRoute)]
    assert sockets
    for path in sockets:
        for query in ("", f"?uuid={shown}"):
            async with connected(whole.port) as client:
                status, _ = await client.handshake(path + query, f"X-Plex-Token: {secret}")
            assert status == 403
    for query in ("", f"?uuid={shown}", "?snapshot=1"):
        async with whole.events(secret, query) as stream:
            assert stream.status == 403


async def test_the_secret_counts_as_a_header_alone(home: tuple[Whole, str, str, str]) -> None:
    whole, shown, _, secret = home
    path = f"/activities/{shown}"
    assert (await whole.ask("GET", path, secret, [JSON])).status == 200
    assert (await whole.ask("GET", f"{path}?X-Plex-Token={secret}", None, [JSON])).status == 401
    assert (await whole.ask("GET", f"{EVENTS}?X-Plex-Token={secret}", None, [JSON])).status == 401
    for header in (("Cookie", f"headway_token={secret}"), ("Authorization", f"Bearer {secret}")):
        assert (await whole.ask("GET", path, None, [JSON, header])).status == 401
    login = await whole.ask("POST", "/web/session", None, [JSON], {"token": secret})
    assert login.error == (401, "not_authenticated")


async def test_every_other_activity_is_unknown_to_a_guest(home: tuple[Whole, str, str, str]) -> None:
    whole, _, other, secret = home
    foreign = (await whole.start("bob"))["uuid"]
    for query in ("", "?wait=0.01", "?wait=300&state=running"):
        answers = [
            await whole.ask("GET", f"/activities/{uuid}{query}", secret, [JSON])
            for uuid in (other, foreign, UNKNOWN, "x", "%00")
        ]
        assert {(each.status, each.body, each.headers["content-type"]) for each in answers} == {
            (404, (await whole.ask("GET", f"/activities/{UNKNOWN}{query}", "alice", [JSON])).body, "application/json")
        }


async def test_its_headers_tell_of_nothing_else(home: tuple[Whole, str, str, str]) -> None:
    whole, shown, _, secret = home
    for accept in (JSON, XML):
        assert (await whole.ask("GET", f"/activities/{shown}", secret, [accept])).headers.keys() <= TOLD


async def test_a_part_is_shown_as_if_it_were_whole(whole: Whole) -> None:
    parent = (await whole.start(title="Whole"))["uuid"]
    part = (await whole.start(title="Part", parentUUID=parent, weight=3))["uuid"]
    for shown in (part, parent):
        made = await whole.ask("POST", "/web/shares", "alice", [JSON], {"uuid": shown})
        own = (await whole.ask("GET", f"/activities/{shown}", "alice", [JSON])).row
        seen = (await whole.ask("GET", f"/activities/{shown}", made.json["secret"], [JSON])).row
        assert own.keys() - seen.keys() == ({"parentUUID", "weight"} if shown == part else set())
        assert own.items() >= seen.items()


# Noninterference.

SECRET, EPOCH, ALICE = b"a guest".ljust(32), "epoch", 2
SHOWN = uuid_of(SECRET, ALICE, "shown")
OTHER = uuid_of(SECRET, ALICE, "other")


def with_guest(connection: HTTPConnection) -> Principal | None:
    if connection.headers.get("x-plex-token") == "guest":
        return Principal(ALICE, Role.GUEST, only=SHOWN)
    return by_name(connection)


class Owner:
    """What Alice does; with others of hers beside it, or without."""

    def __init__(self, activities: Activities, clock: FakeClock, *, busy: bool) -> None:
        self._activities, self._clock, self._busy = activities, clock, busy

    async def begin(self) -> None:
        parent = None
        if self._busy:
            for _ in range(8):  # enough for an estimate by the past
                past, _ = await self._activities.create("test.work", ALICE)
                self._clock.advance(7)
                await self._activities.finish(past.uuid, State.SUCCEEDED)
            parent = (await self._activities.create("test.whole", ALICE, key="parent"))[0].uuid
            await self._activities.create("test.work", ALICE, key="other", parent=parent)
        else:
            self._clock.advance(8 * 7)
        more: dict[str, Any] = {"parent": parent, "weight": 4.0} if parent else {}
        shown, _ = await self._activities.create("test.work", ALICE, key="shown", cancellable=True, **more)
        assert shown.uuid == SHOWN

    async def step(self, number: int) -> None:
        self._activities.report(SHOWN, Report(completed=number, total=10, subtitle=f"{number}"))
        if self._busy:
            self._activities.report(OTHER, Report(progress=number * 10))
            made, _ = await self._activities.create("test.many", ALICE)
            await self._activities.request_cancel(made.uuid, required=True)
            await self._activities.finish(made.uuid, State.CANCELLED)
        await self._activities.settled()
        self._clock.advance(3)

    async def end(self) -> None:
        await self._activities.request_cancel(SHOWN, by=ALICE)
        await self._activities.finish(SHOWN, State.CANCELLED)


async def heard(*, busy: bool) -> list[bytes]:
    """All that a guest is answered while the owner works."""
    store, clock = MemoryStore(), FakeClock()
    store._secret, store._epoch = SECRET, EPOCH
    async with Activities(store, clock=clock) as activities:
        app = create_app(Service(activities, with_guest, friendly_name="box"))
        owner, answers = Owner(activities, clock, busy=busy), list[bytes]()
        await owner.begin()
        for number in range(6):
            await owner.step(number)
            answers += [each async for each in asked(app)]
        await owner.end()
        return [*answers, *[each async for each in asked(app)]]


async def asked(app: ASGIApp) -> AsyncIterator[bytes]:
    """Of everything, also of what a guest may not ask."""
    for method in METHODS:
        for path in (
            "",
            f"/{SHOWN}",
            f"/{SHOWN}?wait=0.01",
            f"/{OTHER}",
            f"/{UNKNOWN}",
            "/history",
            f"/{SHOWN}/output",
        ):
            for accept in (JSON, XML):
                sent = [("host", "localhost"), ("x-plex-token", "guest"), accept]
                async with asgi_request(app, method, f"/activities{path}", headers=sent, body=[b"{}"]) as response:
                    await response.start()
                    told = repr((method, path, response.status, sorted(response.headers.items()))).encode()
                    yield told + await response.body()


async def test_what_a_guest_is_told_does_not_depend_on_what_else_the_owner_does() -> None:
    alone, amid = await heard(busy=False), await heard(busy=True)
    assert len(alone) == len(amid) > 300
    for one, other in zip(alone, amid, strict=True):
        assert one == other
    shown = [each for each in amid if SHOWN.encode() in each and b"200" in each]
    assert any(re.search(rb'"eta":', each) for each in shown), "what is left is told by its own rate"
