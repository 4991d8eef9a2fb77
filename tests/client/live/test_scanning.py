"""A scan of a library: what belongs to it, and when it is over."""

from typing import Any

import pytest

from headway.client.exchange import Answer
from headway.client.live.scanning import Scan, Scanning, scan
from headway.core.errors import NotFound
from headway.core.view import Kind
from headway.wire.decode import row_from
from headway.wire.notifications import ActivityNotification, SnapshotNotification
from headway.wire.row import Row
from tests.client.by_hand import ByHand, Reply, listing, options, plex_refusal
from tests.client.scripted_server import OTHER, UUID
from tests.client.streams import plex_event, plex_row

THEIRS = Answer(200, {"content-type": "text/event-stream"})
PING = b"event: ping\ndata: {}\n\n"
DONE = Answer(200, {"content-type": "text/html"})
SECTION, REFRESH, METADATA = "library.update.section", "library.refresh.items", "library.update.item.metadata"
BUTLER = plex_row("7c1d7bf4-2f70-4f0e-8f57-b0a8b4d3a0ff", type="butler", progress=100)
OURS: dict[str, Any] = {"Context": {"librarySectionID": "3"}}
NOBODY_KNOWS: dict[str, Any] = {}


def scanned(*replies: Reply, timeout: float | None = None, before: tuple[dict[str, Any], ...] = (BUTLER,)) -> Scan:
    """A scan of section 3, as it comes out of what the server says after it has been asked for."""
    hand = ByHand(THEIRS, PING, listing(*before), *replies)
    return hand.run(scan("3", timeout, 5.0, options(), hand.clock))


def types(found: Scan) -> list[str]:
    return [each.type for each in found.activities]


def said(kind: str, type: str, uuid: str = UUID, **members: Any) -> bytes:
    return plex_event(kind, uuid, type=type, **members)


def test_it_is_asked_for_once_the_stream_is_listened_to() -> None:
    hand = ByHand(THEIRS, PING, listing(BUTLER), DONE, said("ended", SECTION, **OURS), None)
    found = hand.run(scan("3", None, 5.0, options(), hand.clock))
    assert [request.url.partition("?")[0].partition(":32400")[2] for request in hand.requests] == [
        *("/:/eventsource/notifications", "/activities", "/library/sections/3/refresh"),
    ]
    assert (types(found), found.complete) == ([SECTION], True)
    assert hand.now == 5.0


def test_a_section_cannot_leave_its_place_in_the_path() -> None:
    hand = ByHand(THEIRS, PING, listing(), plex_refusal(404))
    with pytest.raises(NotFound):
        hand.run(scan("3/../../x?", None, 5.0, options(), hand.clock))
    assert hand.requests[-1].url.endswith("/library/sections/3%2F..%2F..%2Fx%3F/refresh")


def test_a_context_that_comes_with_an_update_is_soon_enough() -> None:
    life = (said("started", SECTION), said("updated", SECTION, **OURS), said("ended", SECTION, **OURS))
    found = scanned(DONE, *life, None)
    assert types(found) == [SECTION]


def test_what_follows_belongs_to_it() -> None:
    scan_ends = said("started", SECTION, **OURS) + said("ended", SECTION, **OURS)
    found = scanned(DONE, scan_ends, said("started", REFRESH, OTHER), said("ended", REFRESH, OTHER), None)
    assert (types(found), found.complete) == ([SECTION, REFRESH], True)


@pytest.mark.parametrize("type", [REFRESH, METADATA, "media.generate.credits", "media.generate.bif"])
def test_so_does_one_that_begins_before_the_scan_ends(type: str) -> None:
    life = (said("started", SECTION, **OURS), said("started", type, OTHER), said("ended", SECTION, **OURS))
    found = scanned(DONE, *life, said("ended", type, OTHER), None)
    assert types(found) == [SECTION, type]


