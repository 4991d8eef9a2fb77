"""A live activity as the hub holds it, and how its watchers are woken."""

from __future__ import annotations

import asyncio
import functools
import logging
import math
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Protocol

import msgspec

from headway.core import lifecycle
from headway.core.activity import Activity
from headway.core.lifecycle import Report
from headway.core.policy import Scope
from headway.core.view import Event, Resync, View
from headway.shares import Shares

_log = logging.getLogger("headway")


class Operation(Protocol):
    """The running thing behind an activity of this process."""

    def request_stop(self, activity: Activity) -> None:
        """A cancel is on record: begin to stop, within the activity's grace. Called on the event loop, and again when
        there is less time; must not block or raise.
        """


class Source(Protocol):
    """What running code in this process has said, kept where it was said."""

    def collect(self) -> Report | None:
        """All that it has said, if anything has been said since the last time."""


class Pulse:
    """Wakes everyone who waits for the next change; costs nothing while nobody does."""

    def __init__(self) -> None:
        self._event: asyncio.Event | None = None
        self._calls: dict[object, Callable[[], None]] | None = None

    def fire(self) -> None:
        """Wake all who wait now."""
        if self._event is not None:
            self._event.set()
            self._event = None
        if self._calls is not None:
            for call in list(self._calls.values()):
                call()

    def call(self, function: Callable[[], None]) -> Callable[[], None]:
        """Call the function at each ``fire``, until what this returns is called."""
        key = object()
        calls = self._calls = self._calls or {}
        calls[key] = function

        def stop() -> None:
            calls.pop(key, None)
            if not calls and self._calls is calls:
                self._calls = None

        return stop

    async def wait(self) -> None:
        """Until the next ``fire``."""
        if self._event is None:
            self._event = asyncio.Event()
        await self._event.wait()


class Feed:
    """A view and the pulse that tells of its changes. Watchers hold a cursor into it, nothing here is per watcher."""

    def __init__(self, scope: Scope, view: View) -> None:
        self.scope = scope
        self.view = view
        self.changed: Pulse = Pulse()
        self._closed = False

    def close(self) -> None:
        """Nothing more will come."""
        self._closed = True
        self.changed.fire()

    async def news(self, since: int | None = None) -> AsyncGenerator[Event | Resync]:
        """Events from now on or after a revision, until it is closed; ``Resync`` tells of a gap, then they go on."""
        cursor = self.view.revision if since is None else since
        while True:
            news = self.view.since(cursor)
            if isinstance(news, Resync):
                cursor = self.view.revision
                yield news
                continue
            for event in news:
                cursor = event.revision
                yield event
            if cursor == self.view.revision:
                if self._closed:
                    return
                await self.changed.wait()


