"""The cookie that holds a browser's session: out of the reach of scripts, and of requests that other sites make."""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import HTTPConnection
from starlette.responses import Response

from headway.server.identity.credentials import COOKIE


def set_cookie(connection: HTTPConnection, response: Response, secret: str, max_age: int) -> None:
    """Have the browser keep a session for ``max_age`` seconds."""
    response.set_cookie(
        COOKIE,
        secret,
        max_age=max_age,
        path=_path(connection),
        secure=_secure(connection),
        httponly=True,
        samesite="strict",
    )


def clear_cookie(connection: HTTPConnection, response: Response) -> None:
    """Have the browser forget it."""
    set_cookie(connection, response, "", 0)


def _path(connection: HTTPConnection) -> str:
    """Where the application is mounted: what else is on this host is not sent the cookie."""
    return quote(connection.scope.get("root_path", "").rstrip("/") + "/")


def _secure(connection: HTTPConnection) -> bool:
    # What a proxy says of it has been judged by then: the server believes the one that it was told is there.
    return bool(connection.scope["scheme"] == "https")
