"""Who may do what and see what: each cell of the table."""

import pytest

from headway.core.activity import Activity
from headway.core.errors import NotAllowed
from headway.core.policy import (
    EVERYTHING,
    SYSTEM_USER,
    Action,
    Principal,
    Role,
    audiences,
    require,
    require_rights,
    visible,
)

TABLE = """
                admin  user  reporter  reader
    read        yes    yes   yes       yes
    report      yes    yes   yes       no
    cancel      yes    yes   no        no
    delegate    yes    yes   no        no
    administer  yes    no    no        no
"""
_HEAD, *_ROWS = (line.split() for line in TABLE.strip().splitlines())
CELLS = [
    (Role(role), Action(row[0]), word == "yes") for row in _ROWS for role, word in zip(_HEAD, row[1:], strict=True)
]


def activity_of(owner: int) -> Activity:
    return Activity(uuid="a", type="t", owner=owner, started_at=0.0, updated_at=0.0)


def test_the_table_has_every_role_and_action() -> None:
    assert {(role, action) for role, action, _ in CELLS} == {(role, action) for role in Role for action in Action}


@pytest.mark.parametrize(("role", "action", "allowed"), CELLS)
def test_a_role_permits_what_the_table_says(role: Role, action: Action, allowed: bool) -> None:
    principal = Principal(user=5, role=role)
    if allowed:
        require(principal, action)
        return
    with pytest.raises(NotAllowed, match=f"a {role.value} token may not {action.value}"):
        require(principal, action)


GIVEN = {
    Role.ADMIN: set(Role),
    Role.USER: {Role.USER, Role.REPORTER, Role.READER},
    Role.REPORTER: {Role.REPORTER, Role.READER},
    Role.READER: {Role.READER},
}


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("given", Role)
def test_nobody_gives_rights_that_they_have_not(role: Role, given: Role) -> None:
    if given in GIVEN[role]:
        require_rights(Principal(user=5, role=role), given)
        return
    with pytest.raises(NotAllowed, match=f"a {role.value} token may not give or take the rights of a {given.value}"):
        require_rights(Principal(user=5, role=role), given)


@pytest.mark.parametrize("role", Role)
def test_only_an_admin_sees_beyond_its_own(role: Role) -> None:
    scope = Principal(user=5, role=role).scope
    assert visible(activity_of(5), scope)
    assert visible(activity_of(6), scope) is (role is Role.ADMIN)


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
