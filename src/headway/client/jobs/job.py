"""The handle of a job that is reported to a server.

It has the names that the embedded reporter has, so that code can move between the two. Reporting never raises into the
job, and never waits: what cannot be shown is clamped, cleaned or left out, and said once in the log.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import weakref
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

from headway.client.jobs.delivery import Delivery
from headway.client.jobs.news import fitted
from headway.core.activity import State
from headway.core.errors import Cancelled, HeadwayError
from headway.core.lifecycle import Report
from headway.track import Track
from headway.wire import fitting
from headway.wire.requests import MAX_ERROR

if TYPE_CHECKING:
    from headway.client.jobs.reporting import JobOptions, Reporting

Stopped = Callable[[str], None]
"""Told why the job is to stop: ``cancel_requested``, ``abandoned`` or ``lease_lost``. Called in the sender's thread."""

T = TypeVar("T")
_log = logging.getLogger("headway")


class Job:
    """One running job, from the inside. Its methods may be called from any thread, and none of them waits.

    As a block (``with`` or ``async with``) it ends with it: ``succeeded``, ``failed`` with the error that left it, or
    ``cancelled`` if it was asked to stop and did (``Cancelled``, ``asyncio.CancelledError`` or ``KeyboardInterrupt``
    left it). Without a block, ``finish`` says how it ended.
    """

    def __init__(
        self,
        delivery: Delivery,
        reporting: Reporting,
        *,
        on_stop: Stopped | None = None,
        raise_on_cancel: bool = False,
        parent: Job | None = None,
    ) -> None:
        self.cancelled: threading.Event = threading.Event()
        """Set once it is to stop."""
        self._delivery = delivery
        self._reporting = reporting
        self._raising = raise_on_cancel
        self._reason: str | None = None
        self._reactions: list[Stopped] = [] if on_stop is None else [on_stop]
        delivery.on_stop = self._stop
        self._parts: weakref.WeakSet[Job] = weakref.WeakSet()
        if parent is not None:
            parent._adopt(self)

    def __repr__(self) -> str:
        return f"<Job {self._delivery.outbox!r}>"

    def __bool__(self) -> bool:
        """There is an activity behind it, or will be."""
        return True

    @property
    def uuid(self) -> str | None:
        """The activity it is reported under; None while no server has heard of it."""
        return self._delivery.outbox.uuid

    @property
    def over(self) -> bool:
        """Nothing more will be sent of it."""
        return self._delivery.over

    @property
    def sending(self) -> bool:
        """A request of it is on its way, or waits for its turn."""
        return self._delivery.busy

    @property
    def state(self) -> str | None:
        """The state its activity was last seen in."""
        return self._delivery.outbox.state

    @property
    def stop(self) -> str | None:
        """Why it, or what it is a part of, is to stop; None while it is not."""
        return self._reason

    @property
    def problem(self) -> HeadwayError | None:
        """What keeps its record from being complete; None while all is well."""
        return self._delivery.outbox.problem

    @property
    def cancel_requested(self) -> bool:
        """True once it is to stop: somebody has asked it to, or its record is lost."""
        return self.cancelled.is_set()

    def check_cancelled(self) -> None:
        """Raise ``Cancelled`` once it is to stop: how a job stops where it can."""
        if self.cancelled.is_set():
            raise Cancelled(f"the job is to stop: {self._reason}")

    async def wait_cancelled(self) -> str:
        """Wait until it is to stop; why."""
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()

        def wake(_: str) -> None:
            try:
                loop.call_soon_threadsafe(stopped.set)
            except RuntimeError:
                _log.debug("whoever waited for a stop has gone, and its event loop with it")

        self.on_stop(wake)
        try:
            await stopped.wait()
        finally:
            with self._delivery.lock:
                if wake in self._reactions:
                    self._reactions.remove(wake)
        return self._reason or ""

    def on_stop(self, reaction: Stopped) -> None:
        """Call it once, when the job is to stop; at once if it already is."""
        with self._delivery.lock:
            if self._reason is None:
                self._reactions.append(reaction)
                return
        _react(reaction, self._reason)

    def report(
        self,
        progress: float | None = None,
        *,
        completed: float | None = None,
        total: float | None = None,
        unit: str | None = None,
        title: str | None = None,
        subtitle: str | None = None,
        context: Mapping[str, Any] | None = None,
        response: Mapping[str, Any] | None = None,
    ) -> None:
        """Say how the work stands; what is not given stays as it was.

        ``progress``: percent 0..100, or -1 for indeterminate; ``completed`` of ``total``, counted in ``unit``;
        ``title``, ``subtitle``; ``context`` and ``response``, flat, merged into what is there. Raises ``Cancelled``
        if that was asked for by ``raise_on_cancel``.
        """
        self._delivery.report(
            fitted(
                progress=progress,
                completed=completed,
                total=total,
                unit=unit,
                title=title,
                subtitle=subtitle,
                context=context,
                response=response,
            )
        )
        if self._raising:
            self.check_cancelled()

    def output(self, text: str | Callable[[], str]) -> None:
        """Say what the work has printed, of which the last 64 KiB are kept, in place of what was said before.

        A function is called for it in another thread, at most once a second: call this again when there is more.
        """
        self._delivery.show(text if callable(text) else lambda: text)

    def track(
        self, items: Iterable[T] | AsyncIterable[T], *, total: float | None = None, unit: str | None = None
    ) -> Track[T]:
        """Go through the items, ``for`` or ``async for``, and report how many are done; stop where asked to.

        ``total``: how many there are, if the items themselves do not know. ``unit``: what they are.
        """
        return Track(self, items, total, unit)

    def start(self, type: str, **options: Unpack[JobOptions]) -> Job:
        """As ``Reporting.start``, below this job: a part of its work, recorded once this one is."""
        below: JobOptions = {**options, "parent": self}
        return self._reporting.start(type, **below)

    def finish(self, state: State = State.SUCCEEDED, error: str | None = None) -> None:
        """Say how the work ended; the first word counts. ``error``: why it did not succeed."""
        self._delivery.finish(state, fitting.text(error, MAX_ERROR))

    def leave(self) -> Report:
        """Say nothing more of it from here, and keep it alive no longer: somebody else goes on under its activity.

        That is whoever starts a job with the same ``key``, or reports under its ``uuid``. Returns what it has said and
        is not on record; while it is ``sending``, more than that may not be, or yet get there.
        """
        return self._delivery.leave()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is None or (isinstance(error, SystemExit) and not error.code):
            self.finish()
        elif self.cancel_requested and isinstance(error, Cancelled | asyncio.CancelledError | KeyboardInterrupt):
            self.finish(State.CANCELLED)
        else:
            self.finish(State.FAILED, fitting.said(error))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        self.__exit__(kind, error, _)

    def _stop(self, reason: str) -> None:
        with self._delivery.lock:
            if self._reason is not None:
                return
            self._reason = reason
            reactions, self._reactions = self._reactions, []
            parts = list(self._parts)
        self.cancelled.set()
        for reaction in (*reactions, *(part._stop for part in parts)):
            _react(reaction, reason)

    def _adopt(self, part: Job) -> None:
        with self._delivery.lock:
            self._delivery.outbox.adopt(part._delivery.outbox)
            self._parts.add(part)
            reason = self._reason
        if reason is not None:
            part._stop(reason)


def _react(reaction: Stopped, reason: str) -> None:
    try:
        reaction(reason)
    except Exception:
        _log.exception("a job's reaction to a stop failed")
