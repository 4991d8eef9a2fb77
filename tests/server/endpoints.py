"""Endpoints that wait to be let go, and requests to them."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from headway.core.activity import Activity
from headway.core.policy import EVERYTHING, Principal, Role
from headway.hub import Activities
from headway.ports import HistoryQuery
from headway.server.respond_async import RespondAsync
from headway.testing.asgi import DEADLINE, asgi_request

LONG = ("Prefer", "respond-async, wait=300")
AT_ONCE = ("Prefer", "respond-async")
JSON = ("Accept", "application/json")
KEY = ("Idempotency-Key", "k1")


def identify(connection: HTTPConnection) -> Principal | None:
    user = connection.headers.get("x-user", "2")
    role = Role(connection.headers.get("x-role", "user"))
    only = "a" if role is Role.GUEST else None
    return Principal(int(user), role, only=only) if user.isdigit() else None


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def row(self) -> dict[str, Any]:
        (row,) = json.loads(self.body)["MediaContainer"]["Activity"]
        return dict(row)

    @property
    def uuid(self) -> str:
        return self.headers["x-plex-activity"]

    @property
    def reason(self) -> str:
        return str(json.loads(self.body)["errors"][0]["reason"])


class Endpoint:
    """Runs until it is let go, and then replies what it was asked to."""

    def __init__(self, reply: Callable[[], Response] = lambda: PlainTextResponse("done", 201, {"X-Own": "1"})) -> None:
        self.reply = reply
        self._begun, self.go = asyncio.Semaphore(0), asyncio.Event()
        self.runs = 0
        self.bodies: list[bytes] = []

    async def has_begun(self) -> None:
        """Wait for its next run."""
        async with asyncio.timeout(DEADLINE):
            await self._begun.acquire()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.runs += 1
        request = Request(scope, receive)
        self.bodies.append(await request.body())
        self._begun.release()
        await self.go.wait()
        await self.reply()(scope, receive, send)


async def ask(app: ASGIApp, *headers: tuple[str, str], body: bytes = b"", **scope: Any) -> Answer:
    """The whole answer to ``POST /work``."""
    sent = [("Host", "localhost"), JSON, *headers]
    async with asgi_request(app, **{"method": "POST", "path": "/work", **scope}, headers=sent, body=[body]) as response:
        await response.start()
        return Answer(response.status, response.headers, await response.body())


def wrapped(app: ASGIApp, activities: Activities, **options: Any) -> RespondAsync:
    return RespondAsync(app, activities, identify, **{"type": "work", "location": "/headway/activities", **options})


def app_of(endpoint: Any, activities: Activities, **options: Any) -> Starlette:
    """An application with one endpoint, wrapped by itself."""
    arguments = {"activities": activities, "identify": identify, "type": "work", "location": "/headway/activities"}
    middleware = [Middleware(RespondAsync, **{**arguments, **options})]
    return Starlette(routes=[Route("/work", endpoint, methods=["GET", "POST"], middleware=middleware)])


async def end_of(activities: Activities, uuid: str) -> Activity:
    activity = await activities.wait(uuid, DEADLINE, ended=True)
    assert activity.ended
    return activity


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.001)


async def ended(activities: Activities) -> list[Activity]:
    return list(await activities.history(HistoryQuery(EVERYTHING)))
