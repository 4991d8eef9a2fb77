"""plex-api-client, the generated Python SDK, unchanged, against the server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from plex_api_client import PlexAPI
from plex_api_client.models import errors
from plex_api_client.utils.eventstreaming import stream_events

from tests.server.whole import UNKNOWN, Whole, eventually


@pytest.fixture
async def sdk(whole: Whole) -> AsyncIterator[Any]:
    with PlexAPI(server_url=whole.url, token=whole.tokens["alice"]) as client:
        yield client


@pytest.fixture
async def stranger(whole: Whole) -> AsyncIterator[Any]:
    with PlexAPI(server_url=whole.url, token="wrong") as client:
        yield client


async def test_it_lists_activities(whole: Whole, sdk: Any) -> None:
    started = await whole.start(
        type="provider.epg.load", title="Refreshing EPG", progress=7, Context={"librarySectionID": "3"}
    )
    await whole.start("bob")
    answer = await asyncio.to_thread(sdk.activities.list_activities)
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    container = answer.object.media_container
    (row,) = [row for row in container.activity if row.uuid == started["uuid"]]
    assert (row.type, row.title, row.subtitle, row.progress, row.cancellable, row.user_id, row.context) == (
        "provider.epg.load",
        "Refreshing EPG",
        "",
        7,
        False,
        started["userID"],
        {"librarySectionID": "3"},
    )


async def test_an_empty_list_is_read(whole: Whole) -> None:
    with PlexAPI(server_url=whole.url, token=whole.tokens["rita"]) as sdk:
        answer: Any = await asyncio.to_thread(sdk.activities.list_activities)
    assert answer.object.media_container.activity is None


async def test_a_bad_token_is_its_typed_error(stranger: Any) -> None:
    with pytest.raises(errors.Error) as raised:
        await asyncio.to_thread(stranger.activities.list_activities)
    data: Any = raised.value.data
    (error,) = data.errors
    assert (error.code, error.message, error.status) == (1001, "User could not be authenticated", 401)


async def test_it_cancels(whole: Whole, sdk: Any) -> None:
    uuid = (await whole.start(cancellable=True))["uuid"]
    for _ in range(2):
        answer = await asyncio.to_thread(sdk.activities.cancel_activity, request={"activity_id": uuid})
        assert (answer.status_code, answer.content_type, answer.raw_response.content) == (200, "text/html", b"")
    assert (await whole.activities.get(uuid)).cancel is not None


async def test_what_cannot_be_cancelled_is_its_error_with_the_exact_status(
    whole: Whole, sdk: Any, stranger: Any
) -> None:
    stubborn, foreign = (await whole.start())["uuid"], (await whole.start("bob", cancellable=True))["uuid"]
    cases = [(sdk, stubborn, 400), (sdk, foreign, 404), (sdk, UNKNOWN, 404), (sdk, "x", 404), (stranger, stubborn, 401)]
    for client, uuid, status in cases:
        with pytest.raises(errors.SDKError) as raised:
            await asyncio.to_thread(client.activities.cancel_activity, request={"activity_id": uuid})
        assert raised.value.status_code == status
        assert raised.value.body.startswith("<html><head><title>")
        assert raised.value.headers["content-type"] == "text/html"


async def test_its_event_call_reads_the_stream(whole: Whole, sdk: Any) -> None:
    answer = await asyncio.to_thread(sdk.events.get_notifications, request={})
    assert (answer.status_code, answer.content_type) == (200, "application/octet-stream")
    assert answer.response_stream is not None
    try:
        events: Iterator[Any] = iter(stream_events(answer.response_stream, json.loads))
        assert (await asyncio.to_thread(next, events))["event"] == "ping"
        uuid = (await whole.start())["uuid"]
        told = await asyncio.to_thread(next, events)
        assert (told["event"], told["data"]["ActivityNotification"]["event"]) == ("activity", "started")
        assert told["data"]["ActivityNotification"]["uuid"] == uuid
    finally:
        await asyncio.to_thread(answer.response_stream.close)
    await eventually(lambda: len(whole.service.places) == 0)


async def test_its_event_call_sends_filters_repeated(whole: Whole, sdk: Any) -> None:
    answer = await asyncio.to_thread(sdk.events.get_notifications, request={"filter_": ["log", "activity"]})
    assert answer.response_stream is not None
    try:
        events: Iterator[Any] = iter(stream_events(answer.response_stream, json.loads))
        assert (await asyncio.to_thread(next, events))["event"] == "ping"
        uuid = (await whole.start())["uuid"]
        assert (await asyncio.to_thread(next, events))["data"]["ActivityNotification"]["uuid"] == uuid
    finally:
        await asyncio.to_thread(answer.response_stream.close)


async def test_its_event_call_with_a_bad_token_is_its_error(stranger: Any) -> None:
    with pytest.raises(errors.SDKError) as raised:
        await asyncio.to_thread(stranger.events.get_notifications, request={})
    assert raised.value.status_code == 401


async def test_it_reads_identity_and_root(whole: Whole, sdk: Any) -> None:
    identity = (await asyncio.to_thread(sdk.general.get_identity)).object.media_container
    assert (identity.claimed, len(identity.machine_identifier)) == (True, 40)
    root = await asyncio.to_thread(sdk.general.get_server_info, request={})
    assert root.status_code == 200


async def test_its_asynchronous_calls_work_as_well(whole: Whole) -> None:
    uuid = (await whole.start(cancellable=True))["uuid"]
    async with PlexAPI(server_url=whole.url, token=whole.tokens["alice"]) as sdk:
        listed: Any = await sdk.activities.list_activities_async()
        assert uuid in [row.uuid for row in listed.object.media_container.activity]
        assert (await sdk.activities.cancel_activity_async(request={"activity_id": uuid})).status_code == 200
