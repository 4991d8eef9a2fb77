"""Waiting for the end of activities and following them, step by step, with servers of both kinds."""

import email.message
import http.client
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
import requests

from headway.client.errors import NoConnection, Unreachable
from headway.client.exchange import Answer
from headway.client.live import waiting
from headway.client.live.waiting import activity_of
from headway.client.live.watching import Watching
from headway.core.errors import HeadwayError, InvalidInput, NotAuthenticated, NotFound
from headway.core.view import Kind
from headway.wire import sse
from headway.wire.errors import Unreadable
from headway.wire.row import Row
from tests.client.by_hand import ByHand, Reply, answered, listing, options, plex_refusal
from tests.client.scripted_server import OTHER, UUID, row
from tests.client.streams import event, plex_event, plex_row, snapshot, told

OURS = Answer(200, {"content-type": "text/event-stream", "x-headway-protocol": "1"})
THEIRS = Answer(200, {"content-type": "text/event-stream"})
PING = b"event: ping\ndata: {}\n\n"
NOT_HERE = plex_refusal(404)
UNKNOWN = answered({"errors": [{"code": 4040, "reason": "not_found", "message": "no", "status": 404}]}, 404)
THIRD = "3d1d7bf4-2f70-4f0e-8f57-b0a8b4d3a0c3"
SECTION = "library.update.section"


def waited(*replies: Reply, timeout: float | None = None) -> tuple[Row, ByHand]:
    hand = ByHand(*replies)
    return hand.run(waiting.wait(UUID, timeout, options(), hand.clock)), hand


def waited_for_all(
    *replies: Reply, type: str | None = SECTION, context: dict[str, str] | None = None, timeout: float | None = None
) -> list[tuple[str, bool]]:
    """Which activities, and whether they have ended."""
    hand = ByHand(*replies)
    rows = hand.run(waiting.wait_for_all(type, context, timeout, options(), hand.clock))
    return [(each.uuid, each.ended_at is not None or each.state not in (None, "running")) for each in rows]


class TestOneOfHeadway:
    def test_it_is_asked_for_until_it_has_ended(self) -> None:
        last, hand = waited(listing(row()), listing(row(state="cancelling")), listing(row(state="cancelled")))
        assert last.state == "cancelled"
        assert "wait=25" in hand.requests[1].url
        assert "state=running" in hand.requests[1].url

    def test_one_that_has_ended_is_not_asked_for_again(self) -> None:
        last, hand = waited(listing(row(state="lost")))
        assert (last.state, len(hand.requests)) == ("lost", 1)

    def test_a_server_that_does_not_wait_is_not_hurried(self) -> None:
        _, hand = waited(listing(row()), listing(row()), listing(row()), listing(row(state="failed")))
        assert hand.slept == [waiting.HURRY, waiting.HURRY]

    def test_trouble_on_the_way_is_waited_out(self) -> None:
        page = Answer(200, {"content-type": "text/html"}, b"<html>")
        last, hand = waited(listing(row()), Unreachable("away"), page, listing(row(state="succeeded")))
        assert last.state == "succeeded"
        assert len(hand.slept) == 2

    def test_but_not_at_first(self) -> None:
        with pytest.raises(NoConnection):
            waited(NoConnection("away"))

    def test_nor_what_will_not_pass(self) -> None:
        with pytest.raises(NotAuthenticated):
            waited(listing(row()), answered({}, 401))

    def test_a_time_limit_gives_it_as_it_is(self) -> None:
        last, hand = waited(listing(row()), listing(row()), listing(row()), listing(row()), timeout=2.5)
        assert last.state == "running"
        assert hand.now == 2.5

    def test_one_that_nobody_knows(self) -> None:
        with pytest.raises(NotFound):
            waited(UNKNOWN)


