"""What the streams tell, read back from both transports."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.activity import Activity
from headway.core.view import Kind
from headway.wire import sse, websocket
from headway.wire.errors import Unreadable
from headway.wire.event_stream import EventStreamReader, ServerSentEvent
from headway.wire.notifications import (
    ActivityNotification,
    Notification,
    OtherNotification,
    Ping,
    ResyncNotification,
    SnapshotNotification,
    decode_event,
    decode_frame,
)
from headway.wire.plex import encode_row
from headway.wire.row import row_of
from headway.wire.sse import ResyncReason
from tests.wire.strategies import UUID, activities, an_activity, listed

cursors = st.none() | st.from_regex(r"\A[A-Za-z0-9_-]{1,20}\Z")


def told(frame: bytes) -> list[Notification]:
    return [decode_event(event) for event in EventStreamReader().feed(frame)]


@given(activities, st.sampled_from(Kind), cursors)
def test_what_happened_is_read_back_from_both(activity: Activity, kind: Kind, cursor: str | None) -> None:
    row = encode_row(activity)
    expected = [ActivityNotification(kind, row_of(activity), cursor)]
    assert told(sse.activity(kind, activity.uuid, row, cursor)) == expected
    assert decode_frame(websocket.activity(kind, activity.uuid, row, cursor)) == expected


@pytest.mark.parametrize("cursor", [None, "c1"])
def test_a_snapshot_and_a_resync_are_read_back_from_both(cursor: str | None) -> None:
    activity = an_activity(title="t")
    snapshot = [SnapshotNotification([row_of(activity)], cursor)]
    assert told(sse.snapshot(listed(activity), cursor)) == snapshot
    assert decode_frame(websocket.snapshot(listed(activity), cursor)) == snapshot
    assert told(sse.snapshot(listed(), cursor)) == [SnapshotNotification([], cursor)]
    assert decode_frame(websocket.snapshot(listed(), cursor)) == [SnapshotNotification([], cursor)]
    resync = [ResyncNotification("expired", cursor)]
    assert told(sse.resync(ResyncReason.EXPIRED, cursor)) == resync
    assert decode_frame(websocket.resync(ResyncReason.EXPIRED, cursor)) == resync


def test_a_ping_is_a_ping_and_a_retry_is_nothing() -> None:
    assert told(sse.retry(3000) + sse.ping()) == [Ping()]
    assert told(sse.ping("c1")) == [Ping("c1")]


PLEX_FRAME = (
    '{"NotificationContainer":{"type":"activity","size":1,"ActivityNotification":[{"event":"started",'
    '"uuid":"6f7c9a1b-5f56-4009-b7c2-374cd148b67f","Activity":{"uuid":"6f7c9a1b-5f56-4009-b7c2-374cd148b67f",'
    '"type":"provider.subscriptions.process","cancellable":true,"userID":1,"title":"Processing subscriptions",'
    '"subtitle":"","progress":0}}]}}'
)


def test_what_a_real_plex_sends_is_read() -> None:
    (notification,) = decode_frame(PLEX_FRAME)
    assert isinstance(notification, ActivityNotification)
    assert (notification.kind, notification.cursor) == (Kind.STARTED, None)
    assert (notification.row.title, notification.row.state) == ("Processing subscriptions", None)


def test_a_frame_of_several_notifications_tells_several_things() -> None:
    one = '{"event":"ended","uuid":"a","Activity":{}}'
    frame = '{"NotificationContainer":{"type":"activity","size":2,"ActivityNotification":[' + one + "," + one + "]}}"
    assert [type(each) for each in decode_frame(frame)] == [ActivityNotification, ActivityNotification]


def test_unknown_types_pass_through() -> None:
    playing = '{"NotificationContainer":{"type":"playing","size":1,"PlaySessionStateNotification":[{"key":"1"}]}}'
    assert decode_frame(playing) == [
        OtherNotification("playing", {"type": "playing", "size": 1, "PlaySessionStateNotification": [{"key": "1"}]})
    ]
    assert decode_event(ServerSentEvent("playing", "what it says", "")) == OtherNotification("playing", "what it says")


def test_an_unknown_event_of_an_activity_passes_through() -> None:
    content = {"event": "paused", "uuid": UUID, "Activity": {}}
    notification = json.dumps({"type": "activity", "ActivityNotification": [content]})
    assert decode_frame('{"NotificationContainer":' + notification + "}") == [OtherNotification("activity", content)]


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "hello",
        "[]",
        "{}",
        '{"NotificationContainer":[]}',
        '{"NotificationContainer":{}}',
        '{"NotificationContainer":{"type":1}}',
        '{"NotificationContainer":{"type":"activity","ActivityNotification":[7]}}',
        '{"NotificationContainer":{"type":"activity","ActivityNotification":[{"event":"ended"}]}}',
        '{"NotificationContainer":{"type":"activity","ActivityNotification":[{"event":"ended","Activity":{}}]}}',
        '{"NotificationContainer":{"type":"snapshot","SnapshotNotification":[{}]}}',
    ],
)
def test_a_frame_that_is_no_notification_is_refused(frame: str) -> None:
    with pytest.raises(Unreadable):
        decode_frame(frame)


@pytest.mark.parametrize("event", [("activity", "{}"), ("activity", "x"), ("snapshot", "{}"), ("resync", "[]")])
def test_a_known_event_that_is_malformed_is_refused(event: tuple[str, str]) -> None:
    with pytest.raises(Unreadable):
        decode_event(ServerSentEvent(*event, ""))
