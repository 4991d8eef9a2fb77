"""Which activities are wanted, judged here: a server may not know our arguments, or give more than was asked."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from headway.core.activity import State
from headway.core.narrowing import speaks_of
from headway.core.scalars import shown
from headway.wire.row import Row


class Narrowing(msgspec.Struct, frozen=True, kw_only=True):
    """What an activity must be like; what is None may be anything."""

    type: str | None = None
    uuid: str | None = None
    context: Mapping[str, str] | None = None
    """Members that it must have, as text."""
    state: State | None = None
    parent: str | None = None
    text: str | None = None
    """Part of its title, subtitle, type or a value of its context, whatever the case."""
    owner: int | None = None

    def admits(self, row: Row) -> bool:
        """Whether an activity is wanted, as it now is."""
        return not self.excludes(row) and (self.context or {}).keys() <= (row.context or {}).keys()

    def excludes(self, row: Row) -> bool:
        """Whether it will never be wanted. One without some members may have them later."""
        wanted, has, text = self.context or {}, row.context or {}, (self.text or "").casefold()
        return (
            self.type not in (None, row.type)
            or self.uuid not in (None, row.uuid)
            or self.state not in (None, row.state or State.RUNNING)  # who knows no states lists what is live
            or self.parent not in (None, row.parent)
            or self.owner not in (None, row.user)
            or not speaks_of(text, (row.title, row.subtitle, row.type), has)
            or any(shown(has[key]) != wanted[key] for key in wanted.keys() & has.keys())
        )
