"""Requests and answers in the forms of the wire: who asks, in which format, and every error in its place."""

from __future__ import annotations

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Receive

from headway.core.activity import Activity
from headway.core.errors import HeadwayError, InvalidInput, TooMany, Unavailable
from headway.core.policy import Action, Principal, require
from headway.server.identity.grants import Grant
from headway.wire.errors import encode_error, encode_status
from headway.wire.formats import Format, negotiate, negotiate_error, stated
from headway.wire.prefer import Preferences, parse_prefer
from headway.wire.query import Arguments

GRANT = "headway.grant"
"""Where the ASGI scope keeps the grant of an authenticated connection."""

WANTED = "headway.wanted"
"""Where it keeps the ``lists.Wanted`` of a request for a list, once that was permitted."""

CURSOR = "X-Headway-Cursor"

MAX_KEY = 255
"""Characters of an Idempotency-Key."""

RETRY_AFTER = "2"
"""Seconds after which trying again makes sense, when a limit was reached or the store is away."""


def grant_of(connection: HTTPConnection) -> Grant:
    """Who asks. Every path but the public ones has passed ``Authentication``."""
    grant: Grant = connection.scope[GRANT]
    return grant


def permitted(connection: HTTPConnection, action: Action) -> Principal:
    """Who asks, if their role permits it; raises ``NotAllowed``."""
    principal = grant_of(connection).principal
    require(principal, action)
    return principal


def arguments_of(connection: HTTPConnection) -> Arguments:
    """The query arguments in order."""
    return connection.query_params.multi_items()


def header(headers: Headers, name: str) -> str | None:
    """A header whose lines are joined by commas, as RFC 9110 (5.3) has it; None when there is none."""
    lines = headers.getlist(name)
    return ", ".join(lines) if lines else None


def accept_of(connection: HTTPConnection) -> str | None:
    """The ``Accept`` header, as far as it says something."""
    return stated(connection.scope.get("method", "GET"), header(connection.headers, "accept"))


def format_of(connection: HTTPConnection) -> Format:
    """JSON or XML, as the client can read it."""
    return negotiate(accept_of(connection))


def preferences_of(connection: HTTPConnection) -> Preferences:
    """The ``Prefer`` header."""
    return parse_prefer(header(connection.headers, "prefer"))


def answer(body: bytes, format: Format, headers: dict[str, str] | None = None, status: int = 200) -> Response:
    """An answer in a format of the wire."""
    sent = {
        "Content-Type": format.content_type,
        "X-Plex-Protocol": "1.0",
        "Cache-Control": "no-cache",
        **(headers or {}),
    }
    return Response(body, status, sent)


def idempotency_key(headers: Headers) -> str | None:
    """The ``Idempotency-Key``; raises ``InvalidInput`` unless it is one of a sensible length."""
    keys = headers.getlist("idempotency-key")
    if not keys:
        return None
    if len(keys) > 1 or not 1 <= len(keys[0]) <= MAX_KEY:
        raise InvalidInput(f"Idempotency-Key: must be one header of 1 to {MAX_KEY} characters")
    return keys[0]


def known_tags(connection: HTTPConnection) -> frozenset[str]:
    """The entity tags of what the client has: ``If-None-Match``, compared weakly (RFC 9110, section 13.1.2)."""
    known = header(connection.headers, "if-none-match") or ""
    return frozenset(each.strip().removeprefix("W/") for each in known.split(",")) - {""}


def location_of(connection: HTTPConnection, activity: Activity) -> str:
    """The path of an activity, below wherever the application is mounted."""
    return f"{connection.scope.get('root_path', '').rstrip('/')}/activities/{activity.uuid}"


def path_uuid(request: Request) -> str:
    """The activity that a path names; case does not matter (RFC 9562, section 4)."""
    uuid: str = request.path_params["uuid"]
    return uuid.lower()


async def json_body(request: Request) -> bytes:
    """The body of a request that must be JSON; raises 415 as ``HTTPException`` when it says it is not."""
    body = await request.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        # A form or plain text is what a foreign page can send without asking first.
        raise HTTPException(415, "the body must be JSON, with Content-Type: application/json")
    if not body:
        raise InvalidInput("the body is empty; a JSON object is expected")
    return body


async def disconnected(receive: Receive) -> None:
    """Until the client of a request has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def refusal(connection: HTTPConnection, error: Exception) -> Response:
    """The answer to a request that failed with a ``HeadwayError`` or an ``HTTPException``."""
    format = negotiate_error(accept_of(connection))
    headers = {"Content-Type": format.content_type}
    if isinstance(error, HTTPException):
        headers.update(error.headers or {})
        message = error.detail if error.detail else HTTPStatus(error.status_code).phrase
        return Response(encode_status(error.status_code, message, format), error.status_code, headers)
    failure = error if isinstance(error, HeadwayError) else HeadwayError("the server failed; it is in its log")
    if isinstance(failure, (TooMany, Unavailable)):
        headers["Retry-After"] = RETRY_AFTER
    return Response(encode_error(failure, format), failure.status, headers)