class TestOneOfPlex:
    LIST = listing(plex_row(OTHER), plex_row(progress=3))

    def test_it_is_waited_for_by_the_stream(self) -> None:
        last, hand = waited(NOT_HERE, self.LIST, THEIRS, PING, self.LIST, plex_event("ended", progress=100))
        assert (last.state, last.ended_at is not None) == ("succeeded", True)
        assert [request.url.partition("?")[0].rpartition("/")[2] for request in hand.requests] == [
            *(UUID, "activities", "notifications", "activities"),
        ]

    def test_others_do_not_matter(self) -> None:
        others = plex_event("started", OTHER) + plex_event("ended", OTHER) + b"event: playing\ndata: {}\n\n"
        last, _ = waited(NOT_HERE, self.LIST, THEIRS, PING, self.LIST, others, plex_event("ended", progress=7))
        assert (last.uuid, last.progress, last.state) == (UUID, 7, None)

    def test_an_end_that_was_missed_is_one(self) -> None:
        last, _ = waited(NOT_HERE, self.LIST, THEIRS, PING, self.LIST, b"", THEIRS, PING, listing())
        assert last.ended_at is not None

    def test_so_is_one_before_the_stream_is_there(self) -> None:
        last, _ = waited(NOT_HERE, self.LIST, THEIRS, PING, listing(plex_row(OTHER)))
        assert (last.progress, last.ended_at is not None) == (3, True)

    def test_one_that_is_not_listed_is_not_known(self) -> None:
        with pytest.raises(NotFound, match="does not remember"):
            waited(NOT_HERE, listing(plex_row(OTHER)))

    @pytest.mark.parametrize(("replies", "timeout"), [((), 0.0), ((THEIRS, None), 5.0), ((Unreachable("x"),), 0.4)])
    def test_a_time_limit_gives_it_as_it_is(self, replies: tuple[Reply, ...], timeout: float) -> None:
        last, hand = waited(NOT_HERE, self.LIST, *replies, *replies, *replies, timeout=timeout)
        assert (last.progress, last.ended_at) == (3, None)
        assert hand.now <= timeout


class TestAll:
    def test_of_what_is_live_all_is_waited_for_and_nothing_else(self) -> None:
        rows = [row(uuid, type=SECTION) for uuid in (UUID, OTHER)]
        later = event(Kind.STARTED, "c2", THIRD, type=SECTION)
        ends = [event(Kind.ENDED, "c3", uuid, type=SECTION, state="failed") for uuid in (OTHER, UUID)]
        assert waited_for_all(OURS, snapshot("c1", *rows), later, *ends) == [(UUID, True), (OTHER, True)]

    def test_where_there_is_nothing_there_is_nothing_to_wait_for(self) -> None:
        assert waited_for_all(OURS, snapshot("c1")) == []

    def test_ends_that_were_missed_are_ends(self) -> None:
        gap = sse.resync(sse.ResyncReason.EXPIRED) + snapshot("n1")
        replies = (OURS, snapshot("c1", row(type=SECTION)), gap, listing(row(type=SECTION, state="lost")))
        assert waited_for_all(*replies) == [(UUID, True)]

    def test_a_time_limit_gives_them_as_they_are(self) -> None:
        assert waited_for_all(OURS, snapshot("c1", row(type=SECTION)), None, timeout=3.0) == [(UUID, False)]

    def test_a_server_that_says_nothing_in_time_has_not_said_that_there_are_none(self) -> None:
        with pytest.raises(Unreachable, match="in time"):
            waited_for_all(THEIRS, None, timeout=3.0)

    def test_a_type_or_a_context_must_be_named(self) -> None:
        with pytest.raises(InvalidInput):
            waited_for_all(type=None)

    def test_a_context_alone_will_do(self) -> None:
        there = plex_row(Context={"librarySectionID": "3"})
        replies = (THEIRS, PING, listing(there, plex_row(OTHER, type="butler")), plex_event("ended"))
        assert waited_for_all(*replies, type=None, context={"librarySectionID": "3"}) == [(UUID, True)]


