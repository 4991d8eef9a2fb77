"""Stopping things, in a real browser: what was asked, what really happened, and why something cannot be stopped."""

from __future__ import annotations

import asyncio
import sys

import pytest
from playwright.async_api import Locator, expect

from headway import current
from tests.server.whole import Whole
from tests.web.dashboard import Dashboard, Dashboards
from tests.web.jobs import Gate

IGNORES_TERM = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)


def stop_of(tab: Dashboard, title: str) -> Locator:
    return tab.row(title).get_by_role("button", name=f"Stop {title}")


async def test_a_job_is_stopped_and_each_stage_is_seen(dashboards: Dashboards, whole: Whole) -> None:
    gate = Gate()

    async def slow_to_stop() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await gate.work()
            raise

    await whole.activities.spawn("library.scan", slow_to_stop, title="Scan", grace=60)
    tab = await (await dashboards.of("admin")).live()
    await stop_of(tab, "Scan").click()
    await expect(tab.dialog.get_by_role("heading")).to_have_text("Stop Scan?")
    await tab.answer("Let it run")
    await expect(tab.word("Scan")).to_have_text("running")
    await stop_of(tab, "Scan").click()
    await tab.answer("Stop it")
    await expect(tab.word("Scan")).to_have_text("stopping")
    await expect(stop_of(tab, "Scan")).to_have_attribute("title", "Asked to stop already")
    gate.open()
    await expect(tab.word("Scan")).to_have_text("stopped")
    await tab.row("Scan").locator(".title").click()
    stages = tab.detail.locator(".stages li")
    await expect(stages).to_have_count(3)
    await expect(stages.nth(1)).to_contain_text("asked to stop by user 1")
    await expect(stages.nth(2)).to_contain_text("stopped")


async def test_what_finished_anyway_or_failed_meanwhile_is_told_as_that(dashboards: Dashboards, whole: Whole) -> None:
    tab = await (await dashboards.of()).live()
    for title, end, word in (
        ("First", {"state": "succeeded"}, "finished anyway"),
        ("Second", {"state": "failed", "error": "no disk"}, "failed while stopping"),
        ("Third", {"state": "cancelled"}, "stopped"),
    ):
        row = await whole.start(title=title, cancellable=True)
        await stop_of(tab, title).click()
        await tab.answer("Stop it")
        await expect(tab.word(title)).to_have_text("stopping")
        await whole.change(row["uuid"], **end)
        await expect(tab.word(title)).to_have_text(word)


async def test_what_cannot_be_stopped_is_greyed_and_says_why(dashboards: Dashboards, whole: Whole) -> None:
    row = await whole.start(title="Upgrade", cancellable=False)
    tab = await (await dashboards.of()).live(f"#/activity/{row['uuid']}")
    button = stop_of(tab, "Upgrade")
    await expect(button).to_have_attribute("aria-disabled", "true")
    await expect(button).to_have_attribute("title", "It cannot be stopped: whoever started it said so.")
    await button.click(force=True)
    await expect(tab.page.locator("#announcer")).to_have_text("It cannot be stopped: whoever started it said so.")
    await expect(tab.dialog).to_have_count(0)
    inside = tab.detail.get_by_role("button", name="Stop…")
    await expect(inside).to_be_disabled()
    await expect(inside).to_have_accessible_description("It cannot be stopped: whoever started it said so.")


@pytest.mark.parametrize(("user", "role"), [("rob", "reporter"), ("rita", "reader")])
async def test_who_may_only_look_is_told_so(dashboards: Dashboards, whole: Whole, user: str, role: str) -> None:
    users = (await whole.ask("GET", "/web/users", "admin")).json["users"]
    number = next(each["userID"] for each in users if each["name"] == user)
    await whole.start("admin", title="Scan", cancellable=True, userID=number)
    tab = await (await dashboards.of(user)).live()
    await expect(stop_of(tab, "Scan")).to_have_attribute("title", f"A {role} may look, not cancel.")
    await expect(tab.page.get_by_role("button", name="Stop…")).to_be_disabled()


async def test_what_the_filter_shows_is_stopped_together_and_nothing_else(dashboards: Dashboards, whole: Whole) -> None:
    for index in range(12):
        await whole.start(title=f"Scan {index}", type="library.scan", cancellable=True)
    await whole.start(title="Scan for ever", type="library.scan")
    kept = await whole.start(title="Optimize", type="media.optimize", cancellable=True)
    tab = await (await dashboards.of()).live("#/?q=type%3Dlibrary.scan")
    await tab.page.get_by_role("button", name="Stop 12…").click()
    await expect(tab.dialog.get_by_role("heading")).to_have_text("Stop 12 activities?")
    await expect(tab.dialog.get_by_role("listitem")).to_have_count(12)
    await tab.answer("Let it run")
    assert await states(whole) == {"running"}
    await tab.page.get_by_role("button", name="Stop 12…").click()
    await tab.answer("Stop 12")
    await expect(tab.rows.locator(".word", has_text="stopping")).to_have_count(12)
    await expect(tab.page.get_by_role("button", name="Stop…")).to_be_disabled()
    listed = (await whole.ask("GET", "/activities", "alice")).rows
    assert {row["title"] for row in listed if row["state"] == "running"} == {"Scan for ever", kept["title"]}


