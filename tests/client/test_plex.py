"""Both clients against a media server as Plex's is: no cursors, no states, errors in HTML, and short of memory."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
import requests

from headway.client.live.framing import WebSocket
from headway.core.errors import NotAllowed, NotAuthenticated, NotCancellable, NotFound
from headway.wire.errors import Unreadable
from tests.client.both import DRIVERS, HANGS, Both, Recorder
from tests.client.scripted_server import eventually
from tests.plex.scans import SCAN, ended, item_refresh, library_scan, section_scan, started, updated
from tests.plex_media_server import PlexMediaServer

WAYS = pytest.mark.parametrize("way", ["eventsource", "websockets", "websocket"])
"""The streams of a Plex server: its WebSocket has two paths."""

REFRESH = "library.refresh.items"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting again is not worth waiting for here."""
    monkeypatch.setattr("headway.client.live.subscription.RETRY", 0.02)


@pytest.fixture
def plex() -> Iterator[PlexMediaServer]:
    with PlexMediaServer() as plex:
        yield plex


def using(driver: str, plex: PlexMediaServer, token: str | None = None, **options: Any) -> Both:
    return Both(driver, plex.url, token or plex.token, **options)


@DRIVERS
class TestCalls:
    @pytest.mark.parametrize("accepts", ["application/json", "application/xml"])
    def test_it_lists_what_runs(self, driver: str, accepts: str, plex: PlexMediaServer) -> None:
        uuid = plex.start(SCAN, title="Scanning <Films> & “more”", progress=7, Context={"librarySectionID": "1"})
        with using(driver, plex, accepts=accepts) as both:
            butler, scan = both.do(lambda client: client.activities.list()).rows
            assert (butler.type, butler.progress) == ("butler", 100)
            assert (scan.uuid, scan.type, scan.title) == (uuid, SCAN, "Scanning <Films> & “more”")
            assert (scan.progress, scan.user, scan.state) == (7, 1, None)
            assert scan.context == {"librarySectionID": "1"}
            assert both.do(lambda client: client.activities.list_activities()).cursor is None

    def test_it_cancels_what_can_be(self, driver: str, plex: PlexMediaServer) -> None:
        yes, no = plex.start("a.b", cancellable=True), plex.start("a.b")
        with using(driver, plex) as both:
            assert both.do(lambda client: client.activities.cancel(yes)).state is None
            assert yes not in [row["uuid"] for row in plex.activities]
            with pytest.raises(NotCancellable) as refused:
                both.do(lambda client: client.activities.cancel(no))
            assert refused.value.status_code == 400  # type: ignore[attr-defined]
            assert b"<h1>400 Bad Request</h1>" in refused.value.body  # type: ignore[attr-defined]
            with pytest.raises(NotFound):
                both.do(lambda client: client.activities.cancel_activity(activity_id="nonsense/../x"))

    def test_its_errors_are_typed(self, driver: str, plex: PlexMediaServer) -> None:
        with using(driver, plex, "nonsense") as both:
            for use in (
                lambda client: client.activities.list(),
                lambda client: client.activities.cancel("x"),
                lambda client: client.activities.wait("x"),
                lambda client: client.plex.scan("1"),
            ):
                with pytest.raises(NotAuthenticated):
                    both.do(use)
            with pytest.raises(NotAuthenticated):
                next(both.watch())

    def test_it_says_which_server_it_is(self, driver: str, plex: PlexMediaServer) -> None:
        with using(driver, plex, "nonsense") as both:
            identity = both.do(lambda client: client.identity())
        assert identity.version.startswith("1.41")
        assert len(identity.machine_identifier) == 40

    def test_what_only_headway_has_is_not_found(self, driver: str, plex: PlexMediaServer) -> None:
        uuid = plex.start("a.b")
        with using(driver, plex) as both:
            for use in (lambda client: client.activities.get(uuid), lambda client: client.activities.history()):
                with pytest.raises((NotFound, Unreadable)):
                    both.do(use)

    def test_others_see_and_cancel_their_own_only(self, driver: str, plex: PlexMediaServer) -> None:
        owners, own = plex.start("a.b", cancellable=True), plex.start("a.b", cancellable=True, userID=2)
        with using(driver, plex, plex.user_token) as both:
            assert [row.uuid for row in both.do(lambda client: client.activities.list()).rows] == [own]
            with pytest.raises(NotFound):
                both.do(lambda client: client.activities.cancel(owners))
            with pytest.raises(NotAllowed):
                both.do(lambda client: client.plex.scan("1"))
            both.do(lambda client: client.activities.cancel(own))


@pytest.fixture
def watching(
    plex: PlexMediaServer, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Both, Callable[..., Recorder]]]:
    """A client whose watches go one way."""

    def begin(driver: str, way: str, token: str | None = None) -> tuple[Both, Callable[..., Recorder]]:
        if way != "eventsource":
            plex.eventsource = False
            monkeypatch.setattr(WebSocket, "PATHS", (f"/:/{way}/notifications",))
        both = using(driver, plex, token)
        return both, lambda **wanted: Recorder(both.watch(**wanted))

    return begin


