"""FastAPI: long work behind endpoints, in coroutines and in threads, with the host's own users.

Run it with `uvicorn examples.fastapi_app:app`, then:

    curl -i -X POST -H 'Authorization: Bearer alice' http://127.0.0.1:8000/exports
    HEADWAY_URL=http://127.0.0.1:8000/headway HEADWAY_TOKEN=alice headway watch
"""

import asyncio
import time
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.security import HTTPBearer
from pydantic import BaseModel
from starlette.requests import HTTPConnection

from headway import Activities, HeadwayError, Principal, Role, current
from headway.integrations.lifespan import lifespan
from headway.server import ActivitiesApp, ActivityHeader, RespondAsync, find_token, refusal


class User(BaseModel):
    id: int
    name: str
    admin: bool = False


USERS = {
    "root": User(id=1, name="Root", admin=True),
    "alice": User(id=2, name="Alice"),
    "bob": User(id=3, name="Bob"),
}


def user_of(connection: HTTPConnection) -> User | None:
    """By `Authorization: Bearer`, or `X-Plex-Token`: a header, or in the query of an EventSource."""
    return USERS.get(find_token(connection.headers, connection.query_params, {}) or "")


def identify(connection: HTTPConnection) -> Principal | None:
    user = user_of(connection)
    return None if user is None else Principal(user.id, Role.ADMIN if user.admin else Role.USER, user.name)


def signed_in(request: Request, _: Annotated[object, Depends(HTTPBearer(auto_error=False))]) -> User:
    """A dependency of endpoints; the scheme shows in the documentation."""
    user = user_of(request)
    if user is None:
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    return user


CurrentUser = Annotated[User, Depends(signed_in)]

activities = Activities("memory:")  # or "sqlite:FOLDER", to outlive this process
activities_app = ActivitiesApp(activities, identify)
app = FastAPI(lifespan=lifespan(activities, activities_app))
app.mount("/headway", activities_app)
app.add_middleware(
    RespondAsync,
    activities=activities,
    identify=identify,
    type=lambda request: "report.make" if request.url.path.endswith("/reports") else None,
    title="Making a report",
    location="/headway/activities",
)
app.add_middleware(ActivityHeader)  # the last one added is around all others


@app.exception_handler(HeadwayError)
async def refuse(request: Request, error: HeadwayError) -> Response:
    """Too many activities are 429, one that was cancelled under its endpoint is 409."""
    return refusal(request, error)


async def export(pages: int) -> None:
    for page in current().track(range(pages), unit="pages"):
        current().report(subtitle=f"Page {page + 1}")
        await asyncio.sleep(0.05)


def scan(folders: int) -> int:
    for _ in current().track(range(folders), unit="folders"):
        time.sleep(0.05)
    return folders


@app.post("/exports", status_code=202)
async def start_export(user: CurrentUser, pages: int = 100) -> dict[str, str]:
    """Goes on after the reply, which names the activity in `X-Plex-Activity`."""
    spawned = await activities.spawn("report.export", export, pages, title="Exporting", owner=user.id)
    return {"uuid": spawned.uuid}


@app.post("/scans", status_code=202)
def start_scan(user: CurrentUser, folders: int = 100) -> dict[str, str]:
    """The same from an endpoint that runs in a thread."""
    spawned = activities.call(activities.spawn, "folder.scan", scan, folders, title="Scanning", owner=user.id)
    return {"uuid": spawned.uuid}


@app.post("/checks")
def check(user: CurrentUser, folders: int = 3) -> dict[str, int]:
    """The work is the endpoint itself: whoever waits for it can watch it, and stop it, meanwhile."""
    with activities.start("folder.check", title="Checking", owner=user.id):
        return {"folders": scan(folders)}


@app.post("/reports")
async def make_report(user: CurrentUser, pages: int = 3) -> dict[str, int]:
    """Answers when it is done; to `Prefer: respond-async, wait=1` after a second, with where to follow it."""
    await export(pages)
    return {"pages": pages}
