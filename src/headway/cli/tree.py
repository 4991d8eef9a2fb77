"""Activities as the trees that they form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from headway.wire.row import Row


def ordered(rows: Sequence[Row]) -> list[Row]:
    """Each behind the one that it is a part of, before that one's next sibling. A part of something that is not among
    the rows stands by itself.
    """
    there = {row.uuid for row in rows}
    parts: dict[str, list[Row]] = {}
    roots = []
    for row in rows:
        if row.parent in there and row.parent != row.uuid:
            parts.setdefault(row.parent, []).append(row)
        else:
            roots.append(row)
    found: list[Row] = []
    waiting = roots[::-1]
    while waiting:
        found.append(row := waiting.pop())
        waiting += parts.pop(row.uuid, [])[::-1]
    # What is left over goes round in a circle, which no server should say.
    return found + [row for rest in parts.values() for row in rest]


def depths(rows: Iterable[Row]) -> dict[str, int]:
    """How many of the rows before it each is below, by uuid."""
    found: dict[str, int] = {}
    for row in rows:
        found[row.uuid] = found.get(row.parent or "", -1) + 1
    return found
