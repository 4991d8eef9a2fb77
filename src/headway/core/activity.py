"""What an activity is: the record of one asynchronous operation."""

from __future__ import annotations

import enum
from collections.abc import Mapping

import msgspec

from headway.core.estimate import Estimate, Expectation, remaining
from headway.core.progress import Progress

Scalar = str | int | float | bool
Attributes = Mapping[str, Scalar]
"""A flat bag of named values: XML can carry it as attributes, JSON as an object."""

DEFAULT_GRACE = 10.0
"""Seconds an operation gets to stop by itself before it is stopped harder, or shown as overdue."""

DEFAULT_STALL = 300.0
"""Seconds without a word after which an operation that has reported before is shown as stalled."""


class State(enum.StrEnum):
    """Where an activity is in its life; see ``lifecycle.TRANSITIONS`` for the moves."""

    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"

    @property
    def ended(self) -> bool:
        """True for the four states that nothing leaves."""
        return self not in (State.RUNNING, State.CANCELLING)


class CancelRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who asked an activity to stop, when and why."""

    at: float
    """Seconds since the epoch."""
    by: int | None = None
    """The user who asked; None when the system did (a timeout, a shutdown)."""
    reason: str | None = None
    required: bool = False
    """It has to stop, with all that is below it, also where users may not cancel."""


class Activity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One asynchronous operation, as it stands after its latest change. Never modified: changes give a new record."""

    uuid: str
    """Lower-case, 36 characters: what clients cancel and follow by."""
    type: str
    """Dotted, such as ``library.update.section``."""
    owner: int
    """The user it belongs to; ``userID`` on the wire, 1 is the owner of the server."""
    started_at: float
    """Seconds since the epoch, like every time in the record."""
    updated_at: float
    """When anything about it last changed."""
    title: str = ""
    subtitle: str = ""
    cancellable: bool = False
    state: State = State.RUNNING
    progress: Progress = Progress()
    context: Attributes | None = None
    """What it is about, by string ids. Grows during life."""
    response: Attributes | None = None
    """What came out of it."""
    error: str | None = None
    """Why it failed or was lost."""
    parent: str | None = None
    weight: float = 1.0
    """Its share in the progress of its parent, in proportion to its siblings."""
    timeout: float | None = None
    """Seconds it may run; then it is asked to stop."""
    cancel: CancelRequest | None = None
    overdue: bool = False
    """The operation was asked to stop, its grace is over, and it still runs."""
    grace: float = DEFAULT_GRACE
    """Seconds between the request to stop and ``overdue`` (or the harder stop)."""
    stalled: bool = False
    """It lives, but has not said anything of its work for ``stall`` seconds."""
    stall: float | None = DEFAULT_STALL
    """Seconds without a report after which it counts as stalled; None for never."""
    expected: Expectation | None = None
    """How long it takes, by past ones of its type and owner; None without enough of them."""
    ended_at: float | None = None
    reported_at: float | None = None
    """When its operation last said something about the work (heartbeats do not count)."""
    lease: float | None = None
    """Seconds without a sign of life after which a remote worker counts as lost; None for an operation in process."""
    epoch: int = 0
    """Fences the worker: it grows when the operation is given up, and a report of an older epoch is refused."""
    node: str | None = None
    """The server process that runs an operation in process; None for a remote worker."""
    fingerprint: str | None = None
    """What the start asked for, when it came with an Idempotency-Key."""
    started_revision: int = 0
    """The position of its start among all changes; 0 before it is committed."""
    revision: int = 0
    """The position of its latest change."""

    @property
    def ended(self) -> bool:
        """True once nothing changes it any more."""
        return self.state.ended

    @property
    def percent(self) -> int:
        """Whole percent, -1 when indeterminate. 100 for what ended well alone: some clients know success by it."""
        unsuccessful = self.ended and self.state is not State.SUCCEEDED
        return min(99, self.progress.percent) if unsuccessful else self.progress.percent

    @property
    def estimate(self) -> Estimate | None:
        """What is left of it, counted from its last change, by its rate and by past ones; None without enough data."""
        if self.ended:
            return None
        progress = self.progress
        return remaining(self.updated_at - self.started_at, progress.fraction, progress.eta, self.expected)

    @property
    def fence(self) -> tuple[State, int]:
        """What a writer must have seen for its change to count (compare-and-set)."""
        return (self.state, self.epoch)
