"""Everything that can be wrong, as one tree.

    HeadwayError
    ├── InvalidInput            400
    ├── NotCancellable          400
    ├── NotAuthenticated        401
    ├── NotAllowed              403
    ├── NotFound                404
    ├── Cancelled               409
    ├── Conflict                409
    │   ├── IllegalTransition
    │   ├── AlreadyEnded
    │   ├── LeaseLost
    │   ├── ParentEnding
    │   └── ChildrenRunning
    ├── KeyReused               422
    ├── TooMany                 429
    └── Unavailable             503
        └── StorageFull         507

Each class is one sentence and the HTTP status it becomes. ``code`` is the word a program reads, the message is
for people and says what is wrong and where. Plex itself uses 1001 for a bad token; its numbers stay numbers on
the wire (see ``wire.plex``).
"""

from __future__ import annotations

from typing import ClassVar


class HeadwayError(Exception):
    """Any error that Headway raises on purpose."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"

    def __str__(self) -> str:
        """The message, so that a traceback says it too."""
        return super().__str__() or (type(self).__doc__ or "").strip()

    @property
    def message(self) -> str:
        """What is wrong and where, in one sentence; where nothing more is known, that of the class."""
        return str(self)


class InvalidInput(HeadwayError):
    """The input breaks a rule; the message names the member and the rule."""

    status = 400
    code = "invalid_input"


class NotCancellable(HeadwayError):
    """This activity cannot be cancelled."""

    status = 400
    code = "not_cancellable"


class NotAuthenticated(HeadwayError):
    """User could not be authenticated"""

    status = 401
    code = "not_authenticated"


class NotAllowed(HeadwayError):
    """The token's role does not permit this."""

    status = 403
    code = "not_allowed"


class NotFound(HeadwayError):
    """There is no such activity."""

    status = 404
    code = "not_found"


class Cancelled(HeadwayError):
    """The activity was cancelled."""

    status = 409
    code = "cancelled"


class Conflict(HeadwayError):
    """The state of the activity does not permit this."""

    status = 409
    code = "conflict"


class IllegalTransition(Conflict):
    """The lifecycle has no such step from this state."""

    code = "illegal_transition"


class AlreadyEnded(Conflict):
    """The activity has ended; nothing changes it any more."""

    code = "already_ended"


class LeaseLost(Conflict):
    """The worker was given up as lost; it must stop."""

    code = "lease_lost"


class ParentEnding(Conflict):
    """The parent is being cancelled or has ended; it takes no more children."""

    code = "parent_ending"


class ChildrenRunning(Conflict):
    """The activity has running children; a parent ends after them."""

    code = "children_running"


class KeyReused(HeadwayError):
    """This Idempotency-Key was used for a different request."""

    status = 422
    code = "idempotency_key_reused"


class TooMany(HeadwayError):
    """A limit is reached; try again later."""

    status = 429
    code = "too_many"


class Unavailable(HeadwayError):
    """The server cannot take this now; try again later."""

    status = 503
    code = "unavailable"


class StorageFull(Unavailable):
    """The store is full: no new activity can be recorded until there is room."""

    status = 507
    code = "storage_full"
