"""What the full-screen view needs from a server, on one page, and how a client gives it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from headway.client.async_client import AsyncClient
from headway.client.calls import Page
from headway.client.live.watching import Connected
from headway.wire.notifications import Notification


class Feed(Protocol):
    """A server, as far as the view goes. Every method raises ``HeadwayError``."""

    def watch(self, on_connection: Connected) -> AsyncIterator[Notification]:
        """What is live and every change of it; ends only by an error that trying again cannot mend."""

    async def cancel(self, uuid: str, *, force: bool = False) -> None:
        """Ask an activity to stop; done when that is on record. ``force``: give it up as lost."""

    async def history(self, *, before: str | None = None) -> Page:
        """What has ended, newest first. ``before``: the cursor of the page before."""


class ClientFeed:
    """The server of a client."""

    def __init__(self, client: AsyncClient, *, type: str | None = None) -> None:
        """``type``: only activities of that type."""
        self._activities = client.activities
        self._type = type

    async def watch(self, on_connection: Connected) -> AsyncIterator[Notification]:
        """See ``Feed.watch``."""
        async with self._activities.watch(type=self._type, on_connection=on_connection) as notifications:
            async for notification in notifications:
                yield notification

    async def cancel(self, uuid: str, *, force: bool = False) -> None:
        """See ``Feed.cancel``."""
        await self._activities.cancel(uuid, force=force)

    async def history(self, *, before: str | None = None) -> Page:
        """See ``Feed.history``."""
        return await self._activities.history(type=self._type, before=before)
