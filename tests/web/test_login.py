"""Signing in and out, in a real browser: by a token or a link, and no longer than the session lasts."""

from __future__ import annotations

import asyncio
import math
import time

import pytest
from playwright.async_api import BrowserContext, Page, expect

from headway.core.policy import Role
from tests.server.whole import JSON, Whole, make_tokens, revoke
from tests.web.dashboard import Dashboard, Dashboards

FORM = "Sign in to Headway"


async def sign_in(tab: Dashboard, token: str) -> None:
    """By the form."""
    await tab.page.get_by_label("Token").fill(token)
    await tab.press("Enter")


async def is_out(tab: Dashboard) -> None:
    await expect(tab.page.get_by_role("heading", name=FORM)).to_be_visible()
    await expect(tab.page.get_by_role("navigation")).to_be_hidden()


async def kept_by(context: BrowserContext, page: Page) -> str:
    """All that scripts of the page, its address and its storage could tell of a token."""
    found = await page.evaluate(
        "() => [location.href, document.documentElement.outerHTML, document.cookie, JSON.stringify({...localStorage}),"
        " JSON.stringify({...sessionStorage}), ...performance.getEntriesByType('resource').map((entry) => entry.name)]"
    )
    return "\n".join(found)


async def test_a_token_lets_in_and_is_found_nowhere_afterwards(dashboards: Dashboards) -> None:
    context = await dashboards.context()
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    tab = await (await dashboards.tab(context)).go()
    await is_out(tab)
    await expect(tab.page.get_by_label("Token")).to_have_attribute("type", "password")
    token = tab.whole.tokens["alice"]
    await sign_in(tab, token)
    await expect(tab.connection).to_have_text("live")
    assert token not in await kept_by(context, tab.page)
    assert not [url for url in asked if token in url]
    (cookie,) = await context.cookies()
    assert (cookie.get("httpOnly"), cookie.get("sameSite")) == (True, "Strict")
    assert cookie.get("value") != token


async def test_a_bad_token_is_told_of_and_may_be_tried_again(dashboards: Dashboards) -> None:
    tab = await (await dashboards.of(None)).go()
    await sign_in(tab, "no token of this server")
    await expect(tab.page.get_by_role("alert")).to_have_text("This token opens nothing here.")
    await sign_in(tab, tab.whole.tokens["bob"])
    await expect(tab.connection).to_have_text("live")


async def code_for(whole: Whole, user: str) -> str:
    return str((await whole.ask("POST", "/web/links", user, [JSON], {})).json["code"])


async def test_a_link_lets_in_once_and_leaves_the_address_at_once(dashboards: Dashboards, whole: Whole) -> None:
    code = await code_for(whole, "alice")
    context = await dashboards.context()
    tab = await (await dashboards.tab(context)).live(f"#link={code}")
    assert code not in await kept_by(context, tab.page)
    await tab.go("#/account")
    await expect(tab.page.get_by_role("heading", name="alice")).to_be_visible()
    second = await (await dashboards.of(None)).go(f"#link={code}")
    await is_out(second)
    await expect(second.page.get_by_role("alert")).to_have_text("This link is used up, or too old.")
    assert code not in second.page.url


async def test_a_link_into_a_page_that_is_open_changes_who_is_there_in_every_tab(
    dashboards: Dashboards, whole: Whole
) -> None:
    await whole.start("alice", title="Hers")
    await whole.start("bob", title="His")
    context = await dashboards.context("alice")
    first, second = await dashboards.tab(context), await dashboards.tab(context)
    for tab in (first, second):
        await tab.live()
        await expect(tab.row("Hers")).to_be_visible()
    code = await code_for(whole, "bob")
    await second.ask("(code) => { location.hash = `#link=${code}`; }", code)
    for tab in (second, first):
        await expect(tab.row("His")).to_be_visible()
        await expect(tab.row("Hers")).to_have_count(0)


