"""One activity shared by a link: two browsers, one that is signed in and one that is nobody's."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Request, expect

from tests.server.whole import JSON, UNKNOWN, Whole, revoke
from tests.web.dashboard import Dashboard, Dashboards
from tests.web.test_accessibility import LOOKS, complaints
from tests.web.test_hostile import HOSTILE, MARKUP, hostile_rows, is_inert

GONE = "This link has expired or was revoked."


async def link_made(tab: Dashboard, uuid: str, lifetime: str = "for a day") -> str:
    """By the panel of an activity: the link."""
    await tab.go(f"#/activity/{uuid}")
    await tab.detail.get_by_role("button", name="Share…").click()
    await tab.dialog.get_by_label("Open").select_option(lifetime)
    await tab.dialog.get_by_role("button", name="Make a link").click()
    link = await tab.dialog.get_by_label("Link").input_value()
    await tab.answer("Done")
    return link


async def shared(whole: Whole, uuid: str, **more: Any) -> tuple[str, str]:
    """By the server: the link's fragment, and the id of the share."""
    made = (await whole.ask("POST", "/web/shares", "alice", [JSON], {"uuid": uuid, **more})).json
    return f"#shared={made['secret']}&uuid={uuid}", made["id"]


async def visitor(dashboards: Dashboards, fragment: str, **options: Any) -> Dashboard:
    """In a browser of its own, that knows nobody."""
    return await (await dashboards.of(None, **options)).go(fragment)


async def test_somebody_without_an_account_follows_one_activity_to_its_end(
    dashboards: Dashboards, whole: Whole
) -> None:
    row = await whole.start(title="Scan films", cancellable=True, completed=1, total=4, Context={"section": "3"})
    link = await link_made(await (await dashboards.of()).live(), row["uuid"])
    assert link.startswith(f"{whole.url}/web/#shared=hwg_")
    tab = await dashboards.of(None)
    await tab.page.goto(link)
    await expect(tab.detail.get_by_role("heading", name="Scan films")).to_be_visible()
    await expect(tab.detail).to_contain_text("25 %, 1 of 4")
    await expect(tab.detail).to_contain_text("section")
    await expect(tab.connection).to_have_text("live")
    await expect(tab.page).to_have_title("25 % · Scan films")
    await whole.change(row["uuid"], completed=3)
    await expect(tab.detail).to_contain_text("75 %, 3 of 4")
    await whole.change(row["uuid"], state="failed", error="no disk")
    await expect(tab.detail.locator(".chip")).to_have_text("failed")
    await expect(tab.detail.locator("p.error")).to_have_text("no disk")
    await expect(tab.connection).to_have_text("ended")
    await expect(tab.page.locator("#announcer")).to_have_text("Scan films: failed")
    await tab.page.reload()
    await expect(tab.detail.locator(".chip")).to_have_text("failed")


async def test_there_is_nothing_else_to_see_or_to_press(dashboards: Dashboards, whole: Whole) -> None:
    parent = await whole.start(title="Secret whole", cancellable=True)
    row = await whole.start(title="Part", parentUUID=parent["uuid"], cancellable=True)
    await whole.start(title="Secret part", parentUUID=row["uuid"])
    fragment, _ = await shared(whole, row["uuid"])
    tab = await visitor(dashboards, fragment)
    await expect(tab.detail.get_by_role("heading", name="Part")).to_be_visible()
    for role in ("button", "link", "navigation", "treegrid", "textbox"):
        await expect(tab.page.get_by_role(role)).to_have_count(0)
    text = await tab.page.locator("body").inner_text()
    assert "Secret" not in text
    assert parent["uuid"] not in text


