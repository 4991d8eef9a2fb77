"""What answers and events hold."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from headway.core.activity import State
from headway.core.view import Kind
from headway.server.openapi import samples
from headway.server.openapi.parts import JSON, Node, matching, record, schema
from headway.wire import bags
from headway.wire.bags import BagRule
from headway.wire.formats import Format
from headway.wire.json import MAX_INTEGER
from headway.wire.rules import TYPE
from headway.wire.server import encode_identity, encode_root
from headway.wire.sse import ResyncReason

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def _attribute(type: str, description: str, **more: object) -> Node:
    """A member that is an attribute in XML."""
    return {"type": type, **more, "description": description, "xml": {"attribute": True}}


def _time(description: str) -> Node:
    return _attribute("number", f"{description} Seconds since the epoch, to the millisecond.")


ROW: Mapping[str, Node] = {
    "uuid": _attribute(
        "string", "What it is followed, reported on and cancelled by.", pattern=matching(_UUID)["pattern"]
    ),
    "type": _attribute(
        "string", "What kind of work, dotted: `library.update.section`.", pattern=matching(TYPE)["pattern"]
    ),
    "cancellable": _attribute("boolean", "Whether `DELETE` may ask it to stop. In XML `0` or `1`, as every boolean."),
    "userID": _attribute("integer", "The user it belongs to; 1 is the owner of the server."),
    "title": _attribute("string", "For people; may be empty, may change."),
    "subtitle": _attribute("string", "What it is at just now; may be empty, changes."),
    "progress": _attribute(
        "integer", "Whole percent, rounded down; -1 while nobody knows. 100 when it succeeded.", minimum=-1, maximum=100
    ),
    "Context": {**schema("Context"), "description": "What it is about; absent at first, may grow."},
    "Response": {**schema("Response"), "description": "What came out of it."},
    "state": _attribute(
        "string",
        "`running`, `cancelling` (asked to stop, still running), or how it ended: `succeeded`, `failed`, `cancelled` "
        "(it stopped because it was asked to), `lost` (nobody knows: its worker or server is gone).",
        enum=[state.value for state in State],
    ),
    "fraction": _attribute("number", "Progress to six digits; absent while nobody knows.", minimum=0, maximum=1),
    "completed": _attribute("number", "How many of `unit` are done."),
    "total": _attribute("number", "How many of `unit` there are."),
    "unit": _attribute("string", "What is counted: `bytes`, `files`, `s`."),
    "rate": _attribute(
        "number",
        "Units per second, smoothed; without a count, fractions per second. Absent where a count stands beside "
        "children, of whose work it does not tell.",
    ),
    "eta": _attribute(
        "number", "Seconds left, counted from `updatedAt`, by its rate and by your past ones of this type.", minimum=0
    ),
    "etaLow": _attribute("number", "Four in five end between this", minimum=0),
    "etaHigh": _attribute("number", "and this.", minimum=0),
    "cancelRequested": _attribute("boolean", "True once someone asked it to stop, for ever."),
    "cancelRequestedAt": _time("When."),
    "cancelledBy": _attribute("integer", "The user who asked; absent when the server did."),
    "cancelReason": _attribute("string", "Why: `timeout` and `server_shutdown` are the server's."),
    "overdue": _attribute("boolean", "True while it runs on after its grace."),
    "stalled": _attribute("boolean", "True while it lives, but has long said nothing of its work."),
    "error": _attribute(
        "string", "Why it failed or was lost: `lease_expired`, `server_restart`, `abandoned`, or its worker's words."
    ),
    "parentUUID": _attribute("string", "The activity it is a part of."),
    "weight": _attribute("number", "Its share in the progress of that one, in proportion to its siblings; else 1."),
    "timeout": _attribute("number", "Seconds it may run; then it is asked to stop."),
    "lease": _attribute(
        "number", "Seconds without a word from its worker after which it is lost; absent for work within the server."
    ),
    "startedAt": _time("When it began."),
    "updatedAt": _time("When anything about it last changed."),
    "lastReportAt": _time("When its worker last told of the work; heartbeats do not count."),
    "endedAt": _time("When it ended."),
}
"""The members of an activity, in the order of the wire."""

PLEX = ("uuid", "type", "cancellable", "userID", "title", "subtitle", "progress")
"""The members that every row has."""


def components() -> Mapping[str, Node]:
    """All of them, by name."""
    return {
        "Activity": _activity(),
        "Context": _bag(bags.CONTEXT, "Context"),
        "Response": _bag(bags.RESPONSE, "Response"),
        "ActivityList": _container("Activities.", {"type": "integer", "minimum": 0}),
        "OneActivity": _container("One activity, as a list of one.", {"const": 1}, minItems=1, maxItems=1),
        "Identity": _of_sample("Which server this is.", encode_identity(samples.SERVER, Format.JSON)),
        "Root": _of_sample(
            "What clients of media servers ask first. Most of it says that there is no media here.",
            encode_root(samples.SERVER, Format.JSON),
        ),
        "Health": record({"status": {"const": "ok"}}, ("status",)),
        "Readiness": record({"status": {"enum": ["ready", "not ready"]}}, ("status",)),
        **_notifications(),
    }


def _activity() -> Node:
    return {
        **record(ROW, PLEX),
        "description": "The first nine members are Plex's, with its types and in its order; ours follow, each absent "
        "while it has nothing to say. Nothing is ever null. More members may come: ignore those you do not know.",
        "xml": {"name": "Activity"},
    }


def _bag(rule: BagRule, name: str) -> Node:
    node: Node = {
        "type": "object",
        "description": f"Named values, at most {rule.size} bytes as JSON. In XML attributes of an element, all text.",
        "propertyNames": matching(bags.KEY),
        "properties": {text: {"type": "string"} for text in sorted(rule.texts)},
        "additionalProperties": {
            "type": ["string", "number", "boolean"],
            "minimum": -MAX_INTEGER,
            "maximum": MAX_INTEGER,
        },
        "xml": {"name": name},
    }
    if rule.keys is not None:
        node["maxProperties"] = rule.keys
    return node


def _container(description: str, size: Node, **count: int) -> Node:
    rows = {"type": "array", "items": schema("Activity"), **count}
    members: Mapping[str, Node] = {"size": {**size, "xml": {"attribute": True}}, "Activity": rows}
    body = record(members, tuple(members) if count else ("size",))
    return {
        **record({"MediaContainer": body}, ("MediaContainer",)),
        "description": f"{description} Without rows there is no member `Activity`. In XML, `MediaContainer` is the "
        "outermost element.",
    }


def _of_sample(description: str, body: bytes) -> Node:
    """The schema of what the code writes, by an example of it."""
    return {**_schema_of(msgspec.json.decode(body)), "description": description}


def _schema_of(value: object) -> Node:
    if isinstance(value, dict):
        return record({name: _schema_of(member) for name, member in value.items()}, tuple(value))
    if isinstance(value, list):
        return {"type": "array", "items": _schema_of(value[0])}
    return {"type": {bool: "boolean", int: "integer", str: "string"}[type(value)]}


def _notifications() -> Mapping[str, Node]:
    change: Mapping[str, Node] = {
        "event": {
            "enum": [kind.value for kind in Kind],
            "description": "`started` and `ended` come exactly once, in order; of `updated` only the newest.",
        },
        "uuid": {"type": "string"},
        "Activity": schema("Activity"),
    }
    gap: Mapping[str, Node] = {"reason": {"enum": [reason.value for reason in ResyncReason]}}
    return {
        "Event": {
            "oneOf": [
                _event("activity", record({"ActivityNotification": record(change, tuple(change))}), positioned=True),
                _event("ping", record({}, closed=True)),
                _event("resync", record(gap, ("reason",))),
                _event("snapshot", schema("ActivityList"), positioned=True),
            ],
            "description": "One event of an EventSource, its `data` parsed as JSON.",
        },
        "NotificationContainer": {
            **record({"NotificationContainer": {"oneOf": _frames(change, gap)}}, ("NotificationContainer",)),
            "description": "One WebSocket text frame. It always tells one thing.",
        },
    }


def _event(type: str, data: Node, *, positioned: bool = False) -> Node:
    """``positioned``: it always tells where to resume after it."""
    json = {"type": "string", "contentMediaType": JSON, "contentSchema": data}
    members: Mapping[str, Node] = {"event": {"const": type}, "data": json, "id": {"type": "string"}}
    return record(members, ("event", "data", "id") if positioned else ("event", "data"))


def _frames(change: Mapping[str, Node], gap: Mapping[str, Node]) -> list[Node]:
    """``cursor`` is for WebSockets that asked to resume or for a snapshot; an EventSource has its ``id`` for that."""
    cursor = {"type": "string", "description": "Where to resume after this: `?since=`."}
    told: Mapping[str, Mapping[str, Node]] = {
        "activity": change,
        "resync": gap,
        "snapshot": {"MediaContainer": {"type": "object", "description": "As in `ActivityList`."}},
    }
    return [
        _frame(type, record({**members, "cursor": cursor}, tuple(members), closed=True))
        for type, members in told.items()
    ]


def _frame(type: str, notification: Node) -> Node:
    key = f"{type.capitalize()}Notification"
    one = {"type": "array", "items": notification, "minItems": 1, "maxItems": 1}
    members: Mapping[str, Node] = {"type": {"const": type}, "size": {"const": 1}, key: one}
    return record(members, tuple(members), closed=True)
