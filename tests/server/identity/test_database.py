"""The versions of ``identity.db``: an older one is brought up to date, after a backup, by whoever comes first."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from headway.core.policy import Role
from headway.server.data import IDENTITY, DataError
from headway.server.identity import database
from headway.server.identity.database import STEPS, VERSION
from headway.server.identity.store import TokenStore
from headway.server.identity.tokens import digest, new_session, new_token
from tests.server.identity.support import NOW, at_once

TOKEN = new_token("0123abcd")
SESSION = new_session("4567cdef")
BACKUP = f"{IDENTITY}.v1.backup"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a database of version 1: one admin with one token, as Headway 0.1 left it."""
    return made(tmp_path, 1)


def made(tmp_path: Path, version: int) -> Path:
    """A folder with a database of that version: one admin with one token, and what was there as soon as it could be."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    path = folder / IDENTITY
    path.touch(mode=0o600)
    with closing(sqlite3.connect(path)) as db:
        for step in STEPS[:version]:
            db.executescript(Path(database.__file__).with_name(step).read_text())
        with db:
            db.execute("INSERT INTO users VALUES (1, 'admin', 5.0)")
            values = ("0123abcd", digest(TOKEN), 1, "admin", "first start", 5.0, None, None)
            db.execute("INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
            if version >= 2:
                opened = ("4567cdef", digest(SESSION), "0123abcd", 5.0, 2 * NOW)
                db.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?)", opened)
        db.execute(f"PRAGMA user_version = {version}")
    return folder


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


@pytest.mark.parametrize("create", [True, False])
def test_an_older_database_is_brought_up_to_date_and_keeps_what_it_has(folder: Path, create: bool) -> None:
    with closing(TokenStore.open(folder, now=NOW, create=create)) as store:
        ((hashed, record),) = store.unrevoked()
        assert (hashed, record.user, record.role, record.created_at) == (digest(TOKEN), "admin", Role.ADMIN, 5.0)
        assert store.open_session(record.id, now=NOW) is not None
        assert store.create("anna", Role.USER, now=NOW)[1].user_id == 2
    assert version(folder / IDENTITY) == VERSION
    assert not (folder / "admin.token").exists()  # no second first token


@pytest.mark.parametrize("older", range(1, VERSION))
def test_each_older_version_is_brought_to_one_and_the_same(tmp_path: Path, older: int) -> None:
    folder, fresh = made(tmp_path, older), tmp_path / "fresh"
    with closing(TokenStore.open(folder, now=NOW)) as store:
        assert [record.id for _, record in store.admitted().sessions] == (["4567cdef"] if older >= 2 else [])
        assert store.open_share("0123abcd", "a", 1, now=NOW, expires_at=NOW + 60) is not None
    TokenStore.open(fresh, now=NOW).close()
    assert described(folder / IDENTITY) == described(fresh / IDENTITY)
    assert version(folder / f"{IDENTITY}.v{older}.backup") == older


def described(path: Path) -> tuple[int, list[str]]:
    """Its version, and all its tables, indexes and triggers."""
    with closing(sqlite3.connect(path)) as db:
        return version(path), [sql for (sql,) in db.execute("SELECT sql FROM sqlite_master ORDER BY name")]


def test_it_is_copied_first_for_its_owner_alone(folder: Path) -> None:
    before = (folder / IDENTITY).read_bytes()
    TokenStore.open(folder, now=NOW).close()
    copy = folder / BACKUP
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert version(copy) == 1
    with closing(sqlite3.connect(copy)) as db, closing(sqlite3.connect(":memory:")) as old:
        old.deserialize(before)
        assert list(db.iterdump()) == list(old.iterdump())
    assert sorted(path.name for path in folder.iterdir()) == [IDENTITY, BACKUP]


def test_a_backup_put_back_is_brought_up_to_date_while_the_server_runs(folder: Path) -> None:
    with closing(TokenStore.open(folder, now=NOW)) as store:
        store.create("anna", Role.USER, now=NOW)
        store.news()
        (folder / BACKUP).replace(folder / IDENTITY)
        news = store.news()
    assert news is not None
    assert [record.user for _, record in news.tokens] == ["admin"]
    assert version(folder / IDENTITY) == VERSION


def test_an_upgrade_that_fails_leaves_everything_as_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(database, "_statements", lambda script: ["CREATE TABLE half (a)", "CREATE nonsense"])
        with pytest.raises(DataError, match="syntax error"):
            TokenStore.open(folder, now=NOW)
    with closing(sqlite3.connect(folder / IDENTITY)) as db:
        assert [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE name = 'half'")] == []
    assert version(folder / IDENTITY) == 1
    with closing(TokenStore.open(folder, now=NOW)) as store:
        assert len(store.tokens()) == 1


def test_a_backup_that_was_cut_short_is_made_anew(folder: Path) -> None:
    (folder / f"{BACKUP}.new").write_bytes(b"half of it")
    TokenStore.open(folder, now=NOW).close()
    assert version(folder / BACKUP) == 1


def test_processes_that_open_it_at_once_upgrade_it_once(folder: Path) -> None:
    count = f"print(len(TokenStore.open(Path(sys.argv[1]), now={NOW}, create=False).tokens()))"
    assert at_once(count, [(str(folder),)] * 4) == ["1\n"] * 4
    assert version(folder / IDENTITY) == VERSION
    assert version(folder / BACKUP) == 1
