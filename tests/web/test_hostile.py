"""What is shown may have been written by anyone, and pages of others may try what they like."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from unicodedata import normalize

import pytest
from playwright.async_api import Browser, Error, expect

from tests.server.whole import Whole
from tests.web.dashboard import Dashboard, Dashboards, sign_in

MARKUP = "<img src=x onerror=alert(1)><script>alert(2)</script><b>bold</b>"
HOSTILE = [
    MARKUP,
    "\"'><svg/onload=alert(1)>",
    "javascript:alert(1)",
    "{{7*7}}${7*7}`+alert(1)+`",
    "</title></style></script><script>alert(1)</script>",
    "\u05e9\u05dc\u05d5\u05dd (abc) 12 % \u0645\u0631\u062d\u0628\u0627",
    "W" * 256,
    normalize("NFC", "Z\u0351\u0310a\u0300\u0301\u0302l" * 20),
    "\U0001f469\u200d\U0001f469\u200d\U0001f467" * 10,
    "%0d%0a &amp; &#x3c;script&#x3e;",
]
ALERTED = "globalThis.alert = () => { throw Error('a script ran'); };"


async def hostile_rows(whole: Whole) -> list[str]:
    """Uuids of activities that say nothing but such things: some run, some have failed."""
    rows = [
        await whole.start(
            title=text, subtitle=text, cancellable=True, Context={"said": text, "__proto__": text, "constructor": 1},
        )
        for text in HOSTILE
    ]  # fmt: skip
    for row, text in zip(rows, HOSTILE, strict=True):
        await whole.change(row["uuid"], Response={"answer": text}, completed=1, total=9, unit="files")
    return [row["uuid"] for row in rows]


async def is_inert(tab: Dashboard) -> None:
    """Nothing that was written as markup has become any, and nothing sticks out of the page."""
    found = await tab.ask(
        "() => { const roots = [document, document.querySelector('headway-activities')?.shadowRoot].filter(Boolean);"
        " const all = roots.flatMap((root) => [...root.querySelectorAll('*')]);"
        " return [all.filter((each) => ['IMG', 'SCRIPT', 'B', 'IFRAME'].includes(each.tagName)"
        "   && !/^(app|theme)\\.js$/.test(each.getAttribute('src'))).map((each) => each.outerHTML),"
        "  all.flatMap((each) => each.getAttributeNames().filter((name) => name.startsWith('on'))),"
        "  all.filter((each) => /^\\s*(javascript|data):/i.test(each.getAttribute('href') ?? '')"
        "   && each.rel !== 'icon').length,"
        "  document.documentElement.scrollWidth - innerWidth] }"
    )
    assert found[:3] == [[], [], 0]
    assert found[3] <= 0, "the page is wider than its window"


@pytest.mark.parametrize("width", [320, 1100])
async def test_texts_of_others_are_texts_in_every_place(dashboards: Dashboards, whole: Whole, width: int) -> None:
    uuids = await hostile_rows(whole)
    context = await dashboards.context("alice", viewport={"width": width, "height": 900})
    await context.add_init_script(ALERTED)
    tab = await (await dashboards.tab(context)).live()
    await expect(tab.rows).to_have_count(len(HOSTILE))
    await expect(tab.rows.locator(".title")).to_have_text(HOSTILE)
    await is_inert(tab)
    for uuid, text in zip(uuids[:3], HOSTILE, strict=False):
        await tab.go(f"#/activity/{uuid}")
        await expect(tab.detail.get_by_role("heading", level=2)).to_have_text(text)
        await expect(tab.detail.get_by_role("definition").filter(has_text=text)).to_have_count(3)
        await is_inert(tab)
    await tab.page.keyboard.press("Escape")
    await tab.page.get_by_role("button", name=re.compile(r"^Stop \d")).click()
    await expect(tab.dialog.get_by_role("listitem")).to_have_text(HOSTILE)
    await is_inert(tab)
    await tab.answer("Let it run")
    for uuid, text in zip(uuids, HOSTILE, strict=True):
        await whole.change(uuid, state="failed", error=text)
    await expect(tab.rows.locator(".word", has_text="failed")).to_have_count(len(HOSTILE))
    await is_inert(tab)
    await tab.go("#/history")
    await expect(tab.page.locator("tbody .error")).to_have_text(HOSTILE[::-1])
    await is_inert(tab)
    await tab.go("#/insights")
    await expect(tab.page.get_by_role("figure").last.locator("text").filter(has_text="<img")).to_have_count(1)
    await is_inert(tab)


async def test_text_that_runs_the_other_way_turns_nothing_else_around(dashboards: Dashboards, whole: Whole) -> None:
    title = "\u05e9\u05dc\u05d5\u05dd 12"
    row = await whole.start(title=title, subtitle="34 abc", progress=5)
    tab = await (await dashboards.of()).live(f"#/activity/{row['uuid']}")
    bidi = "(name) => getComputedStyle(document.querySelector('headway-activities').shadowRoot.querySelector(name))"
    for name in (".title", ".subtitle"):
        assert await tab.ask(f"(name) => ({bidi})(name).unicodeBidi", name) == "isolate"
    left = [await tab.row(title).locator(name).bounding_box() for name in (".title", ".subtitle", ".percent")]
    positions = [box["x"] for box in left if box]
    assert positions == sorted(positions)
    assert len(positions) == 3


# Pages of others


EVIL = b"<!doctype html><title>evil</title><body>"


@contextmanager
def another_site() -> Iterator[str]:
    """The address of a page of somebody else's, which has no policy of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(EVIL)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


