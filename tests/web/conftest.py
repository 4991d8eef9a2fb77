"""What the tests of the dashboard are given: a real browser, and servers of `headway serve` in the same event loop."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from tests.server.whole import Whole, standalone
from tests.web.dashboard import OPTIONS, Dashboards

CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium, one for all tests; each has contexts of its own."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium here: `apt-get install chromium` brings it")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        await browser.close()


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Whole]:
    """What `headway serve` runs, with a token for each of a few users."""
    async with standalone(tmp_path / "data") as server:
        yield server


@pytest.fixture
async def dashboards(whole: Whole, browser: Browser) -> AsyncIterator[Dashboards]:
    """Pages of that server; at the end nothing may have been written to a console, and no policy been broken."""
    async with Dashboards(browser, whole) as opened:
        yield opened
    assert opened.complaints == []
