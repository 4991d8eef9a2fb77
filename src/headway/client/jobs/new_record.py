"""What the start of a job says, the same each time it is said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from headway.client import calls
from headway.client.exchange import Call
from headway.client.jobs.news import with_context
from headway.core.lifecycle import Report
from headway.wire.row import Row


class Parent(Protocol):
    """What the job is a part of, as far as its start has to know."""

    @property
    def uuid(self) -> str | None:
        """Its activity; None while no server has heard of it."""

    @property
    def over(self) -> bool:
        """Nothing more will be sent of it."""


class NewRecord:
    """A start."""

    def __init__(
        self, type: str, report: Report, *, parent: Parent | str | None = None, cancellable: bool = True, **options: Any
    ) -> None:
        """``options``: those of ``calls.start``. A parent that is a job is waited for until it has a record."""
        self._type = type
        self._report = report
        self._parent = parent
        self._options: Mapping[str, Any] = {"cancellable": cancellable, **options}
        self._named: tuple[str | None] | None = None

    @property
    def ready(self) -> bool:
        """Whether it can be said."""
        parent = self._parent
        return parent is None or isinstance(parent, str) or parent.uuid is not None or parent.over

    @property
    def follows(self) -> bool:
        """Whether its parent is a job, whose record may be replaced by another."""
        return not (self._parent is None or isinstance(self._parent, str))

    def call(self, key: str, continues: str | None) -> Call[Row]:
        """The request; ``continues``: the activity that this job had before."""
        if self._named is None:
            parent = self._parent
            self._named = (parent if parent is None or isinstance(parent, str) else parent.uuid,)
        about = self._report if continues is None else with_context(self._report, continues=continues)
        return calls.start(self._type, about, key=key, parent=self._named[0], **self._options)

    def renew(self) -> None:
        """The next one is another: under a key of its own, and of whatever its parent is then."""
        self._named = None
