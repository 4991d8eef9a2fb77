"""The frame that all servers send."""

import json

import pytest
from websockets.frames import Frame, Opcode

from bench import frame
from bench.frame import PROTOCOLS, Protocol

STAMP = frame.stamp(12, 3_400_000_000).encode()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_it_is_a_notification_with_the_stamp_in_it(protocol: Protocol) -> None:
    document = json.loads(frame.document(protocol).stamped(STAMP))
    notification = document["ActivityNotification"] if protocol == "sse" else document["NotificationContainer"]
    if protocol == "websocket":
        (notification,) = notification["ActivityNotification"]
    assert notification["Activity"]["subtitle"] == STAMP.decode()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_framing_is_around_the_same_document(protocol: Protocol) -> None:
    whole = frame.framed(protocol)
    assert len(whole.stamped(STAMP)) == whole.size
    assert frame.document(protocol).stamped(STAMP) in whole.stamped(STAMP)


def test_an_event_is_one_whole_chunk() -> None:
    data = frame.framed("sse").stamped(STAMP)
    size, _, rest = data.partition(b"\r\n")
    assert len(rest) == int(size, 16) + 2
    assert rest.startswith(b"event: activity\ndata: ") and rest.endswith(b"\n\n\r\n")


def test_a_message_is_one_whole_text_frame() -> None:
    text = frame.document("websocket").stamped(STAMP)
    assert frame.framed("websocket").stamped(STAMP) == Frame(Opcode.TEXT, text).serialize(mask=False)


def test_every_stamp_has_the_same_length() -> None:
    assert len(STAMP) == len(frame.UNSTAMPED) == len(frame.stamp(2**32 - 1, 2**64 - 1))
