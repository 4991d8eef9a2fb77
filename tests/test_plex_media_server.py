"""The fake Plex Media Server tells the facts that are known of real ones."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from functools import partial
from typing import Any
from xml.etree import ElementTree

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.client.scripted_server import eventually
from tests.plex.scans import ended, library_scan, started
from tests.plex_media_server import EVENTS, SOCKETS, USER, PlexMediaServer

JSON = {"Accept": "application/json"}
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def plex() -> Iterator[PlexMediaServer]:
    with PlexMediaServer() as server:
        yield server


@pytest.fixture
def owner(plex: PlexMediaServer) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=plex.url, headers={"X-Plex-Token": plex.token}) as client:
        yield client


@pytest.fixture
def user(plex: PlexMediaServer) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=plex.url, params={"X-Plex-Token": plex.user_token}) as client:
        yield client


def page(status: int, reason: str) -> str:
    return f"<html><head><title>{reason}</title></head><body><h1>{status} {reason}</h1></body></html>"


def listed(client: httpx2.Client) -> list[dict[str, Any]]:
    container = client.get("/activities", headers=JSON).json()["MediaContainer"]
    rows: list[dict[str, Any]] = container.get("Activity", [])
    assert container["size"] == len(rows)
    return rows


def listening(plex: PlexMediaServer, path: str = SOCKETS[0], query: str = "", token: str = "") -> ClientConnection:
    url = plex.url.replace("http", "ws") + path
    return connect(f"{url}?X-Plex-Token={token or plex.token}{query}", proxy=None)


def told(stream: ClientConnection) -> dict[str, Any]:
    """The next notification of an activity, past what else servers say."""
    while True:
        text = stream.recv(timeout=30)
        assert isinstance(text, str)
        document = json.loads(text)
        assert text == json.dumps(document, separators=(",", ":"))
        container = document["NotificationContainer"]
        assert (len(container), container["size"]) == (3, 1)
        if container["type"] == "activity":
            (notification,) = container["ActivityNotification"]
            return dict(notification)


def event(lines: Iterator[str]) -> tuple[str, Any]:
    """The next event of an EventSource, past what else servers say."""
    while True:
        name, data = next(lines).removeprefix("event: "), json.loads(next(lines).removeprefix("data: "))
        assert next(lines) == "", "no id"
        if name in ("ping", "activity"):
            return name, data


def test_the_list_is_xml_unless_json_is_asked_for(plex: PlexMediaServer, owner: httpx2.Client) -> None:
    uuid = plex.start("library.update.section", title='Scanning "<Films>"', Context={"librarySectionID": "1"})
    del owner.headers["Accept"]
    for headers in ({}, {"Accept": "*/*"}, {"Accept": "text/xml"}, {"accepts": "application/json"}):
        answer = owner.get("/activities", headers=headers)
        assert answer.headers["content-type"] == "text/xml;charset=utf-8"
        container = ElementTree.fromstring(answer.content)
        assert container.attrib == {"size": "2"}
        assert dict(container[1].attrib) == {
            "uuid": uuid,
            "type": "library.update.section",
            "cancellable": "0",
            "userID": "1",
            "title": 'Scanning "<Films>"',
            "subtitle": "",
            "progress": "0",
        }
        assert container[1][0].attrib == {"librarySectionID": "1"}
    answer = owner.get("/activities", headers=JSON)
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json()["MediaContainer"]["Activity"][1]) == [
        *("uuid", "type", "cancellable", "userID", "title", "subtitle", "progress", "Context")
    ]
    assert not [name for name in answer.headers if name.startswith("x-headway") or name in ("etag", "x-plex-activity")]


def test_a_butler_is_always_there_at_100_for_its_owner(plex: PlexMediaServer, user: httpx2.Client) -> None:
    (butler,) = plex.activities
    assert (butler["type"], butler["progress"]) == ("butler", 100)
    assert listed(user) == []
    assert "Activity" not in user.get("/activities", headers=JSON).json()["MediaContainer"]


def test_a_user_sees_only_what_is_theirs(plex: PlexMediaServer, owner: httpx2.Client, user: httpx2.Client) -> None:
    plex.start("media.download")
    theirs = plex.start("media.download", userID=USER)
    assert [row["uuid"] for row in listed(user)] == [theirs]
    assert [row["type"] for row in listed(owner)] == ["butler", "media.download", "media.download"]


def test_errors_are_html_whatever_is_accepted(plex: PlexMediaServer, owner: httpx2.Client, user: httpx2.Client) -> None:
    uuid, cancellable = plex.start("x"), plex.start("x", cancellable=True)
    cases = [
        (owner.delete(f"/activities/{uuid}", headers=JSON), 400, "Bad Request"),
        (owner.delete(f"/activities/{UNKNOWN}", headers=JSON), 404, "Not Found"),
        (owner.delete("/activities/nonsense", headers=JSON), 404, "Not Found"),
        (user.delete(f"/activities/{cancellable}", headers=JSON), 404, "Not Found"),
        (user.delete(f"/activities/{uuid}", headers=JSON), 404, "Not Found"),
        (owner.get(f"/activities/{uuid}", headers=JSON), 404, "Not Found"),
        (owner.patch(f"/activities/{uuid}", json={}), 404, "Not Found"),
        (owner.post("/activities", json={}), 404, "Not Found"),
        (owner.get("/activities/history"), 404, "Not Found"),
        (owner.get("/activities", headers={**JSON, "X-Plex-Token": "wrong"}), 401, "Unauthorized"),
        (httpx2.get(f"{plex.url}/activities", headers=JSON), 401, "Unauthorized"),
        (httpx2.get(f"{plex.url}/"), 401, "Unauthorized"),
    ]
    for answer, status, reason in cases:
        assert (answer.status_code, answer.text) == (status, page(status, reason))
        assert answer.headers["content-type"] == "text/html"
        assert "www-authenticate" not in answer.headers


def test_a_cancel_is_answered_with_nothing_and_ends_the_activity(plex: PlexMediaServer, owner: httpx2.Client) -> None:
    uuid = plex.start("provider.subscriptions.process", cancellable=True, progress=7)
    with listening(plex) as stream:
        for _ in range(2):
            answer = owner.delete(f"/activities/{uuid}")
            assert (answer.status_code, answer.content) == (200, b"")
        ending = told(stream)
    assert (ending["event"], ending["uuid"], ending["Activity"]["progress"]) == ("ended", uuid, 7)
    assert uuid not in [row["uuid"] for row in plex.activities]


def test_a_cancel_may_take_its_time(plex: PlexMediaServer, owner: httpx2.Client) -> None:
    plex.cancel_ends = False
    uuid = plex.start("media.download", cancellable=True)
    assert owner.delete(f"/activities/{uuid}").status_code == 200
    assert plex.activity("media.download")["uuid"] == uuid
    plex.end(uuid, progress=3)
    assert owner.delete(f"/activities/{uuid}").status_code == 200


def test_identity_needs_no_token_and_the_root_does(plex: PlexMediaServer, owner: httpx2.Client) -> None:
    identity = httpx2.get(f"{plex.url}/identity", headers=JSON).json()["MediaContainer"]
    assert (identity["size"], identity["claimed"], len(identity["machineIdentifier"])) == (0, True, 40)
    root = ElementTree.fromstring(owner.get("/").content)
    assert (root.attrib["eventStream"], root.attrib["ownerFeatures"]) == ("1", "")
    assert root.attrib["machineIdentifier"] == identity["machineIdentifier"]
    assert root[0].attrib == {"count": "1", "key": "activities", "title": "activities"}


@pytest.mark.parametrize("path", SOCKETS)
def test_a_socket_tells_a_life(plex: PlexMediaServer, path: str) -> None:
    with listening(plex, path, query="&since=1&snapshot=1&type=other") as stream:
        uuid = plex.start("library.refresh.items")
        plex.update(uuid, subtitle="Checking files", Context={"key": "/library/metadata/1"})
        plex.update(uuid, progress=33, Context={"accessible": True})
        plex.update(uuid)
        plex.end(uuid)
        life = [told(stream) for _ in range(5)]
    assert [(one["event"], one["Activity"]["progress"]) for one in life] == [
        *(("started", 0), ("updated", 0), ("updated", 33), ("updated", 33), ("ended", 100))
    ]
    assert [list(one["Activity"].get("Context", {})) for one in life] == [
        *([], ["key"], ["accessible", "key"], ["accessible", "key"], ["accessible", "key"])
    ]
    assert list(life[0]) == ["event", "uuid", "Activity"]


@pytest.mark.parametrize("path", SOCKETS)
def test_a_bad_token_is_refused_at_the_handshake(plex: PlexMediaServer, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        listening(plex, path, token="wrong")
    assert refused.value.response.status_code == 401


def test_a_socket_bears_junk_and_answers_pings(plex: PlexMediaServer) -> None:
    with listening(plex) as stream:
        stream.send("junk")
        assert stream.ping().wait(30)
        uuid = plex.start("x")
        assert told(stream)["uuid"] == uuid


def test_other_notifications_are_mixed_in(plex: PlexMediaServer) -> None:
    with listening(plex) as stream:
        for _ in range(3):
            plex.start("x")
        kinds = [json.loads(stream.recv(timeout=30))["NotificationContainer"]["type"] for _ in range(6)]
    assert set(kinds) == {"playing", "timeline", "status", "activity"}


@pytest.mark.parametrize(
    ("query", "heard"),
    [
        ("", ["playing", "activity"]),
        ("&filters=", ["log", "playing", "activity"]),
        ("&filters=activity", ["activity"]),
        ("&filter=log&filter=activity", ["log", "activity"]),
        ("&filters=log%2Cactivity", ["log", "activity"]),
        ("&filters=-playing,log", ["activity"]),
    ],
)
def test_filters_choose(plex: PlexMediaServer, query: str, heard: list[str]) -> None:
    plex.noise = False
    with listening(plex, query=query) as stream:
        plex.notify("log", "LogNotification", {})
        plex.notify("playing", "PlaySessionStateNotification", {"state": "paused"})
        plex.start("x")
        assert [json.loads(stream.recv(timeout=30))["NotificationContainer"]["type"] for _ in heard] == heard


def test_users_are_told_only_of_what_is_theirs(plex: PlexMediaServer) -> None:
    with listening(plex, token=plex.user_token) as stream:
        plex.start("x")
        uuid = plex.start("x", userID=USER)
        assert told(stream)["uuid"] == uuid


def test_an_event_source_opens_with_a_ping(plex: PlexMediaServer, owner: httpx2.Client) -> None:
    with owner.stream("GET", EVENTS, params={"filters": "activity"}) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        lines = answer.iter_lines()
        assert event(lines) == ("ping", {})
        uuid = plex.start("x")
        name, data = event(lines)
        assert (name, data["ActivityNotification"]["uuid"]) == ("activity", uuid)
        assert list(data) == ["ActivityNotification"]
        plex.ping()
        assert event(lines) == ("ping", {})


def test_an_event_source_is_pinged_by_itself(plex: PlexMediaServer, owner: httpx2.Client) -> None:
    plex.ping_interval = 0.01
    with owner.stream("GET", EVENTS, params={"filters": "nothing"}) as answer:
        lines = answer.iter_lines()
        assert [event(lines) for _ in range(3)] == [("ping", {})] * 3


def test_an_old_server_has_no_event_source(owner: httpx2.Client, plex: PlexMediaServer) -> None:
    plex.eventsource = False
    answer = owner.get(EVENTS)
    assert (answer.status_code, answer.text) == (404, page(404, "Not Found"))


def test_a_bad_token_gets_no_event_source(plex: PlexMediaServer) -> None:
    assert httpx2.get(plex.url + EVENTS, headers={"X-Plex-Token": "wrong"}).status_code == 401


def test_a_restart_breaks_every_connection_and_forgets(plex: PlexMediaServer, owner: httpx2.Client) -> None:
    plex.start("x")
    url, before = plex.url, plex.activities
    with listening(plex) as stream:
        plex.restart()
        with pytest.raises(ConnectionClosed):
            told(stream)
    assert plex.url == url
    assert plex.streams == []
    (butler,) = listed(owner)
    assert butler["uuid"] not in [row["uuid"] for row in before]


def test_a_server_may_stay_away(plex: PlexMediaServer) -> None:
    plex.stop()
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{plex.url}/identity")
    plex.boot()
    assert httpx2.get(f"{plex.url}/identity").status_code == 200


def test_dropped_streams_forget_nothing(plex: PlexMediaServer) -> None:
    uuid = plex.start("x")
    with listening(plex) as stream:
        plex.drop_streams()
        with pytest.raises(ConnectionClosed):
            told(stream)
    assert plex.activity("x")["uuid"] == uuid


def test_a_half_dead_stream_says_nothing_and_stays_open(plex: PlexMediaServer) -> None:
    with socket.create_connection(("127.0.0.1", plex.port)) as raw:
        raw.sendall(f"GET {EVENTS}?X-Plex-Token={plex.token} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        eventually(lambda: plex.streams)
        plex.half_dead()
        (half_dead,) = plex.streams
        plex.start("x")
        plex.ping()
        with listening(plex) as stream:
            uuid = plex.start("x")
            assert told(stream)["uuid"] == uuid, "a new one lives"
        assert half_dead in plex.streams
        plex.drop_streams()
        read = b"".join(iter(lambda: raw.recv(65_536), b""))
    assert read.count(b"event:") == 1


def test_a_half_dead_socket_answers_no_pings(plex: PlexMediaServer) -> None:
    with listening(plex) as stream:
        plex.half_dead()
        (half_dead,) = plex.streams
        pong = stream.ping()
        eventually(lambda: half_dead.received)
        plex.drop_streams()
        with pytest.raises(ConnectionClosed):
            stream.recv(timeout=30)
        assert not pong.is_set()


def test_an_end_may_go_missing(plex: PlexMediaServer, owner: httpx2.Client) -> None:
    missed = plex.start("x")
    plex.withheld.add(missed)
    with listening(plex) as stream:
        plex.end(missed)
        uuid = plex.start("y")
        assert told(stream)["uuid"] == uuid
    assert missed not in [row["uuid"] for row in listed(owner)]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_a_scan_goes_through_its_life(plex: PlexMediaServer, owner: httpx2.Client, method: str) -> None:
    with listening(plex) as stream:
        answer = owner.request(method, "/library/sections/1/refresh")
        assert (answer.status_code, answer.content) == (200, b"")
        assert "x-plex-activity" not in answer.headers
        assert "Context" not in plex.activity("library.update.section")
        while plex.advance():
            pass
        life = [told(stream) for _ in range(16)]
    scan = [one for one in life if one["Activity"]["type"] == "library.update.section"]
    assert [(one["event"], one["Activity"]["progress"]) for one in scan] == [
        *(("started", 0), ("updated", 0), ("updated", 1), ("updated", 50), ("updated", 50), ("ended", 100))
    ]
    assert [one["Activity"].get("Context") for one in scan] == [None, *[{"librarySectionID": "1"}] * 5]
    follows = life[len(scan) :]
    assert [one["Activity"]["type"] for one in follows if one["event"] == "started"] == [
        *("library.refresh.items", "library.update.item.metadata", "media.generate.credits")
    ]
    assert [one["Activity"]["progress"] for one in follows[:5]] == [0, 0, 33, 66, 100]
    assert [row["type"] for row in plex.activities] == ["butler"]


def test_what_follows_a_scan_begins_a_moment_after_it(plex: PlexMediaServer, owner: httpx2.Client) -> None:
    owner.get("/library/sections/1/refresh")
    plex.advance(5)
    assert [row["type"] for row in plex.activities] == ["butler"]
    assert plex.advance()
    assert [row["type"] for row in plex.activities] == ["butler"]
    assert plex.advance()
    assert plex.activity("library.refresh.items")["subtitle"] == ""


def test_a_scan_may_name_its_activity(plex: PlexMediaServer, owner: httpx2.Client) -> None:
    plex.names_activity = True
    named = owner.get("/library/sections/3/refresh").headers["x-plex-activity"]
    assert named == plex.activity("library.update.section")["uuid"]
    assert owner.get("/library/sections/3/refresh").headers["x-plex-activity"] == named, "it runs already"
    assert owner.put("/library/metadata/12/refresh").headers["x-plex-activity"] != named


def test_a_scan_can_be_cancelled_and_nothing_follows(plex: PlexMediaServer, owner: httpx2.Client) -> None:
    plex.script_scan(partial(library_scan, cancellable=True))
    owner.get("/library/sections/1/refresh")
    assert owner.delete(f"/activities/{plex.activity('library.update.section')['uuid']}").status_code == 200
    owner.get("/library/sections/3/refresh")
    assert owner.delete("/library/sections/3/refresh").status_code == 200
    assert not plex.advance()
    assert [row["type"] for row in plex.activities] == ["butler"]


def test_a_scan_follows_its_script(plex: PlexMediaServer, owner: httpx2.Client) -> None:
    plex.script_scan([started("it", "library.update.section"), ended("it")])
    with listening(plex) as stream:
        owner.get("/library/sections/all/refresh")
        plex.finish()
        assert [told(stream)["event"] for _ in range(4)] == ["started", "started", "ended", "ended"]


def test_a_scan_moves_by_itself_at_a_tick() -> None:
    with PlexMediaServer(tick=0.001) as plex, listening(plex) as stream:
        httpx2.post(f"{plex.url}/library/sections/1/refresh", headers={"X-Plex-Token": plex.token})
        assert [told(stream)["event"] for _ in range(16)].count("ended") == 4


def test_only_the_owner_scans_and_only_what_there_is(owner: httpx2.Client, user: httpx2.Client) -> None:
    assert owner.get("/library/sections/9/refresh").status_code == 404
    assert user.get("/library/sections/1/refresh").status_code == 403
    assert user.get("/library").status_code == 403


def test_sections_are_listed_and_say_whether_they_are_scanned(plex: PlexMediaServer, owner: httpx2.Client) -> None:
    owner.get("/library/sections/1/refresh")
    plex.advance()
    films, shows = owner.get("/library/sections", headers=JSON).json()["MediaContainer"]["Directory"]
    assert (films["key"], films["refreshing"], films["Location"]) == ("1", True, [{"id": 1, "path": "/media"}])
    assert (shows["key"], shows["type"], shows["refreshing"]) == ("3", "show", False)
    container = ElementTree.fromstring(owner.get("/library/sections/").content)
    assert [(one.attrib["title"], one.attrib["refreshing"], one[0].tag) for one in container] == [
        *(("Films", "1", "Location"), ("Shows", "0", "Location"))
    ]


def test_what_was_asked_is_remembered(plex: PlexMediaServer, owner: httpx2.Client) -> None:
    owner.delete(f"/activities/{UNKNOWN}?filter=a&filter=b")
    (asked,) = plex.asked_for("DELETE", "/activities")
    assert (asked.path, asked.token) == (f"/activities/{UNKNOWN}", plex.token)
    assert asked.arguments == [("filter", "a"), ("filter", "b")]