async def test_nothing_is_asked_but_that_activity_by_a_header_without_a_cookie(
    dashboards: Dashboards, whole: Whole
) -> None:
    """In a browser where somebody else is signed in, and stays so."""
    row = await whole.start(title="Scan")
    fragment, _ = await shared(whole, row["uuid"])
    secret = fragment.removeprefix("#shared=").partition("&")[0]
    context = await dashboards.context("bob")
    before = await context.cookies()
    tab = await dashboards.tab(context)
    asked: list[Request] = []
    tab.page.on("request", lambda request: asked.append(request))
    await tab.go(fragment)
    await expect(tab.detail.get_by_role("heading", name="Scan")).to_be_visible()
    await whole.change(row["uuid"], title="Scan again")
    await expect(tab.detail.get_by_role("heading", name="Scan again")).to_be_visible()
    looks = [each for each in asked if each.resource_type == "fetch"]
    one = f"{whole.url}/activities/{row['uuid']}"
    assert {each.url for each in looks} == {one, f"{one}/output"}
    headers = [await each.all_headers() for each in looks]
    assert {each.get("x-plex-token") for each in headers} == {secret}
    assert [each for each in headers if "cookie" in each] == []
    assert [each.url for each in asked if secret in each.url] == []
    kept = await tab.ask("() => JSON.stringify([localStorage, sessionStorage])")
    assert secret not in kept
    assert await context.cookies() == before
    await tab.live("#/")
    await expect(tab.page.get_by_role("navigation")).to_be_visible()


async def test_a_link_that_was_revoked_or_never_was_says_so_and_nothing_more(
    dashboards: Dashboards, whole: Whole
) -> None:
    row = await whole.start(title="Scan")
    fragment, id = await shared(whole, row["uuid"])
    tab = await visitor(dashboards, fragment)
    await expect(tab.detail.get_by_role("heading", name="Scan")).to_be_visible()
    await whole.ask("DELETE", f"/web/shares/{id}", "alice")
    await expect(tab.page.get_by_text(GONE)).to_be_visible()
    await expect(tab.detail).to_have_count(0)
    await expect(tab.connection).to_have_text("")
    good, _ = await shared(whole, row["uuid"])
    for broken in (fragment, "#shared=", "#shared=ä", "#shared=hwg_", good[:-1], good.replace(row["uuid"], UNKNOWN)):
        other = await visitor(dashboards, broken)
        await expect(other.page.get_by_text(GONE)).to_be_visible()
        await expect(other.detail).to_have_count(0)


async def test_it_says_when_it_is_not_live_and_goes_on_by_itself(dashboards: Dashboards, whole: Whole) -> None:
    row = await whole.start(title="Scan", progress=10)
    fragment, _ = await shared(whole, row["uuid"])
    tab = await visitor(dashboards, fragment)
    await expect(tab.connection).to_have_text("live")
    await tab.page.context.set_offline(True)
    await expect(tab.connection).to_have_attribute("data-state", "lost")
    await expect(tab.connection).to_contain_text("not live for")
    await expect(tab.detail.get_by_role("heading", name="Scan")).to_be_visible()
    await whole.change(row["uuid"], progress=60)
    await tab.page.context.set_offline(False)
    await expect(tab.connection).to_have_text("live")
    await expect(tab.detail).to_contain_text("60 %")


