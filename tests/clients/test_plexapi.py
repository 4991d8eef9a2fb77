"""python-plexapi, unchanged, against the server.

It has no call of its own to cancel an activity; its users send the request through ``PlexServer.query``.
"""

# python-plexapi has no types.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import queue
from collections.abc import AsyncIterator
from typing import Any

import pytest
from plexapi.exceptions import BadRequest, NotFound, Unauthorized
from plexapi.server import PlexServer

from tests.server.harness import DEADLINE
from tests.server.whole import UNKNOWN, Whole, eventually


@pytest.fixture
async def plex(whole: Whole) -> PlexServer:
    return await asyncio.to_thread(PlexServer, whole.url, whole.tokens["alice"])


async def cancel(plex: PlexServer, uuid: str) -> Any:
    return await asyncio.to_thread(plex.query, f"/activities/{uuid}", plex._session.delete)


async def test_it_opens_a_connection(whole: Whole, plex: PlexServer) -> None:
    assert len(plex.machineIdentifier) == 40
    assert plex.version
    assert plex.friendlyName
    assert plex.platform
    assert (plex.myPlex, plex.eventStream, plex.ownerFeatures) == (False, True, [])
    identity = await asyncio.to_thread(plex.identity)
    assert (identity.claimed, identity.machineIdentifier) == (True, plex.machineIdentifier)


async def test_a_bad_token_is_its_unauthorized(whole: Whole) -> None:
    with pytest.raises(Unauthorized):
        await asyncio.to_thread(PlexServer, whole.url, "wrong")


async def test_it_lists_activities(whole: Whole, plex: PlexServer) -> None:
    uuid = (await whole.start(type="library.update.section", title="Scanning <Films>", cancellable=True, progress=7.9))[
        "uuid"
    ]
    foreign = (await whole.start("bob"))["uuid"]
    listed = {activity.uuid: activity for activity in await asyncio.to_thread(lambda: plex.activities)}
    assert foreign not in listed
    activity = listed[uuid]
    assert (activity.type, activity.title, activity.subtitle, activity.progress, activity.cancellable) == (
        "library.update.section",
        "Scanning <Films>",
        "",
        7,
        True,
    )
    await whole.change(uuid, state="succeeded")
    assert uuid not in [activity.uuid for activity in await asyncio.to_thread(lambda: plex.activities)]


async def test_an_empty_list_is_a_list(whole: Whole) -> None:
    plex = await asyncio.to_thread(PlexServer, whole.url, whole.tokens["rita"])
    assert await asyncio.to_thread(lambda: plex.activities) == []


async def test_it_cancels(whole: Whole, plex: PlexServer) -> None:
    uuid = (await whole.start(cancellable=True))["uuid"]
    for _ in range(2):
        assert await cancel(plex, uuid) is None
    assert (await whole.activities.get(uuid)).cancel is not None


async def test_what_cannot_be_cancelled_is_its_errors(whole: Whole, plex: PlexServer) -> None:
    stubborn, foreign = (await whole.start())["uuid"], (await whole.start("bob", cancellable=True))["uuid"]
    with pytest.raises(BadRequest, match="400"):
        await cancel(plex, stubborn)
    for uuid in (foreign, UNKNOWN, "nonsense"):
        with pytest.raises(NotFound, match="404"):
            await cancel(plex, uuid)
    plex._token = "wrong"
    with pytest.raises(Unauthorized):
        await cancel(plex, stubborn)


class Alerts:
    """What its listener's thread hears."""

    def __init__(self) -> None:
        self.heard: queue.Queue[dict[str, Any]] = queue.Queue()
        self.errors: list[Exception] = []

    async def next(self) -> dict[str, Any]:
        """The next notification of an activity."""
        data = await asyncio.to_thread(self.heard.get, timeout=DEADLINE)
        assert (data["type"], data["size"], len(data)) == ("activity", 1, 3)
        (notification,) = data["ActivityNotification"]
        return dict(notification)


@pytest.fixture
async def alerts(whole: Whole, plex: PlexServer) -> AsyncIterator[Alerts]:
    alerts = Alerts()
    listener = plex.startAlertListener(alerts.heard.put, alerts.errors.append)
    await eventually(lambda: len(whole.service.channels) == 1)
    yield alerts
    assert alerts.errors == []
    # Its thread is not joined: it looks only every ten seconds whether it was stopped.
    await asyncio.to_thread(listener.stop)
    await eventually(lambda: len(whole.service.places) == 0)


async def test_its_listener_hears_the_life_of_an_activity(whole: Whole, alerts: Alerts) -> None:
    await whole.start("bob")
    uuid = (await whole.start(type="library.refresh.items", Context={"key": "/library/metadata/1"}))["uuid"]
    started = await alerts.next()
    assert (started["event"], started["uuid"], started["Activity"]["type"]) == (
        "started",
        uuid,
        "library.refresh.items",
    )
    assert started["Activity"]["Context"]["key"] == "/library/metadata/1"
    await whole.change(uuid, progress=33, subtitle="Refreshing local metadata")
    updated = await alerts.next()
    assert (updated["event"], updated["Activity"]["progress"]) == ("updated", 33)
    await whole.change(uuid, state="succeeded")
    ended = await alerts.next()
    assert (ended["event"], ended["uuid"], ended["Activity"]["progress"]) == ("ended", uuid, 100)


async def test_its_listener_hears_of_a_cancel_sent_by_it(whole: Whole, plex: PlexServer, alerts: Alerts) -> None:
    uuid = (await whole.start(cancellable=True))["uuid"]
    await cancel(plex, uuid)
    await whole.change(uuid, state="cancelled")
    told = [(await alerts.next()) for _ in range(3)]
    assert [(one["event"], one["Activity"]["state"]) for one in told] == [
        ("started", "running"),
        ("updated", "cancelling"),
        ("ended", "cancelled"),
    ]
