"""python-plexapi, unchanged, at home in the media server."""

# python-plexapi has no types.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from typing import Any

import pytest
from plexapi.exceptions import BadRequest, NotFound, Unauthorized
from plexapi.server import PlexServer

from tests.examples.mediaserver.serving import Gate, Serving
from tests.server.harness import DEADLINE


@pytest.fixture
def plex(serving: Serving) -> PlexServer:
    return PlexServer(serving.url, "owner")


SECTION, ITEMS, ITEM = "library.update.section", "library.refresh.items", "library.update.item.metadata"
KNOCK = "test.knock"


class Alerts:
    """What its listener hears of activities."""

    def __init__(self) -> None:
        self.heard: queue.Queue[dict[str, Any]] = queue.Queue()
        self.errors: list[Exception] = []

    def until(self, type: str, event: str = "ended") -> list[tuple[str, dict[str, Any]]]:
        """All events up to one of this type of activity: which, and the activity."""
        told: list[tuple[str, dict[str, Any]]] = []
        while not told or (told[-1][0], told[-1][1]["type"]) != (event, type):
            data = self.heard.get(timeout=DEADLINE)
            (notification,) = data["ActivityNotification"]
            if notification["Activity"]["type"] != KNOCK:
                told.append((notification["event"], notification["Activity"]))
        return told


@pytest.fixture
def alerts(serving: Serving, plex: PlexServer) -> Iterator[Alerts]:
    alerts = Alerts()
    listener = plex.startAlertListener(alerts.heard.put, alerts.errors.append)
    deadline = time.monotonic() + DEADLINE
    while alerts.heard.empty():  # it connects in its own time, and hears nothing of before
        with serving.server.activities.start(KNOCK):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    yield alerts
    listener.stop()
    assert alerts.errors == []


def test_it_updates_a_section_and_finds_what_is_in_it(serving: Serving, plex: PlexServer, alerts: Alerts) -> None:
    music = plex.library.section("Music")
    assert (music.type, music.locations) == ("artist", [str(serving.folder / "Music")])
    music.update()
    told = alerts.until(SECTION)
    lifecycle = [(event, activity["type"]) for event, activity in told if event != "updated"]
    assert lifecycle == [("started", SECTION), ("started", ITEMS), ("ended", ITEMS), ("ended", SECTION)]
    ended = told[-1][1]
    assert (ended["title"], ended["progress"], ended["Context"]) == ("Scanning Music", 100, {"librarySectionID": "2"})
    assert ended["Response"] == {"changed": 3, "gone": 0, "unreadable": 0}
    tracks = music.searchTracks()
    assert [(track.title, track.grandparentTitle, track.parentTitle) for track in tracks] == [
        ("One", "The Sines", "Waves"),
        ("Two", "The Sines", "Waves"),
        ("Three", "The Sines", "Waves"),
    ]
    assert all(290 <= track.duration <= 400 for track in tracks)
    assert tracks[1].media[0].audioCodec == "flac"
    assert tracks[1].media[0].parts[0].file == str(serving.folder / "Music/The Sines/Waves/2.flac")
    assert music.totalViewSize() == 3


def test_it_updates_all_sections(serving: Serving, plex: PlexServer, alerts: Alerts) -> None:
    plex.library.update()
    alerts.until(SECTION)
    alerts.until(SECTION)
    movies = plex.library.section("Movies")
    found = movies.get("firefly")
    assert (found.title, found.year, found.librarySectionTitle) == ("Firefly", 2002, "Movies")
    assert [film.title for film in movies.all()] == ["Silent", "Firefly"]


def test_a_change_of_one_file_is_an_update_of_its_item(serving: Serving, plex: PlexServer, alerts: Alerts) -> None:
    serving.refreshed(1)
    alerts.until(SECTION)
    (serving.folder / "Movies/Silent.mp4").write_bytes(
        (serving.folder / "Movies/Firefly (2002)/Firefly.mp4").read_bytes()
    )
    plex.library.section("Movies").update()
    told = alerts.until(SECTION)
    (key,) = {item["Context"]["key"] for event, item in told if (event, item["type"]) == ("ended", ITEM)}
    assert plex.fetchItem(key).title == "Firefly"


def test_it_sees_a_section_refreshing_and_cancels_it(
    serving: Serving, plex: PlexServer, alerts: Alerts, gate: Gate
) -> None:
    music = plex.library.section("Music")
    music.update()
    gate.reached()
    sections = PlexServer(serving.url, "owner").library.sections()  # the first one remembers what it was told
    assert {one.title: one.refreshing for one in sections} == {"Movies": False, "Music": True}
    assert [(one.type, one.title) for one in plex.activities] == [
        (SECTION, "Scanning Music"),
        (ITEMS, "Refreshing 3 items"),
    ]
    music.cancelUpdate()
    serving.all_cancelling()
    gate.open()
    _, ended = alerts.until(SECTION)[-1]
    assert (ended["state"], "error" in ended) == ("cancelled", False)
    assert ended["cancelRequested"]
    assert plex.activities == []
    serving.refreshed(2)  # takes up what was left
    assert {track.title for track in music.searchTracks()} == {"One", "Two", "Three"}


def test_to_cancel_what_does_not_run_is_no_error(plex: PlexServer) -> None:
    plex.library.section("Music").cancelUpdate()
    plex.library.cancelUpdate()


def test_it_refreshes_an_item_step_by_step(serving: Serving, plex: PlexServer, alerts: Alerts, gate: Gate) -> None:
    gate.open()
    serving.refreshed(1)
    alerts.until(SECTION)
    gate.close()
    film = plex.library.section("Movies").all()[0]
    film.refresh()
    (_, started), *_ = alerts.until(ITEMS, "started")
    assert (started["subtitle"], started["progress"], "Context" in started) == ("", 0, False)
    gate.reached()
    told = alerts.until(ITEMS, "updated")
    while told[-1][1]["progress"] == 0:
        told += alerts.until(ITEMS, "updated")
    _, updated = told[-1]
    assert (updated["subtitle"], updated["progress"]) == ("Refreshing local metadata", 33)
    assert updated["Context"] == {"accessible": True, "exists": True, "key": film.key}
    gate.open()
    _, ended = alerts.until(ITEMS)[-1]
    assert (ended["subtitle"], ended["progress"]) == ("Refreshing media analysis", 100)
    assert ended["Context"] == updated["Context"]


def test_it_optimizes_the_library(serving: Serving, plex: PlexServer, alerts: Alerts) -> None:
    plex.library.optimize()
    _, ended = alerts.until("library.optimize")[-1]
    assert (ended["state"], ended["cancellable"], ended["progress"]) == ("succeeded", False, 100)


def test_a_guest_reads_and_refreshes_items_and_does_no_more(serving: Serving) -> None:
    serving.refreshed(1)
    plex = PlexServer(serving.url, "guest")
    movies = plex.library.section("Movies")
    film = movies.all()[0]
    film.refresh()
    for forbidden in (movies.update, movies.cancelUpdate, plex.library.optimize, plex.library.update):
        with pytest.raises(BadRequest, match="403"):
            forbidden()
    with pytest.raises(NotFound):
        plex.fetchItem("/library/metadata/999")


def test_a_stranger_is_turned_away(serving: Serving) -> None:
    with pytest.raises(Unauthorized):
        PlexServer(serving.url, "wrong")
