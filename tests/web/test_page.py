"""The list and its details, in a real browser: what happens is seen as it happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from headway.core.errors import Unavailable
from headway.core.policy import Role
from headway.reporter import Reporter
from tests.e2e.serving import Serving
from tests.server.running import Running, token_for
from tests.server.whole import UNKNOWN, Whole, eventually
from tests.web.dashboard import Dashboard, Dashboards
from tests.web.jobs import Gate


async def test_a_real_job_is_seen_from_its_start_to_its_end(dashboards: Dashboards, whole: Whole) -> None:
    tab = await (await dashboards.of("admin")).live()
    await expect(tab.list.get_by_text("Nothing is running.")).to_be_visible()
    gate = Gate()
    spawned = await whole.activities.spawn("library.scan", gate.work, title="Scan", subtitle="Films", progress=-1)
    row = tab.row("Scan")
    await expect(row.locator(".subtitle")).to_have_text("Films")
    await expect(row.locator(".bar")).to_have_class("bar unknown")
    await expect(tab.page).to_have_title("(1) Headway")
    reporter: Reporter = await gate.reporter()
    reporter.report(completed=5, total=20, unit="files")
    await expect(row.locator(".percent")).to_have_text("25 %")
    await expect(row.locator(".facts")).to_contain_text("5 of 20 files")
    await expect(row.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "25")
    gate.open()
    await spawned.wait()
    await expect(tab.word("Scan")).to_have_text("done")
    await expect(row).to_have_attribute("data-state", "succeeded")
    await expect(tab.page).to_have_title("Headway")


async def test_parts_are_shown_below_what_they_are_parts_of(dashboards: Dashboards, whole: Whole) -> None:
    tab = await (await dashboards.of()).live()
    parent = await whole.start(title="Whole")
    await whole.start(title="Another")
    await whole.start(title="Part", parentUUID=parent["uuid"])
    await expect(tab.row("Part")).to_have_attribute("aria-level", "2")
    shown = tab.rows.locator(".title")
    await expect(shown).to_have_text(["Whole", "Part", "Another"])
    await tab.row("Whole").get_by_role("button", name="Hide 1 parts").click()
    await expect(shown).to_have_text(["Whole", "Another"])
    await expect(tab.row("Whole")).to_have_attribute("aria-expanded", "false")


async def test_states_differ_by_icon_and_word(dashboards: Dashboards, whole: Whole) -> None:
    tab = await (await dashboards.of()).live()
    for title in ("Well", "Badly", "Nobody knows"):
        row = await whole.start(title=title, progress=-1 if title == "Nobody knows" else 10)
        if title == "Badly":
            await expect(tab.row(title)).to_be_visible()
            await whole.change(row["uuid"], state="failed", error="no disk")
    await expect(tab.word("Badly")).to_have_text("failed")
    await expect(tab.row("Badly").locator(".subtitle")).to_have_text("no disk")
    states = {title: await tab.row(title).get_attribute("data-state") for title in ("Well", "Badly", "Nobody knows")}
    assert states == {"Well": "running", "Badly": "failed", "Nobody knows": "waiting"}
    icons = [await tab.row(title).locator(".sign path").get_attribute("d") for title in ("Well", "Badly")]
    assert len(set(icons)) == 2


async def test_the_filter_narrows_and_is_kept_in_the_address(dashboards: Dashboards, whole: Whole) -> None:
    tab = await (await dashboards.of()).live()
    await whole.start(title="Scan films", type="library.scan", Context={"section": "3"})
    await whole.start(title="Scan music", type="library.scan", Context={"section": "4"})
    await whole.start(title="Optimize", type="media.optimize")
    await expect(tab.rows).to_have_count(3)
    for words, titles in {
        "scan": ["Scan films", "Scan music"],
        "type=media.optimize": ["Optimize"],
        "Context.section=3": ["Scan films"],
        "state=failed": [],
    }.items():
        await tab.search.fill(words)
        await expect(tab.rows.locator(".title")).to_have_text(titles)
    await expect(tab.list.get_by_text("Nothing here matches the filter.")).to_be_visible()
    await tab.search.fill("Context.section=4")
    await expect(tab.page.get_by_text("1 of 3 running")).to_be_visible()
    again = await tab.page.context.new_page()
    await again.goto(tab.page.url)
    await expect(again.locator(".row .title")).to_have_text(["Scan music"])
    await expect(again.get_by_role("searchbox", name="Filter")).to_have_value("Context.section=4")


async def test_a_pause_holds_everything_until_it_ends(dashboards: Dashboards, whole: Whole) -> None:
    tab = await (await dashboards.of()).live()
    first = await whole.start(title="First", progress=10)
    await expect(tab.row("First")).to_be_visible()
    await tab.page.get_by_role("button", name="Pause").click()
    await whole.change(first["uuid"], progress=60)
    second = await whole.start(title="Second", progress=10)
    await whole.change(second["uuid"], progress=20)
    gone = await whole.start(title="Gone")
    await whole.change(gone["uuid"], state="succeeded")
    # Another tab tells that all of it has arrived in this browser.
    other = await (await dashboards.tab(tab.page.context)).live()
    await expect(other.row("Second").locator(".percent")).to_have_text("20 %")
    await expect(tab.row("First").locator(".percent")).to_have_text("10 %")
    await expect(tab.rows).to_have_count(1)
    await tab.page.get_by_role("button", name="Paused").click()
    await expect(tab.row("First").locator(".percent")).to_have_text("60 %")
    await expect(tab.row("Second").locator(".percent")).to_have_text("20 %")
    await expect(tab.rows).to_have_count(2)


async def test_details_open_by_a_click_or_a_link_and_stay_up_to_date(dashboards: Dashboards, whole: Whole) -> None:
    tab = await (await dashboards.of()).live()
    row = await whole.start(title="Scan", progress=10, Context={"section": "3"})
    await tab.row("Scan").locator(".title").click()
    await expect(tab.detail.get_by_role("heading", name="Scan")).to_be_visible()
    assert tab.page.url.endswith(f"#/activity/{row['uuid']}")
    await expect(tab.detail).to_contain_text("section")
    await whole.change(row["uuid"], progress=70, Response={"found": 12})
    await expect(tab.detail).to_contain_text("70 %")
    await expect(tab.detail).to_contain_text("found")
    linked = await (await dashboards.of()).go(f"#/activity/{row['uuid']}")
    await whole.change(row["uuid"], state="failed", error="no disk")
    for each in (tab, linked):
        await expect(each.detail.locator(".error")).to_have_text("no disk")
        await expect(each.detail.locator(".stages li")).to_have_count(2)
        await expect(each.detail.get_by_role("button", name="Stop…")).to_have_count(0)
    over = await (await dashboards.of()).go(f"#/activity/{row['uuid']}")
    await expect(over.detail.locator(".chip")).to_have_text("failed")


async def test_a_press_that_has_begun_ends_where_it_began_whatever_changes(
    dashboards: Dashboards, whole: Whole
) -> None:
    row = await whole.start(title="Busy", cancellable=True, progress=1)
    tab = await (await dashboards.of()).live(f"#/activity/{row['uuid']}")
    await tab.detail.get_by_role("button", name="Stop…").hover()
    await tab.page.mouse.down()
    await whole.change(row["uuid"], progress=55)
    await expect(tab.detail).to_contain_text("55 %")
    await tab.page.mouse.up()
    await expect(tab.dialog.get_by_role("heading")).to_have_text("Stop Busy?")


async def test_what_is_not_there_is_said_to_be_not_there(dashboards: Dashboards, whole: Whole) -> None:
    foreign = (await whole.start("bob", title="Secret"))["uuid"]
    said = []
    tab = await (await dashboards.of("alice")).live()
    for uuid in (foreign, UNKNOWN, "%zz", "constructor"):
        await tab.go(f"#/activity/{uuid}")
        await expect(tab.detail).to_contain_text(uuid)
        await expect(tab.detail.get_by_role("heading", name="There is no such activity")).to_be_visible()
        said.append((await tab.detail.inner_text()).replace(uuid, ""))
    assert len(set(said)) == 1
    for odd in ("#/constructor", "#/history/x", "#main", "#/?q=%"):
        await tab.go(odd)
        await expect(tab.page.get_by_role("heading", level=1)).to_have_count(1)


async def test_users_see_their_own_and_admins_everything_with_its_owner(dashboards: Dashboards, whole: Whole) -> None:
    tabs = {user: await (await dashboards.of(user)).live() for user in ("alice", "bob", "admin")}
    await whole.start("alice", title="Hers")
    await whole.start("bob", title="His")
    await expect(tabs["admin"].rows.locator(".title")).to_have_text(["Hers", "His"])
    owners = tabs["admin"].rows.locator(".owner")
    await expect(owners).to_have_text(["alice", "bob"])
    await expect(tabs["alice"].rows.locator(".title")).to_have_text(["Hers"])
    await expect(tabs["bob"].rows.locator(".title")).to_have_text(["His"])
    await expect(tabs["bob"].rows.locator(".owner")).to_have_text([""])


async def test_admins_filter_by_the_names_of_owners_and_by_their_numbers(dashboards: Dashboards, whole: Whole) -> None:
    for name in ("alice", "bob"):
        row = await whole.start(name, title=f"Done of {name}")
        await whole.change(row["uuid"], name, state="succeeded")
    hers, _ = [await whole.start(name, title=f"Of {name}") for name in ("alice", "bob")]
    tab = await (await dashboards.of("admin")).live("#/?q=owner%3Dbob")
    await expect(tab.rows.locator(".title")).to_have_text(["Of bob"])
    search = tab.page.get_by_role("searchbox").locator("visible=true")
    await search.fill(f"owner={hers['userID']}")
    await expect(tab.rows.locator(".title")).to_have_text(["Of alice"])
    await tab.rows.first.click()
    await expect(tab.page.locator(".detail")).to_contain_text("alice")
    await tab.go("#/history?q=owner%3Dalice")
    await expect(tab.page.locator("tbody tr")).to_have_count(1)
    await expect(tab.page.locator("tbody td").nth(3)).to_have_text("alice")
    await search.fill("owner=nobody")
    await expect(tab.page.locator(".view:not([hidden])")).to_contain_text("Nothing here matches the filter.")


async def test_tabs_share_one_stream_and_the_next_goes_on_when_the_first_is_closed(
    dashboards: Dashboards, whole: Whole
) -> None:
    context = await dashboards.context("alice")
    tabs = [await (await dashboards.tab(context)).live() for _ in range(3)]
    row = await whole.start(title="Shared", progress=5)
    for tab in tabs:
        await expect(tab.row("Shared").locator(".percent")).to_have_text("5 %")
    assert len(whole.service.places) == 1
    await tabs.pop(0).page.close()
    await whole.change(row["uuid"], progress=6)
    for tab in tabs:
        await expect(tab.row("Shared").locator(".percent")).to_have_text("6 %")
    await eventually(lambda: len(whole.service.places) == 1)


async def test_a_stream_is_taken_up_again_after_the_server_was_away(browser: Browser, tmp_path: Path) -> None:
    with Serving(tmp_path / "data") as serving:
        server = Running(serving.url, "", serving.data)
        token = token_for(server, "alice", Role.USER)
        whole = Away(serving, token)
        async with Dashboards(browser, whole) as dashboards:
            tab = await (await dashboards.of("alice")).live()
            row = await whole.start("alice", title="Before", lease=600)
            await expect(tab.row("Before")).to_be_visible()
            serving.kill()
            await expect(tab.connection).to_contain_text("not live for")
            await expect(tab.connection).to_have_attribute("data-state", "lost")
            await expect(tab.row("Before")).to_be_visible()
            serving.start()
            await whole.change(row["uuid"], progress=80)
            await expect(tab.connection).to_have_text("live")
            await expect(tab.row("Before").locator(".percent")).to_have_text("80 %")
            await whole.start("alice", title="After")
            await expect(tab.row("After")).to_be_visible()


async def test_it_is_said_that_the_store_is_away_and_that_it_is_back(
    dashboards: Dashboards, whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    tab = await (await dashboards.of("admin")).live()
    announcer = tab.page.locator("#announcer")

    async def away(names: object) -> None:
        raise Unavailable("the store cannot be reached")

    with monkeypatch.context() as patch:
        patch.setattr(whole.activities.store, "beat", away)
        await expect(announcer).to_have_text("The server cannot reach its store: what is shown may be old.")
        await expect(tab.connection).to_contain_text("without its store")
    await expect(announcer).to_have_text("Live again.")
    await expect(tab.connection).to_have_text("live")


class Away(Whole):
    """A server of another process, which may be killed."""

    def __init__(self, serving: Serving, token: str) -> None:
        self.port, self.url, self.tokens, self.data = serving.port, serving.url, {"alice": token}, serving.data


async def test_the_tab_says_how_many_run_and_how_far_they_are(dashboards: Dashboards, whole: Whole) -> None:
    tab = await (await dashboards.of()).live()
    icon = tab.page.locator("link[rel=icon]")
    await expect(icon).to_have_attribute("href", "icon.svg")
    first, second = [await whole.start(title=title, progress=0) for title in ("One", "Two")]
    await expect(tab.page).to_have_title("(2) Headway")
    ring = "() => document.querySelector('link[rel=icon]').href"
    seen = [await ring_of(tab, 0)]
    for progress, mean in ((50, 25), (100, 50)):
        await whole.change(first["uuid"], progress=progress)
        seen.append(await ring_of(tab, mean))
    assert len(set(seen)) == 3
    assert seen[-1] == await tab.ask(ring)
    assert await tab.ask(PAINTED, seen[-1]) == [False, True]
    await whole.change(first["uuid"], state="succeeded")
    await expect(tab.page).to_have_title("(1) Headway")
    await whole.change(second["uuid"], state="succeeded")
    await expect(tab.page).to_have_title("Headway")
    await expect(icon).to_have_attribute("href", "icon.svg")


async def ring_of(tab: Dashboard, percent: int) -> str:
    """The picture in the tab, once it shows so much."""
    icon = tab.page.locator(f"link[rel=icon][data-drawn='{percent}']")
    await expect(icon).to_have_attribute("href", re.compile("^data:image/png;base64,"))
    return str(await icon.get_attribute("href"))


PAINTED = """async (url) => {
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = Object.assign(document.createElement('canvas'), { width: 32, height: 32 });
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  pen.drawImage(image, 0, 0);
  const blue = (x, y) => { const [red, , blue] = pen.getImageData(x, y, 1, 1).data; return blue > red + 100; };
  return [blue(4, 16), blue(28, 16)]; // half way: on the right, not on the left
}"""


@pytest.mark.parametrize("answer", [503, 0])
async def test_a_page_that_finds_no_server_tries_again(dashboards: Dashboards, answer: int) -> None:
    tab: Dashboard = await dashboards.of()
    await tab.page.clock.install()

    async def refuse(route: object) -> None:
        await (route.fulfill(status=answer) if answer else route.abort())  # type: ignore[attr-defined]

    await tab.page.route("**/web/session", refuse)
    await tab.go()
    await expect(tab.page.get_by_text("The server does not answer; trying again.")).to_be_visible()
    await tab.page.unroute("**/web/session")
    await tab.page.clock.run_for(3_500)
    await expect(tab.connection).to_have_text("live")


async def test_the_list_tells_what_follows_by_a_notification(dashboards: Dashboards, whole: Whole) -> None:
    row = await whole.start(title="Followed")
    context = await dashboards.context("alice")
    await context.grant_permissions(["notifications"])
    await context.add_init_script(
        "globalThis.told = []; globalThis.Notification = class { static permission = 'granted';"
        " static async requestPermission() { return 'granted'; }"
        " constructor(title, { body }) { told.push([title, body]); } };"
    )
    tab = await (await dashboards.tab(context)).live(f"#/activity/{row['uuid']}")
    await tab.detail.get_by_role("button", name="Tell me when it ends").click()
    await expect(tab.detail.locator("[data-key=follow]")).to_have_attribute("aria-pressed", "true")
    await whole.change(row["uuid"], state="failed", error="no disk")
    await expect(tab.word("Followed")).to_have_text("failed")
    assert await tab.ask("() => told") == [["Followed", "failed: no disk"]]
