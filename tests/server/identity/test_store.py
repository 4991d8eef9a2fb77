"""Users and tokens on disk, in real files, among several processes."""

import re
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from headway.core.errors import InvalidInput
from headway.core.policy import Role
from headway.server.data import ADMIN_TOKEN, IDENTITY, DataError, admin_token, write_private
from headway.server.identity import store as store_module
from headway.server.identity.database import STEPS, VERSION
from headway.server.identity.store import TokenStore
from headway.server.identity.tokens import digest
from tests.server.identity.support import NOW, at_once, outgrow


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_first_opening_makes_the_admin_and_its_token(folder: Path, store: TokenStore) -> None:
    [record] = store.tokens()
    assert (record.user, record.user_id, record.role, record.state(NOW)) == ("admin", 1, Role.ADMIN, "active")
    token = admin_token(folder)
    assert token is not None
    assert store.unrevoked() == [(digest(token), record)]


def test_folder_and_files_are_private(folder: Path, store: TokenStore) -> None:
    assert mode(folder) == 0o700
    assert {entry.name: mode(entry) for entry in folder.iterdir()} == {IDENTITY: 0o600, ADMIN_TOKEN: 0o600}


def test_the_journal_of_a_write_is_private_too(folder: Path, store: TokenStore) -> None:
    with closing(sqlite3.connect(folder / IDENTITY, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE users SET created_at = 0")
        assert mode(folder / f"{IDENTITY}-journal") == 0o600


def test_the_token_is_in_its_file_and_nowhere_else(folder: Path, store: TokenStore) -> None:
    token = admin_token(folder)
    assert token is not None
    made, _ = store.create("anna", Role.USER, now=NOW)
    for secret in (token, made):
        assert secret.encode() not in (folder / IDENTITY).read_bytes()
    assert not any(secret in repr(store.tokens()) for secret in (token, made, digest(made).hex(), repr(digest(made))))


def test_later_openings_change_nothing(folder: Path, store: TokenStore) -> None:
    before = (folder / ADMIN_TOKEN).read_bytes(), store.tokens()
    with closing(TokenStore.open(folder, now=NOW + 1)) as again:
        assert ((folder / ADMIN_TOKEN).read_bytes(), again.tokens()) == before


def test_a_deleted_token_file_is_not_made_again(folder: Path, store: TokenStore) -> None:
    (folder / ADMIN_TOKEN).unlink()
    with closing(TokenStore.open(folder, now=NOW)) as again:
        assert not (folder / ADMIN_TOKEN).exists()
        _, record = again.create("admin", Role.ADMIN, now=NOW)
    assert (record.user_id, record.role) == (1, Role.ADMIN)


def test_a_crash_in_the_middle_of_the_first_opening_is_made_good(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Crash(Exception):
        pass

    def write_and_crash(path: Path, text: str) -> None:
        write_private(path, text)
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(store_module, "write_private", write_and_crash)
        with pytest.raises(Crash):
            TokenStore.open(folder, now=NOW)
    stale = admin_token(folder)
    with closing(TokenStore.open(folder, now=NOW)) as opened:
        token = admin_token(folder)
        assert token is not None
        assert token != stale
        assert [hashed for hashed, _ in opened.unrevoked()] == [digest(token)]


def test_new_users_get_the_next_id(store: TokenStore) -> None:
    ids = [
        store.create(name, Role.USER, now=NOW)[1].user_id for name in ("anna", "bob", "anna", "anna", "carl", "Anna")
    ]
    assert ids == [2, 3, 2, 2, 4, 5]


def test_an_id_is_never_used_again(folder: Path, store: TokenStore) -> None:
    store.create("anna", Role.USER, now=NOW)
    with closing(sqlite3.connect(folder / IDENTITY)) as other, other:
        other.execute("DELETE FROM tokens WHERE user_id = 2")
        other.execute("DELETE FROM users WHERE id = 2")
    assert store.create("bob", Role.USER, now=NOW)[1].user_id == 3


def test_what_is_created_is_listed(store: TokenStore) -> None:
    token, record = store.create("anna", Role.READER, now=NOW, label="wall\tscreen", expires_at=NOW + 60)
    assert record.label == "wall screen"
    assert store.tokens()[1:] == [record]
    assert token.startswith(f"hw_{record.id}_")
    assert record.state(NOW + 59) == "active"
    assert record.state(NOW + 60) == "expired"


def test_bad_input_makes_nothing(store: TokenStore) -> None:
    with pytest.raises(InvalidInput):
        store.create("no/good", Role.USER, now=NOW)
    with pytest.raises(InvalidInput):
        store.create("anna", Role.USER, now=NOW, label="x" * 257)
    assert len(store.tokens()) == 1
    assert store.create("bob", Role.USER, now=NOW)[1].user_id == 2


def test_one_token_is_revoked_by_its_id(store: TokenStore) -> None:
    one = store.create("anna", Role.USER, now=NOW)[1]
    two = store.create("anna", Role.USER, now=NOW)[1]
    assert store.revoke(now=NOW + 1, id=one.id) == 1
    assert {record.id: record.state(NOW + 1) for record in store.tokens()[1:]} == {one.id: "revoked", two.id: "active"}
    assert one.id not in [record.id for _, record in store.unrevoked()]


def test_all_tokens_of_a_user_are_revoked_by_name(store: TokenStore) -> None:
    store.create("anna", Role.USER, now=NOW)
    store.create("anna", Role.ADMIN, now=NOW)
    assert store.revoke(now=NOW, user="anna") == 2
    assert [record.user for _, record in store.unrevoked()] == ["admin"]


def test_revoking_again_keeps_the_first_time(store: TokenStore) -> None:
    id = store.create("anna", Role.USER, now=NOW)[1].id
    assert [store.revoke(now=NOW + later, id=id) for later in (1, 2)] == [1, 1]
    assert store.tokens()[1].revoked_at == NOW + 1


def test_revoking_what_there_is_not_matches_nothing(store: TokenStore) -> None:
    assert store.revoke(now=NOW, id="00000000") == 0
    assert store.revoke(now=NOW, user="nobody") == 0
    assert store.revoke(now=NOW, id="admin") == 0


def test_changes_of_others_are_news_once(folder: Path, store: TokenStore) -> None:
    assert [store.news(), store.news()] == [store.admitted(), None]
    with closing(TokenStore.open(folder, now=NOW)) as other:
        assert store.news() is None
        other.create("anna", Role.USER, now=NOW)
        assert [store.news(), store.news()] == [other.admitted(), None]


def test_news_that_could_not_be_read_is_news_the_next_time(
    folder: Path, store: TokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(store: TokenStore) -> None:
        raise DataError("disk error")

    with monkeypatch.context() as patched:
        patched.setattr(TokenStore, "admitted", fail)
        with pytest.raises(DataError):
            store.news()
    assert store.news() == store.admitted()


def test_a_database_put_in_its_place_is_news(folder: Path, tmp_path: Path, store: TokenStore) -> None:
    with closing(TokenStore.open(tmp_path / "backup", now=NOW)) as backup:
        store.news()
        (tmp_path / "backup" / IDENTITY).replace(folder / IDENTITY)
        assert [store.news(), store.news()] == [backup.admitted(), None]


def test_a_database_that_is_gone_is_an_error_until_it_is_back(folder: Path, store: TokenStore) -> None:
    (folder / IDENTITY).rename(folder / "away")
    with pytest.raises(DataError, match="does not exist"):
        store.news()
    (folder / "away").rename(folder / IDENTITY)
    assert store.news() == store.admitted()


def test_without_leave_to_create_nothing_is_made(folder: Path) -> None:
    with pytest.raises(DataError, match="does not exist; the server or `headway token create` makes it"):
        TokenStore.open(folder, now=NOW, create=False)
    assert not folder.exists()
    folder.mkdir()
    (folder / IDENTITY).touch()
    with pytest.raises(DataError, match="is empty"):
        TokenStore.open(folder, now=NOW, create=False)
    assert (folder / IDENTITY).stat().st_size == 0


def test_a_newer_database_is_refused_and_left_alone(folder: Path, store: TokenStore) -> None:
    with closing(sqlite3.connect(folder / IDENTITY)) as other, other:
        outgrow(other, oldest=VERSION + 1)
    before = (folder / IDENTITY).read_bytes()
    with pytest.raises(DataError, match=rf"identity\.db has version {VERSION + 1}, this Headway knows {VERSION}: use"):
        TokenStore.open(folder, now=NOW)
    assert (folder / IDENTITY).read_bytes() == before


def test_a_newer_one_that_has_only_more_in_it_is_used_as_it_is(folder: Path, store: TokenStore) -> None:
    with closing(sqlite3.connect(folder / IDENTITY)) as other, other:
        outgrow(other, oldest=VERSION)
    with closing(TokenStore.open(folder, now=NOW)) as opened:
        assert opened.create("anna", Role.USER, now=NOW)[1].user_id == 2
        assert opened.place.db.execute("PRAGMA user_version").fetchone() == (VERSION + 1,)
    assert [record.user for record in store.tokens()] == ["admin", "anna"]
    assert store.news() is not None


def test_one_that_is_outgrown_while_it_is_used_is_told_as_trouble(folder: Path, store: TokenStore) -> None:
    store.news()
    with closing(sqlite3.connect(folder / IDENTITY)) as other, other:
        outgrow(other, oldest=VERSION + 1)
    with pytest.raises(DataError, match=f"has version {VERSION + 1}, this Headway knows {VERSION}"):
        store.news()


def test_a_file_that_is_no_database_is_refused(folder: Path) -> None:
    folder.mkdir()
    (folder / IDENTITY).write_text("something else entirely, and more than a header's worth of it" * 10)
    with pytest.raises(DataError, match="file is not a database"):
        TokenStore.open(folder, now=NOW)


def test_a_busy_database_is_an_error_in_the_end(folder: Path, store: TokenStore) -> None:
    with (
        closing(sqlite3.connect(folder / IDENTITY, isolation_level=None)) as other,
        closing(TokenStore.open(folder, now=NOW, patience=0.01)) as impatient,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DataError, match="database is locked"):
            impatient.create("anna", Role.USER, now=NOW)
        other.execute("ROLLBACK")
        assert impatient.create("anna", Role.USER, now=NOW)[1].user_id == 2


def test_the_settings_that_several_processes_need(store: TokenStore) -> None:
    def pragma(name: str) -> object:
        return store.place.db.execute(f"PRAGMA {name}").fetchone()[0]

    # synchronous: 2 is FULL.
    assert [pragma("journal_mode"), pragma("synchronous"), pragma("busy_timeout")] == ["delete", 2, 5000]


def test_processes_that_open_a_new_folder_at_once_make_one_admin_and_one_token(folder: Path) -> None:
    create = (
        f"print(TokenStore.open(Path(sys.argv[1]), now={NOW}).create(sys.argv[2], Role.USER, now={NOW})[1].user_id)"
    )
    ids = at_once(create, [(str(folder), f"user{number}") for number in range(6)])
    assert sorted(ids) == ["2\n", "3\n", "4\n", "5\n", "6\n", "7\n"]
    token = admin_token(folder)
    assert token is not None
    with closing(TokenStore.open(folder, now=NOW)) as opened:
        admins = [hashed for hashed, record in opened.unrevoked() if record.user == "admin"]
    assert admins == [digest(token)]


@pytest.mark.parametrize("step", STEPS)
def test_the_schema_says_what_each_table_is_for(step: str) -> None:
    schema = Path(store_module.__file__).with_name(step).read_text()
    blocks = schema.strip().split("\n\n")
    assert all(block.startswith("--") for block in blocks)
    assert len(re.findall("CREATE|INSERT", schema)) == len(blocks) - 1
