"""The query arguments of our resources. Unknown ones are ignored: every ``X-Plex-*`` header may come as one.

Arguments come as decoded pairs, in order. One that may stand once and stands twice is refused, and so is a value
that breaks its rule, as ``InvalidInput``; an empty value counts as absent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from headway.core.activity import State
from headway.core.errors import InvalidInput
from headway.core.narrowing import Narrowing
from headway.wire import bags, rules
from headway.wire.filters import NAMES, Filters, parse_filters
from headway.wire.json import quoted
from headway.wire.prefer import MAX_WAIT

Arguments = Sequence[tuple[str, str]]

DEFAULT_LIMIT = 50
MAX_LIMIT = 500
MAX_TEXT = 256
CONTEXT = "Context."
# A number as JSON has it, in any way that a program may write a small one.
_SECONDS = re.compile(r"\d{1,6}(?:\.\d{1,40})?(?:[Ee][+-]?\d{1,3})?", re.ASCII)
_WHOLE = re.compile(r"\d{1,16}", re.ASCII)
CURSOR = re.compile(r"[A-Za-z0-9._~=-]{1,512}", re.ASCII)


class HistoryPage(msgspec.Struct, frozen=True):
    """Which ended activities to list."""

    narrowing: Narrowing = Narrowing()
    before: str | None = None
    """The cursor a page before this one ended with."""
    limit: int = DEFAULT_LIMIT


def list_narrowing(arguments: Arguments) -> Narrowing:
    """``type``, ``state``, ``parentUUID``, ``userID``, ``q`` and ``Context.KEY`` of a list."""
    text = _single(arguments, "q")
    return Narrowing(
        type=_ruled(arguments, "type", rules.activity_type),
        state=_ruled(arguments, "state", rules.state),
        parent=_ruled(arguments, "parentUUID", rules.uuid),
        text=None if text is None else rules.text(MAX_TEXT)("q", text).casefold(),
        context=_context(arguments),
        owner=_owner(arguments),
    )


def known_state(arguments: Arguments) -> State | None:
    """``state`` of one activity: the one that the client knows."""
    return _ruled(arguments, "state", rules.state)


def stream_narrowing(arguments: Arguments) -> Narrowing:
    """``type``, ``uuid`` and ``Context.KEY`` of a stream: what does not come and go with each report."""
    return Narrowing(
        type=_ruled(arguments, "type", rules.activity_type),
        uuid=_ruled(arguments, "uuid", rules.uuid),
        context=_context(arguments),
    )


def history_page(arguments: Arguments) -> HistoryPage:
    """``before`` and ``limit`` (1 to 500) of the history, which is narrowed as a list is."""
    return HistoryPage(list_narrowing(arguments), cursor(arguments, "before"), _limit(arguments))


def cursor(arguments: Arguments, name: str) -> str | None:
    """A cursor, unopened."""
    value = _single(arguments, name)
    if value is not None and not CURSOR.fullmatch(value):
        raise rules.broken(name, "must be a cursor that this server gave", value)
    return value


def wait(arguments: Arguments) -> float | None:
    """``wait`` in seconds, 0 to 300; None when it is not asked for."""
    value = _single(arguments, "wait")
    if value is None:
        return None
    if not _SECONDS.fullmatch(value) or float(value) > MAX_WAIT:
        raise rules.broken("wait", f"must be a number of seconds from 0 to {MAX_WAIT:g}", value)
    return float(value)


def flag(arguments: Arguments, name: str) -> bool:
    """A switch such as ``snapshot=1``."""
    value = _single(arguments, name)
    if value not in (None, "0", "1", "false", "true"):
        raise rules.broken(name, "must be 1 or 0", value)
    return value in ("1", "true")


def filters(arguments: Arguments) -> Filters:
    """``filters`` and ``filter``, which are one argument that may stand any number of times, also empty."""
    return parse_filters([value for name, value in arguments if name in NAMES])


def _single(arguments: Arguments, name: str) -> str | None:
    values = [value for each, value in arguments if each == name]
    if len(values) > 1:
        raise InvalidInput(f"{name}: is given {len(values)} times")
    return values[0] or None if values else None


def _ruled(arguments: Arguments, name: str, rule: rules.Rule[rules.T]) -> rules.T | None:
    value = _single(arguments, name)
    return None if value is None else rule(name, value)


def _limit(arguments: Arguments) -> int:
    value = _single(arguments, "limit")
    if value is None:
        return DEFAULT_LIMIT
    if not (_WHOLE.fullmatch(value) and 1 <= int(value) <= MAX_LIMIT):
        raise rules.broken("limit", f"must be an integer from 1 to {MAX_LIMIT}", value)
    return int(value)


def _owner(arguments: Arguments) -> int | None:
    value = _single(arguments, "userID")
    return None if value is None else rules.user("userID", int(value) if _WHOLE.fullmatch(value) else value)


def _context(arguments: Arguments) -> tuple[tuple[str, str], ...]:
    """An empty value is wanted as such: it is a value a member can have."""
    wanted: dict[str, str] = {}
    for name, value in arguments:
        if not name.startswith(CONTEXT):
            continue
        key = bags.key("Context", name.removeprefix(CONTEXT))
        if key in wanted:
            raise InvalidInput(f"{quoted(name)}: is given twice")
        wanted[key] = value
    if len(wanted) > (bags.CONTEXT.keys or 0):
        raise InvalidInput(f"Context: must have at most {bags.CONTEXT.keys} members, not {len(wanted)}")
    return tuple(sorted(wanted.items()))
