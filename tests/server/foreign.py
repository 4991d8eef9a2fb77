"""What a host application runs under a server of others: ``ASGI`` servers import ``app`` from here."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import Receive, Scope, Send

from headway.hub import Activities
from headway.server.app import create_app
from headway.server.replies import Reply
from headway.server.service import Service, StreamLimits
from tests.server.whole import by_name


class Host:
    """Serves activities as a host does, and ends the streams when it is told to stop."""

    def __init__(self) -> None:
        self._activities = Activities()
        self._service: Service | None = None
        self._app: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope.get("path") == "/inside":
            assert self._service is not None
            body = b"%d" % len(self._service.places)
            headers = ((b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body)))
            await Reply(200, headers, body).give(send)
        elif scope.get("path") == "/stop":
            assert self._service is not None
            stopping = asyncio.create_task(self._service.stop())
            await Reply(200, ((b"content-length", b"0"),), b"").give(send)
            await stopping
        else:
            await self._app(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await self._activities.open()
        self._service = Service(self._activities, by_name, streams=StreamLimits(ping=0.2, farewell=0.1))
        self._app = create_app(self._service)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._activities.close()
        await send({"type": "lifespan.shutdown.complete"})


app = Host()
