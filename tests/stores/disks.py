"""Disks that are full when a test says so."""

from headway.stores.folder import Reserve
from headway.stores.sqlite import SqliteStore


class Disk(Reserve):
    """Plays a full disk with SQLite's own limit: SQLITE_FULL is real, and no privilege is needed.

    The reserve is a number of pages that is added to the limit while it is given up.
    """

    def __init__(self, store: SqliteStore) -> None:
        super().__init__(store.folder)
        self._store = store
        self.pages = 0
        self.has_room = True
        self.given_up = False

    async def fill(self) -> None:
        """Let the database have its present pages and no more."""
        await self._store._call(self._fill)

    def _fill(self) -> None:
        (self.pages,) = self._store._database._connection.execute("PRAGMA page_count").fetchone()
        self.has_room = False
        self._store._database.limit_pages(self.pages)

    @property
    def held(self) -> bool:
        return not self.given_up

    def take(self) -> bool:
        if self.has_room:
            self._store._database.limit_pages(1_000_000)
            self.given_up = False
        return self.held

    def give_up(self) -> bool:
        given, self.given_up = self.held, True
        self._store._database.limit_pages(self.pages + 200)
        return given
