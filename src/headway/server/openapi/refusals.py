"""The answers that are errors: one component for each status, with an example of every reason it can have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from headway.core.errors import HeadwayError
from headway.server.openapi.parts import HTML, JSON, Node, header, media, record, ref, response, schema, text
from headway.wire.errors import CODES, Unreadable, encode_error, encode_status
from headway.wire.formats import Format

_NAMES: Mapping[int, tuple[str, str]] = {
    400: ("BadRequest", "The request breaks a rule, or asks for what cannot be; the message says which and where."),
    401: ("Unauthorized", "No token, or none that is valid."),
    403: ("Forbidden", "The token's role does not permit this, or a page of another origin asks."),
    404: ("NotFound", "There is nothing, or nothing that is yours. The body does not depend on which."),
    405: ("MethodNotAllowed", "The path has other methods."),
    408: ("RequestTimeout", "The request was not complete in time."),
    409: ("Conflict", "The state of the activity does not permit this."),
    413: ("ContentTooLarge", "The body is too large."),
    414: ("UriTooLong", "The path and query are too long."),
    415: ("UnsupportedMediaType", "The body is not what the request takes, or it is compressed."),
    421: ("MisdirectedRequest", "`Host` names another server."),
    422: ("UnprocessableContent", "The `Idempotency-Key` was used for a different request."),
    429: ("TooManyRequests", "A limit of this user is reached."),
    431: ("RequestHeaderFieldsTooLarge", "The headers are too large, or too many."),
    500: ("InternalServerError", "The server failed; its log says how."),
    503: ("ServiceUnavailable", "The server cannot take this now."),
    505: ("HttpVersionNotSupported", "The server speaks HTTP/1.1."),
    507: ("InsufficientStorage", "The store is full. What runs can still be followed, cancelled and ended."),
}

ANYWHERE = (400, 403, 408, 413, 414, 415, 421, 431, 500, 503, 505)
"""What any request may be answered, before it is looked at."""

_HTTP_ALONE = (400, 403, 405, 408, 413, 414, 415, 421, 431, 505)
"""Statuses that stand for no error of ours, or not only."""

_RETRIED = (429, 503, 507)


def refusals(*statuses: int) -> Node:
    """The errors of an operation: those that any has, and its own."""
    return {str(status): ref("responses", _NAMES[status][0]) for status in sorted({*ANYWHERE, *statuses})}


def components() -> Mapping[str, Node]:
    """The responses by name."""
    return {name: _refusal(status, description) for status, (name, description) in _NAMES.items()}


def schemas() -> Mapping[str, Node]:
    """The body of an error."""
    reasons = sorted({member["reason"] for status in _NAMES for member in map(_member, _bodies(status).values())})
    error: dict[str, Node] = {
        "code": {"type": "integer", "description": "A number that never changes its meaning."},
        "message": {"type": "string", "description": "For people: what is wrong, and where."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "reason": {
            "enum": reasons,
            "description": "For programs. More may come: go by `status` where you do not know one.",
        },
    }
    errors = {"type": "array", "items": record(error, tuple(error)), "minItems": 1, "maxItems": 1}
    of_one = {"uuid": {"type": "string", "description": "Which activity it is about."}, **error}
    refused = {"type": "array", "items": record(of_one, tuple(of_one)), "minItems": 1}
    outcomes = record({"MediaContainer": {"type": "object"}, "errors": refused}, ("MediaContainer",))
    return {
        "Errors": {**record({"errors": errors}, ("errors",)), "description": _table()},
        "Outcomes": {
            "allOf": [schema("ActivityList"), outcomes],
            "description": "Rows of what was taken in, and `errors` of what was not, unless there are none. In XML, "
            "elements `Error` stand behind the rows, and `size` counts the rows.",
        },
    }


def bodies(status: int) -> Node:
    """The content of an error."""
    page = encode_status(status, "", Format.HTML)
    return {JSON: media("Errors", **_bodies(status)), **text(HTML, page=page)}


def _refusal(status: int, description: str) -> Node:
    headers = {}
    if status in _RETRIED:
        headers["Retry-After"] = header("Seconds after which to try again.", {"type": "integer", "minimum": 0})
    if status == 405:
        headers["Allow"] = header("The methods of the path.", {"type": "string"})
    return response(description, bodies(status), headers)


def _kinds(status: int) -> Iterator[type[HeadwayError]]:
    # What a client makes of an answer it cannot read is not an answer.
    return (kind for kind in CODES if kind.status == status and kind is not Unreadable)


def _bodies(status: int) -> Mapping[str, bytes]:
    """What each reason looks like."""
    found = [encode_error(kind(), Format.JSON) for kind in _kinds(status)]
    if status in _HTTP_ALONE:
        found.append(encode_status(status, _NAMES[status][1], Format.JSON))
    return {_member(body)["reason"]: body for body in found}


def _member(body: bytes) -> Node:
    error: Node = msgspec.json.decode(body)["errors"][0]
    return error


def _table() -> str:
    members = [_member(body) for status in _NAMES for body in _bodies(status).values()]
    rows = [f"| {each['code']} | `{each['reason']}` | {each['status']} | {each['message']} |" for each in members]
    return "\n".join(
        (
            "For clients that name `application/json` in `Accept`, or send no `Accept`. All others are told in HTML, "
            "as by other media servers, and only the status.",
            "",
            "| code | reason | status | meaning |",
            "|---|---|---|---|",
            *rows,
        )
    )
