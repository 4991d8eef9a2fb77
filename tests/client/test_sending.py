"""One call from beginning to end, carried out by hand."""

import logging
from typing import Any

import msgspec
import pytest

from headway.client import Hooks, Retries, calls
from headway.client.errors import NoConnection, Unreachable
from headway.client.exchange import Answer, Sendable
from headway.client.options import Options
from headway.client.results import as_result
from headway.client.sending import redacted, send, send_for_answer
from headway.core.errors import HeadwayError, NotFound, Unavailable
from headway.wire.errors import Unreadable
from tests.client.by_hand import HTML, ByHand, Reply, listing, options, plex_refusal
from tests.client.scripted_server import UUID, row

BUSY, GONE = plex_refusal(503), plex_refusal(404)
STEADY = Retries(initial_interval=1.0, exponent=1.0)
LIST = calls.list_activities()


def sent(*replies: Reply, **settings: Any) -> ByHand:
    """A list asked for, with these replies and no luck in it."""
    hand = ByHand(*replies)
    hand.run(send(LIST, options(**settings), hand.clock))
    return hand


class Log(Hooks):
    """Writes down what it is called with."""

    def __init__(self, name: str, log: list[tuple[Any, ...]]) -> None:
        self.name = name
        self.log = log

    def before_request(self, request: Sendable) -> Sendable:
        self.log.append((self.name, "before", request.method))
        return request

    def after_success(self, request: Sendable, answer: Answer) -> Answer:
        self.log.append((self.name, "success", answer.status))
        return answer

    def after_error(self, request: Sendable, error: HeadwayError) -> None:
        self.log.append((self.name, "error", type(error).__name__))


def test_what_the_server_says_is_what_the_call_reads() -> None:
    hand = ByHand(listing(row(), x_headway_cursor="c1"))
    page, answer = hand.run(send_for_answer(LIST, options(), hand.clock))
    assert ([each.uuid for each in page.rows], page.cursor) == ([UUID], "c1")
    assert answer.status == 200
    assert hand.requests[0].url.endswith("/activities")


def test_json_and_xml_are_read_as_the_same() -> None:
    body = f'<MediaContainer size="1"><Activity uuid="{UUID}" type="a.b" progress="7"/></MediaContainer>'
    xml = Answer(200, {"content-type": "text/xml;charset=utf-8"}, body.encode())
    hand = ByHand(xml)
    page = hand.run(send(LIST, options(accepts="application/xml"), hand.clock))
    assert [(each.uuid, each.progress) for each in page.rows] == [(UUID, 7)]
    assert hand.requests[0].headers["Accept"] == "application/xml"


class TestTryingAgain:
    def test_until_it_is_answered(self) -> None:
        hand = sent(BUSY, BUSY, listing(), retries=STEADY)
        assert len(hand.requests) == 3
        assert all(0 <= wait <= 1 for wait in hand.slept)

    def test_after_the_time_that_the_server_names(self) -> None:
        assert sent(Answer(429, {"retry-after": "7"}), listing()).slept == [7.0]

    def test_a_time_that_is_too_long_is_an_error_at_once(self) -> None:
        hand = ByHand(Answer(503, {"retry-after": "86400"}))
        with pytest.raises(Unavailable):
            hand.run(send(LIST, options(), hand.clock))
        assert hand.slept == []

    def test_until_the_time_is_over(self) -> None:
        answers = [Answer(503, {"retry-after": "4"})] * 9
        hand = ByHand(*answers)
        with pytest.raises(Unavailable):
            hand.run(send(LIST, options(retries=Retries(max_elapsed_time=10.0)), hand.clock))
        assert hand.slept == [4.0, 4.0]

    def test_the_last_error_is_the_one_that_is_raised(self) -> None:
        hand = ByHand(BUSY, GONE)
        with pytest.raises(NotFound):
            hand.run(send(calls.get(UUID), options(retries=STEADY), hand.clock))

    def test_no_answer_only_on_demand(self) -> None:
        with pytest.raises(NoConnection):
            sent(NoConnection("away"), listing())
        assert len(sent(NoConnection("away"), listing(), retries=Retries(retry_connection_errors=True)).requests) == 2

    def test_an_answer_that_nobody_can_read_is_not_asked_for_again(self) -> None:
        with pytest.raises(Unreadable):
            sent(Answer(200, HTML, b"<html>"), listing())

    def test_each_attempt_has_the_token_of_its_time(self) -> None:
        tokens = iter(["old", "new"])
        hand = sent(BUSY, listing(), retries=STEADY, token=lambda: next(tokens))
        assert [request.headers["X-Plex-Token"] for request in hand.requests] == ["old", "new"]


