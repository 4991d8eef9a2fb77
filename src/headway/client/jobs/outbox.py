"""The record of one job on its way to a server: what to send next, and what each answer means.

Without I/O, clock or threads: whoever drives it asks when something is ``due`` and for the ``next`` request, and hands
back what came of it. Times are seconds on one monotonic clock. The laws:

1. The job is never waited for and never waits: reports are conflated, the latest word wins, and what a failed request
   carried is said again unless there is newer.
2. A start carries an Idempotency-Key, so that saying it again makes no second activity.
3. The record tells the truth. A job that outlives its record is not reported under it any more; see ``OnLoss``.
4. Trouble is met with patience: no answer, or one that means "later", with backoff; one that means "no", rarely but on
   and on, for the server may be a different one tomorrow.
"""

from __future__ import annotations

import enum
import logging
import math
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import uuid4

from headway.client import calls
from headway.client.backoff import Backoff
from headway.client.errors import NoConnection, Redirected, Unreachable
from headway.client.exchange import Answer, Call, Request
from headway.client.jobs.new_record import NewRecord
from headway.client.jobs.parts import Part, Parts
from headway.client.rows import has_ended
from headway.core.activity import State
from headway.core.errors import (
    AlreadyEnded,
    ChildrenRunning,
    Conflict,
    HeadwayError,
    IllegalTransition,
    InvalidInput,
    LeaseLost,
    NotFound,
    TooMany,
    Unavailable,
)
from headway.core.lifecycle import Report
from headway.wire.errors import Unreadable
from headway.wire.row import Row

LEASE = 30.0
"""Seconds without a sign of life after which the server counts the job as lost."""

HEARTBEAT = 10.0
"""Seconds between signs of life when there is nothing to report."""

INTERVAL = 0.2
"""Seconds between two reports; what is said in between is conflated."""

RIPE = 0.5
"""The part of these after which a job sends along with another that has to: so jobs fall into step with each other."""

RETRY, MAX_RETRY = 0.25, 5.0
"""Seconds of the first and of the longest wait after a failure: a server that comes back starts our leases anew."""

MAX_ADVISED = 60.0
"""Seconds a server may ask for by Retry-After; while a lease runs, no more than a heartbeat."""

REFUSED = 30.0
"""Seconds before saying again what was refused for good."""

LATE = 2.0
"""Seconds after which a start is late enough for the context to say when it really was."""

ABANDONED = "abandoned"
"""Why an activity is lost that someone gave up by force."""

NOTHING = Report()

_log = logging.getLogger("headway")


class OnLoss(enum.Enum):
    """What a lost lease means for the work.

    An activity given up by force (``abandoned``) is stopped whichever it is: somebody wanted that.
    """

    STOP = "stop"
    """The work must stop: somebody else may have taken it over. The rule for workers."""
    CONTINUE = "continue"
    """Nobody else does this work: it goes on, under a new activity whose context ``continues`` the lost one."""


class End(NamedTuple):
    """How the job ended."""

    state: State
    error: str | None


