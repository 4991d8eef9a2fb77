"""For everyone: axe-core finds nothing in any view, however it is looked at, and the right things are said aloud."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from tests.server.whole import Whole
from tests.web.dashboard import Dashboard, Dashboards

AXE = Axe()
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "more contrast": {"color_scheme": "light", "contrast": "more"},
    "forced colours": {"forced_colors": "active"},
    "dark, more contrast, on a phone": {
        "color_scheme": "dark",
        "contrast": "more",
        "viewport": {"width": 320, "height": 640},
    },
}


async def complaints(tab: Dashboard) -> list[str]:
    """What axe-core finds, by all its rules and best practices, and where."""
    found = await AXE.run(tab.page)
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}"
        for each in found.response["violations"]
        for node in each["nodes"]
    ]


async def every_state(whole: Whole) -> str:
    """Activities in each state that the list shows; the uuid of one that has much to tell."""
    parent = await whole.start(title="Scan films", cancellable=True, Context={"section": 3})
    await whole.start(title="Section A", parentUUID=parent["uuid"], progress=-1)
    await whole.change(parent["uuid"], completed=30, total=90, unit="files", subtitle="Firefly")
    await whole.start(title="Upgrade", cancellable=False, progress=12)
    stopping = await whole.start(title="Stopping", cancellable=True, progress=40)
    await whole.ask("DELETE", f"/activities/{stopping['uuid']}", "alice")
    for state in ("succeeded", "failed"):
        row = await whole.start(title=f"Has {state}", type="media.optimize")
        await whole.change(row["uuid"], state=state, **({"error": "no disk"} if state == "failed" else {}))
    return str(parent["uuid"])


@pytest.mark.parametrize("look", LOOKS)
async def test_axe_finds_nothing_in_any_view(dashboards: Dashboards, whole: Whole, look: str) -> None:
    uuid = await every_state(whole)
    tab = await (await dashboards.of(None, **LOOKS[look])).go()
    await expect(tab.page.get_by_label("Token")).to_be_visible()
    found = {"login": await complaints(tab)}
    tab = await (await dashboards.of("alice", **LOOKS[look])).live()
    await expect(tab.rows).to_have_count(4)
    done = await whole.start(title="Done")
    await expect(tab.row("Done")).to_be_visible()
    await whole.change(done["uuid"], state="succeeded")
    await expect(tab.word("Done")).to_have_text("done")
    found["now"] = await complaints(tab)
    await tab.search.focus()
    await tab.page.get_by_role("button", name="Stop 1…").click()
    found["dialog"] = await complaints(tab)
    await tab.answer("Let it run")
    for view, shown in {
        f"activity/{uuid}": tab.detail.get_by_role("heading", name="Scan films"),
        "history": tab.page.locator("tbody tr").first,
        "insights": tab.page.get_by_role("figure").first,
        "account": tab.page.get_by_role("table"),
    }.items():
        await tab.go(f"#/{view}")
        await expect(shown).to_be_visible()
        found[view] = await complaints(tab)
        assert await tab.ask("() => document.documentElement.scrollWidth <= innerWidth"), f"{view} is too wide"
    assert {view: each for view, each in found.items() if each} == {}
    # axe-core itself tries styles that the policy does not let it set.
    dashboards.complaints[:] = [each for each in dashboards.complaints if "style" not in each]


async def test_the_list_is_a_treegrid_to_those_who_hear_it(dashboards: Dashboards, whole: Whole) -> None:
    await every_state(whole)
    tab = await (await dashboards.of()).live()
    grid = tab.page.get_by_role("treegrid", name="Activities")
    await expect(grid).to_have_attribute("aria-rowcount", "4")
    row = grid.get_by_role("row", name="Scan films")
    for name, value in {"level": "1", "rowindex": "1", "expanded": "true"}.items():
        await expect(row).to_have_attribute(f"aria-{name}", value)
    await expect(row.get_by_role("progressbar", name="Scan films, running")).to_have_attribute("aria-valuenow", "33")
    unknown = grid.get_by_role("progressbar", name="Section A, running")
    assert await unknown.get_attribute("aria-valuenow") is None
    await tab.page.get_by_role("link", name="Skip to the list").focus()
    await tab.press("Enter", "ArrowDown")
    active = await grid.get_attribute("aria-activedescendant")
    assert active == await grid.get_by_role("row", name="Section A").get_attribute("id")
    assert await tab.rows.locator(".title").all_inner_texts() == [
        "Scan films", "Section A", "Upgrade", "Stopping",
    ]  # fmt: skip


async def test_starts_and_ends_are_said_aloud_and_no_percent(dashboards: Dashboards, whole: Whole) -> None:
    tab = await (await dashboards.of()).live()
    await tab.ask(
        "() => { globalThis.said = []; const heard = document.querySelector('[aria-live]');"
        " const look = new MutationObserver(() => said.push(heard.textContent));"
        " look.observe(heard, { childList: true, subtree: true }); }"
    )
    row = await whole.start(title="Scan", progress=1)
    await expect(tab.row("Scan")).to_be_visible()
    for progress in (10, 20, 30):
        await whole.change(row["uuid"], progress=progress)
        await expect(tab.row("Scan").locator(".percent")).to_have_text(f"{progress} %")
    await whole.change(row["uuid"], state="failed", error="no disk")
    await expect(tab.word("Scan")).to_have_text("failed")
    assert await tab.ask("() => said") == ["Started: Scan", "Scan: failed"]
    # The clock of a lost connection runs, and is not read out each second.
    live = "() => document.querySelectorAll('[aria-live], [role=status], [role=alert]').length"
    assert await tab.ask(live) == 1


@pytest.mark.parametrize(("motion", "moves"), [("reduce", False), ("no-preference", True)])
async def test_nothing_moves_for_whom_that_is_too_much(
    dashboards: Dashboards, whole: Whole, motion: str, moves: bool
) -> None:
    await whole.start(title="Unknown", progress=-1)
    await whole.start(title="Known", progress=50)
    tab = await (await dashboards.of("alice", reduced_motion=motion)).live()
    await expect(tab.row("Unknown")).to_be_visible()
    running = await tab.ask(
        "() => document.querySelector('headway-activities').shadowRoot.getAnimations()"
        ".filter((each) => each.playState === 'running').length"
    )
    assert bool(running) == moves


async def test_everything_fits_on_a_phone_and_on_a_wall(dashboards: Dashboards, whole: Whole) -> None:
    uuid = await every_state(whole)
    for width, height in ((320, 640), (3840, 2160)):
        tab = await (await dashboards.of("alice", viewport={"width": width, "height": height})).live()
        for view in ("", f"activity/{uuid}", "history", "insights", "account"):
            await tab.go(f"#/{view}")
            await expect(tab.page.locator(".view:visible")).to_be_visible()
            assert await tab.ask("() => document.documentElement.scrollWidth <= innerWidth"), (width, view)
