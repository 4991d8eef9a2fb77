"""Which activities are wanted, judged here: a server may not know our arguments, or give more than was asked."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from headway.wire.row import Row
from headway.wire.xml import shown


class Narrowing(msgspec.Struct, frozen=True, kw_only=True):
    """What an activity must be like; what is None may be anything."""

    type: str | None = None
    uuid: str | None = None
    context: Mapping[str, str] | None = None
    """Members that it must have, as text."""

    def admits(self, row: Row) -> bool:
        """Whether an activity is wanted, as it now is."""
        return (
            self.type in (None, row.type)
            and self.uuid in (None, row.uuid)
            and all(
                key in (row.context or {}) and shown((row.context or {})[key]) == value
                for key, value in (self.context or {}).items()
            )
        )
