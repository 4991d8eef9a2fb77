"""History, insights and account, in a real browser."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import time
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

from playwright.async_api import Download, Locator, Route, expect

from headway.core.activity import State
from tests.server.whole import JSON, Whole
from tests.web.dashboard import Dashboard, Dashboards

SECONDS = re.compile(r"^\d+(\.\d s| ms)$")


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
    await expect(rows.first.get_by_role("link")).to_have_text("Newest")
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
    titles = tab.page.locator("tbody tr").get_by_role("link")
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
    await whole.start(title="Running", type="media.optimize")
    await tab.go("#/insights?hours=1")
    await expect(tab.page.get_by_text("3 that have ended in the last hour, 1 running")).to_be_visible()
    titles = ["How they end", "How long they take", "How long they took, over time", "When they ran"]
    figures = tab.page.get_by_role("figure")
    await expect(figures.locator("figcaption")).to_have_text([f"{title}SVGCSV" for title in titles])
    await expect(tab.page.get_by_role("img", name="succeeded: 2, failed: 1")).to_be_visible()
    line = tab.page.get_by_role("row", name="library.scan")
    await expect(line.get_by_role("cell")).to_have_text(["3", *2 * [SECONDS], "67 %", "33 %", "0 %", "0 %"])
    download = await pressed(tab, figures.first.get_by_role("button", name="save as SVG"))
    assert download.suggested_filename == "how-they-end.svg"
    saved = ElementTree.fromstring(await text_of(download))
    drawn = [element.get("fill", "") for element in saved.iter() if element.tag.endswith("rect")]
    assert {fill.partition("(")[0] for fill in drawn} == {"rgb", "url"}
    assert [element.text for element in saved.iter() if element.tag.endswith("title")] == [
        "How they end", "succeeded: 2 runs, 66.7 %", "failed: 1 runs, 33.3 %",
    ]  # fmt: skip
    tables = {}
    for index, title in enumerate(titles):
        download = await pressed(tab, figures.nth(index).get_by_role("button", name=f"{title}: save as CSV"))
        tables[download.suggested_filename] = list(csv.reader(io.StringIO(await text_of(download), newline="")))
    assert tables["how-they-end.csv"][:2] == [["state", "runs", "share"], ["succeeded", "2", repr(2 / 3)]]
    assert sum(int(line[2]) for line in tables["how-long-they-take.csv"][1:]) == 3
    assert [line[4] for line in tables["how-long-they-took-over-time.csv"][1:]] == ["Three", "Two", "One"]
    assert tables["when-they-ran.csv"][1][:3] == ["Running", "media.optimize", "running"]


async def test_the_timeline_tells_what_is_pointed_at_and_goes_there(dashboards: Dashboards, whole: Whole) -> None:
    await end_many(whole, ["First"], state="failed", error="no disk")
    running = await whole.start(title="Second")
    tab = await (await dashboards.of()).live("#/insights")
    figure = tab.page.get_by_role("figure").filter(has_text="When they ran")
    await expect(figure.locator(".legend")).to_have_text(["running", "failed"])
    assert len({await mark.get_attribute("d") for mark in await figure.locator(".run .sign").all()}) == 2
    told = figure.locator(".told")
    await figure.get_by_role("link", name="First").hover()
    await expect(told).to_contain_text("First: failed, took")
    await tab.page.mouse.move(0, 0)
    await expect(told).to_have_text("")
    await figure.get_by_role("link", name="Second").focus()
    await expect(told).to_contain_text("Second: running, for")
    await tab.press("ArrowDown")
    await expect(told).to_contain_text("First: failed, took")
    await tab.press("Home", "Enter")
    await expect(tab.detail.get_by_role("heading", name="Second")).to_be_visible()
    assert tab.page.url.endswith(f"#/activity/{running['uuid']}")


async def test_a_period_is_read_to_its_end_and_its_type_kept_in_the_address(
    dashboards: Dashboards, whole: Whole
) -> None:
    now = time.time()
    rows = [ended_row(number, now - number * 10, f"kind.{number % 2}") for number in range(1_300)]
    tab = await dashboards.of()
    asked = await answering_history(tab, rows)
    await tab.live("#/insights?hours=1")
    await expect(tab.page.get_by_text("360 that have ended in the last hour")).to_be_visible()
    assert asked == [None]
    await tab.page.get_by_role("combobox", name="Period").select_option("last 6 hours")
    await expect(tab.page.get_by_text("1300 that have ended in the last 6 hours")).to_be_visible()
    await tab.page.get_by_role("combobox", name="Type").select_option("kind.1")
    await expect(tab.page.get_by_text("650 that have ended")).to_be_visible()
    assert tab.page.url.endswith("#/insights?type=kind.1")
    await tab.page.reload()
    await expect(tab.page.get_by_text("650 that have ended")).to_be_visible()


async def test_what_is_too_much_to_read_is_said_to_be_cut_off(dashboards: Dashboards) -> None:
    rows = [ended_row(number, time.time() - number, f"kind.{number % 40}") for number in range(20_600)]
    tab = await dashboards.of()
    asked = await answering_history(tab, rows)
    await tab.live("#/insights?hours=24")
    await expect(tab.page.get_by_role("status")).to_contain_text("Only the newest 20000 were read: they go back to")
    assert len(asked) == 40
    # What would be many thousand marks is drawn as few.
    assert await tab.ask("() => document.querySelectorAll('.plots *').length") < 3_000


def ended_row(number: int, at: float, type: str) -> dict[str, Any]:
    return {
        "uuid": str(uuid.UUID(int=number)), "type": type, "title": f"Run {number}", "subtitle": "", "userID": 2,
        "cancellable": False, "progress": 100, "state": "failed" if number % 9 == 0 else "succeeded",
        "startedAt": at - 1 - number % 7, "endedAt": at,
    }  # fmt: skip


async def answering_history(tab: Dashboard, rows: list[dict[str, Any]]) -> list[str | None]:
    """Let a page find these in the history; the cursors that it asks with."""
    asked: list[str | None] = []

    async def answer(route: Route) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        asked.append(query.get("before", [None])[0])
        begin, limit = int(asked[-1] or 0), int(query["limit"][0])
        page = rows[begin : begin + limit]
        headers = {"X-Headway-Cursor": str(begin + limit)} if len(page) == limit else {}
        await route.fulfill(json={"MediaContainer": {"size": len(page), "Activity": page}}, headers=headers)

    await tab.page.route("**/activities/history?*", answer)
    return asked


async def test_nothing_yet_is_said_to_be_nothing_yet(dashboards: Dashboards) -> None:
    for view in ("history", "insights"):
        tab = await (await dashboards.of()).live(f"#/{view}")
        await expect(tab.page.get_by_role("status")).to_have_text(
            re.compile(r"Nothing has ended (yet|in the last 6 hours)\.")
        )


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
    await expect(rows).to_have_count(1)
    await tab.page.get_by_role("button", name="New token…").click()
    await tab.dialog.get_by_role("button", name="Make it").click()
    await expect(tab.dialog.get_by_label("Name", exact=True)).to_be_focused()
    await tab.answer("Cancel")
    await expect(rows).to_have_count(1)


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
