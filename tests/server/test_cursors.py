"""Sealed cursors: they open only where they were given, and tell nothing."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from headway.core.policy import Scope
from headway.server.cursors import Cursors

SECRET = b"s" * 32
scopes: st.SearchStrategy[Scope] = st.none() | st.integers(0, 2**53)
revisions = st.integers(0, 2**64 - 1)
uses = st.sampled_from(["watch", "history"])
epochs = st.text(max_size=16)
secrets = st.binary(min_size=32, max_size=32)


@given(epochs, secrets, scopes, revisions, uses)
def test_a_cursor_opens_where_it_was_sealed(epoch: str, secret: bytes, scope: Scope, revision: int, use: str) -> None:
    sealed = Cursors(epoch, secret).seal(scope, revision, use)
    assert Cursors(epoch, secret).open(scope, sealed, use) == revision


@given(st.tuples(epochs, secrets, scopes, uses), st.tuples(epochs, secrets, scopes, uses), revisions)
def test_a_cursor_opens_nowhere_else(
    here: tuple[str, bytes, Scope, str], there: tuple[str, bytes, Scope, str], revision: int
) -> None:
    assume(here != there)
    epoch, secret, scope, use = here
    sealed = Cursors(epoch, secret).seal(scope, revision, use)
    epoch, secret, scope, use = there
    assert Cursors(epoch, secret).open(scope, sealed, use) is None


@given(scopes, revisions)
def test_each_difference_alone_keeps_it_shut(scope: Scope, revision: int) -> None:
    cursors, sealed = Cursors("epoch", SECRET), Cursors("epoch", SECRET).seal(scope, revision)
    assert cursors.open(scope, sealed, "history") is None
    assert cursors.open(1 if scope is None else scope + 1, sealed) is None
    assert cursors.open(None if scope is not None else 0, sealed) is None
    assert Cursors("epocH", SECRET).open(scope, sealed) is None
    assert Cursors("epoch", b"t" * 32).open(scope, sealed) is None


@given(st.text() | st.from_regex(r"[A-Za-z0-9_-]{22}=?=?", fullmatch=True))
def test_made_up_strings_open_nothing_and_raise_nothing(text: str) -> None:
    cursors = Cursors("epoch", SECRET)
    assert [cursors.open(scope, text, use) for scope in (None, 1) for use in ("watch", "history")] == [None] * 4


@given(scopes, revisions, st.data())
def test_a_changed_cursor_opens_nothing(scope: Scope, revision: int, data: st.DataObject) -> None:
    cursors = Cursors("epoch", SECRET)
    sealed = cursors.seal(scope, revision)
    place = data.draw(st.integers(0, 20))  # of the last character only two bits count
    other = data.draw(st.characters(codec="ascii"))
    assume(other != sealed[place])
    changed = sealed[:place] + other + sealed[place + 1 :]
    assume({"-": "+", "_": "/"}.get(sealed[place]) != other)  # the same bits in the other alphabet
    assert cursors.open(scope, changed) is None


@given(st.lists(st.tuples(scopes, revisions, uses), unique=True, max_size=30))
def test_cursors_are_of_one_length_safe_anywhere_and_differ_as_positions_do(
    positions: list[tuple[Scope, int, str]],
) -> None:
    cursors = Cursors("epoch", SECRET)
    sealed = [cursors.seal(scope, revision, use) for scope, revision, use in positions]
    assert {len(each) for each in sealed} <= {22}
    assert all(each.replace("-", "").replace("_", "").isalnum() and each.isascii() for each in sealed)
    assert len(set(sealed)) == len(positions)


def test_one_position_is_one_cursor_so_that_frames_can_be_shared() -> None:
    cursors = Cursors("epoch", SECRET)
    assert cursors.seal(1, 5) == cursors.seal(1, 5) == Cursors("epoch", SECRET).seal(1, 5)
