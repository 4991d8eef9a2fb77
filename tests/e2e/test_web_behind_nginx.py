"""The dashboard below a path of a real nginx that does TLS: found, logged in to, streamed to, logged out of."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import pytest

from tests.client.scripted_server import eventually, free_port
from tests.server.browser import Browser, cookie_in, cut
from tests.server.whole import EVENTS, Whole, standalone

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
BROWSER = ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
BELOW = "/tools/headway"

pytestmark = pytest.mark.skipif(NGINX is None, reason="there is no nginx")

# It says that it does TLS, which is all that the server hears of it.
CONFIG = """
daemon off; pid {folder}/pid; error_log {folder}/errors;
events {{ }}
http {{
  access_log {folder}/access;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location {below}/ {{
      proxy_pass {url}/; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto https;
      proxy_set_header X-Forwarded-For $remote_addr;
    }}
  }}
}}
"""


@contextmanager
def nginx(folder: Path, url: str) -> Iterator[int]:
    """An nginx before a server, while the block runs; its port."""
    folder.mkdir()
    port, config = free_port(), folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, port=port, url=url, below=BELOW))
    command = [str(NGINX), "-c", str(config), "-p", str(folder), "-e", str(folder / "errors")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            eventually(lambda: (folder / "pid").exists() or process.poll() is not None)
            assert process.poll() is None, process.communicate()[1]
            yield port
        finally:
            process.terminate()


@pytest.fixture
async def proxied(tmp_path: Path) -> AsyncIterator[Whole]:
    """A server as it is reached by way of nginx."""
    async with standalone(tmp_path / "data", behind_proxy=True) as whole:
        with nginx(tmp_path / "nginx", whole.url) as port:
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
