"""The work of the server, each piece of it an activity.

What a job does is plain code that blocks, run in a thread; it finds the activity it is part of by ``current()``.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress

from examples.mediaserver import media
from examples.mediaserver.catalogue import Catalogue, Item
from examples.mediaserver.config import Section
from examples.mediaserver.files import Walk, shown
from headway import Activities, Activity, Cancelled, Reporter, State, current
from headway.core.errors import NotFound
from headway.correlation import notice

REFRESH = "library.update.section"
PATIENCE = 10.0
"""Seconds that a refresh waits for one before it that is stopping."""
_log = logging.getLogger("mediaserver")


class Jobs:
    """Starts the work. ``owner`` is the user who asked for it."""

    def __init__(self, activities: Activities, catalogue: Catalogue, sections: Sequence[Section]) -> None:
        self._activities = activities
        self._catalogue = catalogue
        self._sections = sections
        self._starting: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    def refreshing(self, section: Section) -> Activity | None:
        """The refresh of a section that is under way."""
        context = {"librarySectionID": str(section.id)}
        live = self._activities.list()
        return next((activity for activity in live if activity.type == REFRESH and activity.context == context), None)

    async def refresh_section(
        self, section: Section, owner: int, *, force: bool = False, parent: Reporter | None = None
    ) -> None:
        """Bring a section up to date with its folder; ``force``: read all of it anew. Joins a refresh under way."""
        async with self._starting[section.id]:  # of two requests at the same moment one starts, and one joins
            if running := self.refreshing(section):
                if running.state is State.CANCELLING:
                    running = await self._activities.wait(running.uuid, PATIENCE, ended=True)
                if not running.ended:
                    notice(running)  # the reply names it
                    return
            await self._activities.spawn(
                REFRESH,
                refresh_section,
                self._catalogue,
                section,
                force,
                title=f"Scanning {section.title}",
                context={"librarySectionID": str(section.id)},
                owner=owner,
                parent=parent,
            )

    async def cancel_refresh(self, section: Section, by: int) -> None:
        """Ask the refresh of a section to stop, if there is one."""
        if running := self.refreshing(section):
            with suppress(NotFound):  # it has just ended
                await self._activities.request_cancel(running.uuid, by=by)

    async def refresh_items(self, items: Sequence[Item], owner: int) -> None:
        """Read the files of these items anew."""
        await self._activities.spawn(
            "library.refresh.items", refresh_items, self._catalogue, items, title=_title(items), owner=owner
        )

    async def optimize(self, owner: int, *, wait: bool) -> None:
        """Clean up the database; ``wait``: until that is done."""
        optimizing = await self._activities.spawn(
            "library.optimize", optimize, self._catalogue, title="Optimizing library", owner=owner, cancellable=False
        )
        if wait:
            await optimizing.wait()

    async def process_subscriptions(self, owner: int) -> None:
        """Take in what has come into the folders: they are what this server is subscribed to."""
        await self._activities.spawn(
            "provider.subscriptions.process", self._refresh_all, owner, title="Processing subscriptions", owner=owner
        )

    async def _refresh_all(self, owner: int) -> None:
        for section in self._sections:
            await self.refresh_section(section, owner, parent=current())  # a parent ends after its children


def refresh_section(catalogue: Catalogue, section: Section, force: bool) -> None:
    """Take in what is new in a section's folder, let go of what is gone, and read the files that have changed."""
    activity, known, walk = current(), catalogue.files(section.id), Walk(section.folder, section.kind.suffixes)
    for file in activity.track(walk, unit="files"):
        activity.report(subtitle=shown(file.path.parent.name))
        if known.pop(file.path, None) != file or force:
            catalogue.put(section.id, file)
    gone = [path for path in known if not any(path.is_relative_to(folder) for folder in walk.unreadable)]
    catalogue.remove(gone)
    if fresh := catalogue.fresh(section.id):
        activity.report(subtitle=_title(fresh))
        part = "library.update.item.metadata" if len(fresh) == 1 else "library.refresh.items"
        with suppress(Cancelled), activity.start(part, title=_title(fresh)):
            refresh_items(catalogue, fresh)
        activity.check_cancelled()  # a cancel of the part alone leaves the rest as it is
    activity.report(response={"changed": len(fresh), "gone": len(gone), "unreadable": len(walk.unreadable)})


def refresh_items(catalogue: Catalogue, items: Sequence[Item]) -> None:
    """Read each item's file: is it there, its tags, its streams. A broken one is no reason to leave out the others."""
    broken = 0
    for number, item in enumerate(items):
        try:
            _refresh_item(catalogue, item, number, len(items))
        except media.Broken as problem:
            broken += 1
            _log.warning("cannot use the file %s: %s", shown(item.file.path), problem)
            catalogue.describe(item.id, item.tags, None, str(problem))
    current().report(response={"refreshed": len(items) - broken, "broken": broken})


def _refresh_item(catalogue: Catalogue, item: Item, number: int, total: int) -> None:
    activity, path = current(), item.file.path

    def step(third: int, subtitle: str, **context: bool) -> None:
        activity.check_cancelled()
        activity.report(100 * (number + third / 3) / total, subtitle=subtitle, context={"key": item.key, **context})

    step(0, "Checking files")
    exists, accessible = path.exists(), os.access(path, os.R_OK)
    step(1, "Refreshing local metadata", exists=exists, accessible=accessible)
    tags = media.read_tags(path)
    step(2, "Refreshing media analysis", exists=exists, accessible=accessible)
    catalogue.describe(item.id, tags, media.analyse(path, activity.check_cancelled))


def _title(items: Sequence[Item]) -> str:
    return f"Refreshing {items[0].tags.title if len(items) == 1 else f'{len(items)} items'}"


def optimize(catalogue: Catalogue) -> None:
    """Compact the database."""
    current().report(response={"saved": catalogue.optimize()})
