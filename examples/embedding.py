"""A web application with a long job behind an endpoint: who started it can follow and stop it with any Plex client.

Run it with `uvicorn embedding:app`, then:

    curl -X POST -H 'X-Plex-Token: alice' http://127.0.0.1:8000/exports
    HEADWAY_URL=http://127.0.0.1:8000/headway HEADWAY_TOKEN=alice headway watch
"""

import asyncio

from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from headway import Activities, Principal
from headway.server import ActivitiesApp

USERS = {"alice": Principal(2), "bob": Principal(3)}
activities = Activities("memory:")
jobs: set[asyncio.Task[None]] = set()


def identify(connection: HTTPConnection) -> Principal | None:
    return USERS.get(connection.headers.get("x-plex-token", ""))


async def export(owner: int) -> None:
    async with activities.start("report.export", title="Exporting the report", owner=owner) as activity:
        for page in range(100):
            activity.report(progress=page, subtitle=f"Page {page + 1}")
            await asyncio.sleep(0.1)


async def start_export(request: Request) -> JSONResponse:
    user = identify(request)
    if user is None:
        return JSONResponse({"error": "who are you?"}, 401)
    job = asyncio.create_task(export(user.user))
    jobs.add(job)
    job.add_done_callback(jobs.discard)
    return JSONResponse({"started": True}, 202)


app = Starlette(
    routes=[
        Route("/exports", start_export, methods=["POST"]),
        Mount("/headway", ActivitiesApp(activities, identify)),
    ]
)
