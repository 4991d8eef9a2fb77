"""What the fake Plex Media Server holds in memory, and has forgotten when it starts again."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from tests.plex.answers import in_order
from tests.plex.notifications import Notification, of_activity
from tests.plex.scans import Life, Step

Row = dict[str, Any]
OWNER = 1


class Memory:
    """Activities, and the lives that move them. Whoever calls it holds the lock of the server."""

    def __init__(self, publish: Callable[[Notification], None], withheld: set[str]) -> None:
        self._publish = publish
        self._withheld = withheld
        self._rows: dict[str, Row] = {}
        self._cancelled: dict[str, int] = {}
        self.lives: list[Life] = []
        butler = self._new("butler", title="Butler tasks", progress=100)
        self._rows[butler["uuid"]] = butler

    def visible(self, user_id: int) -> list[Row]:
        """What a user sees, in order of start."""
        rows = [row for row in self._rows.values() if user_id in (OWNER, row["userID"])]
        return copy.deepcopy(rows)

    def start(self, type: str, **members: Any) -> str:
        row = self._new(type, **members)
        self._rows[row["uuid"]] = row
        self._tell("started", row)
        return str(row["uuid"])

    def update(self, uuid: str, **members: Any) -> None:
        """``Context`` and ``Response`` grow; all else is replaced."""
        row = self._rows[uuid]
        for bag in members.keys() & {"Context", "Response"}:
            members[bag] = {**row.get(bag, {}), **members[bag]}
        self._rows[uuid] = in_order({**row, **members})
        self._tell("updated", self._rows[uuid])

    def end(self, uuid: str, progress: int = 100) -> None:
        row = self._rows.pop(uuid)
        self._tell("ended", {**row, "progress": progress})

    def request_cancel(self, uuid: str, user_id: int) -> int:
        """The status of the answer."""
        row = self._rows.get(uuid)
        owner = row["userID"] if row else self._cancelled.get(uuid)
        if owner is None or user_id not in (OWNER, owner):
            return 404
        if uuid not in self._cancelled and row is not None and not row["cancellable"]:
            return 400
        self._cancelled[uuid] = owner
        return 200

    def stop(self, uuid: str) -> None:
        """What was cancelled ends where it stood; the life it began goes no further."""
        if uuid in self._rows:
            self.end(uuid, self._rows[uuid]["progress"])
        for life in self.lives:
            if life.uuid == uuid:
                life.stop()

    def begin(self, life: Life) -> Life:
        """Take its first step."""
        self.lives.append(life)
        self._take(life)
        return life

    def advance(self) -> bool:
        """Every life takes its next step. Whether there are more to take."""
        for life in self.lives:
            self._take(life)
        self.lives = [life for life in self.lives if not life.over]
        return bool(self.lives)

    def _take(self, life: Life) -> None:
        step = life.next()
        if step is not None and step.event != "pause":
            self._do(step, life)

    def _do(self, step: Step, life: Life) -> None:
        if step.event == "started":
            life.uuids[step.activity] = self.start(**step.members)
            return
        uuid = life.uuids[step.activity]
        if uuid in self._rows:  # else it was cancelled, or ended by the test
            act = self.update if step.event == "updated" else self.end
            act(uuid, **step.members)

    def _new(self, type: str, **members: Any) -> Row:
        row = {"cancellable": False, "userID": OWNER, "title": "", "subtitle": "", "progress": 0, **members}
        return in_order({"uuid": str(uuid4()), "type": type, **row})

    def _tell(self, event: str, row: Row) -> None:
        if event != "ended" or not self._withheld & {row["uuid"], row["type"]}:
            self._publish(of_activity(event, copy.deepcopy(row)))
