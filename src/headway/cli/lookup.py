"""Finding the activities that somebody means: by the beginning of a uuid, by type; and seeing them to their end.

A Plex server has a list of what is live, and neither a resource for one activity nor a history. What cannot be asked of
it is read from the list.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from headway.client.live.waiting import shows_lists_only
from headway.core.errors import HeadwayError, NotFound
from headway.core.text import clean, shortened
from headway.wire.row import Row

if TYPE_CHECKING:
    from headway.client.client import Client

LENGTH = 36
"""Characters of a whole uuid."""

LOOKED_BACK = 500
"""Ended activities among which a beginning is looked for."""

_BEGINNING = re.compile(r"[0-9a-f-]{1,36}", re.IGNORECASE)
_SHOWN = 5


class Ambiguous(HeadwayError):
    """More than one activity is meant."""

    status = 400
    code = "ambiguous"


def find(client: Client, given: str) -> Row:
    """The activity whose uuid is, or begins with, what was given; what is live comes before what has ended.

    Raises ``NotFound`` and ``Ambiguous``.
    """
    if len(given) == LENGTH and _BEGINNING.fullmatch(given):
        return _get(client, given.lower())
    if _BEGINNING.fullmatch(given):
        found = _beginning(client.activities.list().rows, given)
        if not found:
            found = _beginning(_ended(client, given), given)
        if len(found) > 1:
            raise Ambiguous(f"{given} may be any of {', '.join(row.uuid for row in found[:_SHOWN])}; give more of it")
        if found:
            return found[0]
    raise NotFound(f"there is no activity {shortened(clean(given), LENGTH)}")


def waited(client: Client, row: Row, timeout: float | None) -> Row:
    """The activity once it has ended, or after ``timeout`` seconds; as it was last seen where it has been forgotten."""
    try:
        return client.activities.wait(row.uuid, timeout)
    except NotFound:
        if row.state is not None:
            raise
        listed = (each for each in client.activities.list().rows if each.uuid == row.uuid)
        return next(listed, None) or msgspec.structs.replace(row, ended_at=time.time())


def _get(client: Client, uuid: str) -> Row:
    try:
        return client.activities.get(uuid)
    except NotFound as error:
        if not shows_lists_only(error):
            raise
    for row in client.activities.list().rows:
        if row.uuid == uuid:
            return row
    raise _forgotten(uuid)


def _ended(client: Client, given: str) -> Sequence[Row]:
    try:
        return client.activities.history(limit=LOOKED_BACK).rows
    except NotFound as error:
        if shows_lists_only(error):
            raise _forgotten(given) from None
        raise


def _forgotten(given: str) -> NotFound:
    return NotFound(f"no activity {given} is running, and a Plex server does not remember what has ended")


def _beginning(rows: Sequence[Row], given: str) -> list[Row]:
    return [row for row in rows if row.uuid.startswith(given.lower())]