class TestAContextThatComesLater:
    """A Plex server says with an update only which section a scan is of."""

    WANTED = {"librarySectionID": "3"}  # noqa: RUF012 - read only
    ROWS = (plex_row(type=SECTION), plex_row(OTHER, type=SECTION))

    def waited(self, *replies: Reply, timeout: float | None = None) -> list[tuple[str, bool]]:
        return waited_for_all(THEIRS, PING, listing(*self.ROWS), *replies, context=self.WANTED, timeout=timeout)

    def said(self, kind: str, uuid: str, **context: str) -> bytes:
        members: dict[str, Any] = {"Context": context} if context else {}
        return plex_event(kind, uuid, type=SECTION, **members)

    def test_one_that_may_be_wanted_is_waited_for(self) -> None:
        replies = (
            self.said("updated", UUID, librarySectionID="3"),
            self.said("updated", OTHER, librarySectionID="4"),
            self.said("ended", UUID, librarySectionID="3"),
        )
        assert self.waited(*replies) == [(UUID, True)]

    def test_one_that_is_not_wanted_after_all_is_not(self) -> None:
        replies = [self.said("updated", uuid, librarySectionID="4") for uuid in (UUID, OTHER)]
        assert self.waited(*replies) == []

    def test_one_that_ends_without_a_word_on_it_was_not_wanted(self) -> None:
        replies = (
            self.said("ended", UUID),
            self.said("updated", OTHER, key="x"),
            self.said("ended", OTHER, key="x", librarySectionID="3"),
        )
        assert self.waited(*replies) == [(OTHER, True)]

    def test_when_time_is_over_only_those_count_that_are_wanted_for_sure(self) -> None:
        assert self.waited(self.said("updated", UUID, librarySectionID="3"), None, timeout=3.0) == [(UUID, False)]


class TestFollow:
    def followed(self, *replies: Reply) -> list[str]:
        hand = ByHand(*replies)
        watching = Watching(options(), uuid=UUID, clock=hand.clock)
        hand.run(waiting.follow(UUID, watching, options(), hand.clock))
        return [told(each)[0] for each in hand.emitted]

    def test_until_the_end(self) -> None:
        stream = (snapshot("c1", row()), event(Kind.UPDATED, "c2"), event(Kind.ENDED, "c3", state="failed"))
        assert self.followed(OURS, *stream) == ["snapshot", "updated", "ended"]
        assert self.followed(THEIRS, PING, listing(plex_row()), plex_event("ended")) == ["snapshot", "ended"]

    def test_one_that_has_ended_already_is_told_as_it_ended(self) -> None:
        assert self.followed(OURS, snapshot("c1"), listing(row(state="succeeded"))) == ["snapshot", "ended"]

    def test_a_plex_server_has_forgotten_it_then(self) -> None:
        assert self.followed(THEIRS, PING, listing(), NOT_HERE) == ["snapshot"]

    def test_one_that_nobody_knows(self) -> None:
        with pytest.raises(NotFound):
            self.followed(OURS, snapshot("c1"), UNKNOWN)


class Proxy(Mapping[str, str]):
    """Headers of the type that aiohttp has: a mapping with names in any case."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = {name.upper(): value for name, value in headers.items()}

    def __getitem__(self, name: str) -> str:
        return self._headers[name.upper()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._headers)

    def __len__(self) -> int:
        return len(self._headers)


class TestActivityOf:
    HEADERS = {"X-Plex-Protocol": "1.0", "x-plex-ACTIVITY": UUID}  # noqa: RUF012 - read only

    def test_a_uuid_is_its_own(self) -> None:
        assert activity_of(UUID) == UUID

    def test_headers_will_do(self) -> None:
        assert activity_of(self.HEADERS) == UUID

    def test_so_does_a_reply_of_whichever_library(self) -> None:
        message = email.message.Message()
        message["X-Plex-Activity"] = UUID
        ours, theirs = httpx2.Response(200, headers=self.HEADERS), requests.Response()
        theirs.headers.update(self.HEADERS)
        read = http.client.HTTPResponse.__new__(http.client.HTTPResponse)
        read.headers = message  # type: ignore[assignment]
        aiohttp_s = SimpleNamespace(headers=Proxy(self.HEADERS))
        replies = (ours, theirs, read, message, aiohttp_s, Answer(200, self.HEADERS))
        assert [activity_of(each) for each in replies] == [UUID] * 6

    @pytest.mark.parametrize("reply", [{}, {"X-Plex-Protocol": "1"}, None, 7, httpx2.Response(200), [("a", "b")]])
    def test_one_that_names_none_is_refused(self, reply: Any) -> None:
        with pytest.raises(InvalidInput, match="X-Plex-Activity"):
            activity_of(reply)


@pytest.mark.parametrize("error", [Unreachable("x"), Unreadable("x"), NotFound("x")])
def test_only_a_page_says_that_there_is_no_such_resource(error: HeadwayError) -> None:
    assert waiting.shows_lists_only(error) is False