class Outbox:
    """One job and its record."""

    def __init__(
        self,
        record: NewRecord,
        now: float,
        began: float,
        *,
        on_loss: OnLoss = OnLoss.STOP,
        key: str | None = None,
        new_key: Callable[[], str] = lambda: uuid4().hex,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """``began``: when the job did, in seconds since the epoch. ``key``: makes its first start idempotent."""
        self.uuid: str | None = None
        """The activity that the job is reported under; None before the server knows of it."""
        self.state: str | None = None
        """The state it was last seen in."""
        self.stop: str | None = None
        """Why the job is to stop: ``cancel_requested``, ``abandoned`` or ``lease_lost``; None while it is not."""
        self.problem: HeadwayError | None = None
        """What keeps the record from being complete, at present or for good."""
        self.over: bool = False
        """Nothing more will be sent."""
        self.hopeless: bool = False
        """In a hurry, and nothing suggests that trying again would help."""
        self.stuck: bool = False
        """The server refuses what it is told, and not for a moment."""
        self._record = record
        self._begun_at = now
        self._began = began
        self._on_loss = on_loss
        self._new_key = new_key
        self._key = key or new_key()
        self._continues: str | None = None
        self._news = self._told = self._carried = NOTHING
        self._end: End | None = None
        self._end_carried = False
        self._parts = Parts()
        self._inquiring = self._alone = self._ahead = False
        self._call: Call[Row] | None = None
        self._asked_of: str | None = None
        self._ready = now
        self._sent_at = now
        self._hurried = False
        self._backoff = Backoff(RETRY, MAX_RETRY, jitter=jitter)
        self._afresh = Backoff(1.0, 60.0, jitter=jitter)

    def __repr__(self) -> str:
        return (
            f"<Outbox uuid={self.uuid} state={self.state} stop={self.stop} over={self.over} problem={self.problem!r}>"
        )

    # What the job says

    def report(self, news: Report) -> None:
        """How the work stands."""
        self._news = self._news.then(news)
        self._told = self._told.then(news)

    def finish(self, state: State, error: str | None = None) -> None:
        """How the work ended; the first word counts."""
        self._end = self._end or End(state, error)

    def adopt(self, part: Part) -> None:
        """It has a part: its end is told once that has a record, for afterwards none could be made."""
        self._parts.adopt(part)

    def hurry(self, now: float) -> None:
        """The process is about to end: try at once, and again without much waiting."""
        self._hurried = True
        self._ready = now
        self._backoff.reset()

    def leave(self) -> Report:
        """Nothing more will be sent: somebody else goes on under its activity. Returns what was left to say."""
        self.over = True
        return self._news

    def give_up(self) -> None:
        """Nothing more will be sent, though something is left to say."""
        if not self.over:
            self.over = True
            self.problem = self.problem or Unreachable("the server did not answer in time")

    # What is to be sent

    def due(self) -> float:
        """The moment of the next request; infinity when there will be none."""
        return self._due(1.0)

    def ripe(self) -> float:
        """The moment from which it may go along with what others have to send."""
        return self._due(RIPE if self.batchable else 1.0)

    def _due(self, share: float) -> float:
        if self.over or (self.uuid is None and not self._record.ready):
            return math.inf
        if self.uuid is None or self._inquiring or self._ending:
            return self._ready
        return max(self._ready, self._sent_at + share * (HEARTBEAT if self._news == NOTHING else INTERVAL))

    @property
    def _ending(self) -> bool:
        """Whether its end is to be told now."""
        return self._end is not None and not self._parts.unrecorded()

    @property
    def depends(self) -> bool:
        """Whether what is next has to wait for another job's record."""
        if self.uuid is None:
            return not self._record.ready
        return self._end is not None and not self._ending

    @property
    def batchable(self) -> bool:
        """Whether the next request is a change, which may be sent in one with those of others."""
        return self.uuid is not None and not self._inquiring and not self._alone

    def next(self, now: float) -> Request:
        """The next request. One at a time: its outcome goes to ``answered`` or ``unanswered``."""
        self._sent_at = now
        self._asked_of = self.uuid
        self._call = self._next_call()
        return self._call.request

    def _next_call(self) -> Call[Row]:
        self._end_carried = self._alone = False
        if self.uuid is None:
            return self._record.call(self._key, self._continues)
        if self._inquiring:
            return calls.get(self.uuid)
        self._carried, self._news = self._news, NOTHING
        ahead, self._ahead = self._ahead, False
        if self._end is None or not self._ending or ahead:
            return calls.change(self.uuid, self._carried)
        self._end_carried = True
        return calls.change(self.uuid, self._carried, state=self._end.state, error=self._end.error)

    # What came of it

    def answered(self, answer: Answer, now: float) -> None:
        """The server answered the latest request."""
        call = self._call
        if call is None:
            raise RuntimeError("an answer to nothing")
        try:
            row = call.read(answer)
        except HeadwayError as error:
            # What is no JSON comes from some proxy before Headway, which knows nothing of activities.
            later = answer.status >= 500 or answer.content_type != "application/json"
            self.refused(error, now, later=later, advised=answer.retry_after or 0.0)
        else:
            self.accepted(row, now)

    def accepted(self, row: Row | None, now: float) -> None:
        """The latest request did what it should. ``row``: the activity, None when there is nothing to tell of it."""
        call, self._call = self._call, None
        if call is not None and self._asked_of == self.uuid:  # and not a record that has been left behind since
            self._accepted(row, call.request.method, now)

    def refused(self, error: HeadwayError, now: float, *, later: bool = False, advised: float = 0.0) -> None:
        """The server refused the latest request; ``later``: it may not do so for long. ``advised``: seconds until it
        should be tried again.
        """
        call, self._call = self._call, None
        if call is not None and self._asked_of == self.uuid:
            self._take_back()
            # Its parts may take long, and what was said before the end is true already.
            self._ahead = isinstance(error, ChildrenRunning) and self._news != NOTHING
            later = later or isinstance(error, TooMany | Unavailable | Unreadable)
            self._refused(error, call.request.method, now, advised if later else None)

    def unanswered(self, error: HeadwayError, now: float) -> None:
        """The latest request was not answered, or not in a way that can be understood."""
        self._call = None
        self._take_back()
        self._wait(error, now)

    def returned(self, now: float, *, alone: bool = False) -> None:
        """The latest request was not understood, for no fault of this job's: say it again, or ``alone``."""
        self._call = None
        self._take_back()
        self._alone = alone
        self._ready = now

    def reached(self, now: float) -> None:
        """The server can be reached again: what has waited for that need not wait any longer."""
        if isinstance(self.problem, Unreachable) and not self.over:
            self.problem = None
            self._backoff.reset()
            self._ready = min(self._ready, now)

    def missed(self, error: HeadwayError, now: float) -> None:
        """The server cannot be reached, as others have found."""
        if not self.over and self._call is None and self.due() <= now:
            self.problem = error
            if self._hurried:
                self._wait(error, now)

    def inquire(self, uuid: str, now: float) -> None:
        """Something has happened to that activity: ask what, if it is still the one."""
        if self.uuid == uuid and not self.over:
            self._inquiring = True
            self._ready = min(self._ready, now)

    def seen(self, row: Row, now: float) -> None:
        """The activity as the server shows it, in an answer to whatever question."""
        if row.uuid != self.uuid or self.over:
            return
        self.state = row.state
        if row.cancel_requested:
            self.stop = self.stop or "cancel_requested"
        if row.state == State.LOST and (self._end is None or self._end.state is not State.LOST):
            self._lost(row.error, now)
        elif has_ended(row):
            self.over = True
            if self._end is None or row.state != self._end.state:
                self.problem = AlreadyEnded(f"somebody else recorded its end: {row.state}")

    def _accepted(self, row: Row | None, method: str, now: float) -> None:
        self._backoff.reset()
        self.problem = None
        self.stuck = False
        self._carried = NOTHING
        self._inquiring = False
        if method == "POST" and row is not None:
            self.uuid = row.uuid
            if now - self._begun_at > LATE:
                started = datetime.fromtimestamp(self._began, UTC).isoformat(timespec="milliseconds")
                self._news = Report(context={"startedAt": started}).then(self._news)
        elif self._end_carried and self._end is not None:
            self.over = True
            self.state = self._end.state.value if row is None else row.state
        if row is not None:
            self.seen(row, now)

    def _refused(self, error: HeadwayError, method: str, now: float, advised: float | None) -> None:
        """``advised``: seconds until it should be tried again; None where that helps nothing."""
        if isinstance(error, Redirected):
            self._give_way(error, now)
        elif advised is not None:
            self._wait(error, now, advised)
        elif method == "POST" and self._record.follows and isinstance(error, NotFound | AlreadyEnded | LeaseLost):
            self._renew()  # its parent's record is another by now, or will be
            self._wait(error, now)
        elif method == "POST":
            self._give_way(error, now)
        elif isinstance(error, NotFound):  # a server that forgets when it restarts, or another one at its place
            self._start_afresh(now)
        elif isinstance(error, AlreadyEnded | LeaseLost):
            self._inquiring = True
        elif isinstance(error, IllegalTransition) and self._end is not None and self._end.state is State.CANCELLED:
            self._end = End(State.FAILED, "stopped, with no cancel on record")
        elif isinstance(error, InvalidInput) and self._news != NOTHING:
            _log.warning("not reported: %s", error.message)
            self._news = NOTHING
        elif isinstance(error, Conflict):
            self._wait(error, now)
        else:
            self._give_way(error, now)

    def _take_back(self) -> None:
        """What the latest request carried is still to be said, unless there is newer."""
        self._news = self._carried.then(self._news)
        self._carried = NOTHING

    def _wait(self, error: HeadwayError, now: float, advised: float = 0.0) -> None:
        self.problem = error
        delay = max(self._backoff.next(), min(advised, MAX_ADVISED if self.uuid is None else HEARTBEAT))
        self._ready = now + (min(delay, RETRY) if self._hurried else delay)
        unheard_of = self.uuid is None and self._continues is None
        self.hopeless = self._hurried and unheard_of and isinstance(error, NoConnection)

    def _give_way(self, error: HeadwayError, now: float) -> None:
        self.problem = error
        self._ready = now + REFUSED
        self.stuck = True
        self.hopeless = self._hurried

    def _lost(self, reason: str | None, now: float) -> None:
        if reason == ABANDONED or self.stop is not None or self._on_loss is OnLoss.STOP:
            self.over = True
            self.stop = self.stop or (ABANDONED if reason == ABANDONED else "lease_lost")
            self.problem = LeaseLost(f"the server gave the activity up: {reason or 'lost'}")
        else:
            self._start_afresh(now)

    def _start_afresh(self, now: float) -> None:
        """Another record for the same job, with all that was said of it so far."""
        self._continues, self.uuid, self.state = self.uuid, None, None
        self._renew()
        self._news, self._carried = self._told, NOTHING
        self._inquiring = False
        self._ready = now + (0.0 if self._hurried else self._afresh.next())

    def _renew(self) -> None:
        self._key = self._new_key()
        self._record.renew()
