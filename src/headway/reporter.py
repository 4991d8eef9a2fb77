"""The handle that running code holds: it reports progress and learns of a cancel.

Reporting never raises into the job: what cannot be shown is clamped, cleaned or left out, and said once in the log.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterable, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, cast, overload

from headway.core.activity import Activity, CancelRequest, Scalar
from headway.core.lifecycle import Report
from headway.operations.group import TaskGroup
from headway.operations.thread import asked_here, run_in_thread
from headway.track import Track
from headway.wire import bags, fitting, requests

if TYPE_CHECKING:
    from headway.hub import Activities
    from headway.operations.options import StartOptions
    from headway.operations.process.exits import ExitStatus
    from headway.operations.spawn import Spawned
    from headway.operations.start import Start

T = TypeVar("T")
_log = logging.getLogger("headway")


class Reporter:
    """One running activity, from the inside.

    A report leaves its values here and marks the activity, once until the next flush; only the flush looks at them.
    So it costs a few memory writes, however many watchers there are and however often it is called.
    """

    __slots__ = (
        "_activities",
        "_activity",
        "_completed",
        "_context",
        "_described",
        "_enclosed",
        "_live",
        "_measured",
        "_progress",
        "_response",
        "_subtitle",
        "_title",
        "_told",
        "_total",
        "_unit",
        "_warned",
    )

    def __init__(self, activities: Activities, activity: Activity) -> None:
        self._activities = activities
        self._activity = activity
        self._live = activities.registry.live.get(activity.uuid)
        self._told = self._measured = self._described = self._enclosed = self._warned = False
        self._progress: float | None = None
        self._completed: float | None = None
        self._total: float | None = None
        self._unit: str | None = None
        self._title: str | None = None
        self._subtitle: str | None = None
        self._context: dict[str, Scalar] = {}
        self._response: dict[str, Scalar] = {}
        if self._live is not None:
            self._live.source = self

    def __repr__(self) -> str:
        return f"<Reporter {self.uuid} {self.activity.state.value} {self.activity.progress.percent}%>"

    def __bool__(self) -> bool:
        """Whether there is an activity behind it: see ``headway.current``."""
        return True

    @property
    def uuid(self) -> str:
        """The id clients follow and cancel it by."""
        return self._activity.uuid

    @property
    def activity(self) -> Activity:
        """The newest committed record."""
        self._activity = self._activities.registry.known(self.uuid) or self._activity
        return self._activity

    @property
    def cancel_requested(self) -> bool:
        """True once somebody has asked it to stop, or what it is a part of, however the news travels.

        In a thread also once whoever waits for the thread has been cancelled.
        """
        return asked_here() or self.request is not None

    @property
    def request(self) -> CancelRequest | None:
        """The request that it stops, or else that what it is a part of does."""
        live = self._live
        if live is None:
            return self.activity.cancel
        while live.activity.cancel is None and live.parent is not None:
            live = live.parent
        return live.activity.cancel

    def check_cancelled(self) -> None:
        """Raise ``asyncio.CancelledError`` once somebody has asked it to stop: how a thread stops where it can."""
        if self.cancel_requested:
            raise asyncio.CancelledError("the activity is to stop")

    def track(
        self,
        items: Iterable[T] | AsyncIterable[T],
        *,
        total: float | None = None,
        unit: str | None = None,
    ) -> Track[T]:
        """Go through the items, ``for`` or ``async for``, and report how many are done; stop where asked to.

        ``total``: how many there are, if the items themselves do not know. ``unit``: what they are.
        """
        return Track(self, items, total, unit)

    def start(self, type: str, **options: Unpack[StartOptions]) -> Start:
        """As ``Activities.start``, below this activity: a part of its work, for the same owner."""
        below = self._below(options)
        return self._activities.start(type, **below)

    @overload
    async def spawn(
        self, type: str, function: Callable[..., Coroutine[Any, Any, T]], *args: Any, **options: Unpack[StartOptions]
    ) -> Spawned[T]: ...
    @overload
    async def spawn(
        self, type: str, function: Callable[..., T], *args: Any, **options: Unpack[StartOptions]
    ) -> Spawned[T]: ...
    async def spawn(
        self, type: str, function: Callable[..., Any], *args: Any, **options: Unpack[StartOptions]
    ) -> Spawned[Any]:
        """As ``Activities.spawn``, below this activity, which ends after it."""
        below = self._below(options)
        return await self._activities.spawn(type, function, *args, **below)

    async def spawn_process(
        self, type: str, argv: Sequence[str | os.PathLike[str]], **options: Any
    ) -> Spawned[ExitStatus]:
        """As ``Activities.spawn_process``, below this activity, which ends after it."""
        below: Any = self._below(cast("StartOptions", options))
        return await self._activities.spawn_process(type, argv, **below)

    def task_group(self) -> TaskGroup:
        """``async with activity.task_group() as group:`` whose tasks are activities below this one."""
        return TaskGroup(self)

    async def to_thread(self, function: Callable[..., T], *args: Any) -> T:
        """Call the function in a thread and wait for it to return, also when this activity is cancelled meanwhile.

        With ``asyncio.to_thread`` the coroutine would end and the thread go on. The function sees the cancel, whoever
        has cancelled, by ``headway.current().check_cancelled()``.
        """
        return await run_in_thread(function, *args, name="headway thread")

    def _below(self, options: StartOptions) -> StartOptions:
        return {"owner": self.activity.owner, **options, "parent": self}

    def report(
        self,
        progress: float | None = None,
        _: None = None,
        completed: float | None = None,
        total: float | None = None,
        unit: str | None = None,
        title: str | None = None,
        subtitle: str | None = None,
        context: Mapping[str, Any] | None = None,
        response: Mapping[str, Any] | None = None,
    ) -> None:
        """Say how the work stands; what is not given stays as it was. A memory write, safe from any thread.

        ``progress``: percent 0..100, or -1 for indeterminate. ``completed`` of ``total``: counted in ``unit``, an
        alternative to percent. ``context`` and ``response``: flat, merged into what is there. All but ``progress`` must
        be named.
        """
        # ``_`` stands for a bare ``*``: of keyword-only arguments CPython looks up each default, a third of the call.
        if _ is not None:
            raise TypeError("report() takes nothing but the percent by position: name the other arguments")
        if progress is not None:
            self._progress, self._measured = progress, True
        if completed is not None:
            self._completed = completed
            self._progress, self._measured = progress, True  # a count takes the place of a percent said earlier
        if total is not None:
            self._total = total
            self._progress, self._measured = progress, True
        if subtitle is not None:
            self._subtitle, self._described = subtitle, True
        if unit is not None:
            self._unit, self._measured = unit, True
        if title is not None:
            self._title, self._described = title, True
        if context is not None or response is not None:
            self._keep(context, response)
        # First the values, then the marks; the flush does it the other way round, so none is missed.
        if not self._told:
            self._mark()

    def _mark(self) -> None:
        self._told = True
        if self._live is not None:
            self._activities.tell(self._live)

    def collect(self) -> Report | None:
        """For the flush: what has been said, if anything has been since the last time."""
        if not self._told:
            return None
        self._told = False
        said = Report()
        # What was said before is not said again with something else: others may have changed it since.
        if self._enclosed:
            self._enclosed = False
            said = Report(context=dict(self._context) or None, response=dict(self._response) or None)
        if self._measured:
            self._measured = False
            said = said.then(
                Report(
                    progress=fitting.percent(self._progress),
                    completed=fitting.count(self._completed),
                    total=fitting.count(self._total),
                    unit=fitting.text(self._unit, requests.MAX_UNIT),
                )
            )
        if self._described:
            self._described = False
            title, subtitle = self._title, self._subtitle
            said = said.then(
                Report(
                    title=fitting.text(title, requests.MAX_TITLE),
                    subtitle=fitting.text(subtitle, requests.MAX_SUBTITLE),
                )
            )
        return said

    def _keep(self, context: Mapping[str, Any] | None, response: Mapping[str, Any] | None) -> None:
        if context is not None:
            self._merge("context", self._context, context, bags.CONTEXT)
        if response is not None:
            self._merge("response", self._response, response, bags.RESPONSE)

    def _merge(self, name: str, said: dict[str, Scalar], values: Mapping[str, Any], rule: bags.BagRule) -> None:
        try:
            bag = rule(name, values)
            rule.check_size(name, {**(getattr(self._activity, name) or {}), **said, **bag})  # it grows with each report
        except Exception as error:  # whatever is wrong with them, the job is not to blame
            if not self._warned:
                self._warned = True
                _log.warning("activity %s: not reported: %s", self.uuid, error)
            return
        said.update(bag)  # in one step, and in place: what another thread says at the same time must not be lost
        self._enclosed = True
