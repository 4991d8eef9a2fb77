"""Someone who believes what a view tells, and holds it to what it promises."""

from __future__ import annotations

from collections.abc import Iterable

from headway.core.activity import Activity
from headway.core.policy import Scope, visible
from headway.core.view import Event, Kind


class Witness:
    """A cursor, and what somebody made of the events read with it."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.cursor = 0
        self.replica: dict[str, Activity] = {}
        self.ended: set[str] = set()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} scope={self.scope} cursor={self.cursor}>"

    def begin(self, cursor: int, live: Iterable[Activity]) -> None:
        """From a snapshot."""
        self.cursor = cursor
        self.replica = {activity.uuid: activity for activity in live}
        self.ended = set()

    def take(self, event: Event) -> None:
        """Each event comes once, in order, and to whom it concerns."""
        activity = event.activity
        assert visible(activity, self.scope)
        assert event.revision > self.cursor
        assert (event.kind is Kind.STARTED) is (activity.uuid not in self.replica), "started once, and first"
        assert activity.uuid not in self.ended, "nothing follows an end"
        assert activity.ended is (event.kind is Kind.ENDED)
        self.cursor = event.revision
        if event.kind is Kind.ENDED:
            del self.replica[activity.uuid]
            self.ended.add(activity.uuid)
        else:
            self.replica[activity.uuid] = activity
