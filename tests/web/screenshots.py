"""Pictures of each view for the documentation, the same each time: `python -m tests.web.screenshots`."""

from __future__ import annotations

import asyncio
import random
import shutil
import sys
import uuid as uuids
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, Route, ViewportSize, async_playwright, expect

from headway import Activities, Principal, Role
from headway.testing import FakeClock
from tests.server.whole import PRINCIPALS, Whole, in_memory
from tests.web.dashboard import OPTIONS

FOLDER = Path(__file__).parents[2] / "docs" / "dashboard"
START = 1_794_700_800.0  # a Sunday morning in November 2026
HOUR = 3600.0
LONG = 80_000

PLAIN = ("Content-Type", "text/plain; charset=utf-8")
PRINTED = """\
sending incremental file list
catalogue/
catalogue/films.db
         24.85M 100%   88.10MB/s    0:00:00 (xfr#1, to-chk=5/8)
catalogue/series.db
          9.31M 100%   41.02MB/s    0:00:00 (xfr#2, to-chk=4/8)
catalogue/covers.tar
          1.47G  88%   96.30MB/s    0:00:02
"""

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1100, "height": 620}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1100, "height": 620}},
    "phone": {"color_scheme": "light", "viewport": {"width": 360, "height": 640}},
}
TALL: ViewportSize = {"width": 1100, "height": 1000}
SESSION = {
    "login": True,
    "userID": 1,
    "name": "admin",
    "role": "admin",
    "expiresAt": START + 40 * HOUR,
    "may": ["read", "report", "cancel", "delegate", "administer"],
}
TOKENS = [
    {"id": "1", "name": "first start", "role": "admin", "userID": 1, "userName": "admin", "current": True},
    {"id": "2", "name": "nightly backup", "role": "reporter", "userID": 2, "userName": "alice", "current": False},
    {"id": "3", "name": "hallway screen", "role": "reader", "userID": 3, "userName": "bob", "current": False},
]
SHARE = {"id": "1", "userID": 1, "userName": "admin", "createdAt": START + 2 * HOUR, "expiresAt": START + 26 * HOUR}
GUEST = f"hwg_0123abcd_{'A' * 43}"
USERS = [
    {"userID": number, "name": name, "createdAt": START - 40 * 24 * HOUR, "tokens": 1, "sessions": sessions}
    for number, name, sessions in ((1, "admin", 1), (2, "alice", 2), (3, "bob", 0))
]
PAST = {
    "library.scan": (240, "Scan Films"),
    "media.optimize": (1500, "Optimize for phones"),
    "library.analyze": (40, "Analyze loudness"),
    "backup.nightly": (900, "Back up the catalogue"),
}


def numbered() -> Iterator[uuids.UUID]:
    """Ids that are the same each time."""
    number = 0
    while True:
        number += 1
        yield uuids.UUID(int=number * 0x1234_5678_9ABC_DEF0_1357_9BDF % 2**122, version=4)


async def live_through_a_morning(whole: Whole, clock: FakeClock) -> tuple[str, dict[str, str]]:
    """Half a day of history and what runs at noon; the uuid of what is looked at closely, and of the others by name."""
    dice = random.Random(4)
    for _ in range(70):
        kind = dice.choice(list(PAST))
        usual, title = PAST[kind]
        row = await whole.start(
            dice.choice(["alice", "bob", "admin"]), type=kind, title=title, lease=LONG, cancellable=True
        )
        clock.advance(min(700.0, usual * dice.lognormvariate(0, 0.5)))
        outcome = dice.choices(["succeeded", "failed", "cancelled"], [12, 2, 1])[0]
        if outcome == "cancelled":
            await whole.ask("DELETE", f"/activities/{row['uuid']}", "admin")
        error = {"error": "No space left on device"} if outcome == "failed" else {}
        await whole.change(row["uuid"], "admin", state=outcome, **error)
    return await noon(whole, clock)


async def noon(whole: Whole, clock: FakeClock) -> tuple[str, dict[str, str]]:
    scan = await whole.start(
        "alice", type="library.scan", title="Scan Films", lease=LONG, cancellable=True,
        Context={"librarySectionID": "3", "path": "/media/films"},
    )  # fmt: skip
    films = await whole.start("alice", title="Read the folders", parentUUID=scan["uuid"], lease=LONG)
    covers = await whole.start("alice", title="Fetch covers", parentUUID=scan["uuid"], lease=LONG, progress=-1)
    more: dict[str, tuple[str, dict[str, Any]]] = {
        "optimize": ("bob", {"type": "media.optimize", "title": "Optimize for phones", "subtitle": "Serenity (2005)"}),
        "backup": ("admin", {"type": "backup.nightly", "title": "Back up the catalogue", "subtitle": "to the attic"}),
        "convert": ("alice", {"type": "media.convert", "title": "Convert 4K to HD", "subtitle": "Firefly S01E03"}),
        "upgrade": ("admin", {"type": "server.upgrade", "title": "Upgrade the server", "cancellable": False}),
        "analyze": ("bob", {"type": "library.analyze", "title": "Analyze loudness", "progress": -1}),
        "failed": ("bob", {"type": "library.analyze", "title": "Find intros"}),
        "done": ("alice", {"type": "playlist.export", "title": "Export playlists"}),
    }
    running = {
        name: (await whole.start(user, **{"lease": LONG, "cancellable": True, **members}))["uuid"]
        for name, (user, members) in more.items()
    }
    for step in range(1, 9):
        clock.advance(9)
        await whole.change(films["uuid"], completed=step * 412, total=5_120, unit="files", subtitle="/media/films/S")
        await whole.change(covers["uuid"], subtitle="The Train Job")
        await whole.change(running["optimize"], "bob", completed=step * 96e6, total=2.1e9, unit="bytes")
        await whole.change(running["convert"], progress=step * 5)
        await whole.change(running["backup"], "admin", progress=step * 11)
        await whole.change(running["upgrade"], "admin", progress=step * 3, subtitle="Unpacking")
        await whole.activities.settled()  # or rates and what is left would depend on when they are looked at
    await whole.ask("PUT", f"/activities/{running['backup']}/output", "admin", [PLAIN], PRINTED.encode())
    for name in ("convert", "analyze"):
        await whole.ask("DELETE", f"/activities/{running[name]}", "admin")
    await whole.activities.mark_overdue(running["analyze"])
    await whole.activities.mark_stalled(running["upgrade"], clock.now())
    return str(scan["uuid"]), running