TRY = """
async ([url, uuid]) => {
  const attempt = (path, options) => fetch(url + path, options).then((answer) => answer.text(), () => 'kept out');
  const stream = new Promise((resolve) => {
    const source = new EventSource(url + '/:/eventsource/notifications?snapshot=1', { withCredentials: true });
    source.onerror = () => resolve(source.readyState === 2 ? 'kept out' : 'tries again');
    for (const type of ['message', 'activity', 'snapshot', 'ping']) source.addEventListener(type, () => resolve(type));
  });
  const socket = new Promise((resolve) => {
    const opened = new WebSocket(url.replace('http', 'ws') + '/:/websockets/notifications');
    opened.onopen = () => resolve('open');
    opened.onerror = () => resolve('kept out');
  });
  const script = new Promise((resolve) => {
    const made = document.createElement('script');
    made.onload = () => resolve('ran');
    made.onerror = () => resolve('kept out');
    made.src = url + '/activities';
    document.body.append(made);
  });
  const own = { credentials: 'include' };
  return Promise.all([
    attempt('/activities', own),
    attempt(`/activities/${uuid}`, { method: 'DELETE', ...own }),
    attempt('/web/session', own),
    attempt('/web/session', { method: 'POST', body: '{"token":"x"}', mode: 'no-cors', ...own }),
    attempt('/web/links', { method: 'POST', body: '{}', headers: { 'Content-Type': 'application/json' }, ...own }),
    stream, socket, script,
  ]);
}
"""


async def test_a_page_of_another_site_reads_and_stops_nothing(dashboards: Dashboards, whole: Whole) -> None:
    row = await whole.start(title="Secret", cancellable=True)
    context = await dashboards.context("alice")
    with another_site() as evil:
        page = await context.new_page()
        await page.goto(evil)
        found = await page.evaluate(TRY, [whole.url, row["uuid"]])
    assert found[3] in ("", "kept out")  # an opaque answer: nothing of it can be read
    assert [each for index, each in enumerate(found) if index != 3] == ["kept out"] * 7
    assert (await whole.ask("GET", f"/activities/{row['uuid']}", "alice")).row["state"] == "running"
    assert await sessions_of(whole, "alice") == 1
    complaints = [each for each in dashboards.complaints if "CORS" not in each and "WebSocket" not in each]
    dashboards.complaints[:] = complaints


async def sessions_of(whole: Whole, name: str) -> int:
    users = (await whole.ask("GET", "/web/users", "admin")).json["users"]
    return int(next(user["sessions"] for user in users if user["name"] == name))


async def test_a_form_and_a_frame_of_another_site_lead_nowhere(dashboards: Dashboards, whole: Whole) -> None:
    row = await whole.start(title="Secret", cancellable=True)
    context = await dashboards.context("alice")
    with another_site() as evil:
        page = await context.new_page()
        await page.goto(evil)
        await page.evaluate(
            "(url) => new Promise((resolve) => { const frame = document.createElement('iframe');"
            " frame.onload = resolve; frame.src = url; document.body.append(frame); })",
            f"{whole.url}/web/",
        )
        (frame,) = page.main_frame.child_frames
        try:
            shown = await frame.content()
        except Error:
            shown = ""
        assert "Headway" not in shown
        await page.evaluate(
            "(url) => { const form = document.createElement('form'); form.method = 'post'; form.action = url;"
            " document.body.append(form); form.submit(); }",
            f"{whole.url}/activities/{row['uuid']}?X-HTTP-Method-Override=DELETE",
        )
        await page.wait_for_url(f"{whole.url}/**")
    assert (await whole.ask("GET", f"/activities/{row['uuid']}", "alice")).row["state"] == "running"
    dashboards.complaints[:] = [each for each in dashboards.complaints if "frame-ancestors" not in each]


# Below a path


BELOW = "/tools/headway"


class Proxied(Whole):
    """As it is reached below a path."""

    def __init__(self, whole: Whole, url: str) -> None:
        super().__init__(whole.port, whole.server, whole.service, whole.tokens, whole.data)
        self.url = url


@asynccontextmanager
async def below_a_path(whole: Whole) -> AsyncIterator[Proxied]:
    """A small reverse proxy: what comes below ``BELOW`` goes to the server, and nothing else does."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, _, rest = head.partition("\r\n")
            method, path, version = line.split(" ")
            if not path.startswith(f"{BELOW}/"):
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            rest = re.sub(r"(?im)^connection:.*\r\n", "", rest)
            upstream, onward = await asyncio.open_connection("127.0.0.1", whole.port)
            onward.write(
                f"{method} {path.removeprefix(BELOW)} {version}\r\nConnection: close\r\n{rest}".encode("latin-1")
            )
            sending = asyncio.ensure_future(pour(reader, onward))
            await pour(upstream, writer)
            sending.cancel()
            onward.close()
        except (OSError, asyncio.IncompleteReadError):
            pass  # one of the two has gone
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield Proxied(whole, f"http://127.0.0.1:{port}{BELOW}")


async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65_536):
        writer.write(piece)
        await writer.drain()


async def test_everything_works_below_a_path(browser: Browser, whole: Whole) -> None:
    async with below_a_path(whole) as proxied, Dashboards(browser, proxied) as dashboards:
        context = await dashboards.context()
        await sign_in(context, proxied, "alice")
        tab = await (await dashboards.tab(context)).live()
        row = await whole.start(title="Scan", cancellable=True)
        await tab.row("Scan").get_by_role("button", name="Stop Scan").click()
        await tab.answer("Stop it")
        await expect(tab.word("Scan")).to_have_text("stopping")
        await whole.change(row["uuid"], state="cancelled")
        await expect(tab.word("Scan")).to_have_text("stopped")
        for view in ("history", "insights", "account"):
            await tab.page.get_by_role("link", name=view.title()).click()
            await expect(tab.page.locator(".view:visible table").first).to_be_visible()
        assert dashboards.complaints == []