@pytest.mark.parametrize(
    ("type", "members"),
    [
        ("butler", NOBODY_KNOWS),
        ("media.download", NOBODY_KNOWS),
        (SECTION, {"Context": {"librarySectionID": "4"}}),
        (REFRESH, {"Context": {"librarySectionID": "4"}}),
    ],
)
def test_what_is_another_s_does_not(type: str, members: dict[str, Any]) -> None:
    found = scanned(DONE, said("started", type, OTHER, **members), said("ended", SECTION, **OURS), None)
    assert (types(found), found.complete) == ([SECTION], True)


def test_nor_does_what_ran_before() -> None:
    refresh = plex_row(OTHER, type=REFRESH)
    found = scanned(DONE, said("updated", REFRESH, OTHER), said("ended", SECTION, **OURS), None, before=(refresh,))
    assert types(found) == [SECTION]


def test_a_scan_of_the_section_that_runs_already_is_the_one() -> None:
    running = plex_row(UUID, type=SECTION, **OURS)
    assert types(scanned(DONE, said("ended", SECTION, **OURS), None, before=(running,))) == [SECTION]


def test_one_that_is_over_before_it_has_said_which_is_ours() -> None:
    found = scanned(DONE, said("started", SECTION) + said("ended", SECTION), None)
    assert (types(found), found.complete) == ([SECTION], True)


def test_a_reply_that_names_it_leaves_no_doubt() -> None:
    named = Answer(200, {"content-type": "text/html", "x-plex-activity": UUID})
    others = said("started", SECTION, OTHER) + said("ended", SECTION, OTHER, Context={"librarySectionID": "4"})
    found = scanned(named, others, said("started", SECTION), said("ended", SECTION), None)
    assert [each.uuid for each in found.activities] == [UUID]


def test_whatever_its_type_is() -> None:
    named = Answer(200, {"content-type": "text/html", "x-plex-activity": UUID})
    found = scanned(named, said("started", "library.scan"), said("ended", "library.scan"), None)
    assert (types(found), found.complete) == (["library.scan"], True)


def test_an_end_that_was_missed_is_one() -> None:
    found = scanned(DONE, said("started", SECTION, **OURS), b"", THEIRS, PING, listing(BUTLER), None)
    assert (types(found), found.complete) == ([SECTION], True)


def test_one_that_came_and_went_while_nobody_listened_is_not_waited_for() -> None:
    found = scanned(DONE, b"", THEIRS, PING, listing(BUTLER), None)
    assert (found.activities, found.complete) == ([], True)


def test_one_that_begins_only_after_that_is() -> None:
    back = (b"", THEIRS, PING, listing(BUTLER))
    found = scanned(DONE, *back, said("started", SECTION, **OURS), said("ended", SECTION, **OURS), None)
    assert (types(found), found.complete) == ([SECTION], True)


def test_time_may_be_over_before_it_is() -> None:
    found = scanned(DONE, said("started", SECTION, **OURS), None, timeout=9.0)
    assert (types(found), found.complete) == ([SECTION], False)


def test_also_before_it_could_be_asked_for() -> None:
    hand = ByHand(THEIRS, None)
    assert hand.run(scan("3", 2.0, 5.0, options(), hand.clock)) == Scan([], False)
    assert hand.now == 2.0


class TestBelonging:
    def row(self, uuid: str = UUID, **members: Any) -> Row:
        return row_from(plex_row(uuid, **members))

    def test_nothing_is_over_before_the_scan_has_been_seen(self) -> None:
        scanning = Scanning("3")
        scanning.heard(SnapshotNotification([]))
        scanning.asked(None)
        assert not scanning.over
        scanning.heard(ActivityNotification(Kind.STARTED, self.row(type=SECTION, **OURS)))
        assert not scanning.over

    def test_a_section_may_be_a_number(self) -> None:
        scanning = Scanning("3")
        scanning.asked(None)
        scanning.heard(SnapshotNotification([self.row(type=SECTION, Context={"librarySectionID": 3})]))
        assert list(scanning.activities) == [UUID]
