"""What requests may hold. Whatever is not here is refused by name."""

from __future__ import annotations

from collections.abc import Mapping

from headway.core.activity import DEFAULT_GRACE, DEFAULT_STALL, State
from headway.server.guard import BODY_LIMIT
from headway.server.openapi.parts import JSON, Node, matching, record, schema
from headway.server.resources import DEFAULT_LEASE
from headway.wire import requests, rules
from headway.wire.json import MAX_DEPTH


def _text(limit: int, description: str) -> Node:
    return {"type": "string", "maxLength": limit, "description": description}


def _number(low: float, high: float, description: str, **more: object) -> Node:
    return {"type": "number", "minimum": low, "maximum": high, **more, "description": description}


TOLD: Mapping[str, Node] = {
    "title": _text(requests.MAX_TITLE, "For people."),
    "subtitle": _text(requests.MAX_SUBTITLE, "What it is at just now."),
    "progress": {
        "anyOf": [{"const": -1}, {"type": "number", "minimum": 0, "maximum": 100}],
        "description": "Percent, fractions welcome; -1 for indeterminate. Wins over the ratio of the counts.",
    },
    "completed": _number(0, rules.MAX_COUNT, "How many of `unit` are done."),
    "total": _number(0, rules.MAX_COUNT, "How many of `unit` there are."),
    "unit": _text(requests.MAX_UNIT, "What is counted: `bytes`, `files`, `s`."),
    "Context": {**schema("Context"), "description": "What it is about; merged into what was told before."},
}
"""What a worker may tell at the start and later."""

ASKED: Mapping[str, Node] = {
    "type": {**matching(rules.TYPE), "description": "What kind of work, dotted: `library.update.section`."},
    "cancellable": {
        "type": "boolean",
        "default": False,
        "description": "Whether `DELETE` may ask it to stop. Say true only if the worker looks for `cancelling`.",
    },
    "parentUUID": {**matching(rules.UUID), "description": "The live activity of the same user that this is a part of."},
    "userID": {
        "type": "integer",
        "minimum": 1,
        "maximum": rules.MAX_USER,
        "description": "For whom. Default: the token's user; only an admin may name another.",
    },
    "lease": _number(
        requests.MIN_LEASE,
        requests.MAX_LEASE,
        "Seconds without a word from the worker after which the activity is `lost`.",
        default=DEFAULT_LEASE,
    ),
    "grace": _number(
        0,
        requests.MAX_GRACE,
        "Seconds after a cancel within which the worker should have stopped; then it is shown `overdue`.",
        default=DEFAULT_GRACE,
    ),
    "weight": _number(
        requests.MIN_WEIGHT,
        requests.MAX_WEIGHT,
        "Its share in the progress of its parent, in proportion to its siblings.",
        default=1,
    ),
    "timeout": _number(
        requests.MIN_TIMEOUT, requests.MAX_TIMEOUT, "Seconds it may run; then it is asked to stop: `timeout`."
    ),
    "stall": _number(
        requests.MIN_STALL,
        requests.MAX_STALL,
        "Seconds without news of the work after which one that has told any is shown `stalled`.",
        default=DEFAULT_STALL,
    ),
}
"""What only a start may ask for."""

TOLD_LATER: Mapping[str, Node] = {
    "Response": {**schema("Response"), "description": "What came out of it; merged likewise."}
}

_UNSUCCESSFUL = [state.value for state in State if state.ended and state is not State.SUCCEEDED]

ENDED: Mapping[str, Node] = {
    "state": {
        "enum": [state.value for state in State if state.ended],
        "description": "Ends the activity, for ever. `cancelled` only after a cancel.",
    },
    "error": _text(requests.MAX_ERROR, f"Why; only with a state of {', '.join(_UNSUCCESSFUL)}."),
}

_ERROR_NEEDS_STATE: Node = {"dependentSchemas": {"error": record({"state": {"enum": _UNSUCCESSFUL}}, ("state",))}}


def components() -> Mapping[str, Node]:
    """The schemas of the bodies."""
    change = record({**TOLD, **TOLD_LATER, **ENDED}, closed=True)
    item = {
        **record({"uuid": matching(rules.UUID), **change["properties"]}, ("uuid",), closed=True),
        **_ERROR_NEEDS_STATE,
    }
    return {
        "NewActivity": {**record({**ASKED, **TOLD}, ("type",), closed=True), "description": "What begins."},
        "Change": {
            **change,
            "description": "What is new. What is absent stays as it was; `{}` is a heartbeat.",
            **_ERROR_NEEDS_STATE,
        },
        "Changes": {
            **record({"Activity": {"type": "array", "items": item, "maxItems": requests.MAX_BATCH}}, ("Activity",)),
            "additionalProperties": False,
            "description": "What is new of each, none of them twice.",
        },
    }


def body(name: str, **examples: Node) -> Node:
    """A request body."""
    return {
        "required": True,
        "description": f"At most {BODY_LIMIT} bytes, {MAX_DEPTH} levels deep, uncompressed; no member twice, no null.",
        "content": {
            JSON: {
                "schema": schema(name),
                "examples": {title: {"value": value} for title, value in examples.items()},
            }
        },
    }
