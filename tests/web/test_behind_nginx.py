"""The page and the element in a real browser below a path of a real nginx, whose buffering is as nginx comes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from headway.core.policy import Role
from tests.e2e.nginx import needs_nginx, nginx
from tests.e2e.serving import Serving
from tests.server.running import Running, token_for
from tests.server.whole import Whole
from tests.web.dashboard import Dashboards

BELOW = "/tools/headway"

pytestmark = needs_nginx

# As docs/dashboard.md has it: nothing but who was asked. No word of buffering, of HTTP/1.1 or of timeouts.
LOCATIONS = """
location {below}/ {{ proxy_pass {url}/; proxy_set_header Host $http_host; }}
location = /host.html {{ default_type text/html; return 200 '{host}'; }}
"""
HOST = f"""<!doctype html><html lang="en"><title>A page of another application</title>
<script type="module" src="{BELOW}/web/list.js"></script>
<headway-activities src="{BELOW}/"></headway-activities>"""


class Proxied(Whole):
    """A server of another process, asked directly, while browsers go by way of nginx."""

    def __init__(self, serving: Serving, port: int, token: str) -> None:
        self.port, self.tokens, self.data = serving.port, {"alice": token}, serving.data
        self.site = f"http://127.0.0.1:{port}"
        self.url = f"{self.site}{BELOW}"


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    with Serving(tmp_path / "data") as serving:
        yield serving


@pytest.fixture
def proxied(serving: Serving, tmp_path: Path) -> Iterator[Proxied]:
    locations = LOCATIONS.format(below=BELOW, url=serving.url, host=HOST)
    with nginx(tmp_path / "nginx", locations) as port:
        yield Proxied(serving, port, token_for(Running(serving.url, "", serving.data), "alice", Role.USER))


async def test_page_and_element_are_live_and_go_on_after_the_server_was_away(
    browser: Browser, proxied: Proxied, serving: Serving
) -> None:
    async with Dashboards(browser, proxied) as dashboards:
        tab = await dashboards.of(None)
        await tab.go()
        await tab.page.get_by_label("Token").fill(proxied.tokens["alice"])
        await tab.press("Enter")
        await expect(tab.connection).to_have_text("live")
        host = await dashboards.tab(tab.page.context)
        await host.page.goto(f"{proxied.site}/host.html")
        row = await proxied.start("alice", title="Before", lease=600, progress=1, cancellable=True)
        for each in (tab, host):
            await expect(each.row("Before").locator(".percent")).to_have_text("1 %")
        for progress in (2, 3):
            await proxied.change(row["uuid"], progress=progress)
            for each in (tab, host):
                await expect(each.row("Before").locator(".percent")).to_have_text(f"{progress} %")
        await asyncio.to_thread(serving.kill)
        await expect(tab.connection).to_have_attribute("data-state", "lost")
        await asyncio.to_thread(serving.start)
        await proxied.change(row["uuid"], progress=80)
        await expect(tab.connection).to_have_text("live")
        for each in (tab, host):
            await expect(each.row("Before").locator(".percent")).to_have_text("80 %")
        await host.row("Before").get_by_role("button", name="Stop").click()
        await host.answer("Stop it")
        for each in (tab, host):
            await expect(each.word("Before")).to_have_text("stopping")
        await proxied.change(row["uuid"], state="cancelled")
        for each in (tab, host):
            await expect(each.word("Before")).to_have_text("stopped")
        await tab.page.get_by_role("link", name="History").click()
        await expect(tab.page.locator("tbody tr")).to_contain_text(["Before"])
        assert dashboards.complaints == []
