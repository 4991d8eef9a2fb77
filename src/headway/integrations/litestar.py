"""Litestar: an ASGI application below a path of its own.

In the host::

    Litestar([..., mount("/headway", ActivitiesApp(activities, identify))], lifespan=[lifespan(activities, headway)])
"""

from __future__ import annotations

from urllib.parse import unquote

from litestar import asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send


def mount(path: str, app: ASGIApp) -> ASGIRouteHandler:
    """A route handler that hands everything below ``path`` to the application, behind the host's middleware.

    Litestar's own mounts take the prefix off the path without saying where it was (``root_path``, by which an
    application knows its own address) and put a slash behind the rest.
    """
    below = "/" + path.strip("/")

    @asgi(below, is_mount=True, copy_scope=True)
    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        root = scope.get("root_path", "").rstrip("/")
        rest: str = scope["path"]
        if not unquote(scope["raw_path"].partition(b"?")[0].decode("latin-1")).endswith("/"):
            rest = rest.rstrip("/")
        scope["root_path"] = root + below
        scope["path"] = root + below + rest
        await app(scope, receive, send)

    return mounted
