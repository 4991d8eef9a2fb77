"""The contract of ``headway.ports.Store`` as tests, for whoever writes a store.

Subclass the contract under a name that pytest collects, and say where the data is::

    import pytest
    pytest.register_assert_rewrite("headway.testing.stores")  # first, for telling failures
    from headway.testing.stores import StoreContract

    class TestMyStore(StoreContract):
        @pytest.fixture(autouse=True)
        def place(self, tmp_path):
            self.path = tmp_path

        def store(self):
            return MyStore(self.path)

A store that outlives its process is held to ``headway.testing.durable_stores.DurableStoreContract``, which asks for two
methods more. The tests are
coroutines and want a plugin that runs them, on asyncio: anyio's (``anyio_mode = "auto"``) or pytest-asyncio's.
"""

from __future__ import annotations

# ruff: noqa: S101 - the asserts are the product
import asyncio
import threading
from collections import Counter

import msgspec
import pytest

from headway.core import lifecycle
from headway.core.activity import State
from headway.core.errors import Unavailable
from headway.core.lifecycle import Report
from headway.ports import Write
from headway.testing.kept import DEADLINE, KeepingContract
from headway.testing.opened import AT, ending, reporting, starting


class StoreContract(KeepingContract):
    """What every store must do."""

    # Opening

    async def test_a_new_store_is_empty(self) -> None:
        async with self.opened() as new:
            assert (list(new.snapshot.activities), dict(new.snapshot.floors)) == ([], {})
            assert new.snapshot.epoch
            assert len(new.snapshot.secret) == 32

    async def test_epoch_and_secret_stay_the_same(self) -> None:
        async with self.opened() as first:
            pass
        async with self.opened() as second:
            assert (second.snapshot.epoch, second.snapshot.secret) == (first.snapshot.epoch, first.snapshot.secret)

    async def test_every_member_comes_back_as_it_went(self) -> None:
        async with self.opened() as first:
            parent = await first.start("parent")
            child = lifecycle.start(
                "child",
                "library.scan",
                7,
                AT + 1.5,
                parent=parent,
                report=Report(
                    progress=12.5, title="Scanning", subtitle="A–B", context={"key": "1", "n": 2, "on": True}
                ),
                cancellable=True,
                grace=3.0,
                lease=30.0,
                node="n",
                fingerprint="f",
            )
            (revision,) = await first.commit(Write(child, None))
            assert revision is not None
            child = lifecycle.stamped(child, revision)
            child = await first.change(lifecycle.request_cancel(child, AT + 2, by=1, reason="why"), child)
            child = await first.change(lifecycle.become_overdue(child, AT + 3), child)
            news = Report(completed=3, total=9, unit="files", response={"found": 0.5})
            child = await first.change(lifecycle.report(child, news, AT + 4), child)
            ended = await first.end(await first.start("ended"), state=State.FAILED)
        async with self.opened() as second:
            assert sorted(second.snapshot.activities, key=lambda activity: activity.revision) == [parent, child, ended]
            assert [await second.store.get(uuid) for uuid in ("parent", "child", "ended")] == [parent, child, ended]

    async def test_a_snapshot_is_in_order_of_change(self) -> None:
        async with self.opened() as first:
            one, two = await first.start("one"), await first.start("two")
            await first.change(lifecycle.report(one, Report(progress=1), AT + 2), one)
            await first.end(two)
            await first.start("three")
        async with self.opened() as second:
            assert [activity.uuid for activity in second.snapshot.activities] == ["one", "two", "three"]

    # Revisions

    async def test_revisions_ascend_and_say_where_it_started(self) -> None:
        async with self.opened() as store:
            first, second = await store.start("a"), await store.start("b")
            changed = await store.end(first)
            assert 0 < first.revision < second.revision < changed.revision
            assert (first.started_revision, changed.started_revision) == (first.revision, first.revision)
            assert await store.store.get("a") == changed

    async def test_revisions_never_repeat_after_closing(self) -> None:
        given: list[int] = []
        for life in range(3):
            async with self.opened() as store:
                activity = await store.start(f"a{life}")
                (progress,) = await store.commit(reporting(activity, 50))
                assert progress is not None
                given += [activity.revision, progress]
        assert given == sorted(set(given))

    # Publishing

    async def test_a_change_is_published_when_its_commit_returns(self) -> None:
        async with self.opened() as store:
            activity = await store.start("a")
            assert store.published == [activity]
            ended = await store.end(activity)
            assert store.published == [activity, ended]
            assert store.threads == {threading.get_ident()}

    async def test_what_is_published_is_one_total_order_of_all_commits(self) -> None:
        async with self.opened() as store:

            async def work(name: str) -> None:
                activity = await store.start(name)
                for percent in range(5):
                    await store.commit(reporting(activity, percent))
                await store.end(activity)

            await asyncio.gather(*(work(f"a{n}") for n in range(20)))
            assert store.revisions == sorted(set(store.revisions))
            assert Counter(activity.uuid for activity in store.published) == {f"a{n}": 7 for n in range(20)}

    async def test_a_refused_change_is_not_published(self) -> None:
        async with self.opened() as store:
            activity = await store.start("a")
            assert await store.commit(starting("a")) == [None]
            assert store.published == [activity]

    # Compare and set

    async def test_an_id_is_created_once_even_after_its_end(self) -> None:
        async with self.opened() as store:
            activity = await store.start("a")
            assert await store.commit(starting("a", owner=2)) == [None]
            await store.end(activity)
            assert await store.commit(starting("a", owner=2)) == [None]

    async def test_nothing_is_changed_that_does_not_exist(self) -> None:
        async with self.opened() as store:
            assert await store.commit(ending(starting("a").activity)) == [None]
            assert await store.store.get("a") is None

    @pytest.mark.parametrize("expected", [None, (State.CANCELLING, 0), (State.RUNNING, 1), (State.SUCCEEDED, 0)])
    async def test_a_change_of_something_else_than_expected_does_not_count(
        self, expected: tuple[State, int] | None
    ) -> None:
        async with self.opened() as store:
            activity = await store.start("a")
            changed = lifecycle.finish(activity, State.FAILED, AT)
            assert await store.commit(Write(changed, expected)) == [None]
            assert await store.store.get("a") == activity

    async def test_a_change_based_on_an_older_record_does_not_count(self) -> None:
        async with self.opened() as store:
            activity = await store.start("a")
            (revision,) = await store.commit(reporting(activity, 10))
            assert revision is not None
            again = msgspec.structs.replace(reporting(activity, 20), based_on=activity.revision)
            assert await store.commit(again) == [None]
            assert store.revisions == [activity.revision, revision]
            assert await store.commit(msgspec.structs.replace(again, based_on=revision)) != [None]

    async def test_of_a_thousand_racing_finishers_one_wins(self) -> None:
        async with self.opened() as store:
            activity = await store.start("a")
            ends = [ending(activity, (State.SUCCEEDED, State.FAILED, State.LOST)[n % 3], AT + n) for n in range(1000)]
            answers = await asyncio.gather(*(store.commit(end) for end in ends))
            winners = [(end, revision) for end, (revision,) in zip(ends, answers, strict=True) if revision is not None]
            assert len(winners) == 1
            ((end, revision),) = winners
            assert store.published == [activity, lifecycle.stamped(end.activity, revision)]
            assert await store.store.get("a") == store.published[-1]

    async def test_of_many_racing_starts_with_one_id_one_wins(self) -> None:
        async with self.opened() as store:
            answers = await asyncio.gather(*(store.commit(starting("a", owner)) for owner in range(1, 101)))
            assert sum(revision is not None for (revision,) in answers) == 1
            assert len(store.published) == 1

    async def test_in_a_batch_each_write_counts_for_itself(self) -> None:
        async with self.opened() as store:
            activity = await store.start("a")
            answers = await store.commit(starting("b"), starting("a"), ending(activity), starting("c"))
            assert [revision is None for revision in answers] == [False, True, False, False]
            assert sorted(a.uuid for a in store.published) == ["a", "a", "b", "c"]
            assert store.revisions[1:] == sorted(revision for revision in answers if revision is not None)

    async def test_a_batch_sees_its_own_writes(self) -> None:
        async with self.opened() as store:
            start = starting("a")
            answers = await store.commit(start, ending(start.activity), ending(start.activity, State.FAILED), start)
            assert [revision is None for revision in answers] == [False, False, True, True]
            ended = await store.store.get("a")
            assert ended is not None and ended.state is State.SUCCEEDED

    async def test_an_empty_batch_is_nothing(self) -> None:
        async with self.opened() as store:
            assert await store.commit() == []
            assert store.published == []

    # Progress

    async def test_progress_shows_at_once_and_outlives_a_closing(self) -> None:
        async with self.opened() as first:
            activity = await first.start("a")
            await first.commit(reporting(activity, 40))
            shown = await first.store.get("a")
            assert shown == first.published[-1]
            assert shown is not None
            assert shown.progress.percent == 40
        async with self.opened() as second:
            assert list(second.snapshot.activities) == [shown]

    # Rudeness

    async def test_a_commit_stands_or_never_was_when_its_caller_is_cancelled(self) -> None:
        async with self.opened() as store:
            activity = await store.start("a")
            for tick in range(4):
                task = asyncio.create_task(store.commit(starting(f"b{tick}")))
                for _ in range(tick):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            await store.end(activity)  # later in order than all of them, so they are settled
            for tick in range(4):
                stored = await store.store.get(f"b{tick}")
                assert [a for a in store.published if a.uuid == f"b{tick}"] == ([] if stored is None else [stored])

    async def test_a_closed_store_says_so_and_can_be_closed_again(self) -> None:
        async with self.opened() as store:
            activity = await store.start("a")
        with pytest.raises(Unavailable):
            await store.end(activity)
        await store.store.close()

    async def test_commits_on_their_way_are_answered_when_the_store_is_closed(self) -> None:
        async with self.opened() as store:
            commits = [asyncio.create_task(store.commit(starting(f"a{n}"))) for n in range(50)]
            await asyncio.sleep(0)
        async with asyncio.timeout(DEADLINE):
            answers = await asyncio.gather(*commits, return_exceptions=True)
        answered = {f"a{n}" for n, answer in enumerate(answers) if not isinstance(answer, BaseException)}
        assert all(isinstance(answer, list | Unavailable) for answer in answers)
        async with self.opened() as again:
            assert {activity.uuid for activity in again.snapshot.activities} >= answered
