"""Many activities at once: what is in the page, how often it is painted, and what stays where it is."""

from __future__ import annotations

import asyncio
from typing import Any

from playwright.async_api import expect

from headway import Activities
from headway.core.activity import State
from tests.server.whole import Whole
from tests.web.dashboard import Dashboard, Dashboards

MANY = 1_000

COUNTED = """
globalThis.seen = { frames: 0, asked: 0, doubled: 0, long: 0 };
{
  const original = requestAnimationFrame;
  const waiting = new Map(); // by stack: who asks twice before a frame
  globalThis.requestAnimationFrame = (callback) => {
    seen.asked += 1;
    const who = new Error().stack.split('\\n')[2];
    if (waiting.has(who)) seen.doubled += 1;
    waiting.set(who, true);
    return original((time) => { waiting.delete(who); seen.frames += 1; callback(time); });
  };
  const longest = (list) => { seen.long = Math.max(seen.long, ...list.getEntries().map((entry) => entry.duration)); };
  new PerformanceObserver(longest).observe({ type: 'longtask', buffered: true });
}
"""

ELEMENTS = "() => document.querySelector('headway-activities').shadowRoot.querySelectorAll('.row').length"


async def start_many(activities: Activities, many: int, owner: int = 1) -> list[str]:
    created = [
        await activities.create("load.test", owner, cancellable=True, lease=600.0, parent=None) for _ in range(many)
    ]
    return [activity.uuid for activity, _ in created]


async def change_all(whole: Whole, uuids: list[str], progress: float, tab: Dashboard) -> None:
    """A report of each, and a wait until the page has seen the last."""
    members = [{"uuid": uuid, "progress": progress} for uuid in uuids]
    for index in range(0, len(members), 100):
        answer = await whole.ask("PATCH", "/activities", "admin", body={"Activity": members[index : index + 100]})
        assert answer.status in (200, 207), answer
    await expect(tab.rows.first.locator(".percent")).to_have_text(f"{progress} %")


async def heap(tab: Dashboard) -> int:
    """Bytes that are in use once rubbish has been collected."""
    devtools = await tab.page.context.new_cdp_session(tab.page)
    await devtools.send("HeapProfiler.collectGarbage")
    used: dict[str, Any] = await devtools.send("Runtime.getHeapUsage")
    await devtools.detach()
    return int(used["usedSize"])


async def test_a_thousand_that_change_cost_rows_in_sight_and_one_paint_a_frame(
    dashboards: Dashboards, whole: Whole
) -> None:
    uuids = await start_many(whole.activities, MANY)
    context = await dashboards.context("admin")
    await context.add_init_script(COUNTED)
    tab = await (await dashboards.tab(context)).live()
    await expect(tab.page.get_by_text(f"{MANY} running")).to_be_visible()
    assert 0 < await tab.ask(ELEMENTS) < 40
    await change_all(whole, uuids, 1, tab)
    before = await heap(tab)
    painted = await tab.ask("() => seen.frames")
    for progress in range(2, 9):
        await change_all(whole, uuids, progress, tab)
    seen = await tab.ask("() => seen")
    assert seen["frames"] > painted, "nothing was painted"
    assert seen["doubled"] == 0, "more than one paint was asked for in a frame"
    assert await tab.ask(ELEMENTS) < 40
    # 7,000 changes later it knows no more than before: a few hundred bytes for each would be megabytes.
    assert await heap(tab) - before < 1_500_000
    print(f"\n1,000 rows, 7,000 changes: {seen['frames'] - painted} frames, longest task {seen['long']:.0f} ms")  # noqa: T201
    for end in ("End", "Home"):
        await tab.page.locator("headway-activities .list").focus()
        await tab.press(end)
        await expect(tab.page.locator("headway-activities .row.active")).to_be_visible()
        assert await tab.ask(ELEMENTS) < 40


def row_at(x: float, y: float) -> str:
    return (
        "() => { const root = document.querySelector('headway-activities').shadowRoot;"
        f" const row = root.elementFromPoint({x}, {y}).closest('.row');"
        " globalThis.pointed ??= row;"
        " return [row.dataset.uuid, row.getBoundingClientRect().top, row === pointed]; }"
    )


