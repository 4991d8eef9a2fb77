"""Litestar: long work behind endpoints, for the users that the host's authentication knows.

Run it with `uvicorn examples.litestar_app:app`, then:

    curl -i -X POST -H 'Authorization: Bearer alice' http://127.0.0.1:8000/exports
    HEADWAY_URL=http://127.0.0.1:8000/headway HEADWAY_TOKEN=alice headway watch
"""

# Litestar describes ASGI more narrowly than its peers: their applications fit all the same.
# mypy: disable-error-code="arg-type, list-item"

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from litestar import Litestar, Request, Response, post
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException
from litestar.handlers import BaseRouteHandler
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult, DefineMiddleware
from starlette.requests import HTTPConnection

from headway import Activities, HeadwayError, Principal, Role, current
from headway.integrations.lifespan import lifespan
from headway.integrations.litestar import mount
from headway.server import ActivitiesApp, ActivityHeader, RespondAsync, find_token


@dataclass
class User:
    id: int
    name: str
    admin: bool = False


USERS = {"root": User(1, "Root", admin=True), "alice": User(2, "Alice"), "bob": User(3, "Bob")}


class Authentication(AbstractAuthenticationMiddleware):
    async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
        plain = HTTPConnection({**connection.scope})
        token = find_token(plain.headers, plain.query_params, {})
        return AuthenticationResult(user=USERS.get(token or ""), auth=token)


def signed_in(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """A guard of endpoints."""
    if connection.user is None:
        raise NotAuthorizedException


def identify(connection: HTTPConnection) -> Principal | None:
    """The middleware has run before what is mounted, and knows."""
    user: User | None = connection.scope["user"]
    return None if user is None else Principal(user.id, Role.ADMIN if user.admin else Role.USER, user.name)


activities = Activities("memory:")  # or "sqlite:FOLDER", to outlive this process
activities_app = ActivitiesApp(activities, identify)


async def export(pages: int) -> None:
    for page in current().track(range(pages), unit="pages"):
        current().report(subtitle=f"Page {page + 1}")
        await asyncio.sleep(0.05)


def scan(folders: int) -> None:
    for _ in current().track(range(folders), unit="folders"):
        time.sleep(0.05)


@post("/exports", status_code=202, guards=[signed_in])
async def start_export(request: Request[User, Any, Any], pages: int = 100) -> dict[str, str]:
    """Goes on after the reply, which names the activity in `X-Plex-Activity`."""
    spawned = await activities.spawn("report.export", export, pages, title="Exporting", owner=request.user.id)
    return {"uuid": spawned.uuid}


@post("/scans", status_code=202, guards=[signed_in], sync_to_thread=True)
def start_scan(request: Request[User, Any, Any], folders: int = 100) -> dict[str, str]:
    """The same from an endpoint that runs in a thread."""
    spawned = activities.call(activities.spawn, "folder.scan", scan, folders, title="Scanning", owner=request.user.id)
    return {"uuid": spawned.uuid}


@post("/checks", status_code=200, guards=[signed_in], sync_to_thread=True)
def check(request: Request[User, Any, Any], folders: int = 3) -> dict[str, int]:
    """The work is the endpoint itself: whoever waits for it can watch it, and stop it, meanwhile."""
    with activities.start("folder.check", title="Checking", owner=request.user.id):
        scan(folders)
    return {"folders": folders}


reports_run_async = DefineMiddleware(
    RespondAsync,
    activities=activities,
    identify=identify,
    type="report.make",
    title="Making a report",
    location="/headway/activities",
)


@post("/reports", status_code=200, guards=[signed_in], middleware=[reports_run_async])
async def make_report(pages: int = 3) -> dict[str, int]:
    """Answers when it is done; to `Prefer: respond-async, wait=1` after a second, with where to follow it."""
    await export(pages)
    return {"pages": pages}


def refuse(_: Request[Any, Any, Any], error: HeadwayError) -> Response[dict[str, str]]:
    """Too many activities are 429, one that was cancelled under its endpoint is 409."""
    return Response({"detail": error.message}, status_code=error.status)


app = Litestar(
    [start_export, start_scan, check, make_report, mount("/headway", activities_app)],
    middleware=[ActivityHeader, Authentication],
    exception_handlers={HeadwayError: refuse},
    lifespan=[lifespan(activities, activities_app)],
)
