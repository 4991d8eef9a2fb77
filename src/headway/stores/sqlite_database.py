"""The SQL side of the sqlite store: one connection, used by one thread."""

from __future__ import annotations

import ctypes
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from importlib import resources
from pathlib import Path

import msgspec

from headway.core.activity import Activity
from headway.core.narrowing import Narrowing
from headway.core.policy import EVERYTHING, SYSTEM_USER
from headway.ports import OUTPUT_ROOM, HistoryQuery
from headway.stores import StoreError
from headway.stores.sqlite_outputs import Outputs

VERSION = 3
MIGRATIONS: Mapping[int, str] = {
    1: "CREATE INDEX activity_ended_by_type ON activity (owner, type, state, revision) WHERE ended_at IS NOT NULL",
    2: "CREATE TABLE output (uuid TEXT PRIMARY KEY, saved_at REAL NOT NULL, size INTEGER NOT NULL, text TEXT NOT NULL);"
    " CREATE INDEX output_by_age ON output (saved_at, uuid, size);"
    " CREATE TRIGGER output_ends AFTER DELETE ON activity BEGIN DELETE FROM output WHERE uuid = OLD.uuid; END",
}
"""The SQL that leads from each older version to the next."""

REVISION_BLOCK = 65_536
"""Revisions reserved at once: progress gets revisions that are not on disk, and no crash may give them out again."""

LOG, SHORT_LOG = 1_000, 100
"""Pages in the write-ahead log at which they are moved to the database: usually, and when there is hardly any room."""

PRUNE_CHUNK = 1_000
"""Rows deleted in one transaction: commits wait at most that long."""

