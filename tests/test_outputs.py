"""What operations print: who may write it and read it, until when, and what becomes of it."""

from pathlib import Path

import pytest

from headway import outputs
from headway.core.activity import State
from headway.core.errors import AlreadyEnded, NotFound, Unavailable
from headway.core.policy import SYSTEM_USER
from headway.hub import Activities
from headway.outputs import AFTERWARDS
from headway.wire.requests import MAX_OUTPUT
from tests.hubs import FaultyStore, Hub, hub, until


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> FaultyStore:
    monkeypatch.setattr(outputs, "PACE", 0.001)
    return FaultyStore()


async def saved(activities: Hub) -> None:
    """Wait until nothing waits to be saved."""
    await until(lambda: not activities._outputs._waiting)


async def test_what_is_written_shows_at_once_and_is_saved(store: FaultyStore) -> None:
    async with hub(store) as activities:
        activity = await activities.run(7)
        assert await activities.output(activity.uuid) == ""
        await activities.write_output(activity.uuid, "one\n", 7)
        assert await activities.output(activity.uuid, 7) == "one\n"
        await saved(activities)
        assert await store.output(activity.uuid) == "one\n"
        await activities.write_output(activity.uuid, "one\ntwo\n")
        assert await activities.output(activity.uuid, 7) == "one\ntwo\n"
        await saved(activities)
        assert await activities.output(activity.uuid, 7) == "one\ntwo\n"


async def test_nothing_can_be_taken_back_by_writing_nothing(store: FaultyStore) -> None:
    async with hub(store) as activities:
        activity = await activities.run()
        await activities.write_output(activity.uuid, "secret")
        await saved(activities)
        await activities.write_output(activity.uuid, "")
        assert await activities.output(activity.uuid) == ""
        await saved(activities)
        assert await activities.output(activity.uuid) == ""


async def test_what_is_foreign_is_not_there(store: FaultyStore) -> None:
    async with hub(store) as activities:
        activity = await activities.run(7)
        own = await activities.run(SYSTEM_USER)
        for uuid, scope in ((activity.uuid, 8), ("unknown", 8), (own.uuid, None)):
            with pytest.raises(NotFound):
                await activities.write_output(uuid, "text", scope)
            with pytest.raises(NotFound):
                await activities.output(uuid, scope)


async def test_the_last_lines_may_come_after_the_end_but_not_long_after(store: FaultyStore) -> None:
    async with hub(store) as activities:
        activity = await activities.run()
        await activities.finish(activity.uuid, State.SUCCEEDED)
        activities.time.advance(AFTERWARDS)
        await activities.write_output(activity.uuid, "late")
        activities.time.advance(1.0)
        with pytest.raises(AlreadyEnded):
            await activities.write_output(activity.uuid, "too late")
        assert await activities.output(activity.uuid) == "late"


async def test_it_is_cleaned_and_only_its_end_is_kept(store: FaultyStore) -> None:
    async with hub(store) as activities:
        activity = await activities.run()
        await activities.write_output(activity.uuid, "\x1b]0;owned\x07\u202e\ta\r\nb\ud800")
        assert await activities.output(activity.uuid) == "\ufffd]0;owned\ufffd\ta\nb\ufffd"
        lines = [f"{n} ü" for n in range(40_000)]
        await activities.write_output(activity.uuid, "\n".join(lines))
        kept = await activities.output(activity.uuid)
        assert MAX_OUTPUT - 20 < len(kept.encode()) <= MAX_OUTPUT
        assert kept.split("\n") == lines[-len(kept.split("\n")) :]


async def test_it_outlives_the_hub(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path}"
    async with Activities(url) as first:
        activity, _ = await first.create("t", 1, lease=300.0)
        await first.finish(activity.uuid, State.SUCCEEDED)
        await first.write_output(activity.uuid, "text")
    async with Activities(url) as second:
        assert await second.output(activity.uuid) == "text"


async def test_while_the_store_is_away_it_waits_and_what_is_newer_wins(store: FaultyStore) -> None:
    async with hub(store) as activities:
        one, other = await activities.run(), await activities.run()
        store.failure = Unavailable("away")
        await activities.write_output(one.uuid, "one")
        await activities.write_output(other.uuid, "other")
        await until(lambda: store.saves > 1)
        await activities.write_output(one.uuid, "newer")
        assert [await activities.output(each.uuid) for each in (one, other)] == ["newer", "other"]
        store.failure = None
        await saved(activities)
        assert [await store.output(each.uuid) for each in (one, other)] == ["newer", "other"]


async def test_a_fault_of_the_store_costs_no_more_than_it_held(
    store: FaultyStore, caplog: pytest.LogCaptureFixture
) -> None:
    async with hub(store) as activities:
        activity = await activities.run()
        store.failure = RuntimeError("a fault")
        await activities.write_output(activity.uuid, "lost")
        await saved(activities)
        assert "could not be saved" in caplog.text
        store.failure = None
        await activities.write_output(activity.uuid, "kept")
        await saved(activities)
        assert await store.output(activity.uuid) == "kept"


async def test_what_waits_is_bounded(store: FaultyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "ROOM", 100)
    async with hub(store) as activities:
        one, other = await activities.run(), await activities.run()
        store.failure = Unavailable("away")
        await activities.write_output(one.uuid, "x" * 60)
        await activities.write_output(one.uuid, "y" * 70)  # in its own place
        with pytest.raises(Unavailable, match="try again"):
            await activities.write_output(other.uuid, "z" * 60)
        await activities.write_output(other.uuid, "z" * 30)
        with pytest.raises(Unavailable):
            await activities.write_output(other.uuid, "z" * 31)
        assert [len(await activities.output(each.uuid)) for each in (one, other)] == [70, 30]
        store.failure = None
        await saved(activities)
        await activities.write_output(other.uuid, "z" * 60)


async def test_a_closed_hub_takes_none() -> None:
    async with hub() as activities:
        activity = await activities.run()
    with pytest.raises(Unavailable):
        await activities.write_output(activity.uuid, "text")
