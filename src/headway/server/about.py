"""What the server says of itself: who it is, whether it lives, and whether it can work."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from headway.core.policy import Action
from headway.server.answers import answer, format_of, header, permitted
from headway.server.service import Service
from headway.server.web.assets import to_dashboard
from headway.wire.formats import Format, wants_page
from headway.wire.server import encode_identity, encode_root


class About:
    """The endpoints that are not about activities."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def root(self, request: Request) -> Response:
        """``GET /``: what clients open a connection with; browsers are sent to the dashboard."""
        if wants_page(header(request.headers, "accept")):
            return await to_dashboard(request)
        permitted(request, Action.READ)
        format = format_of(request)
        return answer(encode_root(self._service.server, format), format)

    async def identity(self, request: Request) -> Response:
        """``GET /identity``."""
        format = format_of(request)
        return answer(encode_identity(self._service.server, format), format)

    async def health(self, request: Request) -> Response:
        """``GET /health``: the process answers."""
        return answer(b'{"status":"ok"}', Format.JSON, {"Cache-Control": "no-store"})

    async def ready(self, request: Request) -> Response:
        """``GET /ready``: a start would be recorded and seen."""
        ready = not self._service.stopping.is_set() and await self._service.probe.ready()
        body = b'{"status":"ready"}' if ready else b'{"status":"not ready"}'
        return answer(body, Format.JSON, {"Cache-Control": "no-store"}, 200 if ready else 503)
