"""As much of the server as a reporter needs, run by a ``ScriptedServer``."""

from __future__ import annotations

import json
import threading
from itertools import count
from typing import Any

from tests.client.scripted_server import Asked, Drop, Hang, Reply, as_json, listed, refused, row


class FakeHeadway:
    """Starts by key, reports, ends, cancels, and requests that wait, one or many at once; or nothing but trouble."""

    def __init__(self, *, batches: bool = True, outputs: bool = True) -> None:
        """``batches``: it knows the request about many; ``outputs``: it keeps what is printed; as servers of former
        versions do not.
        """
        self.batches = batches
        self.outputs = outputs
        self.printed: dict[str, list[str]] = {}
        """By uuid, all that it was told has been printed."""
        self.trouble_with_outputs: Reply | Drop | Hang | None = None
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
        if asked.path == "/activities":
            return self._change_many(asked) if self.batches else refused(405, "method_not_allowed")
        if asked.path.endswith("/output"):
            return self._print(asked)
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

    def _print(self, asked: Asked) -> Reply | Drop | Hang:
        uuid = asked.path.split("/")[2]
        if self.trouble_with_outputs is not None:
            return self.trouble_with_outputs
        if uuid not in self.rows or not self.outputs:
            return refused(404, "not_found")
        if asked.method == "PUT":
            self.printed.setdefault(uuid, []).append(asked.body.decode())
            return Reply(204)
        text = self.printed.get(uuid, [""])[-1]
        return Reply(200, text.encode(), {"Content-Type": "text/plain;charset=utf-8"})

    def _change_many(self, asked: Asked) -> Reply:
        items = {item["uuid"]: item for item in asked.json["Activity"]}
        replies = {
            uuid: self._change(self.rows[uuid], item) if uuid in self.rows else refused(404, "not_found")
            for uuid, item in items.items()
        }
        errors = [
            {"uuid": uuid, **json.loads(bytes(reply.body))["errors"][0]}  # type: ignore[arg-type]
            for uuid, reply in replies.items()
            if reply.status != 200
        ]
        rows = [self.rows[uuid] for uuid, reply in replies.items() if reply.status == 200]
        with self.changed:
            if not errors:
                self.changed.wait_for(lambda: any(_tells(row) for row in rows), float(asked.query.get("wait", 0)))
            container = {"size": len(rows), "Activity": [row for row in rows if _tells(row)]}
        return as_json({"MediaContainer": container, "errors": errors}, Preference_Applied="return=minimal")

    def _change(self, activity: dict[str, Any], members: dict[str, Any]) -> Reply:
        if activity["state"] == "lost":
            return refused(409, "lease_lost")
        if activity["state"] not in ("running", "cancelling"):
            return refused(409, "already_ended")
        members = {name: value for name, value in members.items() if name != "uuid"}
        members["Context"] = {**activity.get("Context", {}), **members.get("Context", {})}
        self.change(activity, **members)
        return listed(activity)


def _tells(row: dict[str, Any]) -> bool:
    return bool(row["state"] != "running")
