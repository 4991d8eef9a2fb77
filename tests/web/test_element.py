"""The element in a page of a host's own: the example that the documentation shows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.async_api import Browser, expect

from tests.examples.site import Site, running


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running("examples.dashboard_element:app", tmp_path_factory.mktemp("element")) as site:
        yield site


async def test_it_shows_what_its_filter_admits_and_stops_it(browser: Browser, site: Site) -> None:
    context = await browser.new_context(reduced_motion="reduce")
    page = await context.new_page()
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    assert (await context.request.post(f"{site.url}/session/alice")).status == 204
    for section in (3, 4):
        assert (await context.request.post(f"{site.url}/scans?section={section}")).status == 202
    await page.goto(f"{site.url}/")
    rows = page.locator("headway-activities .row")
    await expect(rows.locator(".title")).to_have_text(["Scanning section 3"])
    await expect(rows.locator(".facts")).to_contain_text("of 600 folders")
    colour = await rows.locator(".bar").evaluate("(bar) => getComputedStyle(bar).color")
    assert colour == "rgb(138, 28, 90)"
    await rows.get_by_role("button", name="Stop Scanning section 3").click()
    await page.get_by_role("button", name="Stop it").click()
    await expect(rows.locator(".word")).to_have_text("stopped")
    await page.evaluate("() => document.querySelector('headway-activities').setAttribute('filter', '')")
    await expect(rows.locator(".word")).to_have_text(["stopped", "running"])
    await page.evaluate("() => document.querySelector('headway-activities').remove()")
    await context.request.post(f"{site.url}/session/bob")
    await page.reload()
    await expect(page.locator("headway-activities").get_by_text("Nothing is running.")).to_be_visible()
    assert troubles == []
    await context.close()


async def test_a_host_may_decide_itself_what_a_press_does(browser: Browser, site: Site) -> None:
    context = await browser.new_context(reduced_motion="reduce")
    page = await context.new_page()
    await context.request.post(f"{site.url}/session/alice")
    await context.request.post(f"{site.url}/scans?section=3")
    await page.goto(f"{site.url}/")
    await page.evaluate(
        "() => { globalThis.told = []; const list = document.querySelector('headway-activities');"
        " list.addEventListener('cancel-request', (event) =>"
        " event.preventDefault() ?? told.push(event.detail[0].title));"
        " list.addEventListener('select', (event) => told.push(event.detail.type)); }"
    )
    row = page.locator("headway-activities .row[data-state=running]").last
    await row.locator(".title").click()
    await row.get_by_role("button", name="Stop Scanning section 3").click()
    assert await page.evaluate("() => told") == ["library.scan", "Scanning section 3"]
    await expect(page.locator("dialog")).to_have_count(0)
    await context.close()
