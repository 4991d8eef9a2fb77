"""A server as the full-screen view sees it, in the hands of a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from headway.client.calls import Page
from headway.client.live.watching import Connected
from headway.core.errors import HeadwayError
from headway.core.view import Kind
from headway.wire.decode import row_from
from headway.wire.notifications import ActivityNotification, Notification, SnapshotNotification
from headway.wire.row import Row
from tests.client.scripted_server import row


def made(uuid: str, **members: Any) -> Row:
    """A row of its own, named by one short word."""
    return row_from(row(uuid, title=members.pop("title", uuid), **members))


def snapshot(*rows: Row) -> SnapshotNotification:
    return SnapshotNotification(list(rows))


def started(uuid: str, **members: Any) -> ActivityNotification:
    return ActivityNotification(Kind.STARTED, made(uuid, **members))


def updated(uuid: str, **members: Any) -> ActivityNotification:
    return ActivityNotification(Kind.UPDATED, made(uuid, **members))


def ended(uuid: str, state: str | None = "succeeded", **members: Any) -> ActivityNotification:
    return ActivityNotification(Kind.ENDED, made(uuid, state=state, **members))


@dataclass
class Link:
    """The connection is there, or lost by an error."""

    error: HeadwayError | None = None


Told = Notification | Link | HeadwayError
"""What a stream may do next; an error by itself ends it."""


class FakeFeed:
    """Tells what it is told to tell; remembers what it was asked."""

    def __init__(self, *told: Told) -> None:
        self.cancelled: list[tuple[str, bool]] = []
        self.read: list[str | None] = []
        self.pages: dict[str | None, Page | HeadwayError] = {None: Page([], None)}
        self.refusal: HeadwayError | None = None
        self.answering = asyncio.Event()
        self.answering.set()
        self._waiting: asyncio.Queue[Told] = asyncio.Queue()
        self.tell(Link(), *told)

    def tell(self, *told: Told) -> None:
        for each in told:
            self._waiting.put_nowait(each)

    async def taken(self) -> None:
        """Wait until all that was told has been taken in."""
        await self._waiting.join()

    async def watch(self, on_connection: Connected) -> AsyncIterator[Notification]:
        while True:
            told = await self._waiting.get()
            try:
                if isinstance(told, HeadwayError):
                    raise told
                if isinstance(told, Link):
                    on_connection(told.error)
                else:
                    yield told
            finally:
                self._waiting.task_done()

    async def cancel(self, uuid: str, *, force: bool = False) -> None:
        self.cancelled.append((uuid, force))
        await self.answering.wait()
        if self.refusal is not None:
            raise self.refusal

    async def history(self, *, before: str | None = None) -> Page:
        self.read.append(before)
        page = self.pages[before]
        if isinstance(page, HeadwayError):
            raise page
        return page