async def opened(browser: Browser, whole: Whole, now: float, **options: Any) -> Page:
    """A page at which it is always the same moment."""
    context = await browser.new_context(
        locale="en-GB",
        timezone_id="UTC",
        reduced_motion="reduce",
        **options,
    )
    page = await context.new_page()
    await page.clock.set_fixed_time(now)
    for path, answer in {"session": SESSION, "tokens": {"tokens": TOKENS}, "users": {"users": USERS}}.items():
        await page.route(f"**/web/{path}", answering(answer))
    return page


def answering(document: Any) -> Any:
    async def answer(route: Route) -> None:
        await route.fulfill(json=document)

    return answer


async def take(browser: Browser, whole: Whole, clock: FakeClock, uuid: str, ends: dict[str, str]) -> None:
    """All pictures."""
    pages: dict[str, Page] = {}
    for look, options in LOOKS.items():
        signed_in = {"extra_http_headers": {"X-Plex-Token": "admin"}}
        pages[look] = page = await opened(browser, whole, clock.now(), **signed_in, **options)
        await page.route("**/web/shares", answering({"shares": [{**SHARE, "uuid": uuid, "title": "Scan Films"}]}))
        await page.goto(f"{whole.url}/web/#/")
        await expect(page.locator("headway-activities .row").first).to_be_visible()
    await whole.change(ends["failed"], "bob", state="failed", error="ffprobe: moov atom not found")
    await whole.change(ends["done"], state="succeeded")
    for look, page in pages.items():
        for state in ("succeeded", "failed", "overdue", "stalled"):
            await page.locator(f"headway-activities .row[data-state={state}]").wait_for(state="attached")
        await save(page, f"now-{look}")
        for view, shown in {
            f"activity/{uuid}": ".detail h2",
            "history": "tbody tr",
            "insights": "figure",
            "account": "table",
        }.items():
            await page.evaluate("(view) => { location.hash = `#/${view}` }", view)
            await page.locator(f".view:visible {shown}").first.wait_for()
            tall = view == "insights" and look != "phone"
            await page.set_viewport_size(TALL if tall else LOOKS[look]["viewport"])
            await save(page, f"{view.split('/')[0]}-{look}")
        if look != "phone":
            await page.evaluate("(uuid) => { location.hash = `#/activity/${uuid}` }", ends["backup"])
            await page.set_viewport_size(TALL)
            await expect(page.locator(".output pre")).to_contain_text("covers.tar")
            await save(page, f"output-{look}")
            await page.set_viewport_size(LOOKS[look]["viewport"])
        await page.evaluate("() => { location.hash = '#/' }")
        await page.locator("headway-activities .row .stop:visible").first.click()
        await save(page, f"cancel-{look}")
        await page.context.close()


async def take_shared(browser: Browser, whole: Whole, clock: FakeClock, uuid: str) -> None:
    """What somebody sees who has a link."""
    PRINCIPALS[GUEST] = Principal(2, Role.GUEST, only=uuid)
    for look, options in LOOKS.items():
        page = await opened(browser, whole, clock.now(), **options)
        await page.goto(f"{whole.url}/web/#shared={GUEST}&uuid={uuid}")
        await page.locator(".detail h2").wait_for()
        await save(page, f"shared-{look}")
        await page.context.close()


async def save(page: Page, name: str) -> None:
    """As small as it gets without loss."""
    file = FOLDER / f"{name}.png"
    await page.mouse.move(0, 0)  # nothing is pointed at
    await page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    await page.screenshot(path=file, animations="disabled")
    size = file.stat().st_size
    if size > 150 * 1024:
        raise SystemExit(f"{file} is too large: {size} bytes")


async def main() -> None:
    """Take them all anew."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("there is no chromium here: `apt-get install chromium` brings it")
    FOLDER.mkdir(exist_ok=True)
    clock, ids = FakeClock(START), numbered()
    activities = Activities(clock=clock, new_uuid=lambda: next(ids))
    async with in_memory(activities) as whole, async_playwright() as playwright:
        uuid, running = await live_through_a_morning(whole, clock)
        browser = await playwright.chromium.launch(executable_path=chromium, args=OPTIONS)
        await take_shared(browser, whole, clock, uuid)
        await take(browser, whole, clock, uuid, running)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
