"""The contract of a store that outlives its process; see ``headway.testing.stores``."""

# ruff: noqa: S101 - the asserts are the product
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from headway.core import lifecycle
from headway.ports import Store
from headway.testing.opened import AT, Opened, ending, reporting
from headway.testing.stores import StoreContract


class DurableStoreContract(StoreContract):
    """What a store must do, too, that outlives the process it is in."""

    async def crashed(self, store: Store) -> Store:
        """A store, not opened, over what would be left if this process were killed now. The given one stays open, and
        need not see what becomes of the other.
        """
        raise NotImplementedError

    def transactions(self, store: Store) -> int:
        """How many transactions that store has committed so far."""
        raise NotImplementedError

    async def test_lifecycle_changes_outlive_a_crash(self) -> None:
        async with self.opened() as store:
            started = await store.start("started")
            one = await store.start("cancelling")
            cancelling = await store.change(lifecycle.request_cancel(one, AT), one)
            ended = await store.run("ended")
            async with self.after_crash(store) as left:
                found = {activity.uuid: activity.state for activity in left.snapshot.activities}
                assert found == {a.uuid: a.state for a in (started, cancelling, ended)}
                assert await left.store.get("ended") == ended
                assert await left.commit(ending(started)) != [None]
                assert await left.commit(ending(started)) == [None]

    async def test_no_revision_given_out_before_a_crash_is_given_out_again(self) -> None:
        async with self.opened() as store:
            activity = await store.start("a")
            for percent in range(100):
                await store.commit(reporting(activity, percent))
            given = store.revisions[-1]
            async with self.after_crash(store) as left:
                stored = await left.store.get("a")
                assert stored is not None
                later = await left.start("b")
                assert later.revision > given
                async with self.after_crash(left) as again:
                    assert (await again.start("c")).revision > later.revision

    async def test_who_saw_progress_that_a_crash_lost_is_told_what_stands(self) -> None:
        async with self.opened() as store:
            for n in range(3):
                activity = await store.start(f"a{n}")
                await store.commit(reporting(activity, 10))
                await store.commit(reporting(activity, 20))
            newest, given = {activity.uuid: activity for activity in store.published}, store.revisions[-1]
            async with self.after_crash(store) as left:
                assert len(left.snapshot.activities) == 3
                for activity in left.snapshot.activities:
                    assert activity == newest[activity.uuid] or activity.revision > given

    async def test_many_commits_share_few_transactions(self) -> None:
        async with self.opened() as store:
            before = self.transactions(store.store)
            await asyncio.gather(*(store.start(f"a{n}") for n in range(1000)))
            assert 1 <= self.transactions(store.store) - before <= 50
            assert len(store.published) == 1000

    @asynccontextmanager
    async def after_crash(self, opened: Opened) -> AsyncIterator[Opened]:
        """What a crash at this moment leaves, opened again inside the block."""
        left = await Opened(await self.crashed(opened.store)).open()
        try:
            yield left
        finally:
            await left.store.close()