class Live:
    """The newest record of a live activity, and what has been reported since."""

    __slots__ = (
        "_carried",
        "_draft",
        "_guard",
        "activity",
        "begun",
        "cancel_seen",
        "changed",
        "children",
        "ending",
        "heard",
        "lock",
        "noted",
        "noted_at",
        "operation",
        "parent",
        "seen",
        "shares",
        "source",
        "taken",
        "told",
        "tried",
    )

    def __init__(self, activity: Activity, seen: float, operation: Operation | None = None) -> None:
        """``seen``: monotonic time of the last sign of life."""
        self.activity: Activity = activity
        self.seen: float = seen
        """Monotonic time of the last sign of life,"""
        self.heard: float = seen
        """of the last word of its work,"""
        self.told: float = seen
        """of the last one that the other nodes know of,"""
        self.begun: float = seen
        """and of its begin."""
        self.operation: Operation | None = operation
        self.source: Source | None = None
        self.cancel_seen: float | None = None
        """Monotonic time since which its cancel is on record."""
        self.parent: Live | None = None
        self.children: set[str] = set()
        """Live children, and children about to start."""
        self.ending: bool = False
        """Its end is on its way to the store."""
        self.shares: Shares = Shares(activity.progress.children)
        """What its children add up to."""
        self.changed: Pulse = Pulse()
        """Fires at lifecycle changes, and when a child is gone."""
        self.lock: asyncio.Lock = asyncio.Lock()
        """Held by the one writer whose change is on its way to the store."""
        self.noted: int = 0
        """How many reports have come in,"""
        self.taken: int = 0
        """are in what was taken last,"""
        self.tried: int = 0
        """and have been brought to the store."""
        self.noted_at: float = activity.updated_at
        """When the latest of them came in (seconds since the epoch)."""
        self._draft: Report | None = None
        self._carried: Report | None = None
        """What was taken and is on its way to the store."""
        self._guard = threading.Lock()

    def __repr__(self) -> str:
        return f"<Live {self.activity.uuid} {self.activity.state.value} draft={self._draft is not None}>"

    @property
    def depth(self) -> int:
        """How many levels its tree has down to here: 1 for a root."""
        return 1 + sum(1 for _ in self.above())

    def above(self) -> Iterator[Live]:
        """Its parent, and on to the root."""
        live = self.parent
        while live is not None:
            yield live
            live = live.parent

    def note(self, news: Report | None, at: float, heard: float) -> None:
        """Remember a report, or that the source has one; from any thread. ``at``: seconds since the epoch, ``heard``:
        monotonic.

        The record will carry the time of the report, not of the flush, which others' reports hurry or hold up.
        """
        for above in self.above():  # what a child says is a word of all that it is a part of
            above.heard = heard
        with self._guard:
            self.noted_at, self.heard = at, heard
            if news is not None:
                self._draft = news if self._draft is None else self._draft.then(news)
            self.noted += 1

    def take(self) -> Report | None:
        """What has been reported since the last time; from then on it is the caller's."""
        with self._guard:
            self.taken = self.noted
            said = self._collected()
            draft, self._draft = self._draft, None
            for news in (said, self._summed()):
                if news is not None:
                    draft = news if draft is None else draft.then(news)
            self._carried = draft
            return draft

    def _summed(self) -> Report | None:
        children = self.shares.take()
        return None if children is None else Report(children=children)

    def _collected(self) -> Report | None:
        try:
            return None if self.source is None else self.source.collect()
        except Exception:  # of others' making: the changes of this activity, and the reports of all others, go on
            _log.exception("activity %s: what was reported cannot be shown", self.activity.uuid)
            return None

    def give_back(self, draft: Report | None) -> None:
        """Return what was taken but could not be committed: newer reports still win."""
        if draft is None:
            return
        with self._guard:
            self._carried = None
            self._draft = draft if self._draft is None else draft.then(self._draft)

    def advance(self, activity: Activity, now: float) -> None:
        """Take over the record that has been committed, and with it what was taken for it. ``now``: monotonic."""
        with self._guard:
            if activity.reported_at != self.activity.reported_at and self._carried is None:
                self.start_lease(now)  # another node has heard of it
            self.activity, self._carried = activity, None

    def start_lease(self, now: float) -> None:
        """Count from now, not for a sign of life that other nodes would have to be told of. ``now``: monotonic."""
        self.seen = self.heard = self.told = now

    def preview(self) -> Activity:
        """The record as it will be once all that has been reported is committed, also what is on its way."""
        with self._guard:  # the end may come while another thread is in here
            activity, news = self.activity, [each for each in (self._carried, self._draft) if each is not None]
        if not news or activity.ended:
            return activity
        return lifecycle.report(activity, functools.reduce(Report.then, news), self.noted_at)

    def lose_child(self, uuid: str) -> None:
        """A child has ended, or did not come to be."""
        self.children.discard(uuid)
        self.changed.fire()

    def request_stop(self, within: float = math.inf) -> None:
        """Ask what runs behind it in this process, if anything does, to stop; within so many seconds, if its grace is
        longer.
        """
        if self.operation is None:
            return
        try:
            self.operation.request_stop(
                msgspec.structs.replace(self.activity, grace=max(0.0, min(within, self.activity.grace)))
            )
        except Exception:  # of others' making: it must not keep the news from everyone
            _log.exception("activity %s: its operation cannot be asked to stop", self.activity.uuid)
