"""The outbox of one job between the threads of the job, which fill it, and the sender's, which empties it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from headway.client.exchange import Answer, Request
from headway.client.jobs.outbox import Outbox
from headway.core.activity import State
from headway.core.errors import HeadwayError
from headway.core.lifecycle import Report
from headway.wire.row import Row

Tell = Callable[["Delivery"], None]
Source = Callable[[], str]
"""Tells the last that a job has printed; called in the sender's thread, once it is time to send it."""


class Delivery:
    """An outbox, and a lock around it. Nothing here waits for anything but that."""

    def __init__(self, outbox: Outbox, tell: Tell) -> None:
        """``tell``: called, from any thread, when there is something to send that the sender does not know of."""
        self.outbox = outbox
        self.on_stop: Callable[[str], None] | None = None
        """Told once, in the sender's thread, why the job is to stop."""
        self.finished: bool = False
        """The job has said how it ended."""
        self.busy: bool = False
        """The sender's: its request is on its way, or waits for its turn."""
        self.printed: Source | None = None
        """What tells the last that the job has printed, if it prints."""
        self._tell = tell
        self._told = self._shown = self._silent = False
        self.lock: threading.Lock = threading.Lock()
        """Held for moments only; also by the handle."""

    def __repr__(self) -> str:
        return f"<Delivery busy={self.busy} {self.outbox!r}>"

    # From the job, in any thread

    def report(self, news: Report) -> None:
        """How the work stands: a memory write. The sender is told once for any number of reports that go together."""
        if self._silent:
            return
        with self.lock:
            self.outbox.report(news)
            known, self._told = self._told, True
        if not known:
            self._tell(self)

    def finish(self, state: State, error: str | None) -> None:
        """How it ended; the first word counts."""
        if self._silent:
            return
        with self.lock:
            self.outbox.finish(state, error)
            self.finished = True
        self._tell(self)

    def show(self, source: Source) -> None:
        """There is more of what it prints. The sender is told once for all that comes until it looks."""
        if self._silent:
            return
        self.printed = source
        # First the mark, then the look at the flag; the sender does it the other way round, so none is missed.
        known, self._shown = self._shown, True
        if not known:
            self._tell(self)

    def leave(self) -> Report:
        """Whatever is left to say of it, which is returned, another says."""
        with self.lock:
            return self.outbox.leave()

    def forked(self) -> None:
        """This is a child of the process that sends: what is said here is not for it to say."""
        self._silent = True
        self.lock = threading.Lock()  # a thread of the parent may have held it

    # From the sender, in its thread

    def looked_at(self) -> None:
        """What it prints from now on is more than what was looked at."""
        self._shown = False

    def due(self) -> float:
        """See ``Outbox``."""
        with self.lock:
            return self.outbox.due()

    def ripe(self) -> float:
        """See ``Outbox``."""
        with self.lock:
            return self.outbox.ripe()

    def depends(self) -> bool:
        """See ``Outbox``."""
        with self.lock:
            return self.outbox.depends

    def next(self) -> Request:
        """What to send."""
        with self.lock:
            self._told = False
            return self.outbox.next(time.monotonic())

    def answered(self, answer: Answer) -> None:
        """What came of it,"""
        self._learn(lambda now: self.outbox.answered(answer, now))

    def unanswered(self, error: HeadwayError) -> None:
        """that nothing came of it,"""
        self._learn(lambda now: self.outbox.unanswered(error, now))

    def accepted(self, row: Row | None) -> None:
        """or what came of it among others:"""
        self._learn(lambda now: self.outbox.accepted(row, now))

    def refused(self, error: HeadwayError) -> None:
        """it was refused,"""
        self._learn(lambda now: self.outbox.refused(error, now, later=error.status >= 500))

    def returned(self, *, alone: bool) -> None:
        """or all were, for no fault of its own."""
        self._learn(lambda now: self.outbox.returned(now, alone=alone))

    def seen(self, row: Row) -> None:
        """What else was learned of it."""
        self._learn(lambda now: self.outbox.seen(row, now))

    def inquire(self, uuid: str) -> None:
        """Something has happened to that activity of it: ask what."""
        self._learn(lambda now: self.outbox.inquire(uuid, now))

    def reached(self) -> None:
        """See ``Outbox``."""
        self._learn(self.outbox.reached)

    def missed(self, error: HeadwayError) -> None:
        """See ``Outbox``."""
        self._learn(lambda now: self.outbox.missed(error, now))

    def hurry(self) -> None:
        """See ``Outbox``."""
        self._learn(self.outbox.hurry)

    def give_up(self) -> None:
        """See ``Outbox``."""
        with self.lock:
            self.outbox.give_up()

    @property
    def over(self) -> bool:
        """Nothing more will be sent, at least not from here."""
        return self._silent or self.outbox.over

    @property
    def settled(self) -> bool:
        """All has been said, or there is no hope that it can be."""
        return self.outbox.over or self.outbox.hopeless

    @property
    def attentive(self) -> bool:
        """Whether there is a record of it, and no stop that it knows of."""
        return self.outbox.batchable and not self.outbox.over and self.outbox.stop is None

    def _learn(self, event: Callable[[float], None]) -> None:
        before = self.outbox.stop
        with self.lock:
            event(time.monotonic())
        if self.outbox.stop is not None and before is None and self.on_stop is not None:
            self.on_stop(self.outbox.stop)