async def test_nobody_looks_where_nobody_sees_it(dashboards: Dashboards, whole: Whole) -> None:
    row = await whole.start(title="Scan", progress=10)
    fragment, _ = await shared(whole, row["uuid"])
    tab = await visitor(dashboards, fragment)
    await expect(tab.connection).to_have_text("live")
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))
    await tab.ask("() => Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    await tab.ask("() => document.dispatchEvent(new Event('visibilitychange'))")
    await tab.ask("() => new Promise((done) => setTimeout(done, 2500))")  # longer than between two looks
    assert len(asked) <= 1, "one that was on its way"
    await whole.change(row["uuid"], progress=20)
    await tab.ask("() => Object.defineProperty(document, 'hidden', { value: false, configurable: true })")
    await tab.ask("() => document.dispatchEvent(new Event('visibilitychange'))")
    await expect(tab.detail).to_contain_text("20 %")


async def test_what_is_shared_is_listed_in_the_account_and_ended_there(dashboards: Dashboards, whole: Whole) -> None:
    row = await whole.start(title="Scan")
    tab = await (await dashboards.of()).live()
    link = await link_made(tab, row["uuid"], "for an hour")
    guest = await visitor(dashboards, link.partition("/web/")[2])
    await expect(guest.connection).to_have_text("live")
    await tab.go("#/account")
    table = tab.page.get_by_role("table", name="Shared")
    await expect(table.get_by_role("rowheader", name="Scan")).to_be_visible()
    await table.get_by_role("button", name="Revoke Scan").click()
    await tab.answer("Keep it")
    await table.get_by_role("button", name="Revoke Scan").click()
    await tab.answer("Revoke")
    await expect(table).to_have_count(0)
    await expect(guest.page.get_by_text(GONE)).to_be_visible()


async def test_why_it_cannot_be_shared_is_told(dashboards: Dashboards, whole: Whole) -> None:
    row = await whole.start(title="Scan")
    tab = await (await dashboards.of()).live(f"#/activity/{row['uuid']}")
    await tab.detail.get_by_role("button", name="Share…").click()
    revoke(whole.data, "alice")
    await tab.dialog.get_by_role("button", name="Make a link").click()
    await expect(tab.dialog.get_by_role("heading")).to_have_text("It could not be shared")
    await tab.answer("Close")


@pytest.mark.parametrize(("user", "id"), [("rita", 4), ("rob", 5)])
async def test_who_may_not_share_is_not_offered_it(dashboards: Dashboards, whole: Whole, user: str, id: int) -> None:
    theirs, _ = await whole.activities.create("test.work", id)
    tab = await (await dashboards.of(user)).live(f"#/activity/{theirs.uuid}")
    await expect(tab.detail.get_by_role("button", name="Copy link")).to_be_visible()
    await expect(tab.detail.get_by_role("button", name="Share…")).to_have_count(0)


@pytest.mark.parametrize("width", [360, 1100])
async def test_texts_of_others_are_texts_here_too(dashboards: Dashboards, whole: Whole, width: int) -> None:
    view = {"viewport": {"width": width, "height": 700}}
    uuids, own = await hostile_rows(whole), await (await dashboards.of("alice", **view)).live()
    for uuid, text in zip(uuids, HOSTILE, strict=True):
        tab = await visitor(dashboards, (await shared(whole, uuid))[0], **view)
        await expect(tab.detail.locator("h2")).to_have_text(text)
        assert text[:50] in await tab.page.title()
        await is_inert(tab)
        await tab.page.close()
    await own.go("#/account")
    await expect(own.page.get_by_role("table", name="Shared").locator("tbody th")).to_have_text(HOSTILE)
    await is_inert(own)
    await own.go(f"#/activity/{uuids[0]}")
    await own.detail.get_by_role("button", name="Share…").click()
    await expect(own.dialog.get_by_role("heading")).to_have_text(f"Share {MARKUP}")
    await is_inert(own)


@pytest.mark.parametrize("look", LOOKS)
async def test_axe_finds_nothing(dashboards: Dashboards, whole: Whole, look: str) -> None:
    row = await whole.start(title="Scan films", cancellable=True, completed=1, total=4, Context={"section": "3"})
    fragment, id = await shared(whole, row["uuid"])
    tab = await visitor(dashboards, fragment, **LOOKS[look])
    await expect(tab.detail.get_by_role("heading", name="Scan films")).to_be_visible()
    found = await complaints(tab)
    assert await tab.ask("() => document.documentElement.scrollWidth <= innerWidth")
    own = await (await dashboards.of("alice", **LOOKS[look])).live(f"#/activity/{row['uuid']}")
    await own.detail.get_by_role("button", name="Share…").click()
    found += await complaints(own)
    await own.dialog.get_by_role("button", name="Make a link").click()
    await expect(own.dialog.get_by_label("Link")).to_be_visible()
    found += await complaints(own)
    await own.answer("Done")
    await own.go("#/account")
    await expect(own.page.get_by_role("table", name="Shared")).to_be_visible()
    found += await complaints(own)
    await whole.ask("DELETE", f"/web/shares/{id}", "alice")
    await expect(tab.page.get_by_text(GONE)).to_be_visible()
    assert found + await complaints(tab) == []
    # axe-core itself tries styles that the policy does not let it set.
    dashboards.complaints[:] = [each for each in dashboards.complaints if "style" not in each]
