"""The jobs of this process, by the tickets that they are started with."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from headway import forks
from headway.client import Job
from headway.integrations.celery.ticket import Ticket
from headway.integrations.queues.link import Link

MAX_ROOTS = 1_000
"""Canvases that are kept in mind."""


class Jobs:
    """One for each process: a forked child begins anew."""

    def __init__(self, link: Link) -> None:
        self.link: Link = link
        """To the server."""
        self.forked()

    def __repr__(self) -> str:
        return f"<Jobs active={len(self.active)} {self.link!r}>"

    def forked(self) -> None:
        """This is a child of the process that it was made in."""
        self.active: dict[str, Job] = {}
        """Those of tasks that run in this process, by the id of the task."""
        self._roots: OrderedDict[str, Job] = OrderedDict()

    def start(self, ticket: Ticket, **more: Any) -> Job:
        """The activity of a ticket, new or known; this process keeps it alive until it has ended or is left."""
        forks.tell(self)
        return self.link.start(ticket.type, **{**ticket.options, "parent": self._parent(ticket.parent), **more})

    def announce(self, ticket: Ticket) -> None:
        """See that there is a record of it, and no more: others keep it alive."""
        if ticket.canvas:
            self._root(ticket)
        else:
            self.link.announce(self.start(ticket))

    def _parent(self, parent: Ticket | str | None) -> Job | str | None:
        """A job of this process where there is one: its end then waits until the part has a record."""
        if isinstance(parent, Ticket):
            return self.active.get(parent.id) or self._root(parent)
        return next((job for job in list(self.active.values()) if parent is not None and job.uuid == parent), parent)

    def _root(self, ticket: Ticket) -> Job:
        job = self._roots.get(ticket.id)
        if job is None:
            job = self._roots[ticket.id] = self.start(ticket)
            self.link.announce(job)
            if len(self._roots) > MAX_ROOTS:
                self._roots.popitem(last=False)
        return job
