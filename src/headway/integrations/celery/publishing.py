"""What happens when a task is published: its message gets a ticket, and where a server can be told, there is a record.

Publishing waits for nobody. In a process that has the activities itself, the uuid is known at once, for it follows from
the owner and the task's id; so the reply to the request that published the task can carry it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from headway.admission import uuid_of
from headway.client import Client, calls
from headway.client.jobs.news import fitted
from headway.context import current
from headway.core.activity import State
from headway.core.errors import HeadwayError
from headway.correlation import forget, notice
from headway.hub import Activities
from headway.integrations.celery.jobs import Jobs
from headway.integrations.celery.ticket import (
    LEVELS,
    Ticket,
    is_nobodys,
    provisional,
    read,
    to_come,
)
from headway.integrations.queues.keeper import SIGN_OF_LIFE
from headway.integrations.queues.ticket import HEADER, title_of
from headway.wire.requests import NewActivity, parse_new_activity

ADMIN = 1
"""Whose the tasks are that nobody is named for, in a process that has the activities itself."""

MAX_ROOTS = 1_000

Whole = Ticket | str | None
"""What something is a part of."""

_SETTINGS = ("report", "cancellable", "parent", "lease", "grace", "stall")

_log = logging.getLogger("headway")


class Rules(msgspec.Struct, frozen=True):
    """What ``track`` was told."""

    app: str
    wants: Callable[[str], bool]
    type: Callable[[str], str]
    title: Callable[[str, Any, Any], str]
    owner: Callable[[], int | None]
    lease: float
    grace: float

    def ticket(self, name: str, id: str, args: Any = (), kwargs: Any = None, **said: Any) -> Ticket:
        """Of a task; ``said``: what is known of it beyond these rules."""
        title = title_of(self.title(name, args, kwargs or {}))
        given: dict[str, Any] = {"owner": self.owner(), "type": self.type(name), **said}
        return Ticket(id=id, app=self.app, title=title, lease=self.lease, grace=self.grace, **given)


class Embedded:
    """Activities of this very process."""

    def __init__(self, activities: Activities) -> None:
        self._activities = activities
        self._keeping = False

    def uuid(self, ticket: Ticket) -> str | None:
        """Which the activity will have; None before the activities are open."""
        secret = self._activities.secret
        return uuid_of(secret, ticket.owner or ADMIN, ticket.key) if secret else None

    def announce(self, ticket: Ticket) -> None:
        """Record it, soon."""
        uuid = self.uuid(ticket)
        if uuid is not None:
            notice(provisional(uuid, ticket, self._activities.clock.now()))
            self._activities.portal.send(self._create, ticket)

    async def _create(self, ticket: Ticket) -> None:
        forget()  # it has been noticed
        parent = ticket.parent
        new = _as_a_worker_says_it(ticket, self.uuid(parent) if isinstance(parent, Ticket) else parent)
        settings = {name: getattr(new, name) for name in _SETTINGS}
        try:
            await self._activities.create(
                new.type, ticket.owner or ADMIN, key=ticket.key, fingerprint=_fingerprint(new), **settings
            )
        except HeadwayError as error:
            _log.warning("task %s is not shown until a worker has it: %s", ticket.id, error.message)
        if not self._keeping:
            self._keeping = True
            self._task = asyncio.get_running_loop().create_task(self._keep(), name="headway-celery")

    async def _keep(self) -> None:
        """What lies in the broker lives as long as we do; which of it has been lost there, nobody can tell."""
        while True:
            await asyncio.sleep(SIGN_OF_LIFE)
            for activity in self._activities.list():
                if is_nobodys(activity.context or {}) and activity.state is State.RUNNING:
                    self._activities.sign_of_life(activity.uuid)


class Publishing:
    """Listens to ``before_task_publish``."""

    def __init__(
        self,
        rules: Rules,
        jobs: Jobs | None,
        embedded: Embedded | None,
        running: Callable[[], Ticket | None],
        again: Callable[[str], None],
    ) -> None:
        """``jobs``: to record what is published; None where only the message is to tell. ``running``: the ticket
        of the task that this code runs in, if it does. ``again``: told of a task that publishes itself.
        """
        self._rules = rules
        self.jobs: Jobs | None = jobs
        self.embedded: Embedded | None = embedded
        self.keep: Callable[[Client], None] | None = None
        """What a process that only publishes does now and then; workers look after more."""
        self._running = running
        self._again = again
        self._roots: dict[str, Ticket] = {}

    def publishing(self, sender: str = "", headers: Any = None, body: Any = None, **_: Any) -> None:
        """A message is about to be sent; see Celery's signal. Raises nothing."""
        try:
            if isinstance(headers, dict) and "id" in headers and self._rules.wants(sender):
                self._publish(sender, headers, body)
        except Exception:  # a fault of ours: the task is published all the same
            _log.exception("task %s could not be announced", sender)

    def _publish(self, name: str, headers: dict[str, Any], body: Any) -> None:
        id, given = headers["id"], headers.get(HEADER)
        running = self._running()
        if running is not None and running.id == id:  # it tries again, or is replaced: the same activity goes on
            self._again(id)
            headers[HEADER] = running.header
            return
        args, kwargs, embed = body if isinstance(body, tuple | list) and len(body) == 3 else ((), {}, {})
        ticket = read(given)
        if ticket is None or ticket.id != id:
            whole = None if headers.get("eta") else self._whole()
            root = self._root(name, headers, embed, whole) or whole
            ticket = self._ticket(name, id, args, kwargs, root)
            self._announce(ticket)
            self._mark(to_come(embed), root)
        else:
            self._announce(ticket)
        headers[HEADER] = ticket.header

    def _ticket(self, name: str, id: str, args: Any, kwargs: Any, whole: Whole) -> Ticket:
        return self._rules.ticket(name, id, args, kwargs, **self._place(whole))

    def _place(self, whole: Whole) -> dict[str, Any]:
        """Whose it is, and where in which tree."""
        owner = whole.owner if isinstance(whole, Ticket) and whole.canvas else self._owner()
        running = whole if isinstance(whole, Ticket) else self._running()
        level = 1 if whole is None else 2 if running is None else running.level + 1
        return {"owner": owner, "parent": whole, "level": level}

    def _root(self, name: str, headers: Mapping[str, Any], embed: Any, whole: Whole) -> Ticket | None:
        """What a chain, group or chord adds up to, which may be a part of a whole; None for a task alone."""
        rest, group = to_come(embed), headers.get("group")
        if not rest and not group:
            return None
        id = group or f"{headers['id']}.chain"
        if id not in self._roots:
            kind = "chain" if not group else "chord" if embed.get("chord") else "group"
            names = [name, *(str(each.get("task")) for each in rest)]
            while len(self._roots) >= MAX_ROOTS:
                self._roots.pop(next(iter(self._roots)))
            self._roots[id] = Ticket(
                id=id,
                app=self._rules.app,
                type=f"celery.{kind}",
                title=title_of(" → ".join(each.rpartition(".")[2] for each in names) if rest else f"Group of {name}"),
                canvas=True,
                parts=0 if group else len(names),
                lease=self._rules.lease,
                grace=self._rules.grace,
                **self._place(whole),
            )
            self._announce(self._roots[id])
        return self._roots[id]

    def _mark(self, rest: list[dict[str, Any]], root: Whole) -> None:
        """The tasks that are to come are parts of the same whole, and on record from now on: so it has one percent."""
        for signature in rest:
            options = signature.setdefault("options", {})
            known = read((options.get("headers") or {}).get(HEADER))
            name, id = str(signature.get("task")), options.get("task_id")
            if known is not None or id is None or not self._rules.wants(name):
                continue
            ticket = self._ticket(name, id, signature.get("args"), signature.get("kwargs"), root)
            options["headers"] = {**(options.get("headers") or {}), HEADER: ticket.header}
            self._announce(ticket)

    def _announce(self, ticket: Ticket) -> None:
        if self.embedded is not None:
            self.embedded.announce(ticket)
        elif self.jobs is not None:
            if self.keep is not None:
                self.jobs.link.every(SIGN_OF_LIFE, self.keep)
            self.jobs.announce(ticket)

    def _whole(self) -> Whole:
        """The activity that this code runs in."""
        running = self._running()
        activity = current()
        if running is not None and running.level >= LEVELS:
            return None
        if running is not None and (not activity or not activity.uuid):
            return running
        return activity.uuid if activity else None

    def _owner(self) -> int | None:
        running = self._running()
        if running is not None:
            return running.owner
        activity = current()
        if activity and hasattr(activity, "activity"):
            return activity.activity.owner
        return self._rules.owner() or (None if self.embedded is None else ADMIN)


def _as_a_worker_says_it(ticket: Ticket, parent: str | None) -> NewActivity:
    """What the request of a worker asks for, to the digit: then both are the same start."""
    options = ticket.options
    told = {name: options[name] for name in ("title", "subtitle", "progress", "context") if name in options}
    asked = {name: options[name] for name in ("owner", "lease", "grace", "stall")}
    call = calls.start(ticket.type, fitted(**told), cancellable=True, parent=parent, **asked)
    return parse_new_activity(call.request.body or b"")


def _fingerprint(new: NewActivity) -> str:
    """As the server makes it."""
    return hashlib.blake2b(msgspec.json.encode(new, order="sorted"), digest_size=16).hexdigest()
