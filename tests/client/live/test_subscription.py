"""A stream that survives its connections."""

import json

import pytest

from headway.client.errors import Redirected, Unreachable
from headway.client.exchange import Answer
from headway.client.live.subscription import MAX_RETRY, SILENCE, Subscription
from headway.core.errors import InvalidInput, NotAuthenticated, NotFound, TooMany, Unavailable
from headway.core.view import Kind
from headway.wire import sse
from headway.wire.errors import Unreadable
from headway.wire.notifications import ActivityNotification, Notification
from tests.client.scripted_server import UUID, row

STREAM = Answer(200, {"content-type": "text/event-stream"})


def subscribed(since: str | None = None) -> Subscription:
    subscription = Subscription(since=since, jitter=lambda: 1.0)
    subscription.opened(STREAM, 0.0)
    return subscription


def event(cursor: str | None = None, kind: Kind = Kind.UPDATED) -> bytes:
    return sse.activity(kind, UUID, json.dumps(row()).encode(), cursor)


def read(subscription: Subscription, data: bytes, now: float = 0.0) -> list[Notification]:
    notifications = []
    for notification in subscription.feed(data, now):
        subscription.seen(notification)
        notifications.append(notification)
    return notifications


def asked(subscription: Subscription) -> dict[str, str]:
    return dict(subscription.request().query)


def test_it_begins_with_a_snapshot_and_resumes_after_what_was_seen() -> None:
    subscription = subscribed()
    assert asked(subscription)["snapshot"] == "1"
    read(subscription, sse.snapshot(b'{"MediaContainer":{"size":0}}', "c1") + event("c2"))
    assert asked(subscription)["since"] == "c2"


def test_what_was_not_taken_in_comes_again() -> None:
    subscription = subscribed()
    first, _ = subscription.feed(event("c1") + event("c2"), 0.0)
    subscription.seen(first)
    assert asked(subscription)["since"] == "c1"


def test_after_a_gap_the_snapshot_says_where_to_go_on() -> None:
    subscription = subscribed("old")
    read(subscription, sse.resync(sse.ResyncReason.EXPIRED))
    assert asked(subscription)["since"] == "old"
    read(subscription, sse.snapshot(b'{"MediaContainer":{"size":0}}', "new"))
    assert asked(subscription)["since"] == "new"


def test_without_cursors_each_connection_begins_with_a_snapshot() -> None:
    subscription = subscribed()
    read(subscription, event() + sse.ping())
    assert asked(subscription)["snapshot"] == "1"


def test_the_rest_of_a_broken_connection_is_forgotten() -> None:
    subscription = subscribed()
    read(subscription, event("c1")[:-10])
    subscription.opened(STREAM, 1.0)
    (told,) = read(subscription, event("c2"))
    assert isinstance(told, ActivityNotification)
    assert told.cursor == "c2"


def test_pauses_grow_while_nothing_comes_and_begin_anew_when_something_has() -> None:
    subscription = subscribed()
    assert [subscription.pause() for _ in range(3)] == [0.5, 1.0, 2.0]
    read(subscription, sse.ping())
    assert subscription.pause() == 0.5


def test_the_server_says_how_long_to_wait_at_first() -> None:
    subscription = subscribed()
    read(subscription, sse.retry(3_000) + sse.ping())
    assert subscription.pause() == 3.0


def test_retry_after_is_heeded_once() -> None:
    subscription = Subscription(jitter=lambda: 0.0)
    with pytest.raises(Unavailable):
        subscription.opened(Answer(503, {"retry-after": "7"}), 0.0)
    assert [subscription.pause(), subscription.pause()] == [7.0, 0.0]


def test_bytes_that_make_no_event_are_no_sign_of_life() -> None:
    subscription = subscribed()
    read(subscription, b": a comment\n", SILENCE)
    with pytest.raises(Unreachable, match="no event"):
        read(subscription, b": a comment\n", SILENCE + 1)


def test_pings_are() -> None:
    subscription = subscribed()
    read(subscription, sse.ping(), SILENCE - 1)
    read(subscription, b": a comment\n", 2 * SILENCE - 2)


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, NotAuthenticated), (404, NotFound), (429, TooMany), (500, Unavailable), (502, Unavailable)],
)
def test_a_refusal_says_whether_trying_again_makes_sense(status: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        Subscription().opened(Answer(status, {"content-type": "text/html"}, b"<html>"), 0.0)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(200, {"content-type": "text/html"}), Unreadable),
        (Answer(200, {}), Unreadable),
        (Answer(307, {"location": "http://elsewhere.example"}), Redirected),
    ],
)
def test_what_is_no_stream_is_refused_at_first_and_waited_out_later(answer: Answer, error: type[Exception]) -> None:
    with pytest.raises(error):
        Subscription().opened(answer, 0.0)
    with pytest.raises(Unavailable):
        subscribed().opened(answer, 1.0)


