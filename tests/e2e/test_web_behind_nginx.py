"""The dashboard below a path of a real nginx that does TLS: found, logged in to, streamed to, logged out of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urljoin

import pytest

from tests.e2e.nginx import needs_nginx, nginx
from tests.server.browser import Browser, cookie_in, cut
from tests.server.whole import EVENTS, Whole, standalone

BROWSER = ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
BELOW = "/tools/headway"

pytestmark = needs_nginx

# It says that it does TLS, which is all that the server hears of it.
LOCATION = """
location {below}/ {{
  proxy_pass {url}/; proxy_http_version 1.1; proxy_set_header Connection "";
  proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto https;
  proxy_set_header X-Forwarded-For $remote_addr;
}}
"""


@pytest.fixture
async def proxied(tmp_path: Path) -> AsyncIterator[Whole]:
    """A server as it is reached by way of nginx."""
    async with standalone(tmp_path / "data", behind_proxy=True) as whole:
        with nginx(tmp_path / "nginx", LOCATION.format(below=BELOW, url=whole.url)) as port:
            yield Whole(port, whole.server, whole.service, whole.tokens, whole.data)


async def test_a_browser_finds_the_page_and_what_is_beside_it(proxied: Whole) -> None:
    sent = await proxied.ask("GET", f"{BELOW}/", None, [BROWSER])
    assert sent.status == 303
    assert urljoin(f"https://localhost{BELOW}/", sent.headers["location"]) == f"https://localhost{BELOW}/web/"
    page = await proxied.ask("GET", f"{BELOW}/web/", None, [BROWSER])
    assert page.status == 200
    assert (await proxied.ask("GET", f"{BELOW}/web/app.js")).status == 200
    known = [("If-None-Match", page.headers["etag"])]
    assert (await proxied.ask("GET", f"{BELOW}/web/", None, known)).status == 304


async def test_a_browser_logs_in_watches_and_logs_out(proxied: Whole, tmp_path: Path) -> None:
    browser = Browser(proxied, "https")
    code = (await proxied.ask("POST", f"{BELOW}/web/links", "alice", body={})).json["code"]
    answer = await browser.ask("POST", f"{BELOW}/web/session", {"link": code})
    assert (answer.status, answer.json["name"]) == (200, "alice")
    cookie = cookie_in(answer)
    assert cookie is not None
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "strict")
    async with proxied._events(proxied.request("GET", f"{BELOW}{EVENTS}", None, browser.headers)) as stream:
        await stream.event()
        assert (await browser.ask("DELETE", f"{BELOW}/web/session")).status == 204
        await cut(stream)
    log = (tmp_path / "nginx" / "access").read_text()
    assert "/web/session" in log
    assert code not in log


async def test_pages_of_other_schemes_are_other_sites(proxied: Whole) -> None:
    body = {"token": proxied.tokens["alice"]}
    assert (await Browser(proxied, "http").ask("POST", f"{BELOW}/web/session", body)).status == 403