async def states(whole: Whole) -> set[str]:
    return {row["state"] for row in (await whole.ask("GET", "/activities", "alice")).rows}


async def test_what_the_server_refuses_is_said(dashboards: Dashboards, whole: Whole) -> None:
    row = await whole.start(title="Gone", cancellable=True)
    tab = await (await dashboards.of()).live()
    await stop_of(tab, "Gone").click()
    await tab.page.route("**/activities/*", lambda route: route.fulfill(status=404, json={"errors": []}))
    await tab.dialog.get_by_role("button", name="Stop it").click()
    await expect(tab.dialog.get_by_role("heading")).to_have_text("It could not be stopped")
    await expect(tab.dialog.get_by_role("listitem")).to_have_text("Gone: The server answered 404.")
    await tab.answer("Close")
    assert (await whole.ask("GET", f"/activities/{row['uuid']}", "alice")).row["state"] == "running"


async def test_admins_give_up_what_is_overdue(dashboards: Dashboards, whole: Whole) -> None:
    gate = Gate()

    async def deaf() -> None:
        waiting = asyncio.ensure_future(gate.work())
        while not waiting.done():
            try:
                await asyncio.shield(waiting)
            except asyncio.CancelledError:
                current()  # it hears nothing

    await whole.activities.spawn("library.scan", deaf, title="Deaf", grace=0)
    tab = await (await dashboards.of("admin")).live()
    await stop_of(tab, "Deaf").click()
    await expect(tab.dialog.get_by_role("button", name="Give it up")).to_have_count(0)
    await tab.answer("Stop it")
    await expect(tab.word("Deaf")).to_have_text("overdue")
    await stop_of(tab, "Deaf").click()
    await tab.answer("Give it up")
    await expect(tab.word("Deaf")).to_have_text("given up")
    gate.open()


async def test_a_command_is_killed_in_the_end(dashboards: Dashboards, whole: Whole) -> None:
    up = asyncio.Event()
    running = asyncio.ensure_future(
        whole.activities.spawn_process(
            "convert", [sys.executable, "-c", IGNORES_TERM], title="Convert", grace=1, on_line=lambda *_: up.set()
        )
    )
    await up.wait()
    tab = await (await dashboards.of("admin")).live()
    await stop_of(tab, "Convert").click()
    await tab.answer("Stop it")
    await expect(tab.word("Convert")).to_have_text("stopped")
    await asyncio.gather(running, return_exceptions=True)


async def test_everything_is_done_by_the_keyboard_alone(dashboards: Dashboards, whole: Whole) -> None:
    parent = await whole.start(title="Whole", cancellable=True)
    await whole.start(title="Part", parentUUID=parent["uuid"], cancellable=True)
    await whole.start(title="Last", cancellable=True)
    tab = await (await dashboards.of()).live()
    await expect(tab.rows).to_have_count(3)
    active = tab.page.locator("headway-activities .row.active .title")
    await tab.press("Tab", "Enter")  # the first is the way past everything
    await expect(active).to_have_text("Whole")
    assert "#main" not in tab.page.url
    await tab.press("ArrowDown")
    await expect(active).to_have_text("Part")
    await tab.press("ArrowLeft")
    await expect(active).to_have_text("Whole")
    await tab.press("ArrowLeft")
    await expect(tab.rows).to_have_count(2)
    await tab.press("ArrowRight", "End")
    await expect(active).to_have_text("Last")
    await tab.press("Enter")
    await expect(tab.detail.get_by_role("heading", name="Last")).to_be_visible()
    await tab.press("Tab")
    await expect(tab.detail.get_by_role("button", name="Close")).to_be_focused()
    await tab.press("Enter")
    await expect(tab.detail).to_have_count(0)
    await expect(tab.page.locator("headway-activities .list")).to_be_focused()
    await tab.press("Delete")
    await expect(tab.dialog.get_by_role("heading")).to_have_text("Stop Last?")
    await expect(tab.dialog.get_by_role("button", name="Let it run")).to_be_focused()
    await tab.press("Escape")
    await expect(tab.dialog).to_have_count(0)
    await tab.press("Control+c")  # means to copy
    await tab.press("Delete", "Tab", "Enter")
    await expect(tab.word("Last")).to_have_text("stopping")
    await tab.press("p")
    await expect(tab.page.get_by_role("button", name="Paused")).to_have_attribute("aria-pressed", "true")
    await tab.press("p", "/")
    await expect(tab.search).to_be_focused()
    await tab.page.keyboard.type("part")
    await expect(tab.rows.locator(".title")).to_have_text(["Whole", "Part"])
    await tab.press("Tab", "Tab", "Enter")
    await expect(tab.dialog.get_by_role("heading")).to_have_text("Stop Part?")
    await tab.press("Tab", "Enter")
    await expect(tab.word("Part")).to_have_text("stopping")
    await expect(tab.word("Whole")).to_have_text("running")
