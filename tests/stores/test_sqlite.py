"""What only the sqlite store promises: how it is on disk, who may open it, and what a crash leaves."""

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from headway.core import lifecycle
from headway.core.activity import Activity, State
from headway.core.errors import Unavailable
from headway.core.lifecycle import Report
from headway.core.policy import EVERYTHING
from headway.core.view import TOMBSTONE_AGE, Event, Kind
from headway.ports import Write
from headway.stores import StoreError, open_store, sqlite, sqlite_database
from headway.stores.sqlite import SqliteStore
from headway.testing.opened import AT, Opened, ending, reporting, starting
from tests.hubs import hub, until
from tests.stores.databases import left_by_a_crash, opened, query, saved_progress

HOLDER = """
import asyncio, sys
from headway.stores.sqlite import SqliteStore
async def main():
    await SqliteStore(sys.argv[1]).open(lambda activities: None)
    print("open", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "some" / "data"


def store_of(opened: Opened) -> SqliteStore:
    assert isinstance(opened.store, SqliteStore)
    return opened.store


async def reported(store: Opened) -> Activity:
    """An activity with progress that is not on disk yet."""
    activity = await store.start("a")
    for percent in (0, 1):  # the first after a quiet time is saved at once
        await store.commit(reporting(activity, percent))
    return activity


# On disk


@pytest.mark.parametrize("url", ["sqlite:{}", "sqlite://{}"])
def test_a_store_is_named_by_its_folder(tmp_path: Path, url: str) -> None:
    store = open_store(url.format(tmp_path / "a%20b"))
    assert isinstance(store, SqliteStore)
    assert store.folder == tmp_path / "a b"


async def test_nobody_else_can_read_what_is_written(folder: Path) -> None:
    before = os.umask(0)  # the most generous one there is
    try:
        store = await opened(folder)
        await store.start("a")
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o700
    names = {"headway.db", "headway.db-wal", "headway.lock", "headway.reserve"}
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == dict.fromkeys(names, 0o600)
    await store.store.close()


async def test_commits_are_on_disk_before_they_are_answered(folder: Path) -> None:
    store = await opened(folder)
    connection = store_of(store)._database._connection
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
    (locking,) = connection.execute("PRAGMA locking_mode").fetchone()
    assert (mode, synchronous, locking) == ("wal", 2, "exclusive")  # 2 is FULL
    await store.store.close()


async def test_there_is_one_connection(folder: Path) -> None:
    store = await opened(folder)
    await asyncio.gather(*(store.start(f"a{n}") for n in range(20)), store.history())
    files = Path("/proc/self/fd")
    targets = [os.readlink(fd) for fd in files.iterdir() if fd.is_symlink() and fd.exists()]
    assert [target for target in targets if target.endswith("headway.db")] == [str(folder / "headway.db")]
    await store.store.close()
    assert not (folder / "headway.db-wal").exists()


# Who may open it


async def test_a_second_server_is_told_who_was_first_and_the_first_goes_on(folder: Path) -> None:
    first = await opened(folder)
    with pytest.raises(StoreError, match=rf"\(pid {os.getpid()}\) is using {folder}"):
        await opened(folder)
    await first.start("a")
    await first.store.close()
    await (await opened(folder)).store.close()


async def test_a_folder_is_free_when_its_server_is_killed(folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert await asyncio.to_thread(holder.stdout.readline) == b"open\n"
        with pytest.raises(StoreError, match=rf"pid {holder.pid}\)"):
            await opened(folder)
        holder.send_signal(signal.SIGKILL)
    await (await opened(folder)).store.close()


@pytest.mark.parametrize("obstacle", ["file", "dangling"])
async def test_a_folder_that_cannot_be_one_is_named(tmp_path: Path, obstacle: str) -> None:
    place = tmp_path / "data"
    if obstacle == "file":
        place.write_text("in the way")
    else:
        place.symlink_to(tmp_path / "nowhere" / "at" / "all")
    with pytest.raises(StoreError, match=f"cannot use the data folder {place}"):
        await opened(place)


async def test_a_caller_that_gives_up_opening_leaves_the_folder_free(folder: Path) -> None:
    store = SqliteStore(folder)
    opening = asyncio.create_task(store.open(lambda activities: None))
    await asyncio.sleep(0)
    opening.cancel()
    await asyncio.gather(opening, return_exceptions=True)
    await (await opened(folder)).store.close()


# Versions


async def written(folder: Path) -> None:
    store = await opened(folder)
    await store.start("live")
    await store.run("ended")
    await store.store.close()


async def test_a_newer_database_is_refused_untouched(folder: Path) -> None:
    await written(folder)
    query(folder, "PRAGMA user_version = 7")
    before = (folder / "headway.db").read_bytes()
    with pytest.raises(StoreError, match="has version 7, this Headway knows 3: it was written by a newer"):
        await opened(folder)
    assert (folder / "headway.db").read_bytes() == before


MIGRATIONS = {
    3: "ALTER TABLE activity ADD COLUMN note TEXT; UPDATE activity SET note = 'moved'",
    4: "INSERT INTO meta (name, value) VALUES ('fifth', 5)",
}


async def test_an_older_database_is_moved_up_after_a_backup(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await written(folder)
    before = query(folder, "SELECT * FROM activity ORDER BY uuid")
    monkeypatch.setattr(sqlite_database, "VERSION", 5)
    monkeypatch.setattr(sqlite_database, "MIGRATIONS", MIGRATIONS)
    store = await opened(folder)
    assert [activity.uuid for activity in store.snapshot.activities] == ["live", "ended"]
    await store.store.close()
    assert query(folder, "PRAGMA user_version") == [(5,)]
    assert query(folder, "SELECT DISTINCT note FROM activity") == [("moved",)]
    backup = folder / "headway.db.v3.backup"
    assert backup.stat().st_mode & 0o777 == 0o600
    kept = folder / "kept"
    kept.mkdir()
    backup.rename(kept / "headway.db")
    assert query(kept, "PRAGMA user_version") == [(3,)]
    assert query(kept, "SELECT * FROM activity ORDER BY uuid") == before


async def test_a_migration_that_fails_leaves_the_last_version_that_worked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await written(folder)
    monkeypatch.setattr(sqlite_database, "VERSION", 5)
    broken = {**MIGRATIONS, 4: "UPDATE activity SET note = 'lost'; SELECT * FROM no_such_table"}
    monkeypatch.setattr(sqlite_database, "MIGRATIONS", broken)
    with pytest.raises(StoreError, match="no_such_table"):
        await opened(folder)
    assert query(folder, "PRAGMA user_version") == [(4,)]
    assert query(folder, "SELECT DISTINCT note FROM activity") == [("moved",)]
    monkeypatch.setattr(sqlite_database, "MIGRATIONS", MIGRATIONS)
    await (await opened(folder)).store.close()
    assert query(folder, "PRAGMA user_version") == [(5,)]


@pytest.mark.parametrize("version", [1, 2])
async def test_a_database_of_an_older_version_gets_what_it_lacks(folder: Path, version: int) -> None:
    await written(folder)
    wanted = schema(folder)
    query_and_commit(folder, "DROP TABLE output")
    query_and_commit(folder, "DROP TRIGGER output_ends")
    if version == 1:
        query_and_commit(folder, "DROP INDEX activity_ended_by_type")
    query_and_commit(folder, f"PRAGMA user_version = {version}")
    await (await opened(folder)).store.close()
    assert query(folder, "PRAGMA user_version") == [(3,)]
    assert schema(folder) == wanted


def schema(folder: Path) -> list[str]:
    """What the tables and the like were made by, however it was laid out."""
    made = query(folder, "SELECT sql FROM sqlite_master WHERE sql NOT NULL ORDER BY name")
    return ["".join(re.sub("--.*", "", str(sql)).split()) for (sql,) in made]


async def test_what_a_start_asks_of_the_history_is_found_without_a_walk(folder: Path) -> None:
    await written(folder)
    plan = query(
        folder,
        "EXPLAIN QUERY PLAN SELECT record FROM activity WHERE ended_at IS NOT NULL AND owner = 1 AND type = 't'"
        " AND state = 'succeeded' ORDER BY revision DESC LIMIT 50",
    )
    assert [row[-1] for row in plan] == [
        "SEARCH activity USING INDEX activity_ended_by_type (owner=? AND type=? AND state=?)"
    ]


# Damage


def scribble(folder: Path, what: str) -> None:
    """Damage a closed database."""
    path = folder / "headway.db"
    data = path.read_bytes()
    if what == "not a database":
        path.write_bytes(b"Dear diary, " * 1000)
    elif what == "cut off":
        path.write_bytes(data[: len(data) // 2])
    elif what == "garbage behind the first page":
        path.write_bytes(data[:4096] + b"\xa5" * (len(data) - 4096))
    elif what == "a record that is no JSON":
        query_and_commit(folder, "UPDATE activity SET record = '{'")
    elif what == "a record of something else":
        query_and_commit(folder, """UPDATE activity SET record = '{"uuid": 5}'""")
    elif what == "no tables":
        query_and_commit(folder, "DROP TABLE activity")
    else:
        query_and_commit(folder, "DELETE FROM meta WHERE name = 'secret'")


def query_and_commit(folder: Path, sql: str) -> None:
    with sqlite3.connect(folder / "headway.db") as connection:
        connection.execute(sql)
    connection.close()


@pytest.mark.parametrize(
    "damage",
    [
        "not a database",
        "cut off",
        "garbage behind the first page",
        "a record that is no JSON",
        "a record of something else",
        "no tables",
        "no secret",
    ],
)
async def test_damage_is_told_and_the_folder_is_not_kept(folder: Path, damage: str) -> None:
    await written(folder)
    scribble(folder, damage)
    for _ in range(2):  # the second time would meet the lock of the first
        with pytest.raises(StoreError, match=rf"cannot (open|read) the database {folder}/headway.db: \w"):
            await opened(folder)


# Progress


async def test_progress_is_saved_each_second_and_not_more_often(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "CHECKPOINT", 3600.0)
    store = await opened(folder)
    activity = await store.start("a")
    await store.commit(reporting(activity, 1))  # the first after a quiet time is saved at once
    await until(lambda: saved_progress(store_of(store), "a") == 1)
    before = store_of(store).transactions
    for percent in range(2, 50):
        await store.commit(reporting(activity, percent))
    assert store_of(store).transactions == before
    monkeypatch.setattr(sqlite, "CHECKPOINT", 0.0)
    store_of(store)._checkpoint_due = 0.0  # the hour is over
    await store.commit(reporting(activity, 50))
    await store.store.get("a")  # whatever it has to do, it looks at the clock after that
    await until(lambda: saved_progress(store_of(store), "a") == 50)
    await store.store.close()


async def test_progress_needs_no_further_change_to_be_saved(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "CHECKPOINT", 0.05)
    store = await opened(folder)
    activity = await store.start("a")
    for percent in (1, 2, 3):
        await store.commit(reporting(activity, percent))
    await until(lambda: saved_progress(store_of(store), "a") == 3)
    await store.store.close()


async def test_progress_goes_to_disk_with_the_next_lifecycle_change(folder: Path) -> None:
    store = await opened(folder)
    activity = await store.start("a")
    await asyncio.gather(store.commit(reporting(activity, 30)), store.start("b"), store.commit(reporting(activity, 31)))
    assert saved_progress(store_of(store), "a") == 31
    await store.store.close()


async def test_who_watched_before_a_crash_is_told_what_stands_now_and_misses_nothing(folder: Path) -> None:
    async with hub(SqliteStore(folder)) as activities:
        live, quiet = await activities.run(), await activities.run()
        ended = await activities.run()
        for percent in range(10, 60, 10):
            activities.report(live.uuid, Report(progress=percent))
            await activities.settled()
        await activities.finish(ended.uuid, State.SUCCEEDED)
        activities.report(live.uuid, Report(progress=60))
        await activities.settled()
        cursor = activities.feed(EVERYTHING).view.revision
        assert isinstance(activities.store, SqliteStore)
        left = left_by_a_crash(activities.store)
    async with hub(SqliteStore(left)) as activities:
        told = await activities.told(since=cursor)
        news = {event.activity.uuid: event for event in told if isinstance(event, Event)}
        assert len(news) == len(told)  # each once, and no gap
        assert set(news) == {live.uuid, quiet.uuid}
        assert {event.kind for event in news.values()} == {Kind.UPDATED}
        assert news[live.uuid].activity == activities.now_is(live.uuid)


async def test_nobody_is_told_anything_again_after_a_clean_close(folder: Path) -> None:
    async with hub(SqliteStore(folder)) as activities:
        live = await activities.run()
        activities.report(live.uuid, Report(progress=60))
        await activities.settled()
        cursor = activities.feed(EVERYTHING).view.revision
    async with hub(SqliteStore(folder)) as activities:
        assert await activities.told(since=cursor) == []
        assert activities.now_is(live.uuid).progress.percent == 60


async def test_progress_waits_for_nothing_while_nothing_is_under_way(folder: Path) -> None:
    store = await opened(folder)
    activity = await reported(store)
    committing = store.commit(reporting(activity, 2))
    with pytest.raises(StopIteration) as done:
        committing.send(None)
    assert done.value.value == [store.revisions[-1]]
    assert store.published[-1].progress.percent == 2
    await store.store.close()
    again = await opened(folder)
    assert again.snapshot.activities[0].progress.percent == 2
    await again.store.close()


async def test_progress_never_overtakes_what_is_under_way(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await opened(folder)
    activity = await reported(store)
    sqlite_store, tell = store_of(store), threading.Event()
    committed, deliver = sqlite_store._ledger.revision, sqlite_store._deliver

    def deliver_later(*args: Any) -> None:
        tell.wait(10)
        deliver(*args)

    monkeypatch.setattr(sqlite_store, "_deliver", deliver_later)
    starting_b = asyncio.create_task(store.start("b"))
    await until(lambda: sqlite_store._ledger.revision > committed)  # committed, and nobody knows
    progress = asyncio.create_task(store.commit(reporting(activity, 2)))
    await asyncio.sleep(0)
    assert not progress.done()
    tell.set()
    await asyncio.gather(starting_b, progress)
    assert store.revisions == sorted(store.revisions)
    await store.store.close()


async def test_whoever_reports_and_whoever_ends_are_published_in_one_order(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "CHECKPOINT", 0.001)
    store = await opened(folder)
    live = [await store.start(f"a{number}") for number in range(20)]

    async def reports(activity: Activity) -> None:
        for percent in range(100):
            await store.commit(reporting(activity, percent))
            await asyncio.sleep(0)
        await store.end(lifecycle.report(activity, Report(progress=99), AT))

    await asyncio.gather(*map(reports, live), *(store.run(f"b{number}") for number in range(50)))
    assert store.revisions == sorted(set(store.revisions))
    await store.store.close()
    again = await opened(folder)
    assert again.snapshot.activities[-1].revision == store.revisions[-1]
    assert not [activity for activity in again.snapshot.activities if not activity.ended]
    await again.store.close()


# Revisions


async def test_a_block_of_revisions_counts_only_when_it_is_on_disk(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_database, "REVISION_BLOCK", 10)
    store = await opened(folder)
    activity = await store.start("a")
    sqlite_store, database, ledger = store_of(store), store_of(store)._database, store_of(store)._ledger
    save, failures = database.save, iter([sqlite3.OperationalError("not now")] * 2)

    def failing(records: Any) -> None:
        if ledger.revision > ledger._ceiling:  # a new block has just been reserved
            for failure in failures:
                raise failure
        save(records)

    monkeypatch.setattr(database, "save", failing)
    refused = 0
    for percent in range(40):
        try:
            await store.commit(reporting(activity, percent))
        except Unavailable:
            refused += 1
        left = await opened(left_by_a_crash(sqlite_store, f"left{percent}"))
        assert (await left.start("new")).revision > store.revisions[-1]
        await left.store.close()
    assert refused == 2
    await store.store.close()


async def test_revisions_are_reserved_a_block_at_a_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_database, "REVISION_BLOCK", 10)
    monkeypatch.setattr(sqlite, "CHECKPOINT", 3600.0)
    store = await opened(folder)
    activity = await store.start("a")
    before = store_of(store).transactions
    for percent in range(100):
        await store.commit(reporting(activity, percent))
    assert 100 / 11 - 1 <= store_of(store).transactions - before <= 100 / 10 + 1
    await store.store.close()


# Who goes away and what goes wrong


async def test_what_cannot_be_written_is_refused_alone(folder: Path) -> None:
    class Odd(str):
        __slots__ = ()

    store = await opened(folder)
    odd = lifecycle.start("odd", Odd("t"), 1, AT)
    answers = await asyncio.gather(
        store.commit(starting("a")), store.commit(Write(odd, None)), store.start("b"), return_exceptions=True
    )
    assert isinstance(answers[1], TypeError)
    assert [activity.uuid for activity in store.published] == ["a", "b"]
    assert await store.store.get("odd") is None
    await store.run("c")
    await store.store.close()
    again = await opened(folder)
    assert [activity.uuid for activity in again.snapshot.activities] == ["a", "b", "c"]
    await again.store.close()


async def test_someone_who_chokes_on_the_news_does_not_keep_the_answer_from_who_asked(folder: Path) -> None:
    def choke(activities: object) -> None:
        raise ValueError("too much")

    store = SqliteStore(folder)
    await store.open(choke)
    said: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: said.append(context))
    try:
        assert await store.commit([starting("a")]) != [None]
    finally:
        asyncio.get_running_loop().set_exception_handler(None)
    assert [str(context["exception"]) for context in said] == ["too much"]
    await store.close()


def test_a_loop_that_ends_without_closing_hangs_nobody(folder: Path) -> None:
    async def main() -> SqliteStore:
        store = SqliteStore(folder)
        await store.open(lambda activities: None)
        store._jobs.put(sqlite._Job(asyncio.get_running_loop().create_future(), [starting("a")]))
        return store

    store = asyncio.run(main())
    assert store._thread.is_alive()  # it waits for a last job that nobody will send, and holds no process up
    assert store._thread.daemon
    with closing(asyncio.new_event_loop()) as loop:
        store._jobs.put(sqlite._Job(loop.create_future(), call=store._shut))
        store._thread.join(20)
    assert not store._thread.is_alive()


async def test_its_state_shows(folder: Path) -> None:
    store = await opened(folder)
    await store.start("a")
    assert repr(store.store) == f"<SqliteStore {str(folder)!r} revision=1 live=1 full=False>"
    await store.store.close()


# What comes back


async def test_only_the_recently_ended_come_back_and_a_floor_tells_of_the_rest(folder: Path) -> None:
    store = await opened(folder)
    old = [await store.run(f"old{n}", owner=n, at=AT - TOMBSTONE_AGE) for n in (1, 2)]
    quiet = await store.start("quiet", owner=1, at=AT - TOMBSTONE_AGE)
    older = await store.run("older", owner=1, at=AT - 2 * TOMBSTONE_AGE)
    recent = await store.run("recent", owner=2, at=AT)
    await store.store.close()
    store = await opened(folder)
    assert [activity.uuid for activity in store.snapshot.activities] == ["quiet", "recent"]
    assert dict(store.snapshot.floors) == {1: older.revision, 2: old[1].revision}
    await store.store.close()
    async with hub(SqliteStore(folder)) as activities:  # "quiet" is older than the floor of its owner
        assert activities.list() == [quiet]
        assert await activities.told(since=older.revision) != []
        assert (await activities.get("older")).ended
        assert recent.revision == activities.feed(2).view.revision


async def test_pruning_takes_many_small_steps(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "PRUNE_CHUNK", 10)
    monkeypatch.setattr(sqlite_database, "PRUNE_CHUNK", 10)
    store = await opened(folder)
    for n in range(35):
        await store.run(f"a{n}", owner=1 + n % 2)
    before = store_of(store).transactions
    pruning = asyncio.create_task(store.store.prune(AT - 1, 5))
    starts = asyncio.create_task(store.start("meanwhile"))
    assert await pruning == 30
    await starts
    assert store_of(store).transactions - before >= 4
    assert await store.history() == ["a34", "a33", "a32", "a31", "a30"]
    await store.store.close()


async def test_a_commit_under_way_is_finished_before_it_closes(folder: Path) -> None:
    store = await opened(folder)
    activity = await store.start("a")
    task = asyncio.create_task(store.commit(ending(activity)))
    await asyncio.sleep(0)
    await store.store.close()
    assert await task != [None]
    assert store.published[-1].ended


async def test_commits_get_in_between_while_the_history_is_searched(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_database, "SEARCH_CHUNK", 2)
    store = await opened(folder)
    for n in range(20):
        await store.run(f"a{n}")
    search = asyncio.create_task(store.history(text="nothing"))
    await asyncio.sleep(0)
    await store.start("meanwhile")
    assert not search.done()
    assert await search == []
    await store.store.close()
