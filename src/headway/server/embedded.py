"""The server inside a host application: mounted anywhere, with the host's own users.

In the host::

    activities = Activities("sqlite:data")
    app.mount("/headway", ActivitiesApp(activities, identify))
"""

from __future__ import annotations

import asyncio

from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from headway.hub import Activities
from headway.server.app import create_app
from headway.server.identity.grants import Grants
from headway.server.identity.identify import Identify
from headway.server.service import Service


class ActivitiesApp:
    """An ASGI application that serves the activities of its host.

    What guards a server that listens by itself (hosts, origins, sizes) is the host's, as for its own endpoints; it can
    be had by wrapping this in ``headway.server.guard.Guard``.
    """

    def __init__(self, activities: Activities, identify: Identify, *, grants: Grants | None = None) -> None:
        """``identify`` says who a request or handshake is from: a ``Principal``, or None for 401; plain or async.

        ``grants``: those that ``identify`` hands out, if it ends any before their streams end.
        """
        self._activities = activities
        self._identify = identify
        self._grants = grants
        self._service: Service | None = None
        self._app: Starlette | None = None
        self._sweeping: asyncio.Task[None] | None = None
        self._opening = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request or handshake. A mounted application is told of no lifespan, so the first request opens the
        activities if the host has not (``async with activities``).
        """
        app = self._app or await self._opened()
        await app(scope, receive, send)

    async def stop(self) -> None:
        """End the open streams; for the host's own shutdown, before its server waits for them."""
        service, sweeping = self._service, self._sweeping
        if service is not None:
            await service.stop()
        if sweeping is not None:
            sweeping.cancel()
        self._service = self._sweeping = self._app = None  # the host may start again, as in tests it does

    async def _opened(self) -> Starlette:
        async with self._opening:
            if self._app is None:
                await self._activities.open()
                self._service = Service(self._activities, self._identify, grants=self._grants)
                # Ends the streams of grants that expire; the loop's end ends it.
                self._sweeping = asyncio.get_running_loop().create_task(self._service.grants.run())
                self._app = create_app(self._service)
        return self._app
