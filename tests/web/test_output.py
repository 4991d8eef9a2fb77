"""What an activity has printed is shown beside it, live, to those who may see it, and does nothing but stand there."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Locator, Response, expect

from headway.wire.requests import MAX_OUTPUT
from tests.cli.invoking import PROGRAM, environment
from tests.server.whole import JSON, Whole
from tests.web.dashboard import Dashboard, Dashboards
from tests.web.test_accessibility import LOOKS, complaints
from tests.web.test_hostile import HOSTILE, is_inert

PLAIN = ("Content-Type", "text/plain")
LONG = "() => new Promise((done) => setTimeout(done, 2500))"
"""Longer than between two looks."""
LINES = "".join(f"line {number}\n" for number in range(200))


def output(tab: Dashboard) -> Locator:
    return tab.detail.get_by_role("region", name="Output")


async def put(whole: Whole, uuid: str, text: str, token: str = "alice") -> None:
    answer = await whole.ask("PUT", f"/activities/{uuid}/output", token, [JSON, PLAIN], text.encode())
    assert answer.status == 204


async def printing(whole: Whole, text: str, token: str = "alice") -> str:
    """An activity that has printed something; its uuid."""
    uuid = str((await whole.start(token, title="Talk"))["uuid"])
    await put(whole, uuid, text, token)
    return uuid


async def opened(dashboards: Dashboards, uuid: str, user: str = "alice", **options: Any) -> Dashboard:
    return await (await dashboards.of(user, **options)).live(f"#/activity/{uuid}")


async def is_at_the_end(tab: Dashboard) -> bool:
    left: float = await output(tab).evaluate("(pane) => pane.scrollHeight - pane.scrollTop - pane.clientHeight")
    return left < 8


async def test_a_command_is_followed_while_it_runs_and_to_its_last_line(
    dashboards: Dashboards, whole: Whole, tmp_path: Path
) -> None:
    script = r"echo begun; read end; printf '10%%\r100%%\n'; echo $end >&2; printf last"
    command = [*PROGRAM, "--url", whole.url, "--token", whole.tokens["alice"], "run", "--", "sh", "-c", script]
    run = await asyncio.create_subprocess_exec(
        *command, env=environment(tmp_path / "other"), stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL
    )
    tab = await (await dashboards.of()).live()
    await tab.rows.first.click()
    await expect(output(tab)).to_have_text("begun\n")
    await run.communicate(b"over\n")
    await expect(output(tab)).to_have_text("begun\n100%\nover\nlast", use_inner_text=True)
    await expect(tab.detail.locator(".chip")).to_have_text("done")
    await tab.page.reload()
    await expect(output(tab)).to_have_text("begun\n100%\nover\nlast", use_inner_text=True)


async def test_where_nothing_is_printed_there_is_nothing(dashboards: Dashboards, whole: Whole) -> None:
    silent, loud = (await whole.start(title="Silent"))["uuid"], await printing(whole, "loud")
    tab = await opened(dashboards, loud)
    await expect(output(tab)).to_have_text("loud")
    await tab.go(f"#/activity/{silent}")
    await expect(tab.detail.get_by_role("heading", name="Silent")).to_be_visible()
    await expect(output(tab)).to_be_hidden()
    await expect(tab.detail.get_by_role("heading", name="Output")).to_be_hidden()


async def test_it_is_nobody_else_s(dashboards: Dashboards, whole: Whole) -> None:
    uuid = await printing(whole, "secret")
    tab = await opened(dashboards, uuid, "bob")
    await expect(tab.detail.get_by_role("heading", name="There is no such activity")).to_be_visible()
    await expect(output(tab)).to_be_hidden()
    assert "secret" not in await tab.page.content()
    admin = await opened(dashboards, uuid, "admin")
    await expect(output(admin)).to_have_text("secret")


async def test_a_guest_reads_it_too(dashboards: Dashboards, whole: Whole) -> None:
    uuid = await printing(whole, "shown")
    made = (await whole.ask("POST", "/web/shares", "alice", [JSON], {"uuid": uuid})).json
    tab = await (await dashboards.of(None)).go(f"#shared={made['secret']}&uuid={uuid}")
    await expect(output(tab)).to_have_text("shown")
    await whole.change(uuid, state="succeeded")
    await put(whole, uuid, "shown\nto the end")
    await expect(output(tab)).to_have_text("shown\nto the end", use_inner_text=True)


@pytest.mark.parametrize("width", [320, 1100])
async def test_whatever_is_printed_is_text(dashboards: Dashboards, whole: Whole, width: int) -> None:
    text = "\n".join([*HOSTILE, "\x1b]0;owned\x07\x1b[31m", "W" * 5_000, "\u202egnp.exe"])
    uuid = await printing(whole, text)
    tab = await opened(dashboards, uuid, viewport={"width": width, "height": 700})
    await expect(output(tab)).to_contain_text(HOSTILE[0])
    kept = (await whole.ask("GET", f"/activities/{uuid}/output", "alice")).body.decode()
    assert await output(tab).evaluate("(pane) => pane.textContent") == kept
    await is_inert(tab)


async def test_it_scrolls_with_what_comes_unless_somebody_reads_above(dashboards: Dashboards, whole: Whole) -> None:
    uuid = await printing(whole, LINES)
    tab = await opened(dashboards, uuid)
    await expect(output(tab)).to_contain_text("line 199")
    assert await is_at_the_end(tab)
    await put(whole, uuid, f"{LINES}more\n")
    await expect(output(tab)).to_contain_text("more")
    assert await is_at_the_end(tab)
    place = await output(tab).evaluate("(pane) => { pane.scrollTop = 300; return pane.scrollTop; }")
    await put(whole, uuid, f"{LINES}more\nstill more\n")
    await expect(output(tab)).to_contain_text("still more")
    assert await output(tab).evaluate("(pane) => pane.scrollTop") == place


async def test_what_is_selected_stays_selected(dashboards: Dashboards, whole: Whole) -> None:
    uuid = await printing(whole, LINES)
    tab = await opened(dashboards, uuid)
    await expect(output(tab)).to_contain_text("line 199")
    await output(tab).evaluate(
        "(pane) => { const text = pane.firstChild, at = text.data.indexOf('line 150');"
        " getSelection().setBaseAndExtent(text, at, text, at + 8); }"
    )
    selected = "() => getSelection().toString()"
    for text in (f"{LINES}10%", f"{LINES}20%\nmore\n", LINES[LINES.index("line 100\n") :] + "20%\nmore\nand more\n"):
        await put(whole, uuid, text)
        await expect(output(tab)).to_have_text(text, use_inner_text=True)
        assert await tab.ask(selected) == "line 150"
    await whole.change(uuid, progress=50)
    await expect(tab.detail).to_contain_text("50 %")
    assert await tab.ask(selected) == "line 150"


async def test_it_can_be_scrolled_by_the_keyboard(dashboards: Dashboards, whole: Whole) -> None:
    tab = await opened(dashboards, await printing(whole, LINES))
    await expect(output(tab)).to_contain_text("line 199")
    await output(tab).focus()
    await tab.press("Home")
    await tab.page.wait_for_function("() => document.querySelector('.output pre').scrollTop === 0")
    await whole.change((await whole.listed())[0], progress=50)
    await expect(tab.detail).to_contain_text("50 %")
    await expect(output(tab)).to_be_focused()


async def test_it_is_asked_for_by_its_tag_and_only_where_somebody_sees_it(dashboards: Dashboards, whole: Whole) -> None:
    uuid = await printing(whole, "text")
    tab = await dashboards.of()
    answers: list[Response] = []
    tab.page.on("response", lambda answer: answers.append(answer) if answer.url.endswith("/output") else None)
    await tab.live(f"#/activity/{uuid}")
    await expect(output(tab)).to_have_text("text")

    async def come(count: int) -> None:
        async with asyncio.timeout(60):
            while len(answers) < count:
                await asyncio.sleep(0.05)

    await come(3)
    assert [answer.status for answer in answers[:3]] == [200, 304, 304]
    await tab.go("#/")
    await expect(output(tab)).to_have_count(0)
    before = len(answers)
    await tab.ask(LONG)
    assert len(answers) <= before + 1, "one that was on its way"
    await tab.go(f"#/activity/{uuid}")
    await come(len(answers) + 1)
    before = len(answers)
    await whole.change(uuid, state="succeeded")
    await expect(tab.detail.locator(".chip")).to_have_text("done")
    await come(before + 2)
    await tab.ask(LONG)
    before = len(answers)
    await tab.ask(LONG)
    assert len(answers) == before, "nothing comes any more"


async def test_much_is_shown_as_far_as_it_is_kept(dashboards: Dashboards, whole: Whole) -> None:
    text = "".join(f"{number:07}\n" for number in range(MAX_OUTPUT // 8))
    tab = await opened(dashboards, await printing(whole, text))
    await expect(output(tab)).to_contain_text("0008191")
    assert await output(tab).evaluate("(pane) => pane.textContent.length") == MAX_OUTPUT


@pytest.mark.parametrize("look", LOOKS)
async def test_axe_finds_nothing(dashboards: Dashboards, whole: Whole, look: str) -> None:
    tab = await opened(dashboards, await printing(whole, LINES), **LOOKS[look])
    await expect(output(tab)).to_contain_text("line 199")
    assert await complaints(tab) == []
    # axe-core itself tries styles that the policy does not let it set.
    dashboards.complaints[:] = [each for each in dashboards.complaints if "style" not in each]
