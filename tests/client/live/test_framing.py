"""How a stream is asked for and read; the other side of the WebSocket is another library's."""

import json
from collections.abc import Iterable
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.http11 import Request as Handshake
from websockets.server import ServerProtocol

from headway.client.errors import Redirected, Unreachable
from headway.client.exchange import Answer
from headway.client.live.framing import EventStream, Framing, WebSocket
from headway.core.errors import HeadwayError, NotAuthenticated, NotFound
from headway.core.view import Kind
from headway.wire.errors import Unreadable
from headway.wire.notifications import ActivityNotification, Notification
from tests.client.scripted_server import OTHER, UUID
from tests.client.streams import event, frame, plex_event, told


class Peer:
    """The server's side of a WebSocket, and ours that has just been opened."""

    def __init__(self) -> None:
        self.ours = WebSocket(WebSocket.PATHS[0])
        self.theirs = ServerProtocol()
        request = self.ours.request((("snapshot", "1"),))
        lines = [f"{name}: {value}" for name, value in (("Host", "media.example"), *request.headers)]
        self.theirs.receive_data("\r\n".join([f"GET {request.path} HTTP/1.1", *lines, "", ""]).encode())
        (handshake,) = self.theirs.events_received()
        assert isinstance(handshake, Handshake)
        response = self.theirs.accept(handshake)
        self.theirs.send_response(response)
        self.theirs.data_to_send()
        headers = {name.lower(): value for name, value in response.headers.raw_items()}
        self.answer = Answer(response.status_code, headers)
        self.ours.require(self.answer)

    def say(self, *frames: Frame) -> bytes:
        for each in frames:
            self.theirs.send_frame(each)
        return b"".join(self.theirs.data_to_send())

    def heard(self) -> list[Frame]:
        """What we have written."""
        self.theirs.receive_data(self.ours.outgoing())
        return [each for each in self.theirs.events_received() if isinstance(each, Frame)]


def text(data: str, *, fin: bool = True, opcode: Opcode = Opcode.TEXT) -> Frame:
    return Frame(opcode, data.encode(), fin=fin)


def read(framing: Framing, data: bytes) -> list[Notification]:
    return list(framing.feed(data)[1])


def pieces(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    at = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    return [data[begin:end] for begin, end in pairwise(at)]


class TestEventStream:
    def test_it_is_asked_for_as_what_it_is(self) -> None:
        request = EventStream(None).request((("a", "b"),))
        assert (request.path, request.query) == ("/:/eventsource/notifications", (("a", "b"),))
        assert ("Accept", "text/event-stream") in request.headers

    @pytest.mark.parametrize("content_type", ["text/event-stream", "Text/Event-Stream; charset=utf-8"])
    def test_an_event_stream_is_one(self, content_type: str) -> None:
        EventStream(None).require(Answer(200, {"content-type": content_type}))

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (Answer(200, {"content-type": "text/html"}), Unreadable),
            (Answer(200, {}), Unreadable),
            (Answer(204, {}), Unreadable),
            (Answer(200, {"content-type": "text/event-stream", "content-encoding": "gzip"}), Unreadable),
            (Answer(302, {"location": "http://evil.example"}), Redirected),
            (Answer(401, {}), NotAuthenticated),
            (Answer(404, {}), NotFound),
        ],
    )
    def test_anything_else_is_not(self, answer: Answer, error: type[HeadwayError]) -> None:
        with pytest.raises(error):
            EventStream(None).require(answer)

    def test_what_is_shown_of_it_is_harmless(self) -> None:
        with pytest.raises(Unreadable) as refused:
            EventStream(None).require(Answer(200, {"content-type": "a/\x9b2J" + "x" * 999}))
        assert refused.value.message.isprintable()
        assert len(refused.value.message) < 200

    def test_only_whole_events_are_a_sign_of_life(self) -> None:
        stream = EventStream(None)
        assert [stream.feed(data)[0] for data in (b": hello\n\n", b"event: ping\n", b"data: {}\n\n")] == [
            False,
            False,
            True,
        ]

    def test_events_of_both_kinds_of_server_are_read(self) -> None:
        stream = EventStream(None)
        ours, theirs = read(stream, event(Kind.STARTED, "c1") + plex_event("ended", OTHER))
        assert isinstance(ours, ActivityNotification)
        assert (told(ours), ours.cursor) == (("started", [UUID]), "c1")
        assert told(theirs) == ("ended", [OTHER])

    def test_nothing_can_be_asked_of_it(self) -> None:
        stream = EventStream(None)
        assert stream.inquire() is False
        assert stream.outgoing() == b""

    def test_it_says_when_to_come_back(self) -> None:
        stream = EventStream(None)
        assert stream.retry is None
        read(stream, b"retry: 1500\n\n")
        assert stream.retry == 1500


