"""The dashboard in a real browser, as people use it: who is signed in, what they see, what they press."""

from __future__ import annotations

import re
from typing import Any, Self
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect

from tests.server.whole import Whole

OPTIONS = ["--no-sandbox", "--disable-dev-shm-usage"]

DEADLINE = 20_000.0
"""Milliseconds that anything is waited for. Only what never comes takes that long."""

expect.set_options(timeout=DEADLINE)

# What a browser says by itself of an answer that is no success, or of a server that is away.
_OF_THE_NETWORK = re.compile(r"Failed to load resource|net::ERR_")


class Dashboard:
    """One tab."""

    def __init__(self, page: Page, whole: Whole) -> None:
        self.page, self.whole = page, whole
        self.list = page.locator("headway-activities")
        self.rows = page.locator("headway-activities .row")
        self.search = page.get_by_role("searchbox", name="Filter")
        self.connection = page.locator("#connection")
        self.detail = page.locator("aside.detail")
        self.dialog = page.locator("dialog")

    def row(self, title: str) -> Locator:
        """The row of this title."""
        return self.rows.filter(has=self.page.locator(".title", has_text=re.compile(f"^{re.escape(title)}$")))

    def word(self, title: str) -> Locator:
        """What the row says of its state."""
        return self.row(title).locator(".word")

    async def go(self, fragment: str = "#/") -> Self:
        """Open the page, or go on to another view of it."""
        await self.page.goto(f"{self.whole.url}/web/{fragment}")
        return self

    async def live(self, fragment: str = "#/") -> Self:
        """Open a view, and wait until the page hears of changes."""
        await self.go(fragment)
        await expect(self.connection).to_have_attribute("data-state", "live")
        return self

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.page.keyboard.press(key)

    async def answer(self, button: str) -> None:
        """Press a button of the dialog that is open."""
        await self.dialog.get_by_role("button", name=button, exact=True).click()
        await expect(self.dialog).to_have_count(0)

    async def ask(self, script: str, argument: Any = None) -> Any:
        """The value of a JavaScript function in the page."""
        return await self.page.evaluate(script, argument)


class Dashboards:
    """All tabs of a test, and what its browser complains of."""

    def __init__(self, browser: Browser, whole: Whole) -> None:
        self._browser, self._whole = browser, whole
        self._contexts: list[BrowserContext] = []
        self.complaints: list[str] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for context in self._contexts:
            await context.close()

    async def context(self, user: str | None = None, whole: Whole | None = None, **options: Any) -> BrowserContext:
        """A browser of somebody, who is signed in; of nobody when no user is named."""
        options = {"viewport": {"width": 1100, "height": 700}, "reduced_motion": "reduce", **options}
        context = await self._browser.new_context(**options)
        context.set_default_timeout(DEADLINE)
        self._contexts.append(context)
        await context.add_init_script(
            "addEventListener('securitypolicyviolation', (event) =>"
            " console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`))"
        )
        context.on("console", self._heard)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        if user is not None:
            await sign_in(context, whole or self._whole, user)
        return context

    async def tab(self, context: BrowserContext, whole: Whole | None = None) -> Dashboard:
        """A tab of a browser."""
        return Dashboard(await context.new_page(), whole or self._whole)

    async def of(self, user: str | None = "alice", **options: Any) -> Dashboard:
        """A tab of a browser of its own, whose user is signed in."""
        return await self.tab(await self.context(user, **options))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not _OF_THE_NETWORK.search(message.text):
            self.complaints.append(message.text)


async def sign_in(context: BrowserContext, whole: Whole, user: str) -> None:
    """As the form does it."""
    answer = await context.request.post(
        f"{whole.url}/web/session",
        data={"token": whole.tokens[user]},
        headers={"Origin": whole.url.removesuffix(urlsplit(whole.url).path)},
    )
    assert answer.ok, await answer.text()
