"""The parsers of clients that exist, fed with our bytes."""

# python-plexapi has no types.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plex_api_client.models import errors as sdk_errors
from plex_api_client.models import operations
from plex_api_client.utils.eventstreaming import stream_events
from plex_api_client.utils.unmarshal_json_response import unmarshal_json_response
from plexapi.alert import AlertListener
from plexapi.server import PlexServer
from plexapi.utils import parseXMLString

from headway.core.activity import Activity, Scalar
from headway.core.errors import NotAuthenticated
from headway.core.scalars import shown
from headway.core.view import Kind
from headway.wire import sse, websocket
from headway.wire.errors import encode_error
from headway.wire.formats import Format
from headway.wire.plex import encode_row
from headway.wire.row import row_of
from headway.wire.server import Server, encode_identity, encode_root
from headway.wire.sse import ResyncReason
from tests.wire.strategies import UUID, activities, an_activity, listed

SERVER = Server(
    machine_identifier="0" * 40, version="1.2.3", friendly_name="box", platform="Linux", updated_at=1700000000
)


class OfflinePlexServer(PlexServer):
    """python-plexapi's server, with our bodies in place of a connection."""

    def __init__(self, activities: bytes = b"") -> None:
        self._answers = {
            "/": encode_root(SERVER, Format.XML),
            "/identity": encode_identity(SERVER, Format.XML),
            "/activities": activities,
        }
        super().__init__("http://127.0.0.1", "token")

    def query(self, key: str, *_: Any, **__: Any) -> Any:
        """Parse what a real one would have fetched."""
        return parseXMLString(self._answers[key].decode())


def response(body: bytes, content_type: str = "application/json") -> httpx.Response:
    return httpx.Response(200, content=body, headers={"Content-Type": content_type})


def sdk_reads(model: Any, body: bytes) -> Any:
    return unmarshal_json_response(model, response(body))


def test_python_plexapi_reads_the_root() -> None:
    server = OfflinePlexServer()
    assert (server.friendlyName, server.version, server.machineIdentifier) == ("box", "1.2.3", "0" * 40)
    assert (server.myPlex, server.eventStream, server.ownerFeatures) == (False, True, [])
    assert server.updatedAt.timestamp() == 1700000000
    assert server.transcoderActiveVideoSessions == 0


def test_python_plexapi_reads_the_identity() -> None:
    identity = OfflinePlexServer().identity()
    assert (identity.claimed, identity.machineIdentifier, identity.version) == (True, "0" * 40, "1.2.3")


@given(st.lists(activities, max_size=3))
def test_python_plexapi_reads_any_list(written: list[Activity]) -> None:
    read = OfflinePlexServer(listed(*written, format=Format.XML)).activities
    assert [(each.uuid, each.type, each.title, each.subtitle) for each in read] == [
        (each.uuid, each.type, each.title, each.subtitle) for each in written
    ]
    assert [each.cancellable for each in read] == [each.cancellable for each in written]
    assert [each.progress for each in read] == [each.percent for each in written]
    assert all(type(each.progress) is int for each in read)


@pytest.mark.parametrize(
    ("frame", "type"),
    [
        (websocket.activity(Kind.STARTED, UUID, encode_row(an_activity(title="t"))), "activity"),
        (websocket.activity(Kind.STARTED, UUID, encode_row(an_activity(title="t")), "c1"), "activity"),
        (websocket.resync(ResyncReason.EXPIRED, "c1"), "resync"),
        (websocket.snapshot(listed(an_activity()), "c1"), "snapshot"),
    ],
)
def test_python_plexapis_listener_hands_every_frame_on(frame: bytes, type: str) -> None:
    heard: list[dict[str, Any]] = []
    AlertListener(None, heard.append)._onMessage(None, frame.decode())
    assert [(data["type"], data["size"]) for data in heard] == [(type, 1)]


@given(activities)
def test_the_generated_sdk_reads_any_activity(activity: Activity) -> None:
    body = sdk_reads(operations.ListActivitiesResponseBody, listed(activity))
    (read,) = body.media_container.activity
    assert (read.uuid, read.type, read.title, read.subtitle, read.progress, read.user_id, read.cancellable) == (
        activity.uuid,
        activity.type,
        activity.title,
        activity.subtitle,
        activity.percent,
        activity.owner,
        activity.cancellable,
    )
    assert read.context == row_of(activity).context
    assert read.additional_properties["state"] == activity.state


def test_the_generated_sdk_reads_an_empty_list() -> None:
    body = sdk_reads(operations.ListActivitiesResponseBody, listed())
    assert body.media_container.activity is None


def test_the_generated_sdk_reads_identity_and_root() -> None:
    identity = sdk_reads(operations.GetIdentityResponseBody, encode_identity(SERVER, Format.JSON))
    assert (identity.media_container.claimed, identity.media_container.version) == (True, "1.2.3")
    sdk_reads(operations.GetServerInfoResponseBody, encode_root(SERVER, Format.JSON))


def test_the_generated_sdk_reads_an_error() -> None:
    read = sdk_reads(sdk_errors.ErrorData, encode_error(NotAuthenticated(), Format.JSON))
    (error,) = read.errors
    assert (error.code, error.message, error.status) == (1001, "User could not be authenticated", 401)


@given(activities)
def test_the_generated_sdks_event_reader_reads_our_stream(activity: Activity) -> None:
    stream = sse.ping() + sse.activity(Kind.ENDED, activity.uuid, encode_row(activity), "c1") + sse.ping()
    events = list(stream_events(response(stream, "text/event-stream"), json.loads))
    assert [(event["event"], event.get("id")) for event in events] == [
        ("ping", None),
        ("activity", "c1"),
        ("ping", "c1"),
    ]
    told = events[1]["data"]["ActivityNotification"]
    assert (told["event"], told["Activity"]["title"]) == ("ended", activity.title)


def test_the_xml_bag_of_a_context_is_what_json_has_as_text() -> None:
    context: dict[str, Scalar] = {"librarySectionID": "3", "exists": True, "count": 2.0}
    container = parseXMLString(listed(an_activity(context=context), format=Format.XML).decode())
    assert container[0][0].attrib == {key: shown(value) for key, value in context.items()}
