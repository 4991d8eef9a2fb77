"""Activities to show, and what the code makes of them: the examples of the document cannot differ from the wire."""

from __future__ import annotations

import msgspec

from headway.core import lifecycle
from headway.core.activity import Activity, State
from headway.core.errors import AlreadyEnded
from headway.core.lifecycle import Report
from headway.core.view import Kind
from headway.wire import sse, websocket
from headway.wire.batch import encode_outcomes
from headway.wire.formats import Format
from headway.wire.plex import encode_list, encode_row
from headway.wire.server import Server, encode_identity
from headway.wire.sse import ResyncReason

_NOON = 1_767_268_800.0
CURSOR = "mT0qkQeZ1nB5c9vWJ2xYfA"

STARTED = lifecycle.start(
    "6f7c9a1b-5f56-4009-b7c2-374cd148b67f",
    "provider.subscriptions.process",
    1,
    _NOON,
    report=Report(title="Processing subscriptions"),
    cancellable=True,
    lease=300.0,
)
LOADING = lifecycle.report(
    lifecycle.start(
        "d6199ba1-fb5e-4cae-bf17-1a5369c1cf1e",
        "provider.epg.load",
        1,
        _NOON,
        report=Report(title="Refreshing EPG"),
        lease=300.0,
    ),
    Report(progress=7, subtitle="Downloaded 173 airings", context={"librarySectionID": "3"}),
    _NOON + 12.5,
)
CANCELLING = lifecycle.request_cancel(STARTED, _NOON + 20, by=1)
CANCELLED = lifecycle.finish(CANCELLING, State.CANCELLED, _NOON + 21.25)
FAILED = lifecycle.finish(LOADING, State.FAILED, _NOON + 30, error="the guide did not answer")


def listed(*activities: Activity, format: Format = Format.JSON) -> bytes:
    """A list, as a body."""
    return encode_list([encode_row(activity, format) for activity in activities], format)


def outcomes(format: Format = Format.JSON) -> bytes:
    """What came of several changes: one to go on, one to stop, one that had ended."""
    rows = [encode_row(activity, format) for activity in (LOADING, CANCELLING)]
    return encode_outcomes(rows, {"e3c8fe07-675b-47d0-b957-8ab8c20d0d18": AlreadyEnded()}, format)


def event_stream() -> bytes:
    """An EventSource: its beginning, a change, the end of a cancelled activity."""
    return b"".join(
        (
            sse.ping(CURSOR),
            sse.activity(Kind.UPDATED, LOADING.uuid, encode_row(LOADING), CURSOR),
            sse.activity(Kind.ENDED, CANCELLED.uuid, encode_row(CANCELLED), CURSOR),
        )
    )


def resumed_stream() -> bytes:
    """An EventSource whose cursor could not be answered."""
    snapshot = sse.snapshot(listed(LOADING), CURSOR)
    return sse.ping() + sse.resync(ResyncReason.EXPIRED) + snapshot


def frame() -> bytes:
    """A WebSocket frame."""
    return websocket.activity(Kind.STARTED, STARTED.uuid, encode_row(STARTED))


def resync_frame() -> bytes:
    """A WebSocket frame that tells of a gap."""
    return websocket.resync(ResyncReason.EXPIRED)


def snapshot_frame() -> bytes:
    """A WebSocket frame with all that is live."""
    return websocket.snapshot(listed(LOADING), CURSOR)


def notification() -> bytes:
    """The data of an EventSource's ``activity`` event."""
    document: dict[str, object] = msgspec.json.decode(frame())["NotificationContainer"]["ActivityNotification"][0]
    return msgspec.json.encode({"ActivityNotification": document})


SERVER = Server(
    machine_identifier="5f0c7b1a2d3e4f5061728394a5b6c7d8e9fa0b1c",
    version="0.1.0",
    friendly_name="box",
    platform="Linux",
    updated_at=int(_NOON),
)


def identity(format: Format = Format.JSON) -> bytes:
    """The answer to ``GET /identity``."""
    return encode_identity(SERVER, format)
