"""Who is calling, asked on every path but the few that are public: what is not listed is denied."""

from __future__ import annotations

from collections.abc import Container

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from headway.core.errors import NotAuthenticated
from headway.ports import Clock
from headway.server.answers import GRANT, header, refusal
from headway.server.identity.identify import Identify, identified
from headway.wire.formats import wants_page

PUBLIC = frozenset({"/identity", "/health", "/ready", "/openapi.json"})
"""What needs no token, beside the files of the dashboard: nothing there depends on anybody's data."""

LOGIN = ("POST", "/web/session")
"""Who asks this has no cookie yet; the token or link is in the body."""


class Authentication:
    """ASGI middleware: puts the grant into the scope, or answers 401, to a WebSocket at its handshake."""

    def __init__(self, app: ASGIApp, identify: Identify, clock: Clock, public: Container[str] = PUBLIC) -> None:
        """``public``: the paths that need no token."""
        self._app = app
        self._identify = identify
        self._clock = clock
        self._public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] in ("http", "websocket") and not self._is_public(scope):
            connection = HTTPConnection(scope)
            grant = await identified(self._identify, connection, self._clock.now())
            if grant is None:
                await refusal(connection, NotAuthenticated())(scope, receive, send)
                return
            scope[GRANT] = grant
        await self._app(scope, receive, send)

    def _is_public(self, scope: Scope) -> bool:
        if scope["type"] != "http":
            return False
        path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        return path in self._public or (scope["method"], path) == LOGIN or (path == "/" and _is_browser(scope))


def _is_browser(scope: Scope) -> bool:
    return wants_page(header(HTTPConnection(scope).headers, "accept"))
