"""What the two streams write, byte for byte."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from headway.core.activity import Activity
from headway.core.progress import Progress
from headway.core.view import Kind
from headway.wire import sse, websocket
from headway.wire.event_stream import EventStreamReader
from headway.wire.plex import encode_row
from headway.wire.sse import ResyncReason
from tests.wire.strategies import UUID, activities, an_activity, listed

ROW = b'{"uuid":"x"}'
LIST = b'{"MediaContainer":{"size":0}}'
HEAD = b'"event":"updated","uuid":"' + UUID.encode() + b'","Activity":' + ROW


def test_an_sse_frame_holds_one_object_without_a_container() -> None:
    assert sse.activity(Kind.UPDATED, UUID, ROW) == (
        b'event: activity\ndata: {"ActivityNotification":{' + HEAD + b"}}\n\n"
    )


def test_an_sse_frame_carries_its_cursor_as_id() -> None:
    frame = sse.activity(Kind.UPDATED, UUID, ROW, "c1")
    assert frame == b'event: activity\ndata: {"ActivityNotification":{' + HEAD + b"}}\nid: c1\n\n"


def test_the_other_sse_frames() -> None:
    assert sse.ping() == b"event: ping\ndata: {}\n\n"
    assert sse.ping("c1") == b"event: ping\ndata: {}\nid: c1\n\n"
    assert sse.ping("c1", degraded=True) == b'event: ping\ndata: {"degraded":true}\nid: c1\n\n'
    assert sse.resync(ResyncReason.EXPIRED) == b'event: resync\ndata: {"reason":"expired"}\n\n'
    assert sse.resync(ResyncReason.UNKNOWN, "c") == b'event: resync\ndata: {"reason":"unknown"}\nid: c\n\n'
    assert sse.snapshot(LIST, "c1") == b"event: snapshot\ndata: " + LIST + b"\nid: c1\n\n"
    assert sse.retry(3000) == b"retry: 3000\n\n"


def test_the_frame_that_plex_sends_is_ours_with_our_members_behind() -> None:
    scan = an_activity(
        type="library.update.section",
        title="Scanning Movies",
        subtitle="The Revenant (2015)",
        progress=Progress(0.01),
        context={"librarySectionID": "3"},
    )
    assert sse.activity(Kind.UPDATED, UUID, encode_row(scan)) == (
        b'event: activity\ndata: {"ActivityNotification":{"event":"updated","uuid":"' + UUID.encode() + b'","Activity":'
        b'{"uuid":"' + UUID.encode() + b'","type":"library.update.section","cancellable":false,"userID":1,'
        b'"title":"Scanning Movies","subtitle":"The Revenant (2015)","progress":1,"Context":{"librarySectionID":"3"},'
        b'"state":"running","fraction":0.01,"startedAt":1,"updatedAt":2}}}\n\n'
    )


def test_a_websocket_frame_is_a_container_of_three_keys_and_size_one() -> None:
    frame = websocket.activity(Kind.UPDATED, UUID, ROW)
    assert frame == (b'{"NotificationContainer":{"type":"activity","size":1,"ActivityNotification":[{' + HEAD + b"}]}}")
    assert websocket.activity(Kind.UPDATED, UUID, ROW, "c1") == frame.replace(b"}}]}}", b'},"cursor":"c1"}]}}')


def test_the_other_websocket_frames() -> None:
    assert websocket.resync(ResyncReason.EXPIRED) == (
        b'{"NotificationContainer":{"type":"resync","size":1,"ResyncNotification":[{"reason":"expired"}]}}'
    )
    assert websocket.snapshot(LIST) == (
        b'{"NotificationContainer":{"type":"snapshot","size":1,"SnapshotNotification":[' + LIST + b"]}}"
    )
    assert websocket.snapshot(LIST, "c1") == (
        b'{"NotificationContainer":{"type":"snapshot","size":1,"SnapshotNotification":['
        b'{"MediaContainer":{"size":0},"cursor":"c1"}]}}'
    )


@pytest.mark.parametrize("cursor", [None, "c1"])
def test_every_websocket_frame_has_exactly_three_keys(cursor: str | None) -> None:
    for frame in (
        websocket.activity(Kind.ENDED, UUID, ROW, cursor),
        websocket.resync(ResyncReason.UNKNOWN, cursor),
        websocket.snapshot(LIST, cursor),
    ):
        type, size, notifications = json.loads(frame)["NotificationContainer"].values()
        assert type in ("activity", "resync", "snapshot")
        assert size == len(notifications) == 1


@given(activities)
def test_any_activity_is_exactly_one_event_in_one_line_of_data(activity: Activity) -> None:
    row = encode_row(activity)
    events = EventStreamReader().feed(sse.activity(Kind.UPDATED, activity.uuid, row, "c1"))
    assert [(event.type, event.id) for event in events] == [("activity", "c1")]
    assert json.loads(events[0].data)["ActivityNotification"]["Activity"] == json.loads(row)


@given(activities)
def test_any_snapshot_is_exactly_one_event(activity: Activity) -> None:
    container = listed(activity, activity)
    events = EventStreamReader().feed(sse.snapshot(container))
    assert [json.loads(event.data) for event in events] == [json.loads(container)]
