"""The full-screen view before a Plex Media Server: no states, no history, and refusals that are numbers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from headway.cli.tui.app import WatchApp
from headway.cli.tui.feed import ClientFeed
from headway.client import AsyncClient
from headway.ports import SystemClock
from tests.plex_media_server import PlexMediaServer

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def shows(app: WatchApp, pilot: Pilot[None], text: str) -> None:
    """Wait until the screen shows it."""

    def seen() -> bool:
        app.tick()
        strips = app.screen._compositor.render_strips()
        return any(text in "".join(segment.text for segment in strip) for strip in strips)

    await until(pilot, seen)


async def until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await pilot.pause()
            await asyncio.sleep(0.01)


async def test_it_watches_cancels_and_says_what_there_is_not() -> None:
    with PlexMediaServer(cancel_ends=False) as plex:
        uuid = plex.start("provider.subscriptions.process", title="Processing", cancellable=True, progress=7)
        async with AsyncClient(plex.url, plex.token) as client:
            app = WatchApp(ClientFeed(client), SystemClock(), server=plex.url, frame=None)
            async with app.run_test(size=(100, 24)) as pilot:
                await shows(app, pilot, "● live")
                await shows(app, pilot, "Processing")
                while app._line is None or app._line.row.uuid != uuid:
                    await pilot.press("down")
                await pilot.press("c", "y")
                await shows(app, pilot, "Processing: has been asked to stop; no word of it yet")
                plex.end(uuid, progress=7)
                await shows(app, pilot, "Processing: has ended; the server does not say how")
                await pilot.press("tab")
                await shows(app, pilot, "This server keeps no history")
                await shows(app, pilot, "□ ended")