def test_what_came_before_garbage_counts() -> None:
    subscription = subscribed()
    with pytest.raises(Unreadable):
        read(subscription, event("c1") + b"event: activity\ndata: {]\n\n")
    assert asked(subscription)["since"] == "c1"


def test_garbage_that_comes_again_and_again_is_asked_for_ever_more_rarely() -> None:
    subscription, pauses = subscribed(), []
    for _ in range(3):
        subscription.opened(STREAM, 0.0)
        with pytest.raises(Unreadable):
            read(subscription, b"event: activity\ndata: {]\n\n")
        pauses.append(subscription.pause())
    assert pauses == [0.5, 1.0, 2.0]


class TestWays:
    NOT_HERE = Answer(404, {"content-type": "text/html"}, b"<html>")

    def paths(self, subscription: Subscription, *answers: Answer) -> list[str]:
        """Where it asks while these are the answers, and then once more."""
        found = []
        for answer in answers:
            found.append(subscription.request().path)
            assert subscription.opened(answer, 0.0) is False
        return [*found, subscription.request().path]

    @pytest.mark.parametrize(
        "answer", [NOT_HERE, Answer(405, {}), Answer(200, {"content-type": "text/html"}, b"<html>")]
    )
    def test_where_there_is_no_event_stream_there_may_be_a_websocket(self, answer: Answer) -> None:
        assert self.paths(Subscription(transport="auto"), answer, self.NOT_HERE) == [
            "/:/eventsource/notifications",
            "/:/websockets/notifications",
            "/:/websocket/notifications",
        ]

    def test_when_none_is_there_the_first_one_s_word_counts(self) -> None:
        subscription = Subscription(transport="auto")
        for _ in range(2):
            subscription.request()
            subscription.opened(self.NOT_HERE, 0.0)
        with pytest.raises(NotFound):
            subscription.opened(Answer(400, {}), 0.0)

    def test_who_is_not_let_in_is_not_let_in_elsewhere(self) -> None:
        with pytest.raises(NotAuthenticated):
            Subscription(transport="auto").opened(Answer(401, {}), 0.0)

    def test_nor_is_who_is_sent_away(self) -> None:
        with pytest.raises(Redirected):
            Subscription(transport="auto").opened(Answer(302, {"location": "http://evil.example"}), 0.0)

    def test_a_way_that_was_open_once_stays_the_way(self) -> None:
        subscription = Subscription(transport="auto")
        subscription.opened(STREAM, 0.0)
        with pytest.raises(Unavailable):
            subscription.opened(Answer(503, {}), 0.0)
        assert subscription.request().path == "/:/eventsource/notifications"

    def test_one_way_may_be_asked_for(self) -> None:
        assert Subscription(transport="sse").request().path == "/:/eventsource/notifications"
        assert self.paths(Subscription(transport="websocket"), self.NOT_HERE)[1] == "/:/websocket/notifications"
        with pytest.raises(InvalidInput, match="transport"):
            Subscription(transport="carrier pigeon")


class TestSilence:
    def test_a_server_that_gives_signs_of_life_by_itself_is_waited_for(self) -> None:
        subscription = subscribed()
        assert subscription.patience == SILENCE
        with pytest.raises(Unreachable):
            subscription.idle(SILENCE)

    def test_one_that_does_not_is_asked_for_some_before(self) -> None:
        subscription = Subscription(transport="websocket")
        subscription.request()
        assert subscription.patience < SILENCE
        subscription.idle(SILENCE / 3)
        assert subscription.outgoing() != b""
        subscription.idle(SILENCE)
        with pytest.raises(Unreachable, match="nothing came"):
            subscription.idle(SILENCE + 1)


def test_a_server_that_asks_for_no_pause_is_not_called_without_end() -> None:
    subscription = subscribed()
    read(subscription, sse.retry(0) + sse.ping())
    pauses = [subscription.pause() for _ in range(20)]
    assert pauses[0] > 0
    assert pauses[-1] == MAX_RETRY


def test_nor_is_one_that_asks_for_a_year_waited_for() -> None:
    subscription = Subscription(jitter=lambda: 1.0)
    with pytest.raises(TooMany):
        subscription.opened(Answer(429, {"retry-after": "999999"}), 0.0)
    assert subscription.pause() <= 300
    subscription.opened(STREAM, 0.0)
    read(subscription, sse.retry(999_999_999) + sse.ping())
    assert subscription.pause() == MAX_RETRY
