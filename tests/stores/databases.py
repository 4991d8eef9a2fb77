"""What tests of the sqlite store share."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from headway.stores.sqlite import SqliteStore
from headway.stores.sqlite_database import Database
from headway.testing.opened import Opened


async def opened(folder: Path) -> Opened:
    """An open store in a folder."""
    return await Opened(SqliteStore(folder)).open()


def left_by_a_crash(store: SqliteStore, name: str = "left") -> Path:
    """What a kill at this moment would leave."""
    left = store.folder.with_name(name)
    shutil.copytree(store.folder, left)
    return left


def saved_progress(store: SqliteStore, uuid: str) -> int | None:
    """The percent that a crash at this moment would leave."""
    left = left_by_a_crash(store, "peek")
    try:
        with closing(Database(left / "headway.db")) as database:
            record = database.get(uuid)
            return None if record is None else record.progress.percent
    finally:
        shutil.rmtree(left)


def query(folder: Path, sql: str) -> list[tuple[object, ...]]:
    """What a closed database answers."""
    with closing(sqlite3.connect(folder / "headway.db")) as connection:
        return connection.execute(sql).fetchall()
