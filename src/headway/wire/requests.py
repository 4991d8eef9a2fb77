"""The bodies of requests that start and change activities, read strictly: what is not understood is refused.

Everything raises ``InvalidInput`` with the member and the rule.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from headway.core.activity import DEFAULT_GRACE, DEFAULT_STALL, State
from headway.core.errors import InvalidInput
from headway.core.lifecycle import Report
from headway.wire import bags, rules
from headway.wire.json import parse_object, quoted

MAX_TITLE = 256
MAX_SUBTITLE = 512
MAX_UNIT = 32
MAX_ERROR = 2_000
MAX_OUTPUT = 64 * 1024
"""Bytes of UTF-8 that are kept of what an activity prints."""
MIN_LEASE = 10.0
MAX_LEASE = 86_400.0
"""Seconds."""
MAX_GRACE = 300.0
"""Seconds."""

MAX_BATCH = 1_000
"""Changes in one request: as many as a user may have live activities. Their heartbeats fit into one body."""

MIN_WEIGHT = 0.001
MAX_WEIGHT = 1_000_000.0
MIN_TIMEOUT = 0.001
MAX_TIMEOUT = 366 * 86_400.0
"""Seconds."""
MIN_STALL = 1.0
MAX_STALL = 86_400.0
"""Seconds."""

GRACE = rules.number(0, MAX_GRACE)
LEASE = rules.number(MIN_LEASE, MAX_LEASE)
WEIGHT = rules.number(MIN_WEIGHT, MAX_WEIGHT)
TIMEOUT = rules.number(MIN_TIMEOUT, MAX_TIMEOUT)
STALL = rules.number(MIN_STALL, MAX_STALL)
SETTINGS: Mapping[str, rules.Rule[float]] = {
    "lease": LEASE,
    "grace": GRACE,
    "weight": WEIGHT,
    "timeout": TIMEOUT,
    "stall": STALL,
}
"""The numbers that are said at the start and never change."""


class NewActivity(msgspec.Struct, frozen=True, kw_only=True):
    """What a ``POST /activities`` asks for."""

    type: str
    report: Report = Report()
    """Title, subtitle, progress, counts and context at the start."""
    cancellable: bool = False
    parent: str | None = None
    owner: int | None = None
    """For whom; None for the one who asks."""
    lease: float | None = None
    """Seconds; None for the default."""
    grace: float = DEFAULT_GRACE
    """Seconds."""
    weight: float = 1.0
    timeout: float | None = None
    """Seconds."""
    stall: float = DEFAULT_STALL
    """Seconds."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What a ``PATCH /activities/{uuid}`` tells. An empty one is a heartbeat."""

    report: Report = Report()
    state: State | None = None
    """How it ended; None while it goes on."""
    error: str | None = None
    """Why it did not succeed; only with a ``state``."""

    @property
    def is_heartbeat(self) -> bool:
        """True when it tells nothing but that the worker is there."""
        return self == Change()


class _Member(NamedTuple):
    """A member of a body: what it is called here, and what it may hold."""

    field: str
    rule: rules.Rule[Any]


_Members = Mapping[str, _Member]

_TOLD: _Members = {
    "title": _Member("title", rules.text(MAX_TITLE)),
    "subtitle": _Member("subtitle", rules.text(MAX_SUBTITLE)),
    "progress": _Member("progress", rules.progress),
    "completed": _Member("completed", rules.number(0)),
    "total": _Member("total", rules.number(0)),
    "unit": _Member("unit", rules.text(MAX_UNIT)),
    "Context": _Member("context", bags.CONTEXT),
}
_ASKED: _Members = {
    "type": _Member("type", rules.activity_type),
    "cancellable": _Member("cancellable", rules.flag),
    "parentUUID": _Member("parent", rules.uuid),
    "userID": _Member("owner", rules.user),
    **{name: _Member(name, rule) for name, rule in SETTINGS.items()},
}
_TOLD_LATER: _Members = {**_TOLD, "Response": _Member("response", bags.RESPONSE)}
_ENDED: _Members = {
    "state": _Member("state", rules.terminal_state),
    "error": _Member("error", rules.text(MAX_ERROR)),
}


def parse_new_activity(body: bytes) -> NewActivity:
    """The body of a ``POST /activities``."""
    told, asked = _read(parse_object(body), _TOLD, _ASKED)
    if "type" not in asked:
        raise InvalidInput("type: is missing")
    return NewActivity(report=Report(**told), **asked)


def parse_change(body: bytes) -> Change:
    """The body of a ``PATCH /activities/{uuid}``."""
    return _change(parse_object(body))


def parse_changes(body: bytes) -> dict[str, Change]:
    """The body of a ``PATCH /activities``: what each activity tells, by its uuid, in order."""
    given = parse_object(body)
    for name in given:
        if name != "Activity":
            raise _unknown(name, ["Activity"])
    if "Activity" not in given:
        raise InvalidInput("Activity: is missing")
    items = given["Activity"]
    if not isinstance(items, list):
        raise rules.broken("Activity", "must be a list", items)
    if len(items) > MAX_BATCH:
        raise InvalidInput(f"Activity: must have at most {MAX_BATCH} members, not {len(items)}")
    changes: dict[str, Change] = {}
    for number, item in enumerate(items):
        where = f"Activity[{number}]"
        uuid = _uuid(where, item)
        if uuid in changes:
            raise InvalidInput(f"{where}.uuid: is given twice")
        changes[uuid] = _change(item, f"{where}.")
    return changes


def _uuid(where: str, item: object) -> str:
    """Takes the uuid out of an item: what is left is a change."""
    if not isinstance(item, dict):
        raise rules.broken(where, "must be an object", item)
    if "uuid" not in item:
        raise InvalidInput(f"{where}.uuid: is missing")
    return rules.uuid(f"{where}.uuid", item.pop("uuid"))


def _change(given: Mapping[str, Any], where: str = "") -> Change:
    told, ended = _read(given, _TOLD_LATER, _ENDED, where=where)
    if "error" in ended and ended.get("state") in (None, State.SUCCEEDED):
        raise InvalidInput(f"{where}error: only goes with a state of failed, cancelled or lost")
    return Change(report=Report(**told), **ended)


def _read(given: Mapping[str, Any], *groups: _Members, where: str = "") -> list[dict[str, Any]]:
    """The checked values of each group of members, by field. ``where``: what stands before each name in errors."""
    known = [name for group in groups for name in group]
    for name in given:
        if name not in known:
            raise _unknown(name, known, where)
    return [
        {member.field: member.rule(where + name, given[name]) for name, member in group.items() if name in given}
        for group in groups
    ]


def _unknown(name: str, known: list[str], where: str = "") -> InvalidInput:
    # Compared without case, which is what is wrong most often: context, userId.
    by_lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower()[:64], by_lower, n=1)
    hint = f"did you mean {by_lower[near[0]]}?" if near else f"there are {', '.join(known)}"
    return InvalidInput(f"{where}{quoted(name)}: no such member; {hint}")
