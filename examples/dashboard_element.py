"""FastAPI: the live list of activities as an element in a page of one's own.

Run it with `uvicorn examples.dashboard_element:app` and open http://127.0.0.1:8000/ in a browser.
"""

import asyncio
from pathlib import Path
from typing import Annotated

from fastapi import Cookie, FastAPI, HTTPException, Response
from fastapi.responses import FileResponse
from starlette.requests import HTTPConnection

from headway import Activities, Principal, current
from headway.integrations.lifespan import lifespan
from headway.server import ActivitiesApp

USERS = {"alice": Principal(2, name="Alice"), "bob": Principal(3, name="Bob")}


def identify(connection: HTTPConnection) -> Principal | None:
    """By the cookie of the host's own session: what an element asks for, the browser sends it along with."""
    return USERS.get(connection.cookies.get("user", ""))


activities = Activities("memory:")
activities_app = ActivitiesApp(activities, identify)
app = FastAPI(lifespan=lifespan(activities, activities_app))
app.mount("/headway", activities_app)


@app.get("/")
def page() -> FileResponse:
    """The page. It needs no more of a policy than its own scripts and styles."""
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src data:"
    )
    return FileResponse(Path(__file__).with_suffix(".html"), headers={"Content-Security-Policy": policy})


@app.post("/session/{name}", status_code=204)
def sign_in(name: str, response: Response) -> None:
    """Stands for a login; `Strict`: no page of another site stops anything in this user's name."""
    if name not in USERS:
        raise HTTPException(404)
    response.set_cookie("user", name, httponly=True, samesite="strict")


@app.post("/scans", status_code=202)
async def scan(section: int, user: Annotated[str, Cookie()]) -> dict[str, str]:
    """Long work, of which the page shows what belongs to its section."""
    title, context = f"Scanning section {section}", {"librarySectionID": str(section)}
    spawned = await activities.spawn("library.scan", folders, title=title, context=context, owner=USERS[user].user)
    return {"uuid": spawned.uuid}


async def folders() -> None:
    for number in current().track(range(600), unit="folders"):
        current().report(subtitle=f"Folder {number + 1}")
        await asyncio.sleep(0.1)
