"""The tree in the docstring is the tree in the code."""

import re

import pytest

from headway.core import errors
from headway.core.errors import HeadwayError

# Each line: how deep it stands, the class, and its status where that differs from its parent's.
BRANCH = re.compile(r"^    (?P<stem>[│├└─ ]*)(?P<name>[A-Z]\w+)(?: +(?P<status>\d{3}))?$", re.MULTILINE)


def drawn() -> dict[str, tuple[str | None, int]]:
    """Class name to (parent, status), as drawn."""
    tree: dict[str, tuple[str | None, int]] = {}
    path: list[str] = []
    for line in BRANCH.finditer(errors.__doc__ or ""):
        depth = len(line["stem"]) // 4
        del path[depth:]
        parent = path[-1] if path else None
        inherited = tree[parent][1] if parent else 500
        tree[line["name"]] = (parent, int(line["status"] or inherited))
        path.append(line["name"])
    return tree


def coded() -> dict[str, tuple[str | None, int]]:
    classes = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, HeadwayError)]
    return {c.__name__: (None if c is HeadwayError else c.__mro__[1].__name__, c.status) for c in classes}


def test_the_drawn_tree_is_the_real_one() -> None:
    assert len(drawn()) > 10
    assert drawn() == coded()


@pytest.mark.parametrize("name", sorted(coded()))
def test_each_error_is_one_sentence_and_one_code(name: str) -> None:
    error = getattr(errors, name)
    assert error.__doc__ and "\n" not in error.__doc__
    assert error().message == error.__doc__
    assert error("said otherwise").message == "said otherwise"


def test_no_two_errors_share_a_code() -> None:
    codes = [getattr(errors, name).code for name in coded()]
    assert len(set(codes)) == len(codes)
