"""Error bodies, and errors read back from them.

Plex answers errors in HTML; the older generation of generated clients parses JSON, with integers for ``code`` and
``status``. To each JSON error we add ``reason``, the word of its class, for programs to read.

====== ======================== ======
code   reason                   status
====== ======================== ======
1001   not_authenticated        401     (Plex's own number)
4000   invalid_input            400
4001   not_cancellable          400
4030   not_allowed              403
4040   not_found                404
4090   conflict                 409
4091   illegal_transition       409
4092   already_ended            409
4093   lease_lost               409
4094   parent_ending            409
4095   children_running         409
4096   cancelled                409
4220   idempotency_key_reused   422
4290   too_many                 429
5000   internal                 500
5020   unreadable               502
5030   unavailable              503
5070   storage_full             507
====== ======================== ======

Any other status has ten times itself as its code, and its phrase for a reason (``method_not_allowed``).
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from headway.core import errors
from headway.core.errors import HeadwayError
from headway.core.text import clean, shortened
from headway.wire.formats import Format

_MAX_MESSAGE = 2_000


class Unreadable(HeadwayError):
    """The other side sent something that does not follow the protocol."""

    status = 502
    code = "unreadable"


CODES: Mapping[type[HeadwayError], int] = {
    errors.NotAuthenticated: 1001,
    errors.InvalidInput: 4000,
    errors.NotCancellable: 4001,
    errors.NotAllowed: 4030,
    errors.NotFound: 4040,
    errors.Conflict: 4090,
    errors.IllegalTransition: 4091,
    errors.AlreadyEnded: 4092,
    errors.LeaseLost: 4093,
    errors.ParentEnding: 4094,
    errors.ChildrenRunning: 4095,
    errors.Cancelled: 4096,
    errors.KeyReused: 4220,
    errors.TooMany: 4290,
    HeadwayError: 5000,
    Unreadable: 5020,
    errors.Unavailable: 5030,
    errors.StorageFull: 5070,
}
"""The number of each class; it never changes. A class that is not here has that of the nearest one above it."""

_BY_REASON = {kind.code: kind for kind in CODES}
_BY_CODE = {code: kind for kind, code in CODES.items()}
_BY_STATUS: Mapping[int, type[HeadwayError]] = {
    400: errors.InvalidInput,
    401: errors.NotAuthenticated,
    403: errors.NotAllowed,
    404: errors.NotFound,
    409: errors.Conflict,
    422: errors.KeyReused,
    429: errors.TooMany,
    502: errors.Unavailable,
    503: errors.Unavailable,
    504: errors.Unavailable,
    507: errors.StorageFull,
}
"""What a status means when the body does not say; 502 and 504 are a proxy's words for a server that is away."""

_RENAMED = {413: "Content Too Large", 414: "URI Too Long", 422: "Unprocessable Content"}
"""RFC 9110's phrases, which Python has from 3.13 on: what programs read must not depend on its version."""


def encode_error(error: HeadwayError, format: Format) -> bytes:
    """The body for an error, as JSON or HTML. The HTML tells the status only, as Plex's does."""
    if format is not Format.JSON:
        return _page(error.status)
    return msgspec.json.encode({"errors": [error_members(error)]})


def error_members(error: HeadwayError) -> dict[str, Any]:
    """An error as JSON tells it."""
    code = next(CODES[kind] for kind in type(error).__mro__ if kind in CODES)
    return _members(code, error.message, error.status, error.code)


def encode_status(status: int, message: str, format: Format) -> bytes:
    """The body for an error that is HTTP's alone, such as 405 or 413."""
    if format is not Format.JSON:
        return _page(status)
    reason = _phrase(status).lower().replace(" ", "_").replace("-", "_")
    return _document(status * 10, message, status, reason)


def decode_error(status: int, body: bytes) -> HeadwayError:
    """The error that an answer with a status of 400 or more stands for, ours or Plex's, whatever its body."""
    return error_from(_told(body), status)


def error_from(told: Mapping[str, Any], status: int) -> HeadwayError:
    """The error that its members stand for; ``status`` is what counts where they say nothing."""
    message = told.get("message")
    if not isinstance(message, str) or not message:
        message = f"the server answered {status} {_phrase(status)}".rstrip()
    kind = _BY_REASON.get(_hashable(told.get("reason"))) or _BY_CODE.get(_hashable(told.get("code")))
    return (kind or _BY_STATUS.get(status, HeadwayError))(shortened(clean(message), _MAX_MESSAGE))


def _phrase(status: int) -> str:
    named = next((known.phrase for known in HTTPStatus if known == status), "")
    return _RENAMED.get(status, named)


def _page(status: int) -> bytes:
    phrase = _phrase(status)
    return f"<html><head><title>{phrase}</title></head><body><h1>{status} {phrase}</h1></body></html>".encode()


def _document(code: int, message: str, status: int, reason: str) -> bytes:
    return msgspec.json.encode({"errors": [_members(code, message, status, reason)]})


def _members(code: int, message: str, status: int, reason: str) -> dict[str, Any]:
    return {"code": code, "message": message, "status": status, "reason": reason}


def _told(body: bytes) -> dict[str, Any]:
    """The first error of a JSON body; nothing when there is none to be read."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    found = document.get("errors") if isinstance(document, dict) else None
    first = found[0] if isinstance(found, list) and found else None
    return first if isinstance(first, dict) else {}


def _hashable(value: object) -> Any:
    return value if isinstance(value, str | int) else None
