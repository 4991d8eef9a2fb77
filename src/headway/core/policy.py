"""Who may do what, and who may see what: the one place that decides.

What a principal may see is a *scope*: everything, or the activities of one owner. A thing outside the scope does not
exist for it: foreign and unknown are the same answer, byte for byte.
"""

from __future__ import annotations

import enum

import msgspec

from headway.core.activity import Activity
from headway.core.errors import NotAllowed, NotFound

EVERYTHING = None
Scope = int | None
"""An owner's user id, or ``EVERYTHING``."""

ADMIN_USER = 1
"""The owner of the server, as in Plex."""


SYSTEM_USER = 0
"""Owns what the server does for itself; nobody sees it, admins neither."""


class Role(enum.StrEnum):
    """What somebody may be."""

    ADMIN = "admin"
    USER = "user"
    REPORTER = "reporter"
    READER = "reader"
    GUEST = "guest"
    """Looks at one activity of its owner's that was shared, and at nothing else."""


TOKEN_ROLES = tuple(role for role in Role if role is not Role.GUEST)
"""What a token may be made for: whoever has one has come for more than a single activity."""


class Action(enum.StrEnum):
    """What a request wants to do."""

    LOOK = "look"
    """See one activity whose id one knows."""
    READ = "read"
    """Find out what there is: lists, streams, history, the server."""
    REPORT = "report"
    CANCEL = "cancel"
    DELEGATE = "delegate"
    """Make and revoke tokens of one's own; share what one sees."""
    ADMINISTER = "administer"


PERMISSIONS: dict[Role, frozenset[Action]] = {
    Role.ADMIN: frozenset(Action),
    Role.USER: frozenset({Action.LOOK, Action.READ, Action.REPORT, Action.CANCEL, Action.DELEGATE}),
    Role.REPORTER: frozenset({Action.LOOK, Action.READ, Action.REPORT}),
    Role.READER: frozenset({Action.LOOK, Action.READ}),
    Role.GUEST: frozenset({Action.LOOK}),
}


class Principal(msgspec.Struct, frozen=True):
    """Someone who has shown who they are."""

    user: int
    """For a guest: whose activity it is."""
    role: Role = Role.USER
    name: str = ""
    only: str | None = None
    """The one activity that a guest may see; others are not kept to any."""

    def __post_init__(self) -> None:
        if (self.role is Role.GUEST) is (self.only is None):
            raise ValueError("a guest is one of one activity (`only`), and nobody else is")

    @property
    def scope(self) -> Scope:
        """What they may see: admins everything, others their own."""
        return EVERYTHING if self.role is Role.ADMIN else self.user


def require(principal: Principal, action: Action) -> None:
    """Raise ``NotAllowed`` unless the role permits the action. Never looks at an activity."""
    if action not in PERMISSIONS[principal.role]:
        raise NotAllowed(f"a {principal.role.value} token may not {action.value}")


def require_rights(principal: Principal, role: Role) -> None:
    """Raise ``NotAllowed`` unless the principal may do all that a role permits: nobody gives what they have not."""
    if not PERMISSIONS[role] <= PERMISSIONS[principal.role]:
        raise NotAllowed(f"a {principal.role.value} token may not give or take the rights of a {role.value} token")


def require_sight(principal: Principal, uuid: str) -> None:
    """Raise ``NotFound`` where a guest asks for any activity but its own, whether or not there is one of that id."""
    if principal.only not in (None, uuid):
        raise NotFound


def as_seen_by(principal: Principal, activity: Activity) -> Activity:
    """What somebody is shown of an activity within their sight: a guest nothing that other activities add to it.

    Neither which one it is a part of, and with which weight, nor how long past ones took: what is left of it is told
    by its own rate alone. Its parts do show in its progress, for their work is its work.
    """
    if principal.role is not Role.GUEST:
        return activity
    return msgspec.structs.replace(activity, parent=None, weight=1.0, expected=None)


def visible(activity: Activity, scope: Scope) -> bool:
    """True when an activity lies within a scope."""
    return scope in audiences(activity)


def visible_to(principal: Principal, owner: int) -> bool:
    """True when what belongs to a user lies within the scope of a principal."""
    return principal.scope in (EVERYTHING, owner)


def audiences(activity: Activity) -> tuple[Scope, ...]:
    """The scopes an activity lies in."""
    return (SYSTEM_USER,) if activity.owner == SYSTEM_USER else (EVERYTHING, activity.owner)