class TestHandshake:
    def test_it_is_what_another_library_accepts(self) -> None:
        assert Peer().answer.status == 101

    @pytest.mark.parametrize(
        ("status", "headers", "error"),
        [
            (101, {"sec-websocket-accept": "nonsense"}, Unreadable),
            (101, {}, Unreadable),
            (200, {"content-type": "text/html"}, Unreadable),
            (204, {}, Unreadable),
            (302, {"location": "http://evil.example"}, Redirected),
            (401, {}, NotAuthenticated),
            (404, {"content-type": "text/html"}, NotFound),
        ],
    )
    def test_anything_else_is_not(self, status: int, headers: dict[str, str], error: type[HeadwayError]) -> None:
        with pytest.raises(error):
            WebSocket(WebSocket.PATHS[0]).require(Answer(status, headers))

    def test_each_has_a_key_of_its_own(self) -> None:
        keys = {dict(WebSocket("/").request(()).headers)["Sec-WebSocket-Key"] for _ in range(3)}
        assert len(keys) == 3


class TestFrames:
    def test_a_frame_is_a_notification(self) -> None:
        peer = Peer()
        (notification,) = read(peer.ours, peer.say(text(frame("started"))))
        assert told(notification) == ("started", [UUID])

    @given(st.lists(st.integers(0, 10_000), max_size=20))
    def test_however_the_bytes_are_cut(self, cuts: list[int]) -> None:
        peer = Peer()
        data = peer.say(text(frame("started")), Frame(Opcode.PING, b"x"), text(frame("ended", OTHER)))
        found = [told(each) for piece in pieces(data, cuts) for each in read(peer.ours, piece)]
        assert found == [("started", [UUID]), ("ended", [OTHER])]
        assert [each.opcode for each in peer.heard()] == [Opcode.PONG]

    def test_one_in_fragments_is_put_together(self) -> None:
        peer = Peer()
        whole = frame("started")
        fragments = [
            text(whole[:5], fin=False),
            Frame(Opcode.PING, b"between"),
            text(whole[5:60], fin=False, opcode=Opcode.CONT),
            text(whole[60:], opcode=Opcode.CONT),
        ]
        assert [told(each) for each in read(peer.ours, peer.say(*fragments))] == [("started", [UUID])]

    def test_a_ping_is_answered_with_what_it_said(self) -> None:
        peer = Peer()
        assert peer.ours.feed(peer.say(Frame(Opcode.PING, b"15s")))[0] is True
        (pong,) = peer.heard()
        assert (pong.opcode, pong.data) == (Opcode.PONG, b"15s")
        assert peer.ours.outgoing() == b""

    def test_a_sign_of_life_can_be_asked_for(self) -> None:
        peer = Peer()
        assert peer.ours.inquire() is True
        assert [each.opcode for each in peer.heard()] == [Opcode.PING]
        alive, notifications = peer.ours.feed(b"".join(peer.theirs.data_to_send()))
        assert (alive, list(notifications)) == (True, [])

    @pytest.mark.parametrize("data", [b"", b"\x00\xff" * 1000])
    def test_binary_frames_tell_nothing(self, data: bytes) -> None:
        peer = Peer()
        assert read(peer.ours, peer.say(Frame(Opcode.BINARY, data))) == []

    def test_what_came_before_a_close_counts(self) -> None:
        peer = Peer()
        data = peer.say(text(frame("ended")))
        peer.theirs.send_close(1001, "restarting")
        alive, notifications = peer.ours.feed(data + b"".join(peer.theirs.data_to_send()))
        assert alive
        assert told(next(notifications)) == ("ended", [UUID])
        with pytest.raises(Unreachable, match="closed"):
            next(notifications)

    def test_after_a_close_bytes_are_trouble_and_no_crash(self) -> None:
        peer = Peer()
        peer.theirs.send_close(1000)
        for data in (b"".join(peer.theirs.data_to_send()), b"\x81\x00", b"garbage"):
            with suppress(HeadwayError):
                assert list(peer.ours.feed(data)[1]) == []

    def test_a_frame_without_end_is_cut_short(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("headway.client.live.framing.MAX_EVENT", 1_000)
        peer = Peer()
        read(peer.ours, peer.say(text("x" * 600, fin=False)))
        with pytest.raises(Unreadable, match="1000"):
            read(peer.ours, peer.say(text("x" * 600, fin=False, opcode=Opcode.CONT)))

    def test_so_is_one_that_only_promises_to_be_large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("headway.client.live.framing.MAX_EVENT", 1_000)
        peer = Peer()
        with pytest.raises(Unreadable, match="1000"):
            for piece in (b"\x81\x7f" + (1 << 40).to_bytes(8), *[b"x" * 600] * 3):
                read(peer.ours, piece)

    @pytest.mark.parametrize(
        "data",
        [
            b"\x81\x81\x00\x00\x00\x00x",  # a server does not mask
            b"\xf1\x00",  # bits of an extension that nobody asked for
            b"\x8b\x00",  # an opcode that does not exist
            b"\x09\x00",  # a ping in fragments
            b"\x89\x7e\x01\x00" + b"x" * 256,  # a ping that is too long
            b"\x81\x02\xff\xfe",  # no UTF-8
            b"\x88\x01\x00",  # a close of one byte
            b"\x80\x00",  # the end of what never began
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
        ],
    )
    def test_garbage_ends_the_connection(self, data: bytes) -> None:
        peer = Peer()
        with pytest.raises((Unreachable, Unreadable)):
            read(peer.ours, data)

    @pytest.mark.parametrize("said", ["", "[]", "{}", '{"NotificationContainer":[]}', "{", "null", "[" * 10_000])
    def test_so_does_what_is_no_notification(self, said: str) -> None:
        peer = Peer()
        with pytest.raises(Unreadable):
            read(peer.ours, peer.say(text(said)))

    def test_of_several_in_one_frame_all_are_told(self) -> None:
        container = json.loads(frame("started"))["NotificationContainer"]
        container["ActivityNotification"] += json.loads(frame("ended"))["NotificationContainer"]["ActivityNotification"]
        peer = Peer()
        notifications = read(peer.ours, peer.say(text(json.dumps({"NotificationContainer": container}))))
        assert [told(each)[0] for each in notifications] == ["started", "ended"]


@given(st.lists(st.binary(max_size=200), max_size=10))
def test_whatever_comes_over_a_websocket_is_told_or_is_trouble(data: list[bytes]) -> None:
    ours = Peer().ours
    try:
        for piece in data:
            read(ours, piece)
    except HeadwayError:
        return


@given(st.lists(st.binary(max_size=200), max_size=10))
def test_whatever_comes_over_an_event_stream_is_told_or_is_trouble(data: list[bytes]) -> None:
    stream = EventStream(None)
    try:
        for piece in data:
            read(stream, piece)
    except HeadwayError:
        return
