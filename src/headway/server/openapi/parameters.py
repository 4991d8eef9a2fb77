"""Query arguments and request headers. Unknown arguments are ignored, so that any ``X-Plex-*`` header may be one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headway.core.activity import State
from headway.server.answers import MAX_KEY
from headway.server.identity.credentials import COOKIE
from headway.server.openapi.parts import Node, matching, parameter
from headway.wire import query, rules
from headway.wire.prefer import MAX_WAIT

_SWITCH: Node = {"enum": ["0", "1", "false", "true"], "default": "0"}
_STATES: Node = {"enum": [state.value for state in State]}


def _query(name: str, description: str, values: Node, **more: Any) -> Node:
    if values.get("type") not in ("string", "array") or "pattern" in values:
        more["allowEmptyValue"] = True  # an empty one counts as absent
    return parameter("query", name, description, values, **more)


def _header(name: str, description: str, values: Node) -> Node:
    return parameter("header", name, description, values)


UUID: Node = parameter(
    "path",
    "uuid",
    "The activity. Malformed, unknown and somebody else's are the same: 404.",
    {"type": "string", "format": "uuid"},
    required=True,
)

TYPE = _query("type", "Only of this type.", matching(rules.TYPE))
ONE = _query("uuid", "Only this activity.", matching(rules.UUID))
STATE = _query("state", "Only in this state.", _STATES)
PARENT = _query("parentUUID", "Only parts of this activity.", matching(rules.UUID))
OWNER = _query(
    "userID",
    "Only what belongs to this user. Without the role admin there is nothing but your own.",
    {"type": "integer", "minimum": 1, "maximum": rules.MAX_USER},
)
TEXT = _query(
    "q",
    "Only with this in title, subtitle, type or a value of `Context`, whatever the case.",
    {"type": "string", "maxLength": query.MAX_TEXT},
)
CONTEXT = _query(
    f"{query.CONTEXT}librarySectionID",
    "Only with this value in `Context`, written as XML shows it. Any key may stand behind the dot; several must all "
    "match.",
    {"type": "string"},
)

KNOWN = _query(
    "state",
    "With `wait`: the state that you know. Any other is answered at once.",
    _STATES,
)
BEFORE = _query("before", "The `X-Headway-Cursor` of the page before.", matching(query.CURSOR))
LIMIT = _query(
    "limit",
    "Rows of a page.",
    {"type": "integer", "minimum": 1, "maximum": query.MAX_LIMIT, "default": query.DEFAULT_LIMIT},
)
WAIT = _query("wait", "Seconds to wait.", {"type": "number", "minimum": 0, "maximum": MAX_WAIT})
FORCE = _query(
    "force",
    "End it as `lost` now, cancellable or not, and tell its worker to stop at its next report. Needs the role admin.",
    _SWITCH,
)

SINCE = _query(
    "since",
    "A cursor to resume from. One that cannot be answered is told in the stream, by `resync` and `snapshot`.",
    {"type": "string"},
)
SNAPSHOT = _query("snapshot", "`1`: begin with all that is live, as one event.", _SWITCH)
FILTERS = _query(
    "filters",
    "Which types of events: `activity,log`; all but some: `-log`; empty: all. Default: `-log`. Repeated, the lists are "
    "joined. Nothing hides a `ping`.",
    {"type": "string"},
)
FILTER = _query(
    "filter", "The same as `filters`, which it is added to.", {"type": "array", "items": {"type": "string"}}
)

KEY = _header(
    "Idempotency-Key",
    "Makes the start safe to repeat: the same user and key give the same activity.",
    {"type": "string", "minLength": 1, "maxLength": MAX_KEY},
)
PREFER = _header(
    "Prefer",
    f"`wait=5`: answer when it has stopped, or after 5 seconds (RFC 7240; at most {MAX_WAIT:g}). `?wait=` wins.",
    {"type": "string"},
)
PREFER_MINIMAL = _header(
    "Prefer",
    "`return=minimal`: show only rows that tell of an end or a cancel (RFC 7240). `wait=5`: as `?wait=`, which wins.",
    {"type": "string"},
)
KNOWN_TAG = _header(
    "If-None-Match",
    "An `ETag` that you were given, or several, with commas between: 304 while it still stands for what there is.",
    {"type": "string"},
)
LAST_EVENT_ID = _header(
    "Last-Event-ID",
    "What an EventSource sends when it comes back by itself. Wins over `since`.",
    {"type": "string"},
)

SECURITY_SCHEMES: Mapping[str, Node] = {
    "header": {"type": "apiKey", "in": "header", "name": "X-Plex-Token"},
    "bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer TOKEN`."},
    "query": {
        "type": "apiKey",
        "in": "query",
        "name": "X-Plex-Token",
        "description": "For clients that cannot set headers. The server's log does not show it; a proxy's may.",
    },
    "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "For pages of this server."},
}
"""Where a token may stand. The first that is present counts, good or bad, in this order."""