async def test_signing_in_lets_every_tab_in(dashboards: Dashboards) -> None:
    context = await dashboards.context()
    first, second = [await (await dashboards.tab(context)).go() for _ in range(2)]
    for tab in (first, second):
        await is_out(tab)
    await sign_in(second, second.whole.tokens["alice"])
    for tab in (second, first):
        await expect(tab.connection).to_have_text("live")


async def test_signing_out_ends_the_session_in_every_tab(dashboards: Dashboards) -> None:
    context = await dashboards.context("alice")
    first, second = await dashboards.tab(context), await dashboards.tab(context)
    await first.live()
    await second.live("#/account")
    await second.page.get_by_role("button", name="Sign out", exact=True).click()
    for tab in (second, first):
        await is_out(tab)
    assert not [cookie for cookie in await context.cookies() if cookie.get("value")]


async def test_signing_out_everywhere_asks_first_and_reaches_other_browsers(dashboards: Dashboards) -> None:
    here = await (await dashboards.of("alice")).live("#/account")
    there = await (await dashboards.of("alice")).live()
    bob = await (await dashboards.of("bob")).live()
    await here.page.get_by_role("button", name="Sign out everywhere").click()
    await here.answer("Stay")
    await here.page.get_by_role("button", name="Sign out everywhere").click()
    await here.answer("Sign out")
    for tab in (here, there):
        await is_out(tab)
    await bob.whole.start("bob", title="Goes on")
    await expect(bob.row("Goes on")).to_be_visible()


async def test_a_revoked_token_leads_back_to_the_form(dashboards: Dashboards, whole: Whole) -> None:
    await whole.start("alice", title="Secret")
    tab = await (await dashboards.of("alice")).live()
    await expect(tab.row("Secret")).to_be_visible()
    revoke(whole.data, "alice")
    await is_out(tab)
    assert "Secret" not in await tab.page.content()


async def new_token(whole: Whole, expires_at: float = math.inf) -> str:
    """Another token of alice's, once the server knows it."""
    token = make_tokens(whole.data, {"alice": Role.USER}, expires_at)["alice"]
    async with asyncio.timeout(20):
        while (await whole.ask("GET", "/activities", token)).status != 200:
            await asyncio.sleep(0.02)
    return token


@pytest.mark.parametrize("how", ["revoked", "expired"])
async def test_a_page_goes_on_where_it_was_after_its_session_has_ended(
    dashboards: Dashboards, whole: Whole, how: str
) -> None:
    row = await whole.start("alice", title="Scan films", cancellable=True)
    await whole.start("alice", title="Optimize")
    end = time.time() + 10 if how == "expired" else math.inf
    short = await new_token(whole, end)
    tab = await (await dashboards.of(None)).go(f"#/activity/{row['uuid']}?q=films")
    await sign_in(tab, short)
    await expect(tab.detail.get_by_role("heading", name="Scan films")).to_be_visible()
    await tab.page.get_by_role("link", name="History").click()
    await tab.page.go_back()
    if how == "revoked":
        revoke(whole.data, "alice")
    await is_out(tab)
    await expect(tab.page.get_by_role("status")).to_have_text(
        "You are signed out. Sign in, and it goes on where you were."
    )
    await expect(tab.page.get_by_role("alert")).to_have_text("")
    await expect(tab.connection).to_have_text("")
    await expect(tab.page).to_have_title("Headway")
    await sign_in(tab, await new_token(whole))
    await expect(tab.detail.get_by_role("heading", name="Scan films")).to_be_visible()
    await expect(tab.rows.locator(".title")).to_have_text(["Scan films"])
    await expect(tab.connection).to_have_text("live")


async def test_a_view_that_was_asked_for_is_shown_after_signing_in(dashboards: Dashboards, whole: Whole) -> None:
    row = await whole.start("alice", title="Linked")
    tab = await (await dashboards.of(None)).go(f"#/activity/{row['uuid']}")
    await sign_in(tab, whole.tokens["alice"])
    await expect(tab.detail.get_by_role("heading", name="Linked")).to_be_visible()
