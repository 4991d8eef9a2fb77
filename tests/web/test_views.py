"""History, insights and account, in a real browser."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from pathlib import Path
from typing import Any

from playwright.async_api import Download, Locator, expect

from headway.core.activity import State
from tests.server.whole import JSON, Whole
from tests.web.dashboard import Dashboard, Dashboards

SECONDS = re.compile(r"^\d+\.\d s$")


async def end_many(whole: Whole, titles: list[str], **members: Any) -> None:
    """Activities that have ended, in this order."""
    for title in titles:
        row = await whole.start(title=title, type="library.scan")
        await whole.change(row["uuid"], **{"state": "succeeded", **members})


async def text_of(download: Download) -> str:
    return Path(await download.path()).read_text()


async def pressed(tab: Dashboard, button: Locator) -> Download:
    async with tab.page.expect_download() as started:
        await button.click()
    return await started.value


async def test_history_comes_newest_first_a_page_at_a_time(dashboards: Dashboards, whole: Whole) -> None:
    created = [await whole.activities.create("library.scan", 2, cancellable=False, lease=600.0) for _ in range(130)]
    await asyncio.gather(*[whole.activities.finish(row.uuid, State.SUCCEEDED) for row, _ in created])
    await end_many(whole, ["Newest"])
    tab = await (await dashboards.of()).live("#/history")
    rows = tab.page.locator("tbody tr")
    await expect(rows).to_have_count(100)
    await expect(rows.first.locator("td").nth(1)).to_have_text("Newest")
    await tab.page.get_by_role("button", name="More").click()
    await expect(rows).to_have_count(131)
    await expect(tab.page.get_by_role("button", name="More")).to_be_hidden()


async def test_history_is_narrowed_by_type_and_state_in_the_address(dashboards: Dashboards, whole: Whole) -> None:
    await end_many(whole, ["Well"])
    await end_many(whole, ["Badly"], state="failed", error="no disk")
    await end_many(whole, ["Secret"])
    tab = await (await dashboards.of()).live("#/history")
    await expect(tab.page.locator("tbody tr")).to_have_count(3)
    await tab.page.get_by_role("combobox", name="State").select_option("failed")
    row = tab.page.locator("tbody tr")
    await expect(row).to_have_count(1)
    await expect(row).to_contain_text("no disk")
    assert tab.page.url.endswith("#/history?state=failed")
    await row.get_by_role("link", name="Badly").click()
    await expect(tab.detail.locator(".error")).to_have_text("no disk")
    await tab.page.go_back()
    await tab.page.get_by_role("searchbox", name="Type").fill("no.such")
    await tab.press("Enter")
    await expect(tab.page.get_by_text("Nothing has ended yet.")).to_be_visible()
    await tab.page.get_by_role("searchbox", name="Type").fill("no type")
    await tab.press("Enter")
    await expect(tab.page.get_by_role("status")).to_contain_text("type:")


async def test_csv_holds_what_was_shown_and_no_formula(dashboards: Dashboards, whole: Whole) -> None:
    titles = ['=HYPERLINK("http://evil")', "+1", "-1", "@SUM(A1)", 'He said "no", twice', "plain"]
    await end_many(whole, titles)
    tab = await (await dashboards.of()).live("#/history")
    await expect(tab.page.locator("tbody tr")).to_have_count(6)
    download = await pressed(tab, tab.page.get_by_role("button", name="Download CSV"))
    assert download.suggested_filename == "headway-history.csv"
    rows = list(csv.DictReader(io.StringIO(await text_of(download))))
    assert [row["title"] for row in reversed(rows)] == [
        "'=HYPERLINK(\"http://evil\")", "'+1", "'-1", "'@SUM(A1)", 'He said "no", twice', "plain",
    ]  # fmt: skip
    assert {row["state"] for row in rows} == {"succeeded"}


async def test_insights_draw_what_has_been_and_can_be_saved(dashboards: Dashboards, whole: Whole) -> None:
    await end_many(whole, ["One", "Two"])
    await end_many(whole, ["Three"], state="failed", error="no disk")
    tab = await (await dashboards.of()).live("#/insights")
    await expect(tab.page.get_by_text("3 that have ended")).to_be_visible()
    titles = ["How they end", "How long they take", "How long they took, over time", "When they ran"]
    figures = tab.page.get_by_role("figure")
    await expect(figures.locator("figcaption")).to_have_text([f"{title}SVG" for title in titles])
    await expect(tab.page.get_by_role("img", name="succeeded: 2, failed: 1")).to_be_visible()
    line = tab.page.get_by_role("row", name="library.scan")
    await expect(line.get_by_role("cell")).to_have_text(["3", *2 * [SECONDS], "67 %", "33 %", "0 %", "0 %"])
    download = await pressed(tab, figures.first.get_by_role("button", name="SVG"))
    assert download.suggested_filename == "how-they-end.svg"
    saved = await text_of(download)
    assert saved.startswith("<svg")
    assert 'fill="rgb(' in saved


async def test_nothing_yet_is_said_to_be_nothing_yet(dashboards: Dashboards) -> None:
    for view in ("history", "insights"):
        tab = await (await dashboards.of()).live(f"#/{view}")
        await expect(tab.page.get_by_role("status")).to_have_text("Nothing has ended yet.")


async def test_tokens_are_made_shown_once_and_revoked(dashboards: Dashboards, whole: Whole) -> None:
    tab = await (await dashboards.of()).live("#/account")
    await expect(tab.page.get_by_role("heading", name="alice")).to_be_visible()
    await tab.page.get_by_role("button", name="New token…").click()
    await expect(tab.dialog.get_by_label("Role").locator("option")).to_have_text(["user", "reporter", "reader"])
    await tab.dialog.get_by_label("Name", exact=True).fill("For the <b>script</b>")
    await tab.dialog.get_by_label("Role").select_option("reporter")
    await tab.dialog.get_by_role("button", name="Make it").click()
    await expect(tab.dialog.get_by_role("heading")).to_have_text("Copy it now: it is not shown again")
    token = await tab.dialog.get_by_role("textbox").input_value()
    await tab.answer("Done")
    assert token not in await tab.page.content()
    assert (await whole.ask("GET", "/activities", token, [JSON])).status == 200
    row = tab.page.get_by_role("row", name="For the <b>script</b>")
    await expect(row).to_contain_text("reporter")
    await row.get_by_role("button", name="Revoke").click()
    await expect(tab.dialog.get_by_role("heading")).to_have_text("Revoke For the <b>script</b>?")
    await tab.answer("Revoke")
    await expect(row).to_have_count(0)
    assert (await whole.ask("GET", "/activities", token, [JSON])).status == 401


async def test_a_token_without_a_name_is_not_made(dashboards: Dashboards) -> None:
    tab = await (await dashboards.of()).live("#/account")
    rows = tab.page.locator("tbody tr")
    before = await rows.count()
    await tab.page.get_by_role("button", name="New token…").click()
    await tab.dialog.get_by_role("button", name="Make it").click()
    await expect(tab.dialog.get_by_label("Name", exact=True)).to_be_focused()
    await tab.answer("Cancel")
    await expect(rows).to_have_count(before)


async def test_admins_see_users_and_make_tokens_for_them(dashboards: Dashboards, whole: Whole) -> None:
    tab = await (await dashboards.of("admin")).live("#/account")
    users = tab.page.get_by_role("table", name="Users")
    await expect(users.get_by_role("rowheader")).to_have_text(["admin", "alice", "bob", "rita", "rob"])
    await tab.page.get_by_role("button", name="New token…").click()
    await tab.dialog.get_by_label("Name", exact=True).fill("For carol")
    await tab.dialog.get_by_role("textbox", name="User").fill("carol")
    await tab.dialog.get_by_label("Role").select_option("user")
    await tab.dialog.get_by_role("button", name="Make it").click()
    token = await tab.dialog.get_by_role("textbox").input_value()
    await tab.answer("Done")
    await expect(users.get_by_role("rowheader")).to_have_text(["admin", "alice", "bob", "rita", "rob", "carol"])
    assert (await whole.ask("GET", "/activities", token, [JSON])).status == 200
    alice = await (await dashboards.of("alice")).live("#/account")
    await expect(alice.page.get_by_role("table", name="Tokens")).to_be_visible()
    await expect(alice.page.get_by_role("table", name="Users")).to_have_count(0)


async def test_who_may_not_make_tokens_is_not_offered_any(dashboards: Dashboards) -> None:
    tab = await (await dashboards.of("rita")).live("#/account")
    await expect(tab.page.get_by_role("heading", name="rita")).to_be_visible()
    await expect(tab.page.get_by_role("button", name="Sign out", exact=True)).to_be_visible()
    await expect(tab.page.get_by_role("button", name="New token…")).to_have_count(0)
    await expect(tab.page.get_by_role("button", name="Revoke")).to_have_count(0)


async def test_colours_are_chosen_kept_and_told_to_other_tabs(dashboards: Dashboards) -> None:
    context = await dashboards.context("alice", color_scheme="light")
    tab, other = await dashboards.tab(context), await dashboards.tab(context)
    await tab.live("#/account")
    await other.live()
    ground = "() => getComputedStyle(document.body).backgroundColor"
    light = await tab.ask(ground)
    await tab.page.get_by_role("combobox", name="Colours").select_option("dark")
    for each in (tab, other):
        await expect(each.page.locator("html")).to_have_attribute("data-theme", "dark")
        assert await each.ask(ground) != light
    rows = "() => getComputedStyle(document.querySelector('headway-activities')).backgroundColor"
    assert await other.ask(rows) == await tab.ask(rows) != "rgb(255, 255, 255)"
    again = await (await dashboards.tab(context)).live("#/account")
    await expect(again.page.get_by_role("combobox", name="Colours")).to_have_value("dark")
    await again.page.get_by_role("combobox", name="Colours").select_option("")
    assert await again.ask(ground) == light
