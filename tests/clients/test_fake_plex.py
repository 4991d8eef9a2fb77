"""python-plexapi and plex-api-client, unchanged, take the fake Plex Media Server for a real one."""

# python-plexapi has no types.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import json
import queue
from collections.abc import Iterator
from typing import Any

import pytest
from plex_api_client import PlexAPI
from plex_api_client.models import errors
from plex_api_client.utils.eventstreaming import stream_events
from plexapi.exceptions import BadRequest, NotFound, Unauthorized
from plexapi.server import PlexServer

from tests.client.scripted_server import eventually
from tests.plex_media_server import USER, PlexMediaServer

DEADLINE = 60.0
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def fake() -> Iterator[PlexMediaServer]:
    with PlexMediaServer() as server:
        yield server


@pytest.fixture
def plex(fake: PlexMediaServer) -> Iterator[PlexServer]:
    server = PlexServer(fake.url, fake.token)
    yield server
    server._session.close()


@pytest.fixture
def sdk(fake: PlexMediaServer) -> Iterator[Any]:
    with PlexAPI(server_url=fake.url, token=fake.token) as client:
        yield client


def test_plexapi_opens_a_connection(fake: PlexMediaServer, plex: PlexServer) -> None:
    assert (len(plex.machineIdentifier), plex.eventStream, plex.ownerFeatures) == (40, True, [])
    assert plex.identity().machineIdentifier == plex.machineIdentifier
    with pytest.raises(Unauthorized):
        PlexServer(fake.url, "wrong")


def test_plexapi_lists_and_cancels(fake: PlexMediaServer, plex: PlexServer) -> None:
    uuid = fake.start("media.download", title="Downloading <Heat>", cancellable=True, progress=7)
    butler, download = plex.activities
    assert (butler.type, butler.progress) == ("butler", 100)
    assert (download.uuid, download.title, download.progress, download.cancellable) == (
        *(uuid, "Downloading <Heat>", 7, True),
    )
    assert plex.query(f"/activities/{uuid}", plex._session.delete) is None
    assert [activity.type for activity in plex.activities] == ["butler"]
    with pytest.raises(BadRequest, match="400 Bad Request"):
        plex.query(f"/activities/{butler.uuid}", plex._session.delete)
    with pytest.raises(NotFound, match="404 Not Found"):
        plex.query(f"/activities/{UNKNOWN}", plex._session.delete)


def test_plexapi_of_another_user_sees_what_is_theirs(fake: PlexMediaServer) -> None:
    fake.start("media.download")
    uuid = fake.start("media.download", userID=USER)
    plex = PlexServer(fake.url, fake.user_token)
    assert [activity.uuid for activity in plex.activities] == [uuid]
    assert [section.title for section in plex.library.sections()] == ["Films", "Shows"]
    plex._session.close()


def test_plexapi_scans_and_refreshes(fake: PlexMediaServer, plex: PlexServer) -> None:
    films = plex.library.section("Films")
    assert (films.key, films.refreshing, films.locations) == (1, False, ["/media"])
    films.update()
    fake.advance()
    assert [activity.title for activity in plex.activities][1:] == ["Scanning Films"]
    assert fake.activity("library.update.section")["Context"] == {"librarySectionID": "1"}
    films.cancelUpdate()
    assert [activity.type for activity in plex.activities] == ["butler"]
    films.refresh()
    plex.library.sectionByID(3).update(path="/media/new")
    assert [activity.title for activity in plex.activities][1:] == ["Scanning Films", "Scanning Shows"]
    assert fake.asked[-2].query == {"path": "/media/new"}
    fake.finish()
    plex.library.update()
    assert [activity.title for activity in plex.activities][1:] == ["Scanning Films", "Scanning Shows"]
    plex.library.cancelUpdate()
    film = plex.fetchItem(12)
    film.refresh()
    fake.advance()
    assert fake.activity("library.refresh.items")["Context"] == {"key": film.key}


def test_plexapi_hears_a_scan_among_other_alerts(fake: PlexMediaServer, plex: PlexServer) -> None:
    heard: queue.Queue[dict[str, Any]] = queue.Queue()
    failures: list[Exception] = []
    listener = plex.startAlertListener(heard.put, failures.append)
    eventually(lambda: fake.streams)
    plex.library.section("Films").update()
    fake.finish()
    ends: list[str] = []
    while not ends or ends[-1] != "media.generate.credits":
        alert = heard.get(timeout=DEADLINE)
        if alert["type"] == "activity" and alert["ActivityNotification"][0]["event"] == "ended":
            ends.append(alert["ActivityNotification"][0]["Activity"]["type"])
    assert ends == [
        *("library.update.section", "library.refresh.items", "library.update.item.metadata", "media.generate.credits")
    ]
    assert failures == []
    listener.stop()
    eventually(lambda: not fake.streams)


def test_plexapi_is_told_of_a_restart(fake: PlexMediaServer, plex: PlexServer) -> None:
    failures: queue.Queue[Exception] = queue.Queue()
    plex.startAlertListener(lambda _: None, failures.put)
    eventually(lambda: fake.streams)
    fake.restart()
    assert "lost" in str(failures.get(timeout=DEADLINE))
    assert [activity.type for activity in plex.activities] == ["butler"]


def test_the_sdk_lists_and_cancels(fake: PlexMediaServer, sdk: Any) -> None:
    uuid = fake.start("provider.epg.load", title="Refreshing EPG", cancellable=True, Context={"librarySectionID": "3"})
    butler, row = sdk.activities.list_activities().object.media_container.activity
    assert (butler.type, row.uuid, row.title, row.cancellable) == ("butler", uuid, "Refreshing EPG", True)
    answer = sdk.activities.cancel_activity(request={"activity_id": uuid})
    assert (answer.status_code, answer.raw_response.content) == (200, b"")
    for wrong, status in ((butler.uuid, 400), (UNKNOWN, 404)):
        with pytest.raises(errors.SDKError) as raised:
            sdk.activities.cancel_activity(request={"activity_id": wrong})
        assert raised.value.status_code == status
        assert raised.value.body.startswith("<html>")


def test_the_sdk_with_a_bad_token_gets_html(fake: PlexMediaServer) -> None:
    with PlexAPI(server_url=fake.url, token="wrong") as stranger, pytest.raises(errors.SDKError) as raised:
        stranger.activities.list_activities()
    assert (raised.value.status_code, raised.value.headers["content-type"]) == (401, "text/html")


def test_the_sdk_reads_events(fake: PlexMediaServer, sdk: Any) -> None:
    answer = sdk.events.get_notifications(request={"filter_": ["log", "activity"]})
    try:
        events: Iterator[Any] = iter(stream_events(answer.response_stream, json.loads))
        assert next(events)["event"] == "ping"
        uuid = fake.start("x")
        told = next(events)
        assert (told["event"], told["data"]["ActivityNotification"]["uuid"]) == ("activity", uuid)
    finally:
        answer.response_stream.close()
    eventually(lambda: not fake.streams)


def test_the_sdk_lists_sections(sdk: Any) -> None:
    films, shows = sdk.library.get_sections().object.media_container.directory
    assert [(section.key, section.title) for section in (films, shows)] == [("1", "Films"), ("3", "Shows")]


def test_the_sdk_reads_identity_and_root(sdk: Any) -> None:
    identity = sdk.general.get_identity().object.media_container
    assert (identity.claimed, len(identity.machine_identifier)) == (True, 40)
    assert sdk.general.get_server_info(request={}).status_code == 200
