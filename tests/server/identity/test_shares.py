"""Shares on disk: they show one activity, and end with the token that they were made with, whoever ends that."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from headway.core.errors import TooMany
from headway.core.policy import Role
from headway.server.data import IDENTITY
from headway.server.identity.shares import SHARES_PER_USER, ShareRecord
from headway.server.identity.store import TokenRecord, TokenStore
from headway.server.identity.tokens import digest, share_id_of
from tests.server.identity.support import CHANGES, NOW

ACTIVITY = "6f7c9a1b-5f56-4009-b7c2-374cd148b67f"
HOUR = 3_600.0


@pytest.fixture
def token(store: TokenStore) -> TokenRecord:
    return store.create("anna", Role.USER, now=NOW)[1]


def opened(
    store: TokenStore, token: TokenRecord, now: float = NOW, lifetime: float = HOUR, owner: int = 2
) -> tuple[str, ShareRecord]:
    found = store.open_share(token.id, ACTIVITY, owner, now=now, expires_at=now + lifetime)
    assert found is not None
    return found


def shares(store: TokenStore) -> list[ShareRecord]:
    return [record for _, record in store.admitted().shares]


def test_a_share_is_of_one_activity_and_its_owner_who_need_not_have_made_it(
    store: TokenStore, token: TokenRecord
) -> None:
    secret, record = opened(store, token, owner=7)
    assert (record.token, record.user_id, record.user) == (token.id, 2, "anna")
    assert (record.activity, record.owner, record.created_at, record.expires_at) == (ACTIVITY, 7, NOW, NOW + HOUR)
    assert share_id_of(secret) == record.id
    assert store.admitted().shares == [(digest(secret), record)]
    assert store.share(record.id) == record


def test_its_secret_is_on_no_disk(folder: Path, store: TokenStore, token: TokenRecord) -> None:
    secret, _ = opened(store, token)
    assert secret[-43:].encode() not in (folder / IDENTITY).read_bytes()


def test_it_never_outlives_its_token(folder: Path, store: TokenStore) -> None:
    short = store.create("anna", Role.USER, now=NOW, expires_at=NOW + 60)[1]
    assert opened(store, short)[1].expires_at == NOW + 60
    long = store.create("anna", Role.USER, now=NOW)[1]
    opened(store, long)
    with closing(sqlite3.connect(folder / IDENTITY)) as other, other:
        other.execute("UPDATE tokens SET expires_at = ? WHERE id = ?", (NOW + 5, long.id))
    assert [each.expires_at for each in shares(store)] == [NOW + 60, NOW + 5]


def test_none_is_made_of_what_opens_nothing(store: TokenStore) -> None:
    expired = store.create("anna", Role.USER, now=NOW, expires_at=NOW + 60)[1]
    revoked = store.create("anna", Role.USER, now=NOW)[1]
    store.revoke(now=NOW, id=revoked.id)
    for id, now in ((expired.id, NOW + 60), (revoked.id, NOW), ("00000000", NOW)):
        assert store.open_share(id, ACTIVITY, 2, now=now, expires_at=now + HOUR) is None
    assert shares(store) == []


@pytest.mark.parametrize(("change", "back"), CHANGES)
def test_it_ends_with_any_change_of_its_token_for_good(
    folder: Path, store: TokenStore, token: TokenRecord, change: str, back: str
) -> None:
    opened(store, token)
    _, kept = opened(store, store.create("bob", Role.USER, now=NOW)[1])
    with closing(sqlite3.connect(folder / IDENTITY)) as db:  # any program, which need not know of shares
        for sql in (change, back):
            with db:
                db.execute(f"UPDATE tokens SET {sql} WHERE id = ?", (token.id,))
    assert shares(store) == [kept]


def test_a_label_or_the_same_again_ends_nothing(folder: Path, store: TokenStore, token: TokenRecord) -> None:
    _, record = opened(store, token)
    with closing(sqlite3.connect(folder / IDENTITY)) as db, db:
        db.execute("UPDATE tokens SET label = 'x', role = role WHERE id = ?", (token.id,))
    assert shares(store) == [record]


def test_one_is_ended_and_the_others_are_not(store: TokenStore, token: TokenRecord) -> None:
    (_, first), (_, second) = opened(store, token), opened(store, token)
    store.close_share(first.id)
    store.close_share(first.id)
    assert shares(store) == [second]
    assert store.share(first.id) is None


def test_a_user_has_only_so_many_and_what_expired_makes_room(store: TokenStore, token: TokenRecord) -> None:
    made = [opened(store, token, now=NOW + number)[1] for number in range(SHARES_PER_USER)]
    with pytest.raises(TooMany, match="a user may have 100 shares"):
        opened(store, store.create("anna", Role.USER, now=NOW)[1])
    opened(store, store.create("bob", Role.USER, now=NOW)[1])
    store.close_share(made[5].id)
    opened(store, token)
    with pytest.raises(TooMany):
        opened(store, token)
    opened(store, token, now=NOW + HOUR)
    assert made[0] not in shares(store)


def test_changes_are_news(store: TokenStore, token: TokenRecord) -> None:
    store.news()
    _, record = opened(store, token)
    assert [store.news(), store.news()] == [store.admitted(), None]
    store.close_share(record.id)
    assert [store.news(), store.news()] == [store.admitted(), None]
