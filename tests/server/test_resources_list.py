"""``GET /activities``: its forms and filters, and what holds for every path."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.server.whole import EVENTS, JSON, UNKNOWN, XML, Whole, in_memory

ROW = ["uuid", "type", "cancellable", "userID", "title", "subtitle", "progress"]
"""Plex's members, in Plex's order."""


@pytest.fixture
async def empty() -> AsyncIterator[Whole]:
    async with in_memory() as whole:
        yield whole


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "application/json"),
        ("application/json", "application/json"),
        ("application/json, text/plain, */*", "application/json"),
        ("*/*", "text/xml;charset=utf-8"),
        ("text/xml", "text/xml;charset=utf-8"),
        ("application/xml", "text/xml;charset=utf-8"),
        ("text/html", "text/xml;charset=utf-8"),
        ("application/json;q=0.1, application/xml", "text/xml;charset=utf-8"),
    ],
)
async def test_the_accept_header_decides_about_the_form(whole: Whole, accept: str | None, content_type: str) -> None:
    headers = [("accepts", "application/xml"), *([] if accept is None else [("Accept", accept)])]
    for path in ("/activities", "/activities/history", "/identity", "/"):
        if path == "/" and accept == "text/html":
            continue
        answer = await whole.ask("GET", path, "alice", headers)
        assert (answer.status, answer.headers["content-type"]) == (200, content_type)
        assert answer.headers["cache-control"] == "no-cache"
        if content_type == "application/json":
            assert answer.json["MediaContainer"]
        else:
            assert ElementTree.fromstring(answer.body).tag == "MediaContainer"


async def test_an_empty_list_has_no_members(empty: Whole) -> None:
    assert (await empty.ask("GET", "/activities", "alice", [JSON])).body == b'{"MediaContainer":{"size":0}}'
    xml = (await empty.ask("GET", "/activities", "alice", [XML])).body
    assert xml == b'<?xml version="1.0" encoding="UTF-8"?>\n<MediaContainer size="0">\n</MediaContainer>\n'


async def test_json_rows_have_plexs_members_first_in_order_and_of_their_types(empty: Whole) -> None:
    context = {"librarySectionID": "3", "accessible": True, "count": 2}
    uuid = (await empty.start(title="Films", progress=40.7, cancellable=True, Context=context))["uuid"]
    container = (await empty.ask("GET", "/activities", "alice", [JSON])).json["MediaContainer"]
    assert list(container) == ["size", "Activity"]
    (row,) = container["Activity"]
    assert list(row)[:8] == [*ROW, "Context"]
    plexs = {name: row[name] for name in [*ROW, "Context"]}
    assert plexs == {
        "uuid": uuid,
        "type": "test.work",
        "cancellable": True,
        "userID": 2,
        "title": "Films",
        "subtitle": "",
        "progress": 40,
        "Context": context,
    }
    assert list(row["Context"]) == ["accessible", "count", "librarySectionID"]
    assert row["state"] == "running"
    assert None not in row.values()


async def test_xml_rows_say_the_same(empty: Whole) -> None:
    uuid = (await empty.start(title='<&">', Context={"key": "a\tb", "exists": True}, progress=-1))["uuid"]
    body = (await empty.ask("GET", "/activities", "alice", [XML])).body
    assert body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<MediaContainer size="1">\n<Activity uuid="')
    (row,) = ElementTree.fromstring(body)
    assert list(row.attrib)[:7] == ROW
    assert [row.attrib[name] for name in ROW] == [uuid, "test.work", "0", "2", '<&">', "", "-1"]
    assert [(child.tag, child.attrib) for child in row] == [("Context", {"exists": "1", "key": "a b"})]


async def test_rows_stand_in_order_of_start_and_leave_at_their_end(empty: Whole) -> None:
    uuids = [(await empty.start())["uuid"] for _ in range(4)]
    await empty.change(uuids[0], progress=50)
    await empty.change(uuids[2], state="succeeded")
    assert await empty.listed() == [uuids[0], uuids[1], uuids[3]]


async def test_users_see_their_own_and_admins_all(empty: Whole) -> None:
    hers, his = (await empty.start("alice"))["uuid"], (await empty.start("bob"))["uuid"]
    assert [await empty.listed(user) for user in ("alice", "bob", "rita", "admin")] == [[hers], [his], [], [hers, his]]


async def test_filters(empty: Whole) -> None:
    parent = (await empty.start(type="a.b", title="Ümlaut", cancellable=True, Context={"key": "1", "on": True}))["uuid"]
    child = (await empty.start(type="a.c", subtitle="in the MIDDLE", parentUUID=parent))["uuid"]
    await empty.ask("DELETE", f"/activities/{parent}", "alice")
    found: dict[str, list[str]] = {
        "": [parent, child],
        "?type=a.b": [parent],
        "?type=a": [],
        "?state=running": [child],
        "?state=cancelling": [parent],
        "?state=failed": [],
        f"?parentUUID={parent}": [child],
        f"?parentUUID={parent.upper()}": [child],
        f"?parentUUID={UNKNOWN}": [],
        "?q=%C3%BCML": [parent],
        "?q=middle": [child],
        "?q=A.": [parent, child],
        "?q=": [parent, child],
        "?Context.key=1": [parent],
        "?Context.on=1": [parent],
        "?Context.on=true": [parent],
        "?Context.key=2": [],
        "?Context.none=": [],
        "?type=a.b&state=running": [],
        "?X-Plex-Product=a&includeFields=uuid": [parent, child],
    }
    assert {query: await empty.listed("alice", query) for query in found} == found


@pytest.mark.parametrize(
    "query", ["type=%20", "type=a&type=b", "state=done", "parentUUID=1", "Context.1=1", "Context.a=1&Context.a=2"]
)
async def test_a_bad_filter_is_400_and_named(whole: Whole, query: str) -> None:
    answer = await whole.ask("GET", f"/activities?{query}", "alice", [JSON])
    assert answer.error == (400, "invalid_input")
    assert query.partition("=")[0].removeprefix("Context.") in answer.message


async def test_a_report_shows_in_the_next_list_and_row(whole: Whole) -> None:
    uuid = (await whole.start())["uuid"]
    for percent in range(1, 30):
        told = await whole.change(uuid, progress=percent, subtitle=f"step {percent}")
        listed = await whole.ask("GET", "/activities", "alice", [JSON])
        (row,) = [row for row in listed.rows if row["uuid"] == uuid]
        one = (await whole.ask("GET", f"/activities/{uuid}", "alice", [JSON])).row
        assert {(row["progress"], row["subtitle"]) for row in (told, row, one)} == {(percent, f"step {percent}")}


async def test_one_activity_is_a_list_of_one_in_either_form(whole: Whole) -> None:
    uuid = (await whole.start(title="one"))["uuid"]
    answer = await whole.ask("GET", f"/activities/{uuid.upper()}", "alice")
    assert (answer.json["MediaContainer"]["size"], answer.row["uuid"]) == (1, uuid)
    (row,) = ElementTree.fromstring((await whole.ask("GET", f"/activities/{uuid}", "alice", [XML])).body)
    assert row.attrib["uuid"] == uuid
    await whole.change(uuid, state="succeeded", Response={"files": 3})
    ended = (await whole.ask("GET", f"/activities/{uuid}", "alice", [JSON])).row
    assert (ended["state"], ended["progress"], ended["Response"]) == ("succeeded", 100, {"files": 3})


# What holds for every path


async def test_head_is_get_without_the_body(whole: Whole) -> None:
    uuid = (await whole.start())["uuid"]
    for path in ("/activities", "/activities/history", f"/activities/{uuid}", f"/activities/{UNKNOWN}", "/identity"):
        get, head = await whole.ask("GET", path, "alice"), await whole.ask("HEAD", path, "alice")
        assert (head.status, head.body) == (get.status, b"")
        assert {**head.headers, "date": ""} == {**get.headers, "date": ""}
    assert (await whole.ask("HEAD", "/activities")).status == 401


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/activities", {"GET", "HEAD", "POST", "PATCH"}),
        (f"/activities/{UNKNOWN}", {"GET", "HEAD", "PATCH", "DELETE"}),
        ("/activities/history", {"GET", "HEAD"}),
        ("/", {"GET", "HEAD"}),
        ("/identity", {"GET", "HEAD"}),
        ("/health", {"GET", "HEAD"}),
        (EVENTS, {"GET", "HEAD"}),
    ],
)
async def test_a_method_that_is_not_allowed_is_405_with_those_that_are(
    whole: Whole, path: str, allowed: set[str]
) -> None:
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - allowed:
        answer = await whole.ask(method, path, "alice", [JSON])
        assert answer.error == (405, "method_not_allowed")
        assert set(answer.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize("path", ["/nothing", "/activities/", "/activities/a/b", "//activities", "/Activities", "/:/x"])
async def test_an_unknown_path_is_404_but_401_without_a_token(whole: Whole, path: str) -> None:
    assert (await whole.ask("GET", path, "alice", [JSON])).error == (404, "not_found")
    page = await whole.ask("GET", path, "alice", [XML])
    assert page.body == b"<html><head><title>Not Found</title></head><body><h1>404 Not Found</h1></body></html>"
    assert (await whole.ask("GET", path)).error == (401, "not_authenticated")


async def test_every_error_is_json_for_who_reads_json_and_html_for_the_rest(whole: Whole) -> None:
    requests: list[tuple[str, str, str | None, Any]] = [
        ("GET", f"/activities/{UNKNOWN}", "alice", None),
        ("GET", "/activities", None, None),
        ("POST", "/activities", "rita", {"type": "a"}),
        ("PUT", "/activities", "alice", None),
        ("GET", "/nothing", "alice", None),
        ("GET", "/activities?state=x", "alice", None),
        ("POST", "/activities", "alice", b"<x/>"),
    ]
    for method, path, token, body in requests:
        document = await whole.ask(method, path, token, [JSON], body)
        page = await whole.ask(method, path, token, [XML], body)
        assert page.status == document.status >= 400
        assert page.headers["content-type"] == "text/html"
        assert page.body.startswith(b"<html><head><title>")
        ((error),) = json.loads(document.body)["errors"]
        assert list(error) == ["code", "message", "status", "reason"]
        assert (type(error["code"]), error["status"]) == (int, document.status)
