"""Litestar: an ASGI application below a path of its own.

In the host::

    activities_app = ActivitiesApp(activities, identify)
    Litestar([..., mount("/headway", activities_app)], lifespan=[lifespan(activities, activities_app)])
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from litestar import asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import Scope
from starlette.types import ASGIApp


def mount(path: str, app: ASGIApp) -> ASGIRouteHandler:
    """A route handler that hands everything below ``path`` to the application, behind the host's middleware.

    Litestar's own mounts take the prefix off the path without saying where it was (``root_path``, by which an
    application knows its own address) and put a slash behind the rest.
    """
    below = "/" + path.strip("/")

    @asgi(below, is_mount=True, copy_scope=True)
    async def mounted(scope: Scope, receive: Any, send: Any) -> None:
        root, rest = scope.get("root_path", "").rstrip("/"), scope["path"]
        if not unquote(scope["raw_path"].partition(b"?")[0].decode("latin-1")).endswith("/"):
            rest = rest.rstrip("/")
        await app({**scope, "root_path": root + below, "path": root + below + rest}, receive, send)

    return mounted
