"""Ways to break the promises, so that the tests can show that they would notice."""

import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

from headway import changes, liveness
from headway.core.activity import Activity
from headway.ports import Publish, Snapshot, Write
from headway.stores.sqlite import SqliteStore
from headway.stores.sqlite_database import Database
from headway.stores.sqlite_ledger import Ledger


def publish_before_commit() -> None:
    """Watchers hear of changes that a crash may still undo."""
    save, deliver, open = Ledger._save, SqliteStore._deliver, SqliteStore.open
    stores: list[SqliteStore] = []
    told = 0

    def early(self: Ledger, records: Collection[Activity]) -> None:
        fresh = [record for record in records if record.revision > told]
        if fresh:
            deliver(stores[-1], fresh, [])
        time.sleep(0.003)
        save(self, records)

    def late(self: SqliteStore, changed: list[Activity], answers: Any) -> None:
        deliver(self, [record for record in changed if record.revision > told], answers)

    async def watched(self: SqliteStore, publish: Publish) -> Snapshot:
        def tell(activities: Any) -> None:
            nonlocal told
            fresh = [activity for activity in activities if activity.revision > told]
            if fresh:
                told = fresh[-1].revision
                publish(fresh)

        stores.append(self)
        return await open(self, tell)

    Ledger._save = early  # type: ignore[method-assign]
    SqliteStore._deliver = late  # type: ignore[method-assign]
    SqliteStore.open = watched  # type: ignore[method-assign]


def answer_before_commit() -> None:
    """Changes are acknowledged from memory, and saved with the next checkpoint."""
    save = Ledger._save

    def postponed(self: Ledger, records: Collection[Activity]) -> None:
        if list(records) == list(self._unsaved.values()):
            save(self, records)
        else:
            self._unsaved.update({record.uuid: record for record in records})

    Ledger._save = postponed  # type: ignore[method-assign]


def ends_are_volatile() -> None:
    """An end is treated like progress."""

    def volatile(activity: Activity, expected: Any, durable: bool = True, based_on: int | None = None) -> Write:
        return Write(activity, expected, durable and not activity.ended, based_on)

    assert vars(changes)["Write"] is Write  # what is to be broken must be there
    setattr(changes, "Write", volatile)  # noqa: B010 - it is not theirs to export


def what_lives_keeps_its_place() -> None:
    """After a crash, nobody is told that progress seen before may be gone."""
    mark = Database.mark_clean

    def always_clean(self: Database, clean: bool) -> bool:
        mark(self, clean)
        return True

    Database.mark_clean = always_clean  # type: ignore[method-assign]


def revisions_are_not_reserved() -> None:
    """The next revision is one more than the newest on disk."""

    def newest(self: Database) -> int:
        (revision,) = self._connection.execute("SELECT max(revision) FROM activity").fetchone()
        return int(revision or 0)

    Database.ceiling = newest  # type: ignore[method-assign]


def the_dead_are_not_given_up() -> None:
    """What ran in the process that died stays as it was."""

    async def nobody(self: liveness.Liveness) -> Sequence[Awaitable[object]]:
        return ()

    liveness.Liveness._dead = nobody  # type: ignore[method-assign]


SABOTAGES: dict[str, Callable[[], None]] = {
    sabotage.__name__: sabotage
    for sabotage in (
        publish_before_commit,
        answer_before_commit,
        ends_are_volatile,
        what_lives_keeps_its_place,
        revisions_are_not_reserved,
        the_dead_are_not_given_up,
    )
}
