"""As much of the server as a reporter needs, run by a ``ScriptedServer``."""

from __future__ import annotations

import threading
from itertools import count
from typing import Any

from tests.client.scripted_server import Asked, Drop, Hang, Reply, listed, refused, row


class FakeHeadway:
    """Starts by key, reports, ends, cancels, and requests that wait; or nothing but trouble."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.by_key: dict[str, str] = {}
        self.trouble: Reply | Drop | Hang | None = None
        self.changed = threading.Condition()
        self._numbers = count(1)

    def __call__(self, asked: Asked) -> Reply | Drop | Hang:
        if self.trouble is not None:
            return self.trouble
        if asked.method == "POST":
            return self._start(asked)
        known = self.rows.get(asked.path.rpartition("/")[2])
        if known is None:
            return refused(404, "not_found")
        if asked.method == "PATCH":
            return self._change(known, asked.json)
        with self.changed:
            self.changed.wait_for(lambda: known["state"] != asked.query.get("state"), float(asked.query.get("wait", 0)))
        return listed(known)

    @property
    def only(self) -> dict[str, Any]:
        """The one activity there is."""
        (activity,) = self.rows.values()
        return activity

    def change(self, activity: dict[str, Any], **members: Any) -> None:
        with self.changed:
            activity.update(members)
            self.changed.notify_all()

    def _start(self, asked: Asked) -> Reply:
        key = asked.headers["idempotency-key"]
        if key in self.by_key:
            return listed(self.rows[self.by_key[key]])
        uuid = f"{next(self._numbers):08d}-0000-4000-8000-000000000000"
        self.by_key[key] = uuid
        self.rows[uuid] = row(uuid, **asked.json)
        return listed(self.rows[uuid], status=201)

    def _change(self, activity: dict[str, Any], members: dict[str, Any]) -> Reply:
        if activity["state"] == "lost":
            return refused(409, "lease_lost")
        if activity["state"] not in ("running", "cancelling"):
            return refused(409, "already_ended")
        members["Context"] = {**activity.get("Context", {}), **members.get("Context", {})}
        self.change(activity, **members)
        return listed(activity)