class TestHooks:
    def test_they_are_called_in_order_around_each_request(self) -> None:
        log: list[tuple[Any, ...]] = []
        sent(listing(), hooks=[Log("a", log), Log("b", log)])
        assert log == [("a", "before", "GET"), ("b", "before", "GET"), ("a", "success", 200), ("b", "success", 200)]

    def test_before_each_attempt_but_of_an_error_only_once(self) -> None:
        log: list[tuple[Any, ...]] = []
        with pytest.raises(NotFound):
            sent(BUSY, GONE, retries=STEADY, hooks=[Log("a", log)])
        assert log == [("a", "before", "GET"), ("a", "before", "GET"), ("a", "error", "NotFound")]

    def test_also_when_no_answer_came(self) -> None:
        log: list[tuple[Any, ...]] = []
        with pytest.raises(Unreachable):
            sent(Unreachable("away"), hooks=[Log("a", log)])
        assert log[-1] == ("a", "error", "Unreachable")

    def test_they_may_change_what_is_sent_and_what_is_read(self) -> None:
        class Changing(Hooks):
            def before_request(self, request: Sendable) -> Sendable:
                return msgspec.structs.replace(request, headers={**request.headers, "X-Trace": "1"})

            def after_success(self, request: Sendable, answer: Answer) -> Answer:
                assert request.headers["X-Trace"] == "1"
                return listing(row())

        hand = ByHand(listing())
        page = hand.run(send(LIST, options(hooks=[Changing()]), hand.clock))
        assert len(page.rows) == 1
        assert hand.requests[0].headers["X-Trace"] == "1"

    def test_an_error_in_one_is_the_caller_s(self) -> None:
        class Broken(Hooks):
            def before_request(self, request: Sendable) -> Sendable:
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            sent(listing(), hooks=[Broken()])

    def test_hooks_that_do_nothing_change_nothing(self) -> None:
        assert len(sent(listing(), hooks=[Hooks()]).requests) == 1
        with pytest.raises(NotFound):
            sent(GONE, hooks=[Hooks()])


class TestLogger:
    SECRETS = ("t0k3n", "c00k13", "b4s1c")

    def test_it_is_told_of_everything_but_what_opens_the_server(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        headers = {"cookie": "c00k13", "AUTHORIZATION": "b4s1c", "X-Mine": "shown"}
        answer = listing(**{"set-cookie": "c00k13", "x-plex-protocol": "1.0"})
        sent(answer, logger=logging.getLogger("test"), headers=headers)
        assert not any(secret in caplog.text for secret in self.SECRETS)
        asked, told = (record.getMessage() for record in caplog.records)
        assert asked.startswith("GET http://media.example:32400/activities ")
        assert "shown" in asked
        assert ": 200 after 0 ms " in told

    def test_also_of_errors(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        with pytest.raises(Unreachable):
            sent(Unreachable("nobody is there"), logger=logging.getLogger("test"))
        assert "failed: nobody is there" in caplog.text
        assert "t0k3n" not in caplog.text

    def test_the_names_of_headers_may_be_written_in_any_way(self) -> None:
        shown = redacted({"X-PLEX-token": "a", "Proxy-Authorization": "b", "Accept": "c"})
        assert shown == {"X-PLEX-token": "…", "Proxy-Authorization": "…", "Accept": "c"}


class TestResults:
    def result(self, *replies: Reply, given: Options | None = None) -> Any:
        hand = ByHand(*replies)
        return hand.run(as_result(send_for_answer(LIST, given or options(), hand.clock)))

    def test_a_value(self) -> None:
        answer = listing(row())
        result = self.result(answer)
        assert (result.ok, result.error, result.answer) == (True, None, answer)
        assert result.unwrap() is result.value

    def test_what_the_server_refuses(self) -> None:
        result = self.result(GONE)
        assert (result.ok, result.value, result.answer) == (False, None, GONE)
        with pytest.raises(NotFound):
            result.unwrap()

    @pytest.mark.parametrize("trouble", [NoConnection("away"), Unreadable("what?")])
    def test_what_never_came(self, trouble: HeadwayError) -> None:
        result = self.result(trouble)
        assert (result.ok, result.error, result.answer) == (False, trouble, None)
