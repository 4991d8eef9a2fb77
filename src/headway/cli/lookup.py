"""Finding the activity that somebody means by the beginning of its uuid."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

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
        return client.activities.get(given.lower())
    if _BEGINNING.fullmatch(given):
        found = _beginning(client.activities.list().rows, given)
        if not found:
            found = _beginning(client.activities.history(limit=LOOKED_BACK).rows, given)
        if len(found) > 1:
            raise Ambiguous(f"{given} may be any of {', '.join(row.uuid for row in found[:_SHOWN])}; give more of it")
        if found:
            return found[0]
    raise NotFound(f"there is no activity {shortened(clean(given), LENGTH)}")


def _beginning(rows: list[Row], given: str) -> list[Row]:
    return [row for row in rows if row.uuid.startswith(given.lower())]
