"""Reporting the jobs of this process to a server, in the background.

One thread with an event loop of its own sends for all jobs of the process. What a job calls here is a memory write: it
never waits for the network, and no trouble of the server's reaches it (see ``outbox`` for what is done about trouble,
``sender`` for what goes together).
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypedDict, Unpack

from headway import forks
from headway.client.address import Address
from headway.client.jobs.delivery import Delivery
from headway.client.jobs.job import Job, Stopped
from headway.client.jobs.line import Line, Locate
from headway.client.jobs.new_record import NewRecord
from headway.client.jobs.news import fitted, fitted_settings, fitted_type
from headway.client.jobs.outbox import LEASE, OnLoss, Outbox
from headway.client.jobs.sender import Sender
from headway.core.activity import DEFAULT_GRACE

if TYPE_CHECKING:
    from headway.client.network.connecting import Network

PATIENCE = 5.0
"""Seconds that ``close`` gives to deliver the ends, at most."""

TIMEOUT = 5.0
"""Seconds for an answer to a report."""

_log = logging.getLogger("headway")
_left_behind: list[Sender] = []
"""In a forked child: senders of the parent. They are kept, for to take them apart would touch what the parent uses."""


class JobOptions(TypedDict, total=False):
    """What can be said of a job when it starts."""

    title: str
    subtitle: str
    progress: float | None
    """Percent 0..100, or -1 for indeterminate."""
    completed: float | None
    total: float | None
    """How many there are to do, counted in ``unit``."""
    unit: str | None
    cancellable: bool
    """Whether users may ask it to stop; default True."""
    context: Mapping[str, Any] | None
    parent: Job | str | None
    """What it is a part of: a job, whose record is waited for, or the uuid of an activity."""
    owner: int | None
    """The user it is for; None for the token's own. Only admins may name another."""
    weight: float | None
    """Its share in the progress of the parent."""
    timeout: float | None
    """Seconds after which the server asks it to stop."""
    stall: float | None
    """Seconds without news after which it is shown as stalled."""
    lease: float | None
    """Seconds without a sign of life after which it counts as lost; default 30."""
    grace: float | None
    """Seconds it has to stop when asked to; default 10."""
    key: str | None
    """Makes the start idempotent: the same for the same work, also in another process."""
    on_loss: OnLoss
    """What the loss of the record means for the work; default: it must stop."""
    on_stop: Stopped | None
    """Called once when it is to stop, in the sender's thread."""
    raise_on_cancel: bool
    """Let ``report`` raise ``Cancelled`` once it is to stop."""


class Reporting:
    """The sender of this process for one server.

    A forked child has none of the jobs of its parent: what it says of them is not sent, and what it starts it reports
    itself.
    """

    def __init__(self, server: Address | Locate, *, timeout: float = TIMEOUT, network: Network | None = None) -> None:
        """``server``: where it is, or what finds that out, which is asked before each request.

        ``timeout``: seconds for an answer. ``network``: proxy and TLS, as for a ``Client``.
        """
        self._locate: Locate = server if callable(server) else lambda: server
        self._timeout = timeout
        self._network = network
        self._sender: Sender | None = None
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        sender = self._sender
        return f"<Reporting jobs={0 if sender is None else len(sender.jobs)} closed={self._closed}>"

    def start(self, type: str, **options: Unpack[JobOptions]) -> Job:
        """A job has begun. Its record is made as soon as there is a server to make it; see ``JobOptions``.

        Raises RuntimeError once this is closed.
        """
        parent, key = options.get("parent"), options.get("key")
        # A copy: what the caller does to its own afterwards was not said.
        outbox = Outbox(
            _record(type, options),
            time.monotonic(),
            time.time(),
            on_loss=options.get("on_loss", OnLoss.STOP),
            key=None if key is None else str(key),
        )
        sender = self._sending()
        delivery = Delivery(outbox, _unheard if sender is None else sender.tell)
        job = Job(
            delivery,
            self,
            on_stop=options.get("on_stop"),
            raise_on_cancel=options.get("raise_on_cancel", False),
            parent=parent if isinstance(parent, Job) else None,
        )
        if sender is None:
            delivery.give_up()
        else:
            sender.tell(delivery)
        return job

    def close(self, timeout: float = PATIENCE) -> None:
        """Deliver what is still to be said, within ``timeout`` seconds; jobs that have not said how they ended end as
        lost. Nothing can be started afterwards.
        """
        with self._lock:
            self._closed = True
            sender, self._sender = self._sender, None
        if sender is not None:
            atexit.unregister(self.close)
            sender.close(timeout)

    def forked(self) -> None:
        """This is a child of the process that reports."""
        self._lock = threading.Lock()
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.forked()
            _left_behind.append(sender)

    def _sending(self) -> Sender | None:
        with self._lock:
            if self._closed:
                raise RuntimeError("reporting is closed")
            if self._sender is None:
                sender = Sender(Line(self._locate, self._timeout, self._network))
                try:
                    sender.begin()
                except RuntimeError:  # no more threads are to be had: then the job goes on unreported
                    _log.warning("cannot report", exc_info=True)
                    return None
                atexit.register(self.close)
                self._sender = sender
                forks.tell(self)
            return self._sender


def _unheard(_: Delivery) -> None:
    """Nobody sends it."""


def _record(type: str, options: JobOptions) -> NewRecord:
    told = ("title", "subtitle", "progress", "completed", "total", "unit", "context")
    settings: dict[str, float | None] = {
        "lease": options.get("lease") or LEASE,
        "grace": DEFAULT_GRACE if (grace := options.get("grace")) is None else grace,
        "weight": options.get("weight"),
        "timeout": options.get("timeout"),
        "stall": options.get("stall"),
    }
    return NewRecord(
        fitted_type(type),
        fitted(**{name: options[name] for name in told if name in options}),  # type: ignore[literal-required]
        parent=options.get("parent"),
        cancellable=options.get("cancellable", True),
        owner=options.get("owner"),
        **fitted_settings(settings),
    )