SEARCH_CHUNK = 1_000
"""Records that are looked through at once for what no column tells: commits wait at most that long."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Activity).decode


class Database:
    """The tables of ``schema.sql`` as operations."""

    epoch: str
    secret: bytes

    def __init__(self, path: Path, *, output_room: int = OUTPUT_ROOM) -> None:
        """Open or create the database; raises ``StoreError`` when it is not ours, newer, or damaged. ``output_room``:
        bytes that are kept of what activities have printed, all together.
        """
        self.path = path
        self.transactions: int = 0
        try:
            path.touch(mode=0o600)
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            with ExitStack() as undo:
                undo.callback(self._connection.close)
                self._prepare()
                self.outputs: Outputs = Outputs(self._connection, output_room)
                undo.pop_all()
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"cannot open the database {path}: {error}") from error

    def forked(self) -> None:
        """In a forked child: let the connection be, for ever. Closing it here, as the end of the child would, waits for
        a lock of the parent's threads and works on files that are the parent's.
        """
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._connection))

    def close(self) -> None:
        """Close the connection; the write-ahead log is folded into the database."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, on disk when the block is left."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
            self.transactions += 1
        finally:
            if self._connection.in_transaction:  # something failed, and SQLite has not rolled back by itself
                self._connection.execute("ROLLBACK")

    def save(self, records: Iterable[Activity]) -> None:
        """Write records over what was there. Within a transaction."""
        self._connection.executemany(
            "INSERT INTO activity (uuid, owner, type, state, revision, ended_at, record) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (uuid) DO UPDATE SET state = excluded.state, revision = excluded.revision,"
            " ended_at = excluded.ended_at, record = excluded.record",
            ((r.uuid, r.owner, r.type, r.state.value, r.revision, r.ended_at, _encode(r).decode()) for r in records),
        )

    def get(self, uuid: str) -> Activity | None:
        """One record by its id."""
        row = self._connection.execute("SELECT record FROM activity WHERE uuid = ?", (uuid,)).fetchone()
        return None if row is None else _decode(row[0])

    def live(self) -> list[Activity]:
        """The records that have not ended, by revision."""
        return self._records("SELECT record FROM activity WHERE ended_at IS NULL ORDER BY revision")

    def ended(self, since: float, per_owner: int) -> list[Activity]:
        """What ended since then, at most that many an owner, by revision."""
        return self._records(
            f"SELECT record FROM ({_RANKED}) WHERE place <= ? AND ended_at >= ? ORDER BY revision",
            (per_owner, since),
        )

    def floors(self, since: float, per_owner: int) -> dict[int, int]:
        """Per owner, the newest revision that ``ended`` with the same arguments leaves out, or pruning has deleted."""
        rows = self._connection.execute(
            "SELECT owner, max(revision) FROM ("
            f" SELECT owner, revision FROM ({_RANKED}) WHERE place > ? OR ended_at < ?"
            " UNION ALL SELECT owner, revision FROM floor) GROUP BY owner",
            (per_owner, since),
        )
        return dict(rows.fetchall())

    def history(self, query: HistoryQuery) -> tuple[list[Activity], int | None]:
        """Ended records, newest end first, out of the next chunk; before which revision to go on, None at the end."""
        wanted = query.narrowing
        where, values = ["ended_at IS NOT NULL"], list[str | int]()
        where.append("owner <> ?" if query.scope is EVERYTHING else "owner = ?")
        values.append(SYSTEM_USER if query.scope is EVERYTHING else query.scope)
        state = None if wanted.state is None else wanted.state.value
        columns = {"owner =": wanted.owner, "type =": wanted.type, "state =": state, "revision <": query.before}
        for comparison, value in columns.items():
            if value is not None:
                where.append(f"{comparison} ?")
                values.append(value)
        in_columns = Narrowing(type=wanted.type, state=wanted.state, owner=wanted.owner)
        chunk = query.limit if wanted == in_columns else SEARCH_CHUNK
        sql = f"SELECT record FROM activity WHERE {' AND '.join(where)} ORDER BY revision DESC LIMIT ?"
        records = self._records(sql, (*values, chunk))
        return list(filter(query.admits, records)), records[-1].revision if len(records) == chunk else None

    def prune(self, before: float, keep: int) -> int:
        """Delete a chunk of the oldest ended records: those before that time and those beyond ``keep``."""
        with self.transaction():
            (count,) = self._connection.execute("SELECT count(*) FROM activity WHERE ended_at IS NOT NULL").fetchone()
            oldest = self._connection.execute(
                "SELECT uuid, owner, revision, ended_at FROM activity WHERE ended_at IS NOT NULL"
                " ORDER BY revision LIMIT ?",
                (PRUNE_CHUNK,),
            ).fetchall()
            doomed = [row for place, row in enumerate(oldest) if place < count - keep or row[3] < before]
            self._connection.executemany(
                "INSERT INTO floor (owner, revision) VALUES (?, ?)"
                " ON CONFLICT (owner) DO UPDATE SET revision = max(revision, excluded.revision)",
                ((owner, revision) for _, owner, revision, _ in doomed),
            )
            self._connection.executemany("DELETE FROM activity WHERE uuid = ?", ((row[0],) for row in doomed))
        return len(doomed)

    def reserve_revisions(self, above: int = 0) -> int:
        """Reserve the next block of revisions, beyond ``above``; the new ceiling. Within a transaction."""
        ceiling = max(above, self.ceiling()) + REVISION_BLOCK
        self._set("ceiling", ceiling)
        return ceiling

    def ceiling(self) -> int:
        """Revisions up to this one may have been given out."""
        return int(self._get("ceiling") or 0)

    def mark_clean(self, clean: bool) -> bool:
        """Note whether everything is on disk; returns what was noted before. Within a transaction."""
        before = bool(self._get("clean"))
        self._set("clean", int(clean))
        return before

    def keep_log_short(self, short: bool) -> None:
        """Let the write-ahead log take little room, at the price of moving its pages to the database more often."""
        self._connection.execute(f"PRAGMA wal_autocheckpoint = {SHORT_LOG if short else LOG}")
        if short:
            with suppress(sqlite3.Error):  # what does not fit now is tried again with every commit
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def limit_pages(self, pages: int) -> None:
        """Let the database grow to so many pages and no further (SQLite's ``max_page_count``)."""
        self._connection.execute(f"PRAGMA max_page_count = {int(pages)}")

    def _prepare(self) -> None:
        # Exclusive: the one-server rule holds in the database too, and WAL then needs no shared memory file.
        for pragma in (
            "locking_mode = EXCLUSIVE",
            "journal_mode = WAL",
            "synchronous = FULL",
            "temp_store = MEMORY",
            "journal_size_limit = 8388608",
        ):
            self._connection.execute(f"PRAGMA {pragma}")
        migrate(self._connection, self.path, VERSION, MIGRATIONS)
        self.epoch, self.secret = self._identity()

    def _identity(self) -> tuple[str, bytes]:
        with self.transaction():
            if self._get("epoch") is None:
                self._set("epoch", secrets.token_hex(8))
                self._set("secret", secrets.token_bytes(32))
        epoch, secret = self._get("epoch"), self._get("secret")
        if not isinstance(epoch, str) or not isinstance(secret, bytes):
            raise StoreError(f"cannot open the database {self.path}: its epoch or its secret is gone")
        return epoch, secret

    def _records(self, sql: str, values: tuple[object, ...] = ()) -> list[Activity]:
        return [_decode(row[0]) for row in self._connection.execute(sql, values)]

    def _get(self, name: str) -> str | int | bytes | None:
        row = self._connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    def _set(self, name: str, value: str | int | bytes) -> None:
        self._connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, value))


_RANKED = (
    "SELECT owner, revision, ended_at, record,"
    " row_number() OVER (PARTITION BY owner ORDER BY revision DESC) AS place"
    " FROM activity WHERE ended_at IS NOT NULL"
)


def migrate(connection: sqlite3.Connection, path: Path, target: int, migrations: Mapping[int, str]) -> None:
    """Bring the tables to version ``target``: create them, or move them up a version at a time after a backup.

    Raises ``StoreError`` for a database that is newer than this program.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > target:
        raise StoreError(
            f"the database {path} has version {version}, this Headway knows {target}: it was written by a newer "
            "release; install that one, or choose another folder with --data"
        )
    if version == 0:
        schema = resources.files("headway.stores").joinpath("schema.sql").read_text("utf-8")
        connection.executescript(f"BEGIN; {schema}; PRAGMA user_version = {target}; COMMIT;")
        return
    if version < target:
        copy = path.with_name(f"{path.name}.v{version}.backup")
        copy.touch(mode=0o600)
        with closing(sqlite3.connect(copy)) as backup:
            connection.backup(backup)
    for step in range(version, target):
        connection.executescript(f"BEGIN; {migrations[step]}; PRAGMA user_version = {step + 1}; COMMIT;")
