from __future__ import annotations

from playwright.async_api import expect

from tests.web.dashboard import Dashboards


async def test_it(dashboards: Dashboards) -> None:
    alice = await (await dashboards.of("alice")).live()
    await alice.whole.start("alice", title="Scan", progress=40)
    await expect(alice.row("Scan")).to_be_visible()
    await expect(alice.row("Scan").locator(".percent")).to_have_text("40 %")
