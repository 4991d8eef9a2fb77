"""The paths of the live streams."""

from __future__ import annotations

from collections.abc import Mapping

from headway.server.ending import Ending
from headway.server.openapi import parameters, samples
from headway.server.openapi.parts import JSON, Node, media, operation, response, schema, text, without_body
from headway.server.openapi.refusals import refusals
from headway.server.service import StreamLimits

_TAG = "Streams"
_LIMITS = StreamLimits()

_PARAMETERS = [
    parameters.FILTERS,
    parameters.FILTER,
    parameters.TYPE,
    parameters.ONE,
    parameters.CONTEXT,
    parameters.SNAPSHOT,
    parameters.SINCE,
]

_EVENTS = f"""\
| `event:` | comes |
|---|---|
| `activity` | for each start, change and end |
| `ping` | at the beginning and every {_LIMITS.ping:g} seconds |
| `resync` | when a cursor cannot be answered; a `snapshot` follows |
| `snapshot` | after a `resync`, or when asked for |

The `id:` is where to resume; an EventSource does so by itself. Changes of one activity are merged while a client
reads slowly; its start and its end never are. The head says `X-Headway-Protocol: 1`, as does a WebSocket's handshake.
A client that reads nothing for {_LIMITS.stall:g} seconds is cut off, and resumes. `HEAD` answers the headers
and ends. At most {_LIMITS.per_user} streams of a user are open at once.
"""

_FRAMES = f"""\
A WebSocket (RFC 6455) without sub-protocols or compression. Each text frame from the server is one
`NotificationContainer`; frames from the client are read and ignored, pings answered. Only a client that gives `since`
or `snapshot` is sent cursors, `resync` and `snapshot`. A bad token is 401 at the handshake. Codes on closing:
{Ending.STOPPING.value} the server stops, {Ending.REVOKED.value} the token has ended,
{Ending.BEHIND.value} the client fell too far behind.
"""


def paths() -> Mapping[str, Node]:
    """One EventSource, and one WebSocket under two names: the clients' and the official text's."""
    events = _event_source()
    return {
        "/:/eventsource/notifications": {"get": events, "head": without_body(events)},
        "/:/websockets/notifications": {"get": _web_socket("connectWebSockets")},
        "/:/websocket/notifications": {"get": _web_socket("connectWebSocket")},
    }


def _event_source() -> Node:
    # The schema is that of one event, which is how tools read it (and what OpenAPI 3.2 calls itemSchema).
    events = {
        **text("text/event-stream", events=samples.event_stream(), resynced=samples.resumed_stream())[
            "text/event-stream"
        ],
        "schema": schema("Event"),
    }
    description = "The events, without end; as octets for clients whose `Accept` names nothing else."
    return operation(
        "getNotifications",
        _TAG,
        "Follow by EventSource",
        _EVENTS,
        {200: response(description, {"text/event-stream": events, **text("application/octet-stream")})},
        refusals(401, 429),
        parameters=[*_PARAMETERS, parameters.LAST_EVENT_ID],
    )


def _web_socket(name: str) -> Node:
    frames = media(
        "NotificationContainer",
        activity=samples.frame(),
        resync=samples.resync_frame(),
        snapshot=samples.snapshot_frame(),
    )
    return operation(
        name,
        _TAG,
        "Follow by WebSocket",
        _FRAMES,
        {101: response("The WebSocket is open. This is a frame.", {JSON: frames})},
        # 404: a request that does not ask for a WebSocket.
        refusals(401, 404, 429),
        parameters=_PARAMETERS,
    )
