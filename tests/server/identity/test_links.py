"""One-use links: once, for five minutes, not too many, and at any node."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from headway.core.policy import Role
from headway.server.data import IDENTITY
from headway.server.identity.links import LIFETIME, PER_USER, Link
from headway.server.identity.store import TokenRecord, TokenStore
from tests.server.identity.support import CHANGES, NOW


@pytest.fixture
def token(store: TokenStore) -> TokenRecord:
    return store.create("anna", Role.USER, now=NOW)[1]


def made(store: TokenStore, token: TokenRecord, now: float = NOW) -> tuple[str, Link]:
    found = store.make_link(token.id, now=now)
    assert found is not None
    return found


def opens(store: TokenStore, code: str, now: float = NOW) -> bool:
    return store.open_session_by_link(code, now=now) is not None


def test_a_code_opens_one_session_of_its_token(store: TokenStore, token: TokenRecord) -> None:
    code, link = made(store, token)
    assert link == Link(token.id, NOW + LIFETIME)
    opened = store.open_session_by_link(code, now=NOW)
    assert opened is not None
    assert opened[1].token == token.id
    assert not opens(store, code)
    assert len(store.admitted().sessions) == 1


def test_it_is_good_for_five_minutes(store: TokenStore, token: TokenRecord) -> None:
    codes = [made(store, token)[0] for _ in range(2)]
    assert opens(store, codes[0], NOW + LIFETIME - 0.1)
    assert not opens(store, codes[1], NOW + LIFETIME)


def test_it_never_outlives_its_token(store: TokenStore) -> None:
    short = store.create("anna", Role.USER, now=NOW, expires_at=NOW + 60)[1]
    code, link = made(store, short)
    assert link.expires_at == NOW + 60
    assert not opens(store, code, NOW + 60)


def test_none_is_made_of_what_opens_nothing(store: TokenStore, token: TokenRecord) -> None:
    store.revoke(now=NOW, id=token.id)
    assert store.make_link(token.id, now=NOW) is None
    assert store.make_link("unknown", now=NOW) is None


def test_any_node_takes_it_and_only_one_does(folder: Path, store: TokenStore, token: TokenRecord) -> None:
    code, _ = made(store, token)
    with closing(TokenStore.open(folder, now=NOW)) as other:
        assert opens(other, code)
        assert not opens(store, code)


def test_only_a_hash_of_it_is_kept(folder: Path, store: TokenStore, token: TokenRecord) -> None:
    code, _ = made(store, token)
    assert code[4:].encode() not in (folder / IDENTITY).read_bytes()


@pytest.mark.parametrize("code", ["", "hwl_", "x" * 10_000, "ä", f"hwl_{'A' * 43}"])
def test_what_is_no_code_opens_nothing_and_writes_nothing(store: TokenStore, token: TokenRecord, code: str) -> None:
    made(store, token)
    before = store.place.db.total_changes
    assert not opens(store, code)
    assert store.place.db.total_changes == before


def test_a_user_has_so_many_and_takes_nobody_else_s_place(store: TokenStore, token: TokenRecord) -> None:
    other, _ = made(store, store.create("ben", Role.USER, now=NOW)[1])
    second = store.create("anna", Role.USER, now=NOW)[1]
    codes = [made(store, [token, second][number % 2])[0] for number in range(PER_USER + 2)]
    assert [opens(store, code) for code in codes] == [False, False, *[True] * PER_USER]
    assert opens(store, other)


def test_they_end_with_the_sessions_of_their_user(store: TokenStore, token: TokenRecord) -> None:
    mine, other = made(store, token)[0], made(store, store.create("ben", Role.USER, now=NOW)[1])[0]
    store.close_sessions(token.user_id)
    assert (opens(store, mine), opens(store, other)) == (False, True)


@pytest.mark.parametrize(("change", "back"), CHANGES)
def test_they_end_with_their_token_whoever_changes_it(
    folder: Path, store: TokenStore, token: TokenRecord, change: str, back: str
) -> None:
    code, _ = made(store, token)
    with closing(sqlite3.connect(folder / IDENTITY)) as db:  # any program, which need not know of links
        for sql in (change, back):
            with db:
                db.execute(f"UPDATE tokens SET {sql} WHERE id = ?", (token.id,))
    assert not opens(store, code)
    assert links(folder) == 0


def test_expired_ones_take_no_room(folder: Path, store: TokenStore, token: TokenRecord) -> None:
    made(store, token)
    made(store, token, NOW + LIFETIME)
    assert links(folder) == 1


def links(folder: Path) -> int:
    with closing(sqlite3.connect(folder / IDENTITY)) as db:
        return int(db.execute("SELECT count(*) FROM links").fetchone()[0])
