"""The live stream, step by step: what is asked, when, and what is told, from servers of both kinds."""

import logging
from typing import Any

import pytest
from wsproto.connection import Connection, ConnectionType
from wsproto.events import TextMessage

from headway.client.errors import Unreachable
from headway.client.exchange import Answer, Sendable
from headway.client.live.subscription import SILENCE
from headway.client.live.watching import Watching, is_end
from headway.client.options import Hooks
from headway.client.steps import Open, Sleep
from headway.core.errors import HeadwayError, InvalidInput, NotAuthenticated, NotFound
from headway.core.view import Kind
from headway.wire import sse, websocket
from headway.wire.errors import Unreadable
from headway.wire.notifications import ActivityNotification, OtherNotification
from tests.client.by_hand import HTML, ByHand, Reply, listing, options, plex_refusal
from tests.client.scripted_server import OTHER, UUID, row
from tests.client.streams import event, frame, plex_event, plex_row, proof, snapshot, told

OURS = Answer(200, {"content-type": "text/event-stream", "x-headway-protocol": "1"})
THEIRS = Answer(200, {"content-type": "text/event-stream"})
PING = b"event: ping\ndata: {}\n\n"
NOT_HERE = plex_refusal(404)
EVENTS, SOCKETS, SOCKET = "/:/eventsource/notifications", "/:/websockets/notifications", "/:/websocket/notifications"


def accepted(request: Sendable) -> Answer:
    """The answer to a WebSocket's handshake."""
    return Answer(101, {"sec-websocket-accept": proof(request.headers["Sec-WebSocket-Key"].encode()).decode()})


def frames(*texts: str) -> bytes:
    peer = Connection(ConnectionType.SERVER)
    return b"".join(peer.send(TextMessage(text)) for text in texts)


class Watched:
    """A watch carried out by hand until the replies are used up."""

    def __init__(self, *replies: Reply, settings: dict[str, Any] | None = None, **arguments: Any) -> None:
        self.hand = ByHand(*replies)
        self.connections: list[HeadwayError | None] = []
        self.watching = Watching(
            options(**(settings or {})),
            on_connection=self.connections.append,
            clock=self.hand.clock,
            wall=lambda: 5.0,
            jitter=lambda: 1.0,
            **arguments,
        )
        self.told = [told(each) for each in self.hand.watch(self.watching.steps())]

    @property
    def paths(self) -> list[str]:
        return [request.url.partition("?")[0].partition(":32400")[2] for request in self.hand.requests]


class TestHeadway:
    def test_it_is_never_asked_for_a_list(self) -> None:
        watched = Watched(OURS, snapshot("c1", row()), event(Kind.ENDED, "c2", state="failed"))
        assert watched.told == [("snapshot", [UUID]), ("ended", [UUID])]
        assert watched.paths == [EVENTS]

    def test_nor_is_one_that_only_its_cursors_give_away(self) -> None:
        watched = Watched(THEIRS, PING.replace(b"\n\n", b"\nid: c0\n\n"), snapshot("c1", row()))
        assert (watched.told, watched.paths) == ([("snapshot", [UUID])], [EVENTS])

    def test_a_lost_connection_is_resumed_after_a_pause(self) -> None:
        watched = Watched(OURS, snapshot("c1"), b"", OURS, event(Kind.STARTED, "c2"))
        assert watched.told == [("snapshot", []), ("started", [UUID])]
        assert watched.hand.slept == [0.5]
        assert "since=c1" in watched.hand.requests[1].url

    def test_after_a_gap_each_end_is_told_as_the_server_remembers_it(self) -> None:
        gap = sse.resync(sse.ResyncReason.EXPIRED) + snapshot("n1")
        replies = (OURS, snapshot("c1", row(), row(OTHER)), gap, listing(row(state="succeeded")), NOT_HERE)
        watched = Watched(*replies)
        assert watched.told == [("snapshot", [UUID, OTHER]), ("ended", [UUID]), ("ended", [OTHER]), ("snapshot", [])]
        assert watched.paths[1:] == [f"/activities/{UUID}", f"/activities/{OTHER}"]
        assert len(watched.watching.replica) == 0

    def test_a_server_without_its_store_is_as_if_the_connection_were_lost(self) -> None:
        bad, good = sse.ping(degraded=True), sse.ping("c2")
        watched = Watched(OURS, snapshot("c1"), bad + bad, good + good, bad, b"", OURS, good)
        assert watched.told == [("snapshot", [])]
        said = [None if error is None else error.message.partition(":")[0] for error in watched.connections]
        without, lost = "the server cannot reach its store", "the server closed the stream"
        assert said[:6] == [None, without, None, without, lost, None]

    def test_the_word_for_it_on_a_websocket_holds_until_there_is_none(self) -> None:
        replies = (NOT_HERE, accepted, listing(), frames(websocket.ping("c1", degraded=True).decode()), None)
        watched = Watched(*replies, transport="auto")
        assert [error is None for error in watched.connections[:3]] == [True, False, True]

    def test_of_two_connections_the_second_may_be_to_an_older_server(self) -> None:
        watched = Watched(OURS, snapshot("c1"), b"", THEIRS, event(Kind.STARTED, "c2"))
        assert watched.paths == [EVENTS, EVENTS]


