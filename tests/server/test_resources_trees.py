"""Parents and children whose workers are elsewhere: weights, sums, timeouts and silence, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from headway.core.activity import State
from headway.hub import Activities
from headway.testing.clock import FakeClock
from tests.server.whole import JSON, XML, Whole, in_memory


async def seen(whole: Whole, uuid: str) -> dict[str, Any]:
    """As whoever asks sees it."""
    return (await whole.ask("GET", f"/activities/{uuid}", "alice", [JSON])).row


async def test_a_root_shows_the_weighted_sum_of_what_workers_report(whole: Whole) -> None:
    root = (await whole.start(title="all of it"))["uuid"]
    light = await whole.start(parentUUID=root)
    heavy = await whole.start(parentUUID=root, weight=3)
    assert (heavy["weight"], "weight" in light, heavy["parentUUID"]) == (3, False, root)
    await whole.change(light["uuid"], progress=80)
    await whole.change(heavy["uuid"], completed=1, total=5)
    assert (await seen(whole, root))["fraction"] == pytest.approx((0.8 + 0.6) / 4)
    await whole.change(root, progress=50)
    assert (await seen(whole, root))["fraction"] == pytest.approx((0.8 + 0.6 + 0.5) / 5)
    await whole.change(light["uuid"], state="failed", error="half of it")
    assert (await seen(whole, root))["fraction"] == pytest.approx((1 + 0.6 + 0.5) / 5)


async def test_a_grandchild_shows_in_the_root_in_the_list_that_follows_its_report(whole: Whole) -> None:
    root = (await whole.start())["uuid"]
    middle = (await whole.start(parentUUID=root))["uuid"]
    leaf = (await whole.start(parentUUID=middle))["uuid"]
    for percent in (1, 29, 58, 99):
        await whole.change(leaf, progress=percent)
        rows = {row["uuid"]: row for row in (await whole.ask("GET", "/activities", "alice", [JSON])).rows}
        assert {rows[uuid]["progress"] for uuid in (root, middle, leaf)} == {percent}


async def test_a_parent_of_which_all_parts_are_done_is_done_when_it_says_so(whole: Whole) -> None:
    root = (await whole.start())["uuid"]
    child = (await whole.start(parentUUID=root))["uuid"]
    early = await whole.ask("PATCH", f"/activities/{root}", "alice", [JSON], {"state": "succeeded"})
    assert early.error == (409, "children_running")
    await whole.change(child, state="succeeded")
    row = await seen(whole, root)
    assert (row["progress"], row["fraction"]) == (99, 0.999999)
    assert (await whole.change(root, state="succeeded"))["progress"] == 100


@pytest.mark.parametrize("path", ["/activities/{0}", "/activities?parentUUID={1}"])
async def test_what_a_start_asked_for_is_shown_in_both_formats(whole: Whole, path: str) -> None:
    root = (await whole.start())["uuid"]
    child = (await whole.start(parentUUID=root, weight=2.5, timeout=90))["uuid"]
    path = path.format(child, root)
    row = (await whole.ask("GET", path, "alice", [JSON])).row
    assert (row["weight"], row["timeout"], "stalled" in row) == (2.5, 90, False)
    document = (await whole.ask("GET", path, "alice", [XML])).body
    assert b'weight="2.5" timeout="90"' in document


async def test_a_tree_has_eight_levels_and_says_so(whole: Whole) -> None:
    deepest = (await whole.start())["uuid"]
    for _ in range(7):
        deepest = (await whole.start(parentUUID=deepest))["uuid"]
    refused = await whole.ask("POST", "/activities", "alice", [JSON], {"type": "a", "parentUUID": deepest})
    assert refused.error == (400, "invalid_input")
    assert refused.message == f"parentUUID: activity {deepest} is on level 8 of its tree, and a tree has at most 8"


async def test_a_silence_is_shown_until_the_worker_speaks_and_heartbeats_say_nothing() -> None:
    clock = FakeClock()
    async with in_memory(Activities("memory:", clock=clock)) as whole:
        uuid = (await whole.start(stall=20, lease=86_400))["uuid"]
        await whole.change(uuid, progress=5)
        await seen(whole, uuid)
        for _ in range(22):
            clock.advance(1)
            await whole.activities._liveness.round()
        assert (await seen(whole, uuid))["stalled"] is True
        assert (await whole.change(uuid))["stalled"] is True
        document = (await whole.ask("GET", f"/activities/{uuid}", "alice", [XML])).body
        assert b'stalled="1"' in document
        assert "stalled" not in await whole.change(uuid, subtitle="on with it")
        assert "stalled" not in await seen(whole, uuid)


async def test_a_worker_learns_of_its_timeout_as_of_a_cancel() -> None:
    clock = FakeClock()
    async with in_memory(Activities("memory:", clock=clock)) as whole:
        root = (await whole.start(timeout=20, lease=86_400))["uuid"]
        leaf = (await whole.start(parentUUID=root, lease=86_400))["uuid"]
        for _ in range(22):
            clock.advance(1)
            await whole.activities._liveness.round()
        row = await whole.change(root)
        assert (row["state"], row["cancelReason"], "cancelledBy" in row) == ("cancelling", "timeout", False)
        await whole.activities.wait(leaf, 20, known=State.RUNNING)
        assert (await whole.change(leaf, progress=5))["cancelReason"] == "timeout"
        assert (await whole.change(leaf, state="cancelled"))["state"] == "cancelled"
        assert (await whole.change(root, state="cancelled"))["state"] == "cancelled"
