"""plex-api-client, the generated Python SDK, unchanged: what it starts it follows by ``X-Plex-Activity``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from plex_api_client import PlexAPI
from plex_api_client.models import errors
from plex_api_client.utils.eventstreaming import stream_events

from headway import State
from tests.examples.mediaserver.serving import Gate, Serving

CALLS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "refresh_section": ("library.update.section", lambda sdk: sdk.library.refresh_section(request={"section_id": 1})),
    "refresh_section_post": (
        "library.update.section",
        lambda sdk: sdk.library.refresh_section_post(request={"section_id": 1}),
    ),
    "refresh_items_metadata": (
        "library.refresh.items",
        lambda sdk: sdk.library.refresh_items_metadata(request={"ids": "1"}),
    ),
    "optimize_database": ("library.optimize", lambda sdk: sdk.library.optimize_database(request={"async_": 1})),
    "process_subscriptions": (
        "provider.subscriptions.process",
        lambda sdk: sdk.subscriptions.process_subscriptions(),
    ),
}


@pytest.fixture
def sdk(serving: Serving) -> Iterator[Any]:
    with PlexAPI(server_url=serving.url, token="owner") as client:
        yield client


def started(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.raw_response.headers["X-Plex-Activity"])


@contextmanager
def events(sdk: Any) -> Iterator[Iterator[tuple[str, Any]]]:
    """What its event call tells of activities, from now on: which event, and the activity."""
    answer = sdk.events.get_notifications(request={})

    def told() -> Iterator[tuple[str, Any]]:
        for event in stream_events(answer.response_stream, json.loads):
            if event["event"] == "activity":
                notification = event["data"]["ActivityNotification"]
                yield notification["event"], notification["Activity"]

    try:
        yield told()
    finally:
        answer.response_stream.close()


@pytest.mark.parametrize("call", CALLS)
def test_what_a_call_starts_is_followed_to_its_end(serving: Serving, sdk: Any, call: str) -> None:
    serving.refreshed(1)
    type, send = CALLS[call]
    with events(sdk) as told:
        uuid = started(send(sdk))
        heard = [(event, activity) for event, activity in until_ended(told, uuid) if activity["uuid"] == uuid]
    assert [event for event, _ in heard if event != "updated"] == ["started", "ended"]
    assert {(activity["type"], activity["userID"]) for _, activity in heard} == {(type, 1)}
    assert heard[-1][1]["progress"] == 100
    assert serving.activity(uuid).state is State.SUCCEEDED


def until_ended(told: Iterator[tuple[str, Any]], uuid: str) -> Iterator[tuple[str, Any]]:
    for event, activity in told:
        yield event, activity
        if (event, activity["uuid"]) == ("ended", uuid):
            return


@pytest.mark.parametrize("call", ["cancel_activity", "cancel_refresh", "stop_all_refreshes"])
def test_a_refresh_is_listed_and_cancelled(serving: Serving, sdk: Any, gate: Gate, call: str) -> None:
    uuid = started(sdk.library.refresh_section(request={"section_id": 2}))
    gate.reached()
    listed = sdk.activities.list_activities().object.media_container.activity
    assert [(row.uuid == uuid, row.type) for row in listed] == [
        (True, "library.update.section"),
        (False, "library.refresh.items"),
    ]
    if call == "cancel_activity":
        sdk.activities.cancel_activity(request={"activity_id": uuid})
    elif call == "cancel_refresh":
        sdk.library.cancel_refresh(request={"section_id": 2})
    else:
        sdk.library.stop_all_refreshes()
    serving.all_cancelling()
    gate.open()
    assert serving.ended(uuid).state is State.CANCELLED
    assert sdk.activities.list_activities().object.media_container.activity is None


def test_two_refreshes_of_a_section_are_one(serving: Serving, sdk: Any, gate: Gate) -> None:
    first = started(sdk.library.refresh_section(request={"section_id": 2}))
    gate.reached()
    assert started(sdk.library.refresh_section_post(request={"section_id": 2})) == first
    assert started(sdk.library.refresh_section(request={"section_id": 1})) != first


def test_it_reads_sections_and_items(serving: Serving, sdk: Any) -> None:
    serving.refreshed(1)
    sections = sdk.library.get_sections().object.media_container.directory
    assert [(one.key, one.type.value, one.title, one.refreshing) for one in sections] == [
        ("1", "movie", "Movies", False),
        ("2", "artist", "Music", False),
    ]
    answer = sdk.content.list_content(request={"section_id": "1"})
    films = answer.media_container_with_metadata.media_container.metadata
    assert [(film.title, film.year) for film in films] == [("Silent", None), ("Firefly", 2002)]
    answer = sdk.content.get_metadata_item(request={"ids": [film.rating_key for film in films]})
    (_, firefly) = answer.media_container_with_metadata.media_container.metadata
    assert firefly.media[0].part[0].file == str(serving.folder / "Movies/Firefly (2002)/Firefly.mp4")


def test_a_stranger_is_told_so_in_its_own_words(serving: Serving) -> None:
    with PlexAPI(server_url=serving.url, token="wrong") as sdk:
        calls: list[Callable[[], Any]] = [
            lambda: sdk.library.get_sections(),
            lambda: sdk.library.refresh_section(request={"section_id": 1}),
        ]
        for call in calls:
            with pytest.raises(errors.Error) as raised:
                call()
            data: Any = raised.value.data
            assert data.errors[0].status == 401
