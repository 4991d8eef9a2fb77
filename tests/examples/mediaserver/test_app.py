"""The media server by its own endpoints: who may do what, what is reported, and what becomes of odd folders."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import mutagen
import pytest

from headway import State
from tests.examples.mediaserver.conftest import copy
from tests.examples.mediaserver.serving import Gate, Serving

REFRESH = "/library/sections/2/refresh"


def titles(serving: Serving, section: int = 2) -> set[str]:
    return {row["title"] for row in serving.rows(f"/library/sections/{section}/all")}


def test_a_refresh_takes_in_what_is_new_and_lets_go_of_what_is_gone(serving: Serving, originals: Path) -> None:
    assert serving.refreshed(2).response == {"changed": 3, "gone": 0, "unreadable": 0}
    assert serving.refreshed(2).response == {"changed": 0, "gone": 0, "unreadable": 0}
    (serving.folder / "Music/The Sines/Waves/1.mp3").unlink()
    copy(originals / "song.opus", serving.folder / "Music/4.opus", title="Four")
    copy(originals / "song.m4a", serving.folder / "Music/5.m4a", title="Five")
    assert serving.refreshed(2).response == {"changed": 2, "gone": 1, "unreadable": 0}
    assert titles(serving) == {"Two", "Three", "Four", "Five"}


def test_by_force_all_is_read_anew(serving: Serving) -> None:
    serving.refreshed(2)
    ended = serving.ended(serving.start("GET", REFRESH + "?force=1"))
    assert ended.response == {"changed": 3, "gone": 0, "unreadable": 0}


def test_broken_files_are_reported_and_hinder_nobody(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    (serving.folder / "Music/noise.mp3").write_bytes(b"no media")
    (serving.folder / "Music/\udcff.flac").write_bytes(b"")
    uuid = serving.start("GET", REFRESH)
    assert serving.ended(uuid).state is State.SUCCEEDED
    (child,) = [one for one in serving.rows("/activities/history", "Activity") if one.get("parentUUID") == uuid]
    assert child["Response"] == {"broken": 2, "refreshed": 3}
    problems = {
        row["title"]: row["Media"][0]["Part"][0].get("problem") for row in serving.rows("/library/sections/2/all")
    }
    assert {title for title, problem in problems.items() if problem} == {"noise", "\ufffd"}
    assert "cannot use the file" in caplog.text
    assert serving.refreshed(2).response == {"changed": 0, "gone": 0, "unreadable": 0}  # not again each time


def test_names_that_are_no_text_are_told_as_text(serving: Serving, originals: Path) -> None:
    names = [b"<b>&\"'.ogg", b"line\nfeed\x1b[31m.ogg", b"\xff\xfe.ogg", "\u202eevil.ogg".encode()]
    for name in names:
        song = serving.folder / "Music" / os.fsdecode(name)
        copy(originals / "song.ogg", song)
        mutagen.File(song).delete()
    assert serving.refreshed(2).response == {"changed": 7, "gone": 0, "unreadable": 0}
    xml = ElementTree.fromstring(serving.ask("GET", "/library/sections/2/all").text)
    told = {track.get("title") for track in xml.iter("Track")}
    assert told >= {"<b>&\"'", "line feed\ufffd[31m", "\ufffd\ufffd", "evil"}
    assert told == titles(serving)


def test_an_unmounted_disk_is_a_failure_and_no_empty_library(serving: Serving) -> None:
    serving.refreshed(2)
    shutil.move(serving.folder / "Music", serving.folder / "unmounted")
    ended = serving.refreshed(2)
    assert (ended.state, (ended.error or "").startswith("FileNotFoundError")) == (State.FAILED, True)
    assert titles(serving) == {"One", "Two", "Three"}


def test_a_refresh_after_a_cancel_is_another_one(serving: Serving, gate: Gate) -> None:
    uuid = serving.start("GET", REFRESH)
    gate.reached()
    assert serving.ask("DELETE", REFRESH).status_code == 200
    with ThreadPoolExecutor() as pool:  # it waits until the first has stopped
        again = pool.submit(serving.start, "GET", REFRESH)
        serving.all_cancelling()
        gate.open()
        assert serving.ended(uuid).state is State.CANCELLED
        assert again.result() != uuid
    assert serving.ended(again.result()).response == {"changed": 3, "gone": 0, "unreadable": 0}
    assert titles(serving) == {"One", "Two", "Three"}


def test_refreshes_at_the_same_moment_are_one(serving: Serving, gate: Gate) -> None:
    with ThreadPoolExecutor(20) as pool:
        started = set(pool.map(lambda _: serving.start("GET", REFRESH), range(20)))
    gate.open()
    (uuid,) = started
    assert serving.ended(uuid).response == {"changed": 3, "gone": 0, "unreadable": 0}


def test_a_cancel_of_the_reading_alone_leaves_the_refresh_as_it_is(serving: Serving, gate: Gate) -> None:
    uuid = serving.start("GET", REFRESH)
    gate.reached()
    _, part = (row["uuid"] for row in serving.rows("/activities", "Activity"))
    assert serving.ask("DELETE", f"/activities/{part}").status_code == 200
    gate.open()
    assert serving.ended(part).state is State.CANCELLED
    assert serving.ended(uuid).state is State.SUCCEEDED


def test_processing_subscriptions_refreshes_every_section_below_it(serving: Serving) -> None:
    uuid = serving.start("POST", "/media/subscriptions/process")
    parent = serving.ended(uuid)
    assert (parent.state, parent.type, parent.cancellable) == (State.SUCCEEDED, "provider.subscriptions.process", True)
    ended = serving.rows("/activities/history", "Activity")
    children = [row for row in ended if row.get("parentUUID") == uuid]
    assert {row["Context"]["librarySectionID"] for row in children} == {"1", "2"}
    assert all(row["endedAt"] <= (parent.ended_at or 0) for row in children)
    assert titles(serving) | titles(serving, 1) == {"One", "Two", "Three", "Silent", "Firefly"}


def test_its_cancel_stops_all_of_it(serving: Serving, gate: Gate) -> None:
    uuid = serving.start("POST", "/media/subscriptions/process")
    gate.reached()
    assert serving.ask("DELETE", f"/activities/{uuid}").status_code == 200
    serving.all_cancelling()
    gate.open()
    assert serving.ended(uuid).state is State.CANCELLED
    assert {row["state"] for row in serving.rows("/activities/history", "Activity")} == {"cancelled"}


def test_optimizing_without_async_answers_when_it_is_done(serving: Serving) -> None:
    assert serving.activity(serving.start("PUT", "/library/optimize")).state is State.SUCCEEDED
    assert serving.ended(serving.start("PUT", "/library/optimize?async=1")).state is State.SUCCEEDED


def test_an_activity_belongs_to_who_asked_for_it(serving: Serving, gate: Gate) -> None:
    gate.open()
    serving.refreshed(2)
    gate.close()
    mine = serving.start("PUT", "/library/metadata/1/refresh", token="guest")
    others = serving.start("PUT", "/library/metadata/2,3/refresh", token="owner")
    assert [row["uuid"] for row in serving.rows("/activities", "Activity", "guest")] == [mine]
    assert [row["uuid"] for row in serving.rows("/activities", "Activity", "owner")] == [mine, others]
    assert serving.ask("DELETE", f"/activities/{others}", "guest").status_code == 404
    assert serving.ask("DELETE", f"/activities/{mine}", "guest").status_code == 200
    gate.open()
    assert (serving.ended(mine).state, serving.ended(others).state) == (State.CANCELLED, State.SUCCEEDED)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", REFRESH),
        ("DELETE", REFRESH),
        ("PUT", "/library/optimize?async=1"),
        ("POST", "/media/subscriptions/process"),
    ],
)
def test_only_the_owner_keeps_the_library(serving: Serving, method: str, path: str) -> None:
    assert serving.ask(method, path, "guest").status_code == 403
    assert serving.ask(method, path, "wrong").status_code == 401
    assert serving.rows("/activities/history", "Activity") == []


@pytest.mark.parametrize("path", ["/", "/library", "/library/sections", "/library/sections/1/all", "/status/sessions"])
def test_every_page_is_xml_or_json_and_for_users_only(serving: Serving, path: str) -> None:
    assert serving.ask("GET", path, "wrong").status_code == 401
    xml, json = (serving.ask("GET", path, "guest", accept) for accept in ("*/*", "application/json"))
    assert (xml.headers["Content-Type"], json.headers["Content-Type"]) == ("text/xml;charset=utf-8", "application/json")
    assert b"<MediaContainer " in xml.content
    assert "MediaContainer" in json.json()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/library/sections/9/all", 404),
        ("GET", "/library/sections/all/all", 404),
        ("GET", "/library/sections/x/refresh", 404),
        ("GET", "/library/metadata/1", 404),
        ("GET", "/library/metadata/x", 404),
        ("GET", "/library/metadata/" + "9" * 5000, 404),
        ("PUT", "/library/metadata/99999999999999999999/refresh", 404),
        ("GET", "/nowhere", 404),
    ],
)
def test_what_does_not_exist_is_refused(serving: Serving, method: str, path: str, status: int) -> None:
    assert serving.ask(method, path).status_code == status


def test_it_is_served_in_pages(serving: Serving) -> None:
    serving.refreshed(2)
    pages: list[Any] = [
        serving.rows(f"/library/sections/2/all?X-Plex-Container-Start={start}&X-Plex-Container-Size=2")
        for start in (0, 2, 4)
    ]
    assert [[row["title"] for row in page] for page in pages] == [["One", "Two"], ["Three"], []]
