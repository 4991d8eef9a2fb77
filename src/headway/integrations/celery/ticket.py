"""What travels with a task: how its activity is started, said so that whoever starts it says the same.

The start carries an Idempotency-Key made of the task's id, so publisher, worker and pool process mean one activity, in
whatever order they speak.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from headway.core.activity import Activity
from headway.core.errors import HeadwayError
from headway.integrations.queues.ticket import QUEUED, STALL, lies_in_broker
from headway.wire import rules

CONTEXT = "celery"
"""The member of an activity's context that tells where the task is:"""

CANVAS = "canvas"
"""it is queued, or runs, as in other libraries; or this: no task but what a chain, group or chord adds up to."""

NOT_RUN = "did not run: "
"""What the error of a task begins with that had to follow one that did not succeed."""

LEVELS = 6
"""Deeper in a tree, a task is on its own: a server takes no more than eight levels, and a canvas is one of them."""


class Ticket(msgspec.Struct, frozen=True, omit_defaults=True):
    """One activity to be."""

    id: str
    """Of the task, or of the group."""
    type: str
    app: str = ""
    """Of the Celery application: its workers look after it."""
    title: str = ""
    owner: int | None = None
    """None for the user whose token the worker has."""
    parent: Ticket | str | None = None
    """What it is a part of: a uuid, or what has none yet."""
    level: int = 1
    """How deep it lies in the tree of what has published it."""
    canvas: bool = False
    parts: int = 0
    """Of a canvas: how many tasks there will be; 0 where it does not say."""
    lease: float = 30.0
    """Seconds."""
    grace: float = 10.0
    """Seconds."""

    @property
    def key(self) -> str:
        """The Idempotency-Key."""
        return f"celery:{self.id}"

    @property
    def context(self) -> dict[str, Any]:
        """The context that it begins with."""
        context: dict[str, Any] = {CONTEXT: CANVAS if self.canvas else QUEUED, "app": self.app, "taskID": self.id}
        return {**context, "tasks": str(self.parts)} if self.parts else context

    @property
    def options(self) -> dict[str, Any]:
        """What is said at the start, but for the parent: options of ``Reporting.start``."""
        waiting = {} if self.canvas else {"subtitle": QUEUED, "progress": -1}
        return {
            **waiting,
            "title": self.title,
            "owner": self.owner,
            "context": self.context,
            "key": self.key,
            "lease": self.lease,
            "grace": self.grace,
            "stall": STALL,
        }

    @property
    def header(self) -> dict[str, Any]:
        """What goes into a message."""
        builtins: dict[str, Any] = msgspec.to_builtins(self)
        return builtins


def read(header: object) -> Ticket | None:
    """The ticket that a message carries; None where there is none, or none that we understand."""
    try:
        ticket = msgspec.convert(header, Ticket)
        rules.activity_type("type", ticket.type)
    except (msgspec.ValidationError, HeadwayError):
        return None
    return ticket


def is_nobodys(context: Mapping[str, Any]) -> bool:
    """Whether no process keeps it alive by itself: it lies in the broker, or is a canvas."""
    return context.get(CONTEXT) == CANVAS or lies_in_broker(CONTEXT, context)


def leaves(signatures: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """The tasks in a canvas, as the dictionaries that they travel in."""
    for signature in signatures:
        if not isinstance(signature, Mapping):
            continue
        inner = signature.get("kwargs") or {}
        name = signature.get("subtask_type") or signature.get("task")
        if name in ("group", "celery.group", "chain", "celery.chain"):
            yield from leaves(inner.get("tasks") or ())
        elif name in ("chord", "celery.chord"):
            header = inner.get("header") or ()
            yield from leaves([header] if isinstance(header, Mapping) else header)
            yield from leaves([inner.get("body")])
        elif isinstance(signature, dict):
            yield signature
            # What a chain goes on with after a chord, the body of that carries; last first.
            yield from leaves(reversed((signature.get("options") or {}).get("chain") or ()))


def to_come(embed: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tasks that are to run once this one has succeeded. ``embed``: what a message carries beside its arguments."""
    chord = embed.get("chord")
    # The chain is kept last first.
    return list(leaves([*reversed(embed.get("chain") or ()), *([chord] if chord else ())]))


def provisional(uuid: str, ticket: Ticket, now: float) -> Activity:
    """Stands for a record that is on its way, for those who only ask for its uuid."""
    return Activity(uuid=uuid, type=ticket.type, owner=ticket.owner or 1, started_at=now, updated_at=now)
