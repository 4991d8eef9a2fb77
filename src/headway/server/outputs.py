"""The resource of what an activity prints: the last of it, as plain text."""

from __future__ import annotations

import hashlib

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from headway.core.errors import Conflict
from headway.core.policy import Action, require_sight
from headway.server.answers import header, known_tags, path_uuid, permitted
from headway.server.service import Service
from headway.wire.requests import MAX_OUTPUT

TEXT = "text/plain;charset=utf-8"

_HEADERS = {
    "Content-Type": TEXT,
    # It may hold secrets, and it may look like a page: also where no guard of ours stands before this.
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


class Outputs:
    """The endpoints; each method answers one method of one path."""

    def __init__(self, service: Service) -> None:
        self._activities = service.activities

    async def get(self, request: Request) -> Response:
        """``GET /activities/{uuid}/output``: the last that it has printed; nothing where it has not."""
        principal = permitted(request, Action.LOOK)
        uuid = path_uuid(request)
        require_sight(principal, uuid)
        body = (await self._activities.output(uuid, principal.scope)).encode()
        tag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
        headers = {**_HEADERS, "ETag": tag}
        if known_tags(request) & {tag, "*"}:
            return Response(b"", 304, headers)
        return Response(body, 200, headers)

    async def put(self, request: Request) -> Response:
        """``PUT /activities/{uuid}/output``: all that is to be kept, in place of what was."""
        principal = permitted(request, Action.REPORT)
        uuid = path_uuid(request)
        text = _text(await _body(request))
        activity = await self._activities.get(uuid, principal.scope)
        if activity.node is not None:
            raise Conflict("this activity runs inside the server, which keeps its output")
        await self._activities.write_output(uuid, text, principal.scope)
        return Response(status_code=204)


async def _body(request: Request) -> bytes:
    _require_text(request)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_OUTPUT:
            raise HTTPException(413, f"the body must be at most {MAX_OUTPUT} bytes: the last ones")
    return bytes(body)


def _require_text(request: Request) -> None:
    # Without a Content-Type a server may decide (RFC 9110, section 8.3); ``curl -T`` sends none.
    kind, *parameters = (header(request.headers, "content-type") or "text/plain").lower().split(";")
    said = dict(parameter.strip().partition("=")[::2] for parameter in parameters)
    if kind.strip() != "text/plain" or said.get("charset", "utf-8").strip('"') not in ("utf-8", "utf8", "us-ascii"):
        raise HTTPException(415, "the body must be text, with Content-Type: text/plain; charset=utf-8")


def _text(body: bytes) -> str:
    """What can be read of it: the end of a file may begin in the middle of a character, and hold anything."""
    start = 0
    while start < min(3, len(body)) and body[start] & 0xC0 == 0x80:
        start += 1
    return body[start:].decode(errors="replace")
