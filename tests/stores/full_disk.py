"""Run by test_full_disk.py in a mount namespace of its own: a small disk, filled for real.

``python -m tests.stores.full_disk FOLDER`` mounts the disk on FOLDER, and prints "as promised" at the end.
"""

import asyncio
import errno
import os
import subprocess
import sys
from pathlib import Path

from headway.core.activity import Activity, State
from headway.core.errors import StorageFull
from headway.core.lifecycle import Report
from headway.core.policy import EVERYTHING
from headway.ports import HistoryQuery
from headway.stores.sqlite import SqliteStore
from headway.testing import FakeClock
from tests.hubs import DEADLINE, Hub, hub

SIZE = 24 * 1024 * 1024
COUNT = 200


def fill(disk: Path) -> Path:
    """Somebody else's file takes all that is left."""
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as file:
        for size in (65536, 512, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as error:
                assert error.errno == errno.ENOSPC
    assert os.statvfs(disk).f_bavail == 0
    return filler


async def refused(activities: Hub) -> None:
    """Starts are refused, if not the first then soon: SQLite reuses room of its own."""
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                await activities.run(owner=9)
            except StorageFull:
                return


async def everything_but_starts_goes_on(activities: Hub, started: list[Activity]) -> None:
    for activity in started:
        assert (await activities.get(activity.uuid)).state is State.RUNNING
        activities.report(activity.uuid, Report(progress=50))
    await activities.settled()
    for activity in started:
        assert activities.now_is(activity.uuid).progress.percent == 50
    await asyncio.gather(*(activities.request_cancel(activity.uuid) for activity in started[::2]))
    for number, activity in enumerate(started):
        state = State.FAILED if number % 2 else State.CANCELLED
        ended = await activities.finish(activity.uuid, state, error="x" * 500)
        assert await activities.story(activity.uuid) == ["started", "ended"]
        assert (await activities.history(HistoryQuery(EVERYTHING, limit=1))) == [ended]
        if number % 20 == 0:
            try:
                await activities.run()
            except StorageFull:
                continue
            raise AssertionError("a start was taken on a full disk")


async def healed(activities: Hub) -> None:
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                await activities.run()
            except StorageFull:
                await asyncio.sleep(0.05)
            else:
                return


def store_in(folder: Path) -> SqliteStore:
    return SqliteStore(folder, now=FakeClock().now)  # the hub's clock, too


async def some(activities: Hub) -> list[Activity]:
    return [await activities.run(owner=1 + n % 3) for n in range(COUNT)]


async def main(disk: Path) -> None:
    folder = disk / "data"
    async with hub(store_in(folder)) as activities:
        first = await some(activities)
        filler = fill(disk)
        await refused(activities)
        await everything_but_starts_goes_on(activities, first)
        filler.unlink()
        await healed(activities)
        second = await some(activities)
        filler = fill(disk)
        for activity in second:  # much to write down at the close
            activities.report(activity.uuid, Report(progress=30, response={"bulk": "x" * 10_000}))
        await activities.settled()
    async with hub(store_in(folder)) as activities:
        assert all([(await activities.get(activity.uuid)).ended for activity in first])
        assert {activities.now_is(activity.uuid).progress.percent for activity in second} == {30}
        await everything_but_starts_goes_on(activities, second)
        filler.unlink()
        await healed(activities)
        third = [activity for _ in range(4) for activity in await some(activities)]
    filler = fill(disk)  # what the closing has left, too: all there is now is the reserve
    async with hub(store_in(folder)) as activities:
        await refused(activities)
        await everything_but_starts_goes_on(activities, third)
        filler.unlink()
        await healed(activities)


if __name__ == "__main__":
    place = Path(sys.argv[1])
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", place], check=True)
    asyncio.run(main(place))
    sys.stdout.write("as promised\n")