@DRIVERS
@WAYS
class TestWatch:
    def test_from_start_to_end(self, driver: str, way: str, plex: PlexMediaServer, watching: Any) -> None:
        before = plex.start("a.b")
        both, watch = watching(driver, way)
        with both, watch() as seen:
            (stream,) = plex.streams
            assert f"/{way}/" in stream.asked.path
            uuid = plex.start("a.b")
            plex.update(uuid, progress=50)
            plex.update(uuid)
            plex.end(uuid)
            plex.end(before, progress=3)
            eventually(lambda: seen.life(before) == ["there", "ended"])
            assert seen.life(uuid) == ["started", "ended"]
            assert (seen.last(uuid).state, seen.last(before).state) == ("succeeded", None)
            eventually(lambda: [row.type for row in seen.replica] == ["butler"])

    def test_one_that_is_over_at_once(self, driver: str, way: str, plex: PlexMediaServer, watching: Any) -> None:
        both, watch = watching(driver, way)
        with both, watch() as seen:
            uuids = [plex.start("a.b") for _ in range(20)]
            for uuid in uuids:
                plex.end(uuid)
            eventually(lambda: seen.life(uuids[-1]) == ["started", "ended"])
            assert [seen.life(uuid) for uuid in uuids] == [["started", "ended"]] * 20

    def test_an_end_that_was_never_told(self, driver: str, way: str, plex: PlexMediaServer, watching: Any) -> None:
        uuid = plex.start("a.b")
        plex.withheld.add(uuid)
        both, watch = watching(driver, way)
        with both, watch() as seen:
            plex.end(uuid)
            plex.drop_streams()
            eventually(lambda: seen.snapshots == 2)
            assert seen.life(uuid) == ["there", "ended"]

    def test_a_restart(self, driver: str, way: str, plex: PlexMediaServer, watching: Any) -> None:
        uuids = [plex.start("a.b") for _ in range(5)]
        both, watch = watching(driver, way)
        with both, watch() as seen:
            for _ in range(2):
                plex.restart()
                uuids.append(plex.start("a.b"))
                eventually(lambda: "ended" not in seen.life(uuids[-1]) and seen.life(uuids[-1]))
            plex.end(uuids[-1])
            eventually(lambda: "ended" in seen.life(uuids[-1]))
            for uuid in uuids:
                assert len(seen.life(uuid)) == 2
                assert seen.life(uuid)[-1] == "ended"

    def test_a_half_dead_connection(
        self, driver: str, way: str, plex: PlexMediaServer, watching: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("headway.client.live.subscription.SILENCE", 0.3)
        plex.ping_interval = 0.1
        uuid = plex.start("a.b")
        both, watch = watching(driver, way)
        with both, watch() as seen:
            plex.half_dead()
            plex.end(uuid)
            eventually(lambda: "ended" in seen.life(uuid))
            assert seen.life(uuid) == ["there", "ended"]

    def test_only_what_is_wanted(self, driver: str, way: str, plex: PlexMediaServer, watching: Any) -> None:
        both, watch = watching(driver, way)
        with both, watch(type=SCAN, context={"librarySectionID": "3"}) as seen:
            other = plex.start(SCAN, Context={"librarySectionID": "1"})
            uuid = plex.start(SCAN)
            plex.update(uuid, Context={"librarySectionID": "3"})
            plex.end(other)
            plex.end(uuid)
            eventually(lambda: "ended" in seen.life(uuid))
            assert seen.life(other) == []

    def test_only_one_s_own(self, driver: str, way: str, plex: PlexMediaServer, watching: Any) -> None:
        both, watch = watching(driver, way, plex.user_token)
        with both, watch() as seen:
            owners, own = plex.start("a.b"), plex.start("a.b", userID=2)
            plex.end(owners)
            plex.end(own)
            eventually(lambda: seen.life(own) == ["started", "ended"])
            assert seen.life(owners) == []


@DRIVERS
class TestWait:
    @pytest.mark.parametrize("eventsource", [True, False])
    def test_for_one(self, driver: str, eventsource: bool, plex: PlexMediaServer) -> None:
        plex.eventsource = eventsource
        uuid = plex.start("a.b")
        with using(driver, plex) as both:
            waiting = both.begin(lambda client: client.activities.wait(uuid))
            eventually(lambda: len(plex.asked_for("GET", "/activities")) >= 3)
            plex.end(uuid)
            assert waiting.result(HANGS).state == "succeeded"

    def test_for_one_across_a_restart(self, driver: str, plex: PlexMediaServer) -> None:
        uuid = plex.start("a.b")
        with using(driver, plex) as both:
            waiting = both.begin(lambda client: client.activities.wait(uuid))
            eventually(lambda: len(plex.asked_for("GET", "/activities")) >= 3)
            plex.restart()
            assert waiting.result(HANGS).ended_at is not None

    def test_for_all_whose_context_comes_later(self, driver: str, plex: PlexMediaServer) -> None:
        ours, other = plex.start(SCAN), plex.start(SCAN)
        with using(driver, plex) as both:
            waiting = both.begin(
                lambda client: client.activities.wait(type=SCAN, context={"librarySectionID": "3"}, timeout=HANGS)
            )
            eventually(lambda: plex.asked_for("GET", "/activities"))
            plex.update(other, Context={"librarySectionID": "1"})
            plex.update(ours, Context={"librarySectionID": "3"})
            assert not waiting.done()
            plex.end(ours)
            assert [row.uuid for row in waiting.result(HANGS)] == [ours]

    def test_no_longer_than_was_asked(self, driver: str, plex: PlexMediaServer) -> None:
        uuid = plex.start("a.b", progress=3)
        with using(driver, plex) as both:
            row = both.do(lambda client: client.activities.wait(uuid, timeout=0.2))
            assert (row.progress, row.ended_at) == (3, None)
            rows = both.do(lambda client: client.activities.wait(type="a.b", timeout=0.2))
            assert [row.uuid for row in rows] == [uuid]


def _urllib(url: str) -> Any:
    with urllib.request.urlopen(url) as response:
        return response


@DRIVERS
@pytest.mark.parametrize("get", [httpx2.get, requests.get, _urllib], ids=["httpx2", "requests", "urllib"])
def test_a_reply_is_followed_whichever_library_it_is_of(driver: str, get: Callable[[str], Any]) -> None:
    with PlexMediaServer(names_activity=True) as plex, using(driver, plex) as both:
        response = get(f"{plex.url}/library/metadata/12/refresh?X-Plex-Token={plex.token}")
        seen = Recorder(both.follow(response))
        with seen:
            plex.start("a.b")
            plex.finish()
            uuid = response.headers["X-Plex-Activity"]
            eventually(lambda: seen.life(uuid) == ["there", "ended"])
        assert seen.error is None
        assert {each.row.type for each in seen.told if hasattr(each, "row")} == {REFRESH}


@DRIVERS
class TestScan:
    @pytest.mark.parametrize("names_activity", [True, False])
    @pytest.mark.parametrize("eventsource", [True, False])
    def test_it_is_waited_for_with_all_that_follows(self, driver: str, names_activity: bool, eventsource: bool) -> None:
        moving = PlexMediaServer(names_activity=names_activity, eventsource=eventsource, tick=0.01)
        with moving as plex, using(driver, plex) as both:
            plex.script_scan(library_scan)
            scan = both.do(lambda client: client.plex.scan(3, settle=0.5))
            assert scan.complete
            assert [row.type for row in scan.activities] == [
                *(SCAN, REFRESH, "library.update.item.metadata", "media.generate.credits"),
            ]
            assert scan.activities[0].context == {"librarySectionID": "3"}
            assert plex.asked_for("GET", "/library/sections/3/refresh")

    def test_one_that_finds_nothing_is_over_when_it_is(self, driver: str) -> None:
        with PlexMediaServer(tick=0.01) as plex, using(driver, plex) as both:
            plex.script_scan(section_scan)
            scan = both.do(lambda client: client.plex.scan("1", settle=0.1))
            assert ([row.type for row in scan.activities], scan.complete) == ([SCAN], True)

    def test_one_whose_end_is_never_told_is_found_out(self, driver: str) -> None:
        with PlexMediaServer() as plex, using(driver, plex) as both:
            plex.script_scan(section_scan)
            plex.withheld.add(SCAN)
            waiting = both.begin(lambda client: client.plex.scan("1", settle=0.1))
            eventually(lambda: plex.asked_for("GET", "/library/sections/1/refresh"))
            plex.finish()
            assert not waiting.done()
            plex.drop_streams()
            assert waiting.result(HANGS).complete

    def test_time_may_be_over_before_it_is(self, driver: str, plex: PlexMediaServer) -> None:
        with using(driver, plex) as both:
            scan = both.do(lambda client: client.plex.scan("1", timeout=0.3))
            assert ([row.type for row in scan.activities], scan.complete) == ([], False)
            plex.advance(2)
            scan = both.do(lambda client: client.plex.scan("1", timeout=0.3))
            assert ([row.type for row in scan.activities], scan.complete) == ([SCAN], False)

    def test_a_section_that_is_not_there(self, driver: str, plex: PlexMediaServer) -> None:
        with using(driver, plex) as both, pytest.raises(NotFound):
            both.do(lambda client: client.plex.scan("99"))

    def test_others_go_on_beside_it(self, driver: str) -> None:
        with PlexMediaServer(tick=0.01) as plex, using(driver, plex) as both:
            plex.script_scan([*section_scan(plex_section(plex)), started("x", "a.b"), updated("x"), ended("x")])
            plex.play(item_refresh("7"))
            scan = both.do(lambda client: client.plex.scan("1", settle=0.2))
            assert SCAN in [row.type for row in scan.activities]
            assert "a.b" not in [row.type for row in scan.activities]


def plex_section(plex: PlexMediaServer) -> Any:
    return plex._library.sections[0]
