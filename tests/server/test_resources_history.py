"""``GET /activities/history``: what has ended, a page at a time."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from headway.server.cursors import Cursors
from tests.server.whole import JSON, XML, Answer, Whole, in_memory


async def page(whole: Whole, query: str = "", token: str = "alice") -> tuple[list[str], str]:
    """The uuids of a page and the cursor it ends with."""
    answer = await whole.ask("GET", f"/activities/history{query}", token, [JSON])
    assert answer.status == 200, answer
    return [row["uuid"] for row in answer.rows], answer.headers.get("x-headway-cursor", "")


async def ended(whole: Whole, count: int, token: str = "alice", state: str = "succeeded", **members: Any) -> list[str]:
    """Start and end some; newest first."""
    uuids = [(await whole.start(token, **members))["uuid"] for _ in range(count)]
    for uuid in uuids:
        await whole.change(uuid, token, state=state)
    return uuids[::-1]


async def test_what_has_ended_newest_first() -> None:
    async with in_memory() as whole:
        assert await page(whole) == ([], "")
        await whole.start()
        uuids = await ended(whole, 3)
        assert await page(whole) == (uuids, "")
        xml = ElementTree.fromstring((await whole.ask("GET", "/activities/history", "alice", [XML])).body)
        assert [row.attrib["uuid"] for row in xml] == uuids
        assert (await page(whole, token="bob"), await page(whole, token="admin")) == (([], ""), (uuids, ""))


async def test_pages_are_stable_while_others_end(whole: Whole) -> None:
    uuids = await ended(whole, 7)
    first, cursor = await page(whole, "?limit=3")
    new = await ended(whole, 2)
    second, cursor = await page(whole, f"?limit=3&before={cursor}")
    third, end = await page(whole, f"?limit=3&before={cursor}")
    assert [*first, *second, *third] == uuids
    assert end == ""
    assert (await page(whole, "?limit=2"))[0] == new


async def test_filters_by_type_and_state() -> None:
    async with in_memory() as whole:
        failed, good = await ended(whole, 2, state="failed", type="a"), await ended(whole, 2, type="a")
        other = await ended(whole, 1, state="failed", type="b")
        assert (await page(whole, "?type=a"))[0] == [*good, *failed]
        assert (await page(whole, "?state=failed"))[0] == [*other, *failed]
        assert (await page(whole, "?state=failed&type=a&limit=1"))[0] == failed[:1]
        assert (await page(whole, "?state=running"))[0] == []


async def test_searches_and_filters_by_context_and_owner_as_lists_do() -> None:
    async with in_memory() as whole:
        films = await ended(whole, 2, title="Scan Films", Context={"section": 3, "done": True})
        music = await ended(whole, 1, title="Scan music", Context={"section": "4", "path": "/FILMS"})
        his = await ended(whole, 1, "bob", title="films")
        assert (await page(whole, "?q=films"))[0] == [*music, *films]
        assert (await page(whole, "?q=scan%20films"))[0] == films
        assert (await page(whole, "?Context.section=3&Context.done=true"))[0] == films
        assert (await page(whole, "?q=films", "admin"))[0] == [*his, *music, *films]
        assert (await page(whole, "?q=films&userID=3", "admin"))[0] == his
        assert (await page(whole, "?userID=2"))[0] == [*music, *films]
        assert await page(whole, "?userID=3") == await page(whole, "?userID=99") == ([], "")
        first, cursor = await page(whole, "?q=films&limit=2")
        assert first == [*music, films[0]]
        assert await page(whole, f"?q=films&limit=2&before={cursor}") == (films[1:], "")


async def test_a_cursor_is_good_for_history_and_its_owner_only(whole: Whole) -> None:
    await ended(whole, 2)
    await ended(whole, 2, "bob")
    cursor = (await page(whole, "?limit=1"))[1]
    foreign = (await page(whole, "?limit=1", "bob"))[1]
    watched = (await whole.ask("GET", "/activities", "alice")).headers["x-headway-cursor"]
    others = Cursors("another epoch", b"1" * 32).seal(2, 5, "history")
    assert len({len(each) for each in (cursor, foreign, watched, others)}) == 1
    refused: list[Answer] = [
        await whole.ask("GET", f"/activities/history?before={bad}", "alice", [JSON])
        for bad in (foreign, watched, others, "A" * 22, "x")
    ]
    assert [answer.error for answer in refused] == [(400, "invalid_input")] * 5
    assert len({answer.body for answer in refused}) == 1
    assert (await whole.ask("GET", f"/activities/history?before={cursor}", "admin", [JSON])).status == 400


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "limit=x", "limit=1.5", "state=x", "type=", "before=%20", "userID=x", "userID="]
)
async def test_a_bad_argument_is_400_and_named_and_an_empty_one_absent(whole: Whole, query: str) -> None:
    answer = await whole.ask("GET", f"/activities/history?{query}", "alice", [JSON])
    if query.endswith("="):
        assert answer.status == 200
    else:
        assert answer.error == (400, "invalid_input")
        assert answer.message.startswith(query.partition("=")[0])
