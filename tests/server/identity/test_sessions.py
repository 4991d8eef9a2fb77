"""Sessions on disk: they have the rights of their token, and end with it, whoever ends it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from headway.core.policy import Role
from headway.server.data import IDENTITY
from headway.server.identity.sessions import SESSION_LIFETIME, SESSIONS_PER_USER, SessionRecord
from headway.server.identity.store import TokenRecord, TokenStore
from headway.server.identity.tokens import digest, session_id_of
from tests.server.identity.support import CHANGES, NOW


@pytest.fixture
def token(store: TokenStore) -> TokenRecord:
    return store.create("anna", Role.USER, now=NOW)[1]


def opened(store: TokenStore, token: TokenRecord, now: float = NOW) -> tuple[str, SessionRecord]:
    found = store.open_session(token.id, now=now)
    assert found is not None
    return found


def sessions(store: TokenStore) -> list[SessionRecord]:
    return [record for _, record in store.admitted().sessions]


def test_a_session_has_the_user_and_role_of_its_token(store: TokenStore, token: TokenRecord) -> None:
    secret, record = opened(store, token)
    assert (record.token, record.user_id, record.user, record.role) == (token.id, 2, "anna", Role.USER)
    assert record.expires_at == NOW + SESSION_LIFETIME
    assert session_id_of(secret) == record.id
    assert store.admitted().sessions == [(digest(secret), record)]


def test_its_secret_is_on_no_disk(folder: Path, store: TokenStore, token: TokenRecord) -> None:
    secret, _ = opened(store, token)
    assert secret.encode() not in (folder / IDENTITY).read_bytes()
    assert secret[-43:].encode() not in (folder / IDENTITY).read_bytes()


def test_it_never_outlives_its_token(folder: Path, store: TokenStore) -> None:
    short = store.create("anna", Role.USER, now=NOW, expires_at=NOW + 60)[1]
    assert opened(store, short)[1].expires_at == NOW + 60
    long = store.create("anna", Role.USER, now=NOW)[1]
    opened(store, long)
    with closing(sqlite3.connect(folder / IDENTITY)) as other, other:
        other.execute("UPDATE tokens SET expires_at = ? WHERE id = ?", (NOW + 5, long.id))
    assert [each.expires_at for each in sessions(store)] == [NOW + 60, NOW + 5]


def test_no_session_is_made_of_what_opens_nothing(store: TokenStore) -> None:
    expired = store.create("anna", Role.USER, now=NOW, expires_at=NOW + 60)[1]
    revoked = store.create("anna", Role.USER, now=NOW)[1]
    store.revoke(now=NOW, id=revoked.id)
    assert store.open_session(expired.id, now=NOW + 60) is None
    assert store.open_session(revoked.id, now=NOW) is None
    assert store.open_session("00000000", now=NOW) is None
    assert sessions(store) == []


@pytest.mark.parametrize(("change", "back"), CHANGES)
def test_it_ends_with_any_change_of_its_token_for_good(
    folder: Path, store: TokenStore, token: TokenRecord, change: str, back: str
) -> None:
    opened(store, token)
    other = store.create("bob", Role.USER, now=NOW)[1]
    _, kept = opened(store, other)
    with closing(sqlite3.connect(folder / IDENTITY)) as db:  # any program, which need not know of sessions
        for sql in (change, back):
            with db:
                db.execute(f"UPDATE tokens SET {sql} WHERE id = ?", (token.id,))
    assert sessions(store) == [kept]


def test_a_label_or_the_same_again_ends_nothing(folder: Path, store: TokenStore, token: TokenRecord) -> None:
    _, record = opened(store, token)
    with closing(sqlite3.connect(folder / IDENTITY)) as db, db:
        db.execute("UPDATE tokens SET label = 'x', role = role WHERE id = ?", (token.id,))
    assert sessions(store) == [record]


def test_one_is_ended_or_all_of_a_user(store: TokenStore, token: TokenRecord) -> None:
    second = store.create("anna", Role.READER, now=NOW)[1]
    other = store.create("bob", Role.USER, now=NOW)[1]
    first, *_ = (opened(store, each)[1] for each in (token, token, second, other))
    store.close_session(first.id)
    store.close_session(first.id)
    assert [each.user for each in sessions(store)] == ["anna", "anna", "bob"]
    assert store.close_sessions(token.user_id) == 2
    assert [each.user for each in sessions(store)] == ["bob"]


def test_what_is_expired_is_swept_out_when_somebody_logs_in(
    folder: Path, store: TokenStore, token: TokenRecord
) -> None:
    opened(store, token)
    _, record = opened(store, token, now=NOW + SESSION_LIFETIME)
    assert sessions(store) == [record]


def test_a_user_s_oldest_session_ends_when_there_are_too_many(store: TokenStore, token: TokenRecord) -> None:
    other = opened(store, store.create("bob", Role.USER, now=NOW)[1])[1]
    made = [opened(store, token, now=NOW + number)[1] for number in range(SESSIONS_PER_USER + 2)]
    assert sessions(store) == [other, *made[2:]]


def test_changes_of_its_own_are_news_too(store: TokenStore, token: TokenRecord) -> None:
    store.news()
    assert store.news() is None
    opened(store, token)
    assert [store.news(), store.news()] == [store.admitted(), None]


def test_users_are_told_with_what_opens_something_for_them(store: TokenStore, token: TokenRecord) -> None:
    store.create("anna", Role.USER, now=NOW, expires_at=NOW + 60)
    store.revoke(now=NOW, id=store.create("bob", Role.USER, now=NOW)[1].id)
    opened(store, token)
    told = [(user.id, user.name, user.tokens, user.sessions) for user in store.users(now=NOW)]
    assert told == [(1, "admin", 1, 0), (2, "anna", 2, 1), (3, "bob", 0, 0)]
    assert [user.tokens for user in store.users(now=NOW + 60)] == [1, 1, 0]
