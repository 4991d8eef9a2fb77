"""The OpenAPI document at ``/openapi.json``.

parts         the building blocks
samples       the examples, encoded by what encodes the answers
schemas       what answers and events hold
bodies        what requests may hold
parameters    query arguments, headers and tokens
refusals      errors
activities, streams, about, web    the paths

Its limits are the code's constants and its examples come from the code; tests compare the rest with it.
"""

from __future__ import annotations

from functools import cache

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from headway import __version__
from headway.server.answers import answer
from headway.server.openapi import about, activities, bodies, parameters, refusals, schemas, streams, web
from headway.server.openapi.parts import Node
from headway.wire.formats import Format

_DESCRIPTION = """\
See, follow and stop long-running operations, over the activities protocol of Plex media servers and what it lacks.

**Formats.** `Accept: application/json`, or none: JSON. `*/*`, `text/xml`, `application/xml`: XML. `POST` and `PATCH`
take JSON, and answer JSON to `*/*`. Errors are JSON or HTML likewise. A path that does not have the method is 405, with
`Allow`.

**Who.** A token of role *admin* sees and may do everything; *user* sees, starts, reports on and cancels its own;
*reporter* does not cancel; *reader* only reads. What is somebody else's does not exist for you: 404. A *guest* has the
secret of a share instead of a token, and sees one activity.

**Text** is cleaned on its way in, then measured: NFC, line breaks become a space, other control characters and halves
of characters become `�`, marks that turn the direction of writing vanish.

**Arguments** that are not described are ignored. Every `X-Plex-*` header may come as one; only a token is needed.
"""


async def document(request: Request) -> Response:
    """``GET /openapi.json``."""
    return answer(_encoded(), Format.JSON)


def describe() -> Node:
    """The document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Headway",
            "version": __version__,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        # Relative to this document, wherever the application is mounted.
        "servers": [{"url": "."}],
        "security": [{name: []} for name in parameters.SECURITY_SCHEMES],
        "paths": {**activities.paths(), **streams.paths(), **about.paths(), **web.paths()},
        "components": {
            "schemas": {**schemas.components(), **bodies.components(), **refusals.schemas(), **web.components()},
            "responses": refusals.components(),
            "securitySchemes": parameters.SECURITY_SCHEMES,
        },
    }


@cache
def _encoded() -> bytes:
    return msgspec.json.encode(describe())