class TestPlexByEventStream:
    def test_the_list_is_asked_for_once_the_stream_is_open(self) -> None:
        watched = Watched(THEIRS, PING, listing(plex_row()), plex_event("updated"), plex_event("ended", progress=100))
        assert watched.told == [("snapshot", [UUID]), ("updated", [UUID]), ("ended", [UUID])]
        assert watched.paths == [EVENTS, "/activities"]

    def test_a_cursor_from_elsewhere_does_not_make_it_one_of_ours(self) -> None:
        watched = Watched(THEIRS, PING, listing(plex_row()), plex_event("updated"), since="c1")
        assert watched.told == [("snapshot", [UUID]), ("updated", [UUID])]

    def test_what_happened_meanwhile_comes_after_it(self) -> None:
        started = plex_event("started", OTHER)
        watched = Watched(THEIRS, started + plex_event("ended"), listing(plex_row(), plex_row(OTHER)))
        assert watched.told == [("snapshot", [UUID, OTHER]), ("updated", [OTHER]), ("ended", [UUID])]

    def test_each_connection_asks_again_and_tells_what_was_missed(self) -> None:
        watched = Watched(THEIRS, PING, listing(plex_row()), b"", THEIRS, PING, listing(plex_row(OTHER)))
        assert watched.told == [("snapshot", [UUID]), ("ended", [UUID]), ("snapshot", [OTHER])]

    def test_a_list_that_fails_is_asked_for_with_the_next_connection(self) -> None:
        watched = Watched(THEIRS, PING, Unreachable("gone"), THEIRS, PING, listing(plex_row()))
        assert watched.told == [("snapshot", [UUID])]
        assert [type(each) for each in watched.connections] == [type(None), Unreachable, type(None)]

    def test_a_page_in_its_place_is_raised_at_first_and_waited_out_later(self) -> None:
        page = Answer(200, HTML, b"<html>Starting</html>")
        with pytest.raises(Unreadable):
            Watched(THEIRS, PING, page)
        watched = Watched(THEIRS, PING, listing(plex_row()), b"", THEIRS, PING, page, THEIRS, PING, listing())
        assert watched.told == [("snapshot", [UUID]), ("ended", [UUID]), ("snapshot", [])]

    def test_who_is_not_allowed_the_list_is_told_so(self) -> None:
        with pytest.raises(NotAuthenticated):
            Watched(THEIRS, PING, plex_refusal(401))

    def test_what_we_do_not_know_is_passed_on(self) -> None:
        hand = ByHand(THEIRS, b"event: playing\ndata: {}\n\n", listing())
        (_, other) = hand.watch(Watching(options(), clock=hand.clock).steps())
        assert isinstance(other, OtherNotification)


class TestPlexByWebSocket:
    @pytest.mark.parametrize(
        ("answers", "paths"),
        [
            ([NOT_HERE], [EVENTS, SOCKETS]),
            ([Answer(405, {})], [EVENTS, SOCKETS]),
            ([Answer(200, HTML, b"<html>")], [EVENTS, SOCKETS]),
            ([NOT_HERE, NOT_HERE], [EVENTS, SOCKETS, SOCKET]),
        ],
    )
    def test_it_is_taken_where_there_is_no_event_stream(self, answers: list[Answer], paths: list[str]) -> None:
        watched = Watched(*answers, accepted, listing(plex_row()), frames(frame("ended")))
        assert watched.told == [("snapshot", [UUID]), ("ended", [UUID])]
        assert watched.paths == [*paths, "/activities"]

    def test_the_way_that_was_found_is_kept(self) -> None:
        watched = Watched(NOT_HERE, accepted, listing(), b"", accepted, listing())
        assert watched.paths == [EVENTS, SOCKETS, "/activities", SOCKETS, "/activities"]

    def test_where_there_is_neither_it_says_so(self) -> None:
        with pytest.raises(NotFound):
            Watched(NOT_HERE, NOT_HERE, NOT_HERE)

    def test_it_is_asked_for_a_sign_of_life_before_it_is_given_up(self) -> None:
        watched = Watched(accepted, listing(plex_row()), None, None, None, None, accepted, transport="websocket")
        assert watched.hand.written != b""
        assert isinstance(watched.connections[1], Unreachable)
        assert SILENCE < watched.hand.now < 2 * SILENCE

    def test_an_answer_to_that_keeps_it(self) -> None:
        pong = b"\x8a\x00"
        silent = (None, None, pong) * 4
        watched = Watched(accepted, listing(), *silent, frames(frame("started")), transport="websocket")
        assert watched.told[-1] == ("started", [UUID])
        assert watched.paths == [SOCKETS, "/activities"]

    def test_a_ping_is_answered_at_once(self) -> None:
        watched = Watched(accepted, listing(), b"\x89\x01x", transport="websocket")
        assert watched.hand.written[0] == 0x8A


