"""What a row tells, in words of the core."""

from __future__ import annotations

from headway.core.activity import State
from headway.wire.row import Row


def state_of(row: Row) -> State | None:
    """The state, where the server tells one that we know."""
    return State(row.state) if row.state in tuple(State) else None


def has_ended(row: Row) -> bool:
    """True once nothing changes it any more. A row of a server without states is live as long as it is listed; of its
    end, ``watch`` and ``wait`` tell by ``ended_at``.
    """
    state = state_of(row)
    return row.ended_at is not None if state is None else state.ended
