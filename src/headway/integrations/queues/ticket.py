"""What travels with a task: how its activity is started, said so that whoever starts it says the same.

The start carries an Idempotency-Key that the ticket names, so publisher and worker mean one activity, in whatever order
they speak, and so do all runs of a task that is tried again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import msgspec

from headway.core.errors import HeadwayError
from headway.wire import fitting, requests, rules

HEADER = "headway"
"""The name under which it travels, wherever a library has room for it."""

QUEUED = "queued"
"""Of a context, in the member that has the library's name: nobody has the task in hand, so it lies in the broker;"""
RUNNING = "running"
"""or it runs, or did."""

RECEIPT, RETURNED = "receipt", "returned"
"""Who runs it, a word of its own for each run; and who did when it went back to the broker. So the order in which two
processes tell of it does not matter.
"""

STOPS = ("cancel_requested", "abandoned")
"""Why a task is to stop. That its record is lost is no reason: tasks run unharmed."""

STALL = requests.MAX_STALL
"""Seconds: most tasks say nothing of their progress, and that is no news."""


class Ticket(msgspec.Struct, frozen=True, omit_defaults=True):
    """One activity to be."""

    library: str
    id: str
    """Of the task."""
    key: str
    """The Idempotency-Key."""
    type: str
    title: str = ""
    app: str = ""
    """Whose workers look after it."""
    owner: int | None = None
    """None for the user whose token the worker has."""
    parent: str | None = None
    """The uuid of what it is a part of."""
    lease: float = 30.0
    """Seconds."""
    grace: float = 10.0
    """Seconds."""

    @property
    def options(self) -> dict[str, Any]:
        """What is said at the start, but for the parent: options of ``Reporting.start``."""
        return {
            "title": self.title,
            "subtitle": QUEUED,
            "progress": -1,
            "owner": self.owner,
            "context": {self.library: QUEUED, "app": self.app, "taskID": self.id},
            "key": self.key,
            "lease": self.lease,
            "grace": self.grace,
            "stall": STALL,
        }

    def renewed(self) -> Ticket:
        """For another activity like this one, that is a part of nothing."""
        return msgspec.structs.replace(self, key=f"{self.library}:{self.id}:{uuid4().hex}", parent=None)

    @property
    def header(self) -> str:
        """What goes into a message: JSON."""
        return msgspec.json.encode(self).decode()


def read(header: object) -> Ticket | None:
    """The ticket that a message carries; None where there is none, or none that we understand."""
    try:
        ticket = msgspec.json.decode(header, type=Ticket) if isinstance(header, str) else None
        if ticket is not None:
            rules.activity_type("type", ticket.type)
    except (msgspec.DecodeError, HeadwayError):
        return None
    return ticket


def lies_in_broker(library: str, context: Mapping[str, Any]) -> bool:
    """Whether no worker has the task, as its activity tells."""
    receipt = context.get(RECEIPT)
    return context.get(library) == QUEUED and (receipt is None or receipt == context.get(RETURNED))


def title_of(text: object) -> str:
    """Any text as a title."""
    return fitting.text(str(text), requests.MAX_TITLE) or ""
