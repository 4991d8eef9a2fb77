"""The OpenAPI document at ``/openapi.json``."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from headway.server.answers import answer
from headway.wire.formats import Format


async def document(request: Request) -> Response:
    """``GET /openapi.json``."""
    return answer(b'{"openapi":"3.1.0"}', Format.JSON)