async def test_the_row_under_the_pointer_stays_the_same_and_where_it_is(dashboards: Dashboards, whole: Whole) -> None:
    uuids = await start_many(whole.activities, 60)
    tab = await dashboards.of("admin")
    await tab.page.clock.install()
    await tab.live("#/?q=state%3Drunning")
    await expect(tab.page.get_by_text("60 running")).to_be_visible()
    box = await tab.rows.nth(5).bounding_box()
    assert box is not None
    at = (box["x"] + 100, box["y"] + 30)
    await tab.page.mouse.move(at[0], at[1] - 3)
    await tab.page.mouse.move(*at)
    before = await tab.ask(row_at(*at))
    # What is above it ends, and so is admitted by the filter no more; others come in.
    for uuid in (*uuids[:5], *uuids[20:40]):
        await whole.activities.finish(uuid, State.SUCCEEDED)
    part, _ = await whole.activities.create("load.part", 1, parent=uuids[5], cancellable=False, lease=600.0)
    await expect(tab.page.get_by_text("36 running")).to_be_visible()
    await tab.page.clock.run_for(30_000)
    assert await tab.ask(row_at(*at)) == before
    # Once nobody points at the list, it is put in order.
    await tab.page.mouse.move(5, 5)
    await tab.page.clock.run_for(2_000)
    await expect(tab.rows.first).to_have_attribute("data-uuid", uuids[5])
    await expect(tab.rows.nth(1)).to_have_attribute("data-uuid", part.uuid)


async def test_what_comes_in_above_the_pointer_moves_nothing_under_it(dashboards: Dashboards, whole: Whole) -> None:
    uuids = await start_many(whole.activities, 4)
    tab = await (await dashboards.of("admin")).live()
    box = await tab.rows.nth(3).bounding_box()
    assert box is not None
    at = (box["x"] + 100, box["y"] + 30)
    await tab.page.mouse.move(at[0], at[1] - 3)
    await tab.page.mouse.move(*at)
    before = await tab.ask(row_at(*at))
    assert before[0] == uuids[3]
    for _ in range(7):
        await whole.activities.create("load.part", 1, parent=uuids[0], cancellable=False, lease=600.0)
    await expect(tab.page.get_by_text("11 running")).to_be_visible()
    await tab.ask("() => new Promise(requestAnimationFrame)")
    assert await tab.ask(row_at(*at)) == before
    await tab.page.mouse.wheel(0, -10_000)
    await expect(tab.rows.first).to_have_attribute("data-uuid", uuids[0])


async def test_a_press_scrolls_nothing_away_from_under_it(dashboards: Dashboards, whole: Whole) -> None:
    uuids = await start_many(whole.activities, 60)
    tab = await (await dashboards.of("admin")).live()
    await expect(tab.rows.first).to_be_visible()
    await tab.ask(
        "() => { document.querySelector('headway-activities').shadowRoot.querySelector('.list').scrollTop = 1200 }"
    )
    row = tab.page.locator(f"headway-activities .row[data-uuid='{uuids[24]}']")
    await row.locator(".title").click()
    await expect(tab.detail).to_contain_text(uuids[24])
    top = await tab.ask(
        "() => document.querySelector('headway-activities').shadowRoot.querySelector('.list').scrollTop"
    )
    assert top == 1200


async def test_ends_of_many_at_once_are_told_as_a_number(dashboards: Dashboards, whole: Whole) -> None:
    uuids = await start_many(whole.activities, 30)
    tab = await (await dashboards.of("admin")).live()
    await expect(tab.page.get_by_text("30 running")).to_be_visible()
    await tab.page.get_by_role("button", name="Pause").click()
    await asyncio.gather(*[whole.activities.finish(uuid, State.FAILED) for uuid in uuids])
    other = await (await dashboards.tab(tab.page.context)).live()
    await expect(other.list.get_by_text("Nothing is running.")).to_be_visible()
    await tab.page.get_by_role("button", name="Paused").click()
    await expect(tab.page.locator("#announcer")).to_have_text("30 changes")
