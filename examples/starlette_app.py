"""Starlette: long work behind endpoints, for the users that AuthenticationMiddleware knows.

Run it with `uvicorn examples.starlette_app:app`, then:

    curl -i -X POST -H 'Authorization: Bearer alice' http://127.0.0.1:8000/exports
    HEADWAY_URL=http://127.0.0.1:8000/headway HEADWAY_TOKEN=alice headway watch
"""

import asyncio
import time

from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, BaseUser, requires
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from headway import Activities, HeadwayError, Principal, Role, current
from headway.integrations.lifespan import lifespan
from headway.server import ActivitiesApp, ActivityHeader, RespondAsync, find_token, refusal


class User(BaseUser):
    def __init__(self, id: int, name: str, admin: bool = False) -> None:
        self.id, self.name, self.admin = id, name, admin

    @property
    def is_authenticated(self) -> bool:
        return True

    @property
    def display_name(self) -> str:
        return self.name


USERS = {"root": User(1, "Root", admin=True), "alice": User(2, "Alice"), "bob": User(3, "Bob")}


class Tokens(AuthenticationBackend):
    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        user = USERS.get(find_token(conn.headers, conn.query_params, {}) or "")
        return None if user is None else (AuthCredentials(["authenticated"]), user)


def identify(connection: HTTPConnection) -> Principal | None:
    """The middleware has run before what is mounted, and knows."""
    user = connection.user
    return Principal(user.id, Role.ADMIN if user.admin else Role.USER, user.name) if user.is_authenticated else None


activities = Activities("memory:")  # or "sqlite:FOLDER", to outlive this process
activities_app = ActivitiesApp(activities, identify)


async def export(pages: int) -> None:
    for page in current().track(range(pages), unit="pages"):
        current().report(subtitle=f"Page {page + 1}")
        await asyncio.sleep(0.05)


def scan(folders: int) -> None:
    for _ in current().track(range(folders), unit="folders"):
        time.sleep(0.05)


@requires("authenticated", status_code=401)
async def start_export(request: Request) -> JSONResponse:
    """Goes on after the reply, which names the activity in `X-Plex-Activity`."""
    pages = int(request.query_params.get("pages", 100))
    spawned = await activities.spawn("report.export", export, pages, title="Exporting", owner=request.user.id)
    return JSONResponse({"uuid": spawned.uuid}, 202)


@requires("authenticated", status_code=401)
def start_scan(request: Request) -> JSONResponse:
    """The same from an endpoint that runs in a thread."""
    folders = int(request.query_params.get("folders", 100))
    spawned = activities.call(activities.spawn, "folder.scan", scan, folders, title="Scanning", owner=request.user.id)
    return JSONResponse({"uuid": spawned.uuid}, 202)


@requires("authenticated", status_code=401)
def check(request: Request) -> JSONResponse:
    """The work is the endpoint itself: whoever waits for it can watch it, and stop it, meanwhile."""
    folders = int(request.query_params.get("folders", 3))
    with activities.start("folder.check", title="Checking", owner=request.user.id):
        scan(folders)
    return JSONResponse({"folders": folders})


@requires("authenticated", status_code=401)
async def make_report(request: Request) -> JSONResponse:
    """Answers when it is done; to `Prefer: respond-async, wait=1` after a second, with where to follow it."""
    pages = int(request.query_params.get("pages", 3))
    await export(pages)
    return JSONResponse({"pages": pages})


async def refuse(request: Request, error: Exception) -> Response:
    """Too many activities are 429, one that was cancelled under its endpoint is 409."""
    return refusal(request, error)


reports_run_async = Middleware(
    RespondAsync,
    activities=activities,
    identify=identify,
    type="report.make",
    title="Making a report",
    location="/headway/activities",
)

app = Starlette(
    routes=[
        Route("/exports", start_export, methods=["POST"]),
        Route("/scans", start_scan, methods=["POST"]),
        Route("/checks", check, methods=["POST"]),
        Route("/reports", make_report, methods=["POST"], middleware=[reports_run_async]),
        Mount("/headway", activities_app),
    ],
    middleware=[Middleware(ActivityHeader), Middleware(AuthenticationMiddleware, backend=Tokens())],
    exception_handlers={HeadwayError: refuse},
    lifespan=lifespan(activities, activities_app),
)
