"""History, insights and account, in a real browser."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

from playwright.async_api import Download, Locator, Route, expect

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


async def test_history_is_narrowed_by_state_in_the_address(dashboards: Dashboards, whole: Whole) -> None:
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
    await expect(row).to_have_count(1)
    await expect(tab.page.get_by_role("combobox", name="State")).to_have_value("failed")


async def test_history_is_searched_as_the_list_is(dashboards: Dashboards, whole: Whole) -> None:
    await end_many(whole, ["Scan films", "Scan music"])
    await whole.change(
        (await whole.start(title="Again", type="library.scan.deep", Context={"path": "/films", "n": 3}))["uuid"],
        state="lost",
    )
    await whole.change((await whole.start("bob", title="His films"))["uuid"], "bob", state="succeeded")
    tab = await (await dashboards.of("admin")).live("#/history")
    titles = tab.page.locator("tbody tr td:nth-child(2)")
    await expect(titles).to_have_count(4)
    for words, found in {
        "films": ["His films", "Again", "Scan films"],
        "FILMS scan": ["Again", "Scan films"],
        "type=library.*": ["Again", "Scan music", "Scan films"],
        "type=library.scan music": ["Scan music"],
        "owner=3": ["His films"],
        "Context.n=3": ["Again"],
        "state=lost films": ["Again"],
        "nothing": [],
    }.items():
        await tab.search.fill(words)
        await expect(titles).to_have_text(found)
    await expect(tab.page.get_by_text("Nothing here matches the filter.")).to_be_visible()
    await tab.search.fill("type=!")
    await expect(tab.page.get_by_role("status")).to_contain_text("type:")
    await tab.search.fill("scan films")
    await expect(titles).to_have_text(["Again", "Scan films"])
    again = await (await dashboards.tab(tab.page.context)).go(tab.page.url.partition("/web/")[2])
    await expect(again.page.locator("tbody tr")).to_have_count(2)
    await expect(again.search).to_have_value("scan films")


async def test_a_search_goes_back_as_far_as_it_must(dashboards: Dashboards, whole: Whole) -> None:
    await end_many(whole, ["First needle of all"])
    created = [await whole.activities.create("load.needle", 2, cancellable=False, lease=600.0) for _ in range(250)]
    await asyncio.gather(*[whole.activities.finish(row.uuid, State.SUCCEEDED) for row, _ in created])
    tab = await (await dashboards.of()).live("#/history?q=needle%20all")
    await expect(tab.page.locator("tbody tr")).to_contain_text(["First needle of all"])
    await expect(tab.page.get_by_role("button", name="More")).to_be_hidden()


async def test_csv_holds_all_that_matches_and_not_only_what_is_shown(dashboards: Dashboards, whole: Whole) -> None:
    bags = {"Context": {"path": 'a "b", c', "n": 3}, "Response": {"found": True}}
    row = await whole.start(title="Told", type="a.b", total=3, unit="files", Context=bags["Context"])
    await whole.change(row["uuid"], state="failed", completed=2, error="no disk", Response=bags["Response"])
    created = [await whole.activities.create("a.b", 2, cancellable=True, lease=600.0) for _ in range(620)]
    await asyncio.gather(*[whole.activities.finish(each.uuid, State.SUCCEEDED) for each, _ in created])
    await end_many(whole, ["Another type"])
    tab = await (await dashboards.of()).live("#/history?q=type%3Da.b")
    await expect(tab.page.locator("tbody tr")).to_have_count(100)
    download = await pressed(tab, tab.page.get_by_role("button", name="Download CSV"))
    await expect(tab.page.get_by_role("status")).to_have_text("621 saved.")
    await expect(tab.page.locator("tbody tr")).to_have_count(100)
    rows = list(csv.DictReader(io.StringIO(await text_of(download), newline="")))
    assert [len(rows), {each["type"] for each in rows}] == [621, {"a.b"}]
    told = rows[-1]
    assert {name: json.loads(told[name]) for name in bags} == bags
    assert [told[name] for name in ("error", "userID", "completed", "total", "unit")] == [
        "no disk",
        "2",
        "2",
        "3",
        "files",
    ]
    assert datetime.fromisoformat(told["endedAt"]) >= datetime.fromisoformat(told["startedAt"])


async def test_a_file_of_everything_can_be_stopped(dashboards: Dashboards, whole: Whole) -> None:
    created = [await whole.activities.create("a.b", 2, cancellable=True, lease=600.0) for _ in range(501)]
    await asyncio.gather(*[whole.activities.finish(each.uuid, State.SUCCEEDED) for each, _ in created])
    tab = await (await dashboards.of()).live("#/history")
    held = asyncio.Event()

    async def hold(route: Route) -> None:
        await held.wait()
        await route.continue_()

    await tab.page.route("**/activities/history?before=*", hold)
    saved: list[Download] = []
    tab.page.on("download", lambda download: saved.append(download))
    await tab.page.get_by_role("button", name="Download CSV").click()
    await expect(tab.page.get_by_role("status")).to_have_text("Reading: 500 so far…")
    await tab.page.get_by_role("button", name="Stop", exact=True).click()
    await expect(tab.page.get_by_role("status")).to_have_text("Stopped: nothing was saved.")
    async with tab.page.expect_response("**/activities/history?before=*"):
        held.set()
    await pressed(tab, tab.page.get_by_role("button", name="Download CSV"))
    assert len(saved) == 1


async def test_csv_holds_no_formula(dashboards: Dashboards, whole: Whole) -> None:
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