class TestConnections:
    def test_what_may_pass_is_waited_out(self) -> None:
        busy = Answer(503, {"retry-after": "7"}, b"")
        watched = Watched(Unreachable("away"), busy, Answer(429, {}, b""), OURS, snapshot("c1"))
        assert watched.told == [("snapshot", [])]
        assert watched.hand.slept == [0.5, 7.0, 2.0]
        assert [error is None for error in watched.connections] == [False, False, False, True]

    @pytest.mark.parametrize(
        ("status", "error"), [(400, InvalidInput), (401, NotAuthenticated), (403, HeadwayError), (404, NotFound)]
    )
    def test_what_will_not_is_raised(self, status: int, error: type[HeadwayError]) -> None:
        with pytest.raises(error):
            Watched(Answer(status, {}), transport="sse")

    def test_silence_is_death_where_signs_of_life_were_promised(self) -> None:
        watched = Watched(OURS, snapshot("c1"), None, OURS, event(Kind.STARTED, "c2"))
        assert watched.told == [("snapshot", []), ("started", [UUID])]
        assert isinstance(watched.connections[1], Unreachable)

    def test_garbage_ends_one_connection_only(self) -> None:
        garbage = event(Kind.STARTED, "c2") + b"event: activity\ndata: {]\n\n"
        watched = Watched(OURS, snapshot("c1"), garbage, OURS, event(Kind.ENDED, "c3"))
        assert watched.told == [("snapshot", []), ("started", [UUID]), ("ended", [UUID])]
        assert "since=c2" in watched.hand.requests[1].url

    def test_each_asks_for_the_token_anew_and_passes_the_hooks(self) -> None:
        class Counting(Hooks):
            def before_request(self, request: Sendable) -> Sendable:
                seen.append(request.headers["X-Plex-Token"])
                return request

        seen: list[str] = []
        tokens = iter(["old", "new"])
        Watched(OURS, b"", OURS, settings={"token": lambda: next(tokens), "hooks": [Counting()]})
        assert seen == ["old", "new"]

    def test_each_is_logged_without_the_token(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        Watched(OURS, settings={"logger": logging.getLogger("test")})
        assert EVENTS in caplog.text
        assert "t0k3n" not in caplog.text


class TestInterruptions:
    """By a cancel, a time limit around ``anext``, or Ctrl-C: the driver then says that a step did not come about."""

    def interrupted(self, *replies: Reply, at: type[Any], times: int) -> tuple[ByHand, Watching]:
        """The steps at the moment when steps of one kind have been interrupted so many times."""
        hand = ByHand(*replies)
        watching = Watching(options(), clock=hand.clock, jitter=lambda: 1.0)
        carry_out, left = hand._carry_out, times

        def interrupting(step: Any) -> Any:
            nonlocal left
            if isinstance(step, at) and left:
                left -= 1
                hand.now += 0.1
                raise Unreachable("interrupted")
            return carry_out(step)

        hand._carry_out = interrupting  # type: ignore[method-assign]
        hand.watch(watching.steps())
        return hand, watching

    def test_of_a_pause_only_the_rest_is_waited(self) -> None:
        hand, _ = self.interrupted(OURS, snapshot("c1"), b"", OURS, event(Kind.STARTED, "c2"), at=Sleep, times=2)
        assert hand.slept == pytest.approx([0.5, 0.4, 0.3])
        assert [told(each)[0] for each in hand.emitted] == ["snapshot", "started"]

    def test_while_connecting_another_connection_is_made(self) -> None:
        hand, _ = self.interrupted(OURS, snapshot("c1"), at=Open, times=1)
        assert [told(each)[0] for each in hand.emitted] == ["snapshot"]


def test_an_end_is_one_and_whose_can_be_asked() -> None:
    ended = ActivityNotification(Kind.ENDED, Watched(OURS, snapshot("c", row())).watching.replica.get(UUID))  # type: ignore[arg-type]
    assert is_end(ended)
    assert is_end(ended, [UUID])
    assert not is_end(ended, [OTHER])
    assert not is_end(ActivityNotification(Kind.UPDATED, ended.row))
