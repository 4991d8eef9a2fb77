"""Who may do what and see what: each cell of the table."""

from typing import Any

import msgspec
import pytest

from headway.core.activity import Activity
from headway.core.errors import NotAllowed, NotFound
from headway.core.estimate import Expectation
from headway.core.policy import (
    EVERYTHING,
    SYSTEM_USER,
    TOKEN_ROLES,
    Action,
    Principal,
    Role,
    as_seen_by,
    audiences,
    require,
    require_rights,
    require_sight,
    visible,
)

TABLE = """
                admin  user  reporter  reader  guest
    look        yes    yes   yes       yes     yes
    read        yes    yes   yes       yes     no
    report      yes    yes   yes       no      no
    cancel      yes    yes   no        no      no
    delegate    yes    yes   no        no      no
    administer  yes    no    no        no      no
"""
_HEAD, *_ROWS = (line.split() for line in TABLE.strip().splitlines())
CELLS = [
    (Role(role), Action(row[0]), word == "yes") for row in _ROWS for role, word in zip(_HEAD, row[1:], strict=True)
]


def activity_of(owner: int, **members: Any) -> Activity:
    return Activity(uuid="a", type="t", owner=owner, started_at=0.0, updated_at=0.0, **members)


def principal_of(role: Role) -> Principal:
    return Principal(user=5, role=role, only="a" if role is Role.GUEST else None)


def test_the_table_has_every_role_and_action() -> None:
    assert {(role, action) for role, action, _ in CELLS} == {(role, action) for role in Role for action in Action}


@pytest.mark.parametrize(("role", "action", "allowed"), CELLS)
def test_a_role_permits_what_the_table_says(role: Role, action: Action, allowed: bool) -> None:
    principal = principal_of(role)
    if allowed:
        require(principal, action)
        return
    with pytest.raises(NotAllowed, match=f"a {role.value} token may not {action.value}"):
        require(principal, action)


GIVEN = {
    Role.ADMIN: {Role.ADMIN, Role.USER, Role.REPORTER, Role.READER},
    Role.USER: {Role.USER, Role.REPORTER, Role.READER},
    Role.REPORTER: {Role.REPORTER, Role.READER},
    Role.READER: {Role.READER},
    Role.GUEST: set(),
}


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("given", TOKEN_ROLES)
def test_nobody_gives_rights_that_they_have_not(role: Role, given: Role) -> None:
    if given in GIVEN[role]:
        require_rights(principal_of(role), given)
        return
    with pytest.raises(NotAllowed, match=f"a {role.value} token may not give or take the rights of a {given.value}"):
        require_rights(principal_of(role), given)


@pytest.mark.parametrize("role", Role)
def test_only_an_admin_sees_beyond_its_own(role: Role) -> None:
    scope = principal_of(role).scope
    assert visible(activity_of(5), scope)
    assert visible(activity_of(6), scope) is (role is Role.ADMIN)


def test_a_guest_sees_one_activity_and_others_are_not_kept_to_any() -> None:
    require_sight(principal_of(Role.GUEST), "a")
    with pytest.raises(NotFound):
        require_sight(principal_of(Role.GUEST), "b")
    for role in TOKEN_ROLES:
        require_sight(principal_of(role), "b")


@pytest.mark.parametrize("role", Role)
def test_nobody_is_half_a_guest(role: Role) -> None:
    with pytest.raises(ValueError, match="a guest is one of one activity"):
        Principal(user=5, role=role, only=None if role is Role.GUEST else "a")


def test_no_token_is_a_guest_s() -> None:
    assert set(TOKEN_ROLES) == set(Role) - {Role.GUEST}


def test_a_guest_is_not_shown_what_other_activities_add() -> None:
    past = Expectation(quantiles=(1.0, 2.0, 3.0), runs=5)
    activity = activity_of(5, title="Scan", parent="b", weight=3.0, expected=past)
    seen = as_seen_by(principal_of(Role.GUEST), activity)
    assert (seen.parent, seen.weight, seen.expected, seen.estimate) == (None, 1.0, None, None)
    assert msgspec.structs.replace(seen, parent="b", weight=3.0, expected=past) == activity
    for role in TOKEN_ROLES:
        assert as_seen_by(principal_of(role), activity) is activity


def test_a_principal_is_a_user_unless_it_says_more() -> None:
    assert Principal(user=1).scope == 1


def test_what_the_server_does_for_itself_is_nobodys_business() -> None:
    own = activity_of(SYSTEM_USER)
    assert not visible(own, EVERYTHING)
    assert not visible(own, 1)
    assert visible(own, SYSTEM_USER)


@pytest.mark.parametrize("owner", [SYSTEM_USER, 1, 7])
@pytest.mark.parametrize("scope", [EVERYTHING, SYSTEM_USER, 1, 7])
def test_the_audiences_are_the_scopes_that_see_it(owner: int, scope: int | None) -> None:
    assert (scope in audiences(activity_of(owner))) is visible(activity_of(owner), scope)
