"""Who may do what, and who may see what: the one place that decides.

What a principal may see is a *scope*: everything, or the activities of one owner. A thing outside the scope does not
exist for it: foreign and unknown are the same answer, byte for byte.
"""

from __future__ import annotations

import enum

import msgspec

from headway.core.activity import Activity
from headway.core.errors import NotAllowed

EVERYTHING = None
Scope = int | None
"""An owner's user id, or ``EVERYTHING``."""

ADMIN_USER = 1
"""The owner of the server, as in Plex."""


SYSTEM_USER = 0
"""Owns what the server does for itself; nobody sees it, admins neither."""


class Role(enum.StrEnum):
    """What a token is for."""

    ADMIN = "admin"
    USER = "user"
    REPORTER = "reporter"
    READER = "reader"


class Action(enum.StrEnum):
    """What a request wants to do."""

    READ = "read"
    REPORT = "report"
    CANCEL = "cancel"
    DELEGATE = "delegate"
    """Make and revoke tokens of one's own."""
    ADMINISTER = "administer"


PERMISSIONS: dict[Role, frozenset[Action]] = {
    Role.ADMIN: frozenset(Action),
    Role.USER: frozenset({Action.READ, Action.REPORT, Action.CANCEL, Action.DELEGATE}),
    Role.REPORTER: frozenset({Action.READ, Action.REPORT}),
    Role.READER: frozenset({Action.READ}),
}


class Principal(msgspec.Struct, frozen=True):
    """Someone who has shown who they are."""

    user: int
    role: Role = Role.USER
    name: str = ""

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


def visible(activity: Activity, scope: Scope) -> bool:
    """True when an activity lies within a scope."""
    return scope in audiences(activity)


def visible_to(principal: Principal, owner: int) -> bool:
    """True when what belongs to a user lies within the scope of a principal."""
    return principal.scope in (EVERYTHING, owner)


def audiences(activity: Activity) -> tuple[Scope, ...]:
    """The scopes an activity lies in."""
    return (SYSTEM_USER,) if activity.owner == SYSTEM_USER else (EVERYTHING, activity.owner)
