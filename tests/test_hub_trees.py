"""Trees: one progress for the root, whoever below it reports; limits; ends and cancels; all of it over a restart."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from headway.admission import Limits
from headway.core.activity import Activity, State
from headway.core.errors import ChildrenRunning, InvalidInput, ParentEnding, TooMany, Unavailable
from headway.core.lifecycle import Report
from headway.ports import Write
from headway.stores.memory import MemoryStore
from tests.crashing import CrashingStore
from tests.hubs import FaultyStore, Hub, hub, until


def fraction(activities: Hub, activity: Activity) -> float | None:
    return activities.now_is(activity.uuid).progress.fraction


async def line(activities: Hub, depth: int, **attributes: Any) -> list[Activity]:
    """A tree without branches, the root first."""
    made = [await activities.run(**attributes)]
    for _ in range(depth - 1):
        made.append(await activities.run(parent=made[-1].uuid, **attributes))
    return made


def reports(store: FaultyStore) -> list[list[Write]]:
    """The commits of nothing but reports."""
    return [commit for commit in store.commits if not any(write.durable for write in commit)]


# One progress for all


async def test_a_parent_shows_what_its_children_and_it_itself_have_done() -> None:
    async with hub() as activities:
        parent = await activities.run()
        light = await activities.run(parent=parent.uuid)
        heavy = await activities.run(parent=parent.uuid, weight=3.0)
        activities.report(light.uuid, Report(progress=80))
        activities.report(heavy.uuid, Report(progress=20))
        await activities.settled()
        assert fraction(activities, parent) == pytest.approx((0.8 + 0.6) / 4)
        activities.report(parent.uuid, Report(progress=50))
        await activities.settled()
        assert fraction(activities, parent) == pytest.approx((0.8 + 0.6 + 0.5) / 5)


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.LOST])
async def test_an_ended_child_counts_in_full_at_once(state: State) -> None:
    async with hub() as activities:
        parent = await activities.run()
        first, _ = [await activities.run(parent=parent.uuid) for _ in range(2)]
        activities.report(first.uuid, Report(progress=10))
        await activities.finish(first.uuid, state)
        await activities.settled()
        assert fraction(activities, parent) == pytest.approx(0.5)


async def test_a_report_of_a_leaf_shows_in_the_root_in_the_same_flush() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        tree = await line(activities, 8)
        await activities.settled()
        store.commits.clear()
        activities.report(tree[-1].uuid, Report(progress=64))
        await activities.settled()
        (commit,) = reports(store)
        assert [write.activity.uuid for write in commit] == [each.uuid for each in reversed(tree)]
        assert {write.activity.progress.percent for write in commit} == {64}


async def test_however_many_children_report_each_ancestor_changes_once() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        root = await activities.run()
        middles = [await activities.run(parent=root.uuid) for _ in range(3)]
        leaves = [await activities.run(parent=middle.uuid) for middle in middles for _ in range(30)]
        await activities.settled()
        store.commits.clear()
        for percent in range(20):
            for leaf in leaves:
                activities.report(leaf.uuid, Report(progress=percent))
        await activities.settled()
        (commit,) = reports(store)
        assert len(commit) == len({write.activity.uuid for write in commit}) == 1 + 3 + 90
        assert fraction(activities, root) == pytest.approx(0.19)


async def test_a_child_that_is_no_further_changes_nothing_above_it() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        parent, child = await line(activities, 2)
        await activities.settled()
        store.commits.clear()
        activities.report(child.uuid, Report(title="another"))
        await activities.settled()
        assert [[write.activity.uuid for write in commit] for commit in reports(store)] == [[child.uuid]]
        assert activities.now_is(parent.uuid).progress.percent == 0


async def test_watchers_are_told_of_the_child_before_the_parent() -> None:
    async with hub() as activities:
        tree = await line(activities, 3)
        await activities.settled()
        seen = activities.feed(1).view.revision
        activities.report(tree[-1].uuid, Report(progress=10))
        await activities.settled()
        told = [getattr(event, "activity").uuid for event in await activities.told(seen)]  # noqa: B009
        assert told == [each.uuid for each in reversed(tree)]


async def test_a_root_reads_100_when_it_has_succeeded_and_not_before() -> None:
    async with hub() as activities:
        root, child = await line(activities, 2)
        await activities.finish(child.uuid, State.SUCCEEDED)
        await activities.settled()
        assert activities.now_is(root.uuid).progress.percent == 99
        assert (await activities.finish(root.uuid, State.SUCCEEDED)).progress.percent == 100


async def test_rate_and_time_left_of_a_parent_come_from_what_it_shows() -> None:
    async with hub() as activities:
        parent, child = await line(activities, 2)
        activities.report(parent.uuid, Report(completed=3, unit="files"))  # counts of its own tell of its own part
        for second in range(11):
            activities.report(child.uuid, Report(progress=second * 4))
            await activities.settled()
            activities.time.advance(1)
        progress = activities.now_is(parent.uuid).progress
        assert progress.completed == 3
        assert progress.rate == pytest.approx(0.04)
        assert progress.eta == pytest.approx(0.6 / 0.04)


# When the store does not take it


async def test_what_the_store_could_not_take_shows_all_the_way_up_later() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        root, middle, leaf = await line(activities, 3)
        await activities.settled()
        store.failure = Unavailable("away")
        activities.report(leaf.uuid, Report(progress=30))
        await until(lambda: len(reports(store)) >= 3)
        activities.report(leaf.uuid, Report(progress=40))
        store.failure = None
        await until(lambda: fraction(activities, root) == pytest.approx(0.4))
        assert fraction(activities, middle) == pytest.approx(0.4)


class Refusing(FaultyStore):
    """Another node is always first with the changes of one activity."""

    refused: str | None = None

    async def commit(self, writes: Sequence[Write]) -> list[int | None]:
        taken = [write for write in writes if write.activity.uuid != self.refused]
        revisions = iter(await super().commit(taken) if taken else [])
        return [None if write.activity.uuid == self.refused else next(revisions) for write in writes]


@pytest.mark.parametrize("level", [0, 1, 2])
async def test_a_compare_and_set_that_is_lost_on_some_level_leaves_the_sums_right(level: int) -> None:
    store = Refusing()
    async with hub(store) as activities:
        tree = await line(activities, 3)
        await activities.settled()
        store.refused = tree[level].uuid
        store.commits.clear()
        activities.report(tree[-1].uuid, Report(progress=30))
        await activities.settled()
        activities.report(tree[-1].uuid, Report(progress=20))
        await activities.settled()
        store.refused = None
        await until(lambda: [fraction(activities, each) for each in tree] == [pytest.approx(0.2)] * 3)


async def test_a_child_that_ends_while_its_parent_is_being_written_is_in_the_next_sum() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        parent, child = await line(activities, 2)
        other = await activities.run(parent=parent.uuid)
        await activities.settled()
        store.holding = lambda write: not write.durable
        store.hold()
        activities.report(parent.uuid, Report(title="busy"))
        await until(lambda: reports(store)[-1][-1].activity.title == "busy")
        await activities.finish(child.uuid, State.FAILED)
        store.release()
        await until(lambda: fraction(activities, parent) == pytest.approx(0.5))
        await activities.finish(other.uuid, State.FAILED)
        await until(lambda: activities.now_is(parent.uuid).progress.percent == 99)


# Limits


async def test_a_tree_has_eight_levels() -> None:
    async with hub() as activities:
        tree = await line(activities, 8)
        with pytest.raises(InvalidInput) as refused:
            await activities.run(parent=tree[-1].uuid)
        where = f"activity {tree[-1].uuid} is on level 8 of its tree"
        assert refused.value.message == f"parentUUID: {where}, and a tree has at most 8"
        await activities.run(parent=tree[-2].uuid)


async def test_an_activity_has_a_thousand_live_children() -> None:
    async with hub(limits=Limits(live_per_owner=5_000)) as activities:
        parent = await activities.run()
        children = [await activities.run(parent=parent.uuid) for _ in range(1_000)]
        with pytest.raises(TooMany) as refused:
            await activities.run(parent=parent.uuid)
        assert refused.value.message == "parentUUID: 1000 children of this activity are live; end some first"
        await activities.finish(children[0].uuid, State.SUCCEEDED)
        await activities.run(parent=parent.uuid)


async def test_children_that_are_about_to_start_count_too() -> None:
    store = FaultyStore()
    async with hub(store, limits=Limits(children=2)) as activities:
        parent = await activities.run()
        store.hold()
        starting = [asyncio.create_task(activities.run(parent=parent.uuid)) for _ in range(2)]
        await until(lambda: len(store.commits) == 3)
        with pytest.raises(TooMany):
            await activities.run(parent=parent.uuid)
        store.release()
        await asyncio.gather(*starting)


# Beginning and ending


async def test_no_child_begins_while_its_parent_is_ending() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        parent = await activities.run()
        store.hold()
        ending = asyncio.create_task(activities.finish(parent.uuid, State.SUCCEEDED))
        await until(lambda: len(store.commits) == 2)
        with pytest.raises(ParentEnding, match="is ending and takes no more children"):
            await activities.run(parent=parent.uuid)
        store.release()
        assert (await ending).state is State.SUCCEEDED


@pytest.mark.parametrize("failure", [Unavailable("away"), RuntimeError("broken")])
async def test_a_parent_that_could_not_end_takes_children_again(failure: Exception) -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        parent = await activities.run()
        store.failure = failure
        with pytest.raises(type(failure)):
            await activities.finish(parent.uuid, State.SUCCEEDED)
        store.failure = None
        await activities.run(parent=parent.uuid)
        with pytest.raises(ChildrenRunning):
            await activities.finish(parent.uuid, State.SUCCEEDED)


async def test_a_program_that_cancels_as_users_do_cancels_only_what_users_may() -> None:
    async with hub() as activities:
        parent = await activities.run()
        fixed = await activities.run(parent=parent.uuid, cancellable=False)
        await activities.request_cancel(parent.uuid)
        await until(lambda: not activities._cascade.busy)
        assert activities.now_is(fixed.uuid).state is State.RUNNING


async def test_what_has_to_stop_has_to_stop_with_all_below_it_also_after_a_restart() -> None:
    store = FaultyStore()
    died = await Hub(store).open()
    root, middle, leaf = await line(died, 3, cancellable=False)
    store.failure, store.failing = Unavailable("away"), lambda write: write.activity.uuid == leaf.uuid
    await died.request_cancel(root.uuid, reason="server_shutdown", required=True)
    await until(lambda: died.now_is(middle.uuid).state is State.CANCELLING)
    await died.die()
    store.failure = None
    async with hub(store.inner) as activities:
        await until(lambda: activities.now_is(leaf.uuid).state is State.CANCELLING)
        asked = activities.now_is(leaf.uuid).cancel
        assert asked is not None and (asked.by, asked.reason) == (None, "server_shutdown")


# After a restart


async def reopened(store: CrashingStore, died: Hub) -> Hub:
    """The next process, after one that was killed."""
    await died.die()
    store.crash()
    return await Hub(store).open()


async def test_sums_outlast_a_restart() -> None:
    store = MemoryStore()
    async with hub(store) as before:
        root = await before.run()
        middle = await before.run(parent=root.uuid, weight=3.0)
        gone, leaf = [await before.run(parent=middle.uuid) for _ in range(2)]
        before.report(root.uuid, Report(progress=10))
        before.report(leaf.uuid, Report(progress=20))
        await before.finish(gone.uuid, State.FAILED)
    async with hub(store) as activities:
        expected = (0.1 + 3 * 0.6) / 4
        assert fraction(activities, root) == pytest.approx(expected)
        activities.report(leaf.uuid, Report(progress=40))
        await activities.settled()
        assert fraction(activities, middle) == pytest.approx(0.7)
        assert fraction(activities, root) == pytest.approx((0.1 + 3 * 0.7) / 4)


async def test_a_restart_changes_nothing_where_nothing_was_lost() -> None:
    store = MemoryStore()
    async with hub(store) as before:
        tree = await line(before, 3)
        before.report(tree[-1].uuid, Report(progress=20))
    async with hub(store) as activities:
        known = activities.list()
        await activities.settled()
        assert activities.list() == known


@pytest.mark.parametrize("checkpoint", [False, True])
async def test_the_end_of_a_child_outlasts_the_crash_that_took_the_sum_of_its_parent(checkpoint: bool) -> None:
    store = CrashingStore()
    died = await Hub(store).open()
    parent = await died.run()
    gone, left = [await died.run(parent=parent.uuid) for _ in range(2)]
    await died.settled()
    if checkpoint:
        store.save(parent.uuid)
    await died.finish(gone.uuid, State.SUCCEEDED)
    activities = await reopened(store, died)
    await activities.settled()
    assert fraction(activities, parent) == pytest.approx(0.5)
    activities.report(left.uuid, Report(progress=50))
    await activities.settled()
    assert fraction(activities, parent) == pytest.approx(0.75)
    await activities.close()


async def test_an_end_that_a_sum_written_later_did_not_know_of_yet_is_added_to_it() -> None:
    store = CrashingStore()
    died = await Hub(store).open()
    parent = await died.run()
    first, second, _ = [await died.run(parent=parent.uuid) for _ in range(3)]
    await died.finish(first.uuid, State.SUCCEEDED)
    await died.settled()
    early = died.now_is(parent.uuid)
    await died.finish(second.uuid, State.SUCCEEDED)
    await store.commit([Write(early, early.fence, durable=False)])  # it was on its way when the second child ended
    store.save(parent.uuid)
    activities = await reopened(store, died)
    await activities.settled()
    assert fraction(activities, parent) == pytest.approx(2 / 3)
    await activities.close()


async def test_children_that_were_lost_with_their_server_are_done_for_a_parent_elsewhere() -> None:
    class Running:
        def request_stop(self, activity: Activity) -> None:
            raise AssertionError("asked to stop")

    store = CrashingStore()
    died = await Hub(store).open()
    parent = await died.run()
    await died.create("t", 1, operation=Running(), parent=parent.uuid)
    await died.run(parent=parent.uuid)
    activities = await reopened(store, died)
    await until(lambda: fraction(activities, parent) == pytest.approx(0.5))
    await activities.close()
