"""Default deny: what is not listed as public needs a token, in every form a path can take."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.routing import Mount, Route, WebSocketRoute

from headway.core.policy import Principal
from headway.hub import Activities
from headway.server.app import create_app, routes
from headway.server.authentication import LOGIN, PUBLIC
from headway.server.service import Service
from headway.testing.asgi import asgi_request, asgi_websocket

BROWSER = [("host", "localhost"), ("accept", "text/html")]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"]


class Identify:
    """Knows one token, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, connection: HTTPConnection) -> Principal | None:
        self.asked += 1
        return Principal(2) if connection.headers.get("x-plex-token") == "good" else None


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with Activities() as activities:
        yield Service(activities, Identify())


@pytest.fixture
def app(service: Service) -> Starlette:
    return create_app(service)


async def status(app: Starlette, method: str, path: str, **more: object) -> int:
    async with asgi_request(app, method, path, **more) as response:  # type: ignore[arg-type]
        return (await response.start()).status


def paths(service: Service) -> dict[str, str]:
    """A path for every route there is, by its pattern."""
    found = {
        route.path: route.path.replace("{uuid}", "00000000-0000-4000-8000-000000000000")
        for route in routes(service)
        if isinstance(route, Route | WebSocketRoute)
    }
    assert len(found) == len(routes(service)), "a route of another kind"
    return found


async def test_every_path_without_a_token_is_401_but_the_public_ones(app: Starlette, service: Service) -> None:
    is_open = {
        (method, pattern)
        for pattern, path in paths(service).items()
        for method in METHODS
        if await status(app, method, path) != 401
    }
    assert is_open == {(method, path) for method in METHODS for path in PUBLIC} | {LOGIN}


async def test_every_websocket_without_a_token_is_401(app: Starlette, service: Service) -> None:
    for path in paths(service).values():
        async with asgi_websocket(app, path) as socket:
            answer = await socket.take()
            assert (answer["type"], answer["status"]) == ("websocket.http.response.start", 401)


@pytest.mark.parametrize(
    "path",
    [
        "/activities/",
        "//identity",
        "/identity/",
        "/identity/..",
        "/identity/../activities",
        "/IDENTITY",
        "/identity%2f..",
        "/health/x",
        "/ready;x",
        "/nothing",
        "",
        "*",
        "/:/",
    ],
)
async def test_what_looks_like_a_public_path_is_none(app: Starlette, path: str) -> None:
    assert await status(app, "GET", path) == 401
    assert await status(app, "GET", path, headers=BROWSER) == 401


async def test_a_browser_is_shown_the_page_of_the_root_and_nothing_else(app: Starlette, service: Service) -> None:
    shown = {
        pattern
        for pattern, path in paths(service).items()
        if await status(app, "GET", path, headers=BROWSER) not in (401, 404)
    }
    assert shown == {"/", *PUBLIC}


async def test_the_public_paths_do_not_ask_who_it_is(app: Starlette, service: Service) -> None:
    for path in PUBLIC:
        assert await status(app, "GET", path, headers=[("x-plex-token", "bad")]) == 200
    assert isinstance(service.identify, Identify)
    assert service.identify.asked == 0


async def test_it_holds_where_the_application_is_mounted(app: Starlette) -> None:
    host = Starlette(routes=[Mount("/headway", app)])
    assert await status(host, "GET", "/headway/identity") == 200
    assert await status(host, "GET", "/headway/", headers=BROWSER) == 303
    assert await status(host, "GET", "/headway/web/") == 200
    for path in ("/headway/activities", "/headway/headway/identity", "/headway/activities/identity", "/headway/"):
        assert await status(host, "GET", path) == 401
    good = [("x-plex-token", "good")]
    assert await status(host, "GET", "/headway/activities", headers=good) == 200
    headers = [*good, ("content-type", "application/json")]
    async with asgi_request(host, "POST", "/headway/activities", headers=headers, body=[b'{"type":"a"}']) as response:
        await response.start()
        assert response.headers["location"].startswith("/headway/activities/")
    assert await status(host, "GET", response.headers["location"], headers=good) == 200


async def test_identify_may_be_plain_or_async_and_give_a_principal_or_nothing() -> None:
    async with Activities() as activities:
        for identify in (lambda connection: Principal(2), Identify()):
            app = create_app(Service(activities, identify))
            assert await status(app, "GET", "/activities", headers=[("x-plex-token", "good")]) == 200
        nobody = create_app(Service(activities, lambda connection: None))
        assert await status(nobody, "GET", "/activities", headers=[("x-plex-token", "good")]) == 401
