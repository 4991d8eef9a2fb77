"""Every line of "Bad input", end to end: a clear error, and nothing lost."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from tests.server.harness import connected
from tests.server.whole import JSON, XML, Answer, Whole, read_answer

TYPED = ("Content-Type", "application/json")
MANY = b",".join(b'"a%d":1' % n for n in range(33))


async def post(whole: Whole, body: bytes, *headers: tuple[str, str]) -> Answer:
    return await whole.ask("POST", "/activities", "alice", [JSON, *(headers or (TYPED,))], body)


async def patch(whole: Whole, uuid: str, body: bytes) -> Answer:
    return await whole.ask("PATCH", f"/activities/{uuid}", "alice", [JSON, TYPED], body)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"", "the body is empty"),
        (b" ", "the body is empty"),
        (b"{", "line 1, column 2"),
        (b'{"type": "a",}', "line 1, column"),
        (b"[]", "must be a JSON object"),
        (b'"a"', "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'{"type": "a"} x', "line 1, column 15"),
        (b'{"type": "a", "Context": ' + b'{"a":' * 20 + b"1" + b"}" * 21, "nested more than 16 deep at line 1"),
        (b"[" * 20_000, "nested more than 16 deep"),
        (b'{"type": "a", "progress": NaN}', "progress: NaN"),
        (b'{"type": "a", "progress": Infinity}', "progress: Infinity"),
        (b'{"type": "a", "progress": 1e999}', "progress: "),
        (b'{"type": "a", "lease": 123456789012345678901234567890}', "lease: the integer"),
        (b'{"type": "a", "type": "b"}', "given twice"),
        (b'{"type": "a", "Context": {"k": "1", "k": "2"}}', "Context: "),
        (b'\xff{"type": "a"}', "not UTF-8"),
        (b'\xef\xbb\xbf{"type": "a"}', "byte order mark"),
        (b'{"type": "a", "kind": 1}', '"kind": no such member'),
        (b'{"type": "a", "context": {}}', "did you mean Context?"),
        (b'{"type": "a", "state": "failed"}', '"state": no such member'),
        (b"{}", "type: is missing"),
        (b'{"type": ""}', "type: "),
        (b'{"type": "a b"}', "type: "),
        (b'{"type": null}', "type: "),
        (b'{"type": "%s"}' % (b"a" * 129), "type: "),
        (b'{"type": "a", "title": "%s"}' % (b"a" * 257), "title: must have at most 256 characters, not 257"),
        (b'{"type": "a", "subtitle": "%s"}' % (b"a" * 513), "subtitle: must have at most 512"),
        (b'{"type": "a", "title": 5}', "title: must be text"),
        (b'{"type": "a", "title": null}', "title: must be text, not null; leave the member out"),
        (b'{"type": "a", "progress": 101}', "progress: "),
        (b'{"type": "a", "progress": -0.5}', "progress: "),
        (b'{"type": "a", "progress": "50"}', "progress: "),
        (b'{"type": "a", "progress": true}', "progress: "),
        (b'{"type": "a", "cancellable": 1}', "cancellable: "),
        (b'{"type": "a", "lease": 9}', "lease: "),
        (b'{"type": "a", "lease": 86401}', "lease: "),
        (b'{"type": "a", "grace": 301}', "grace: "),
        (b'{"type": "a", "parentUUID": "x"}', "parentUUID: "),
        (b'{"type": "a", "userID": "2"}', "userID: "),
        (b'{"type": "a", "userID": true}', "userID: "),
        (b'{"type": "a", "Context": []}', "Context: must be an object"),
        (b'{"type": "a", "Context": {"a": {}}}', "Context.a: "),
        (b'{"type": "a", "Context": {"a": null}}', "Context.a: "),
        (b'{"type": "a", "Context": {"librarySectionID": 3}}', "Context.librarySectionID: must be text"),
        (b'{"type": "a", "Context": {"a b": 1}}', "Context: a member's name"),
        (b'{"type": "a", "Context": {%s}}' % MANY, "Context: must have at most 32"),
        (b'{"type": "a", "Context": {"a": "%s"}}' % (b"x" * 4_200), "Context: must take at most 4096 bytes"),
    ],
)
async def test_a_bad_start_is_400_with_the_place_and_starts_nothing(whole: Whole, body: bytes, place: str) -> None:
    before = await whole.listed()
    answer = await post(whole, body)
    assert answer.error == (400, "invalid_input")
    assert place in answer.message
    assert await whole.listed() == before
    page = await whole.ask("POST", "/activities", "alice", [XML, TYPED], body)
    assert (page.status, page.headers["content-type"]) == (400, "text/html")


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"[]", "must be a JSON object"),
        (b'{"progress": 101}', "progress: "),
        (b'{"completed": -1}', "completed: "),
        (b'{"total": NaN}', "total: NaN"),
        (b'{"unit": "%s"}' % (b"u" * 33), "unit: "),
        (b'{"state": "running"}', "state: must be one of succeeded, failed, cancelled, lost"),
        (b'{"state": "failed", "error": 5}', "error: must be text"),
        (b'{"error": "x"}', "error: only goes with a state"),
        (b'{"type": "b"}', '"type": no such member'),
        (b'{"cancellable": true}', '"cancellable": no such member'),
        (b'{"Response": [1]}', "Response: must be an object"),
        (b'{"Response": {"a": "%s"}}' % (b"x" * 17_000), "Response: must take at most 16384 bytes"),
    ],
)
async def test_a_bad_change_is_400_with_the_place_and_changes_nothing(whole: Whole, body: bytes, place: str) -> None:
    row = await whole.start(progress=5)
    answer = await patch(whole, row["uuid"], body)
    assert answer.error == (400, "invalid_input")
    assert place in answer.message
    assert (await whole.ask("GET", f"/activities/{row['uuid']}", "alice", [JSON])).row == row


async def test_a_bad_body_is_400_before_the_uuid_is_looked_at(whole: Whole) -> None:
    foreign = (await whole.start("bob"))["uuid"]
    answers = [await patch(whole, uuid, b'{"progress": 101}') for uuid in (foreign, "x")]
    assert answers[0].error == (400, "invalid_input")
    assert answers[0].body == answers[1].body


@pytest.mark.parametrize(
    "headers",
    [
        [("Content-Type", "text/plain")],
        [("Content-Type", "application/x-www-form-urlencoded")],
        [("Content-Type", "application/xml")],
        [("Content-Type", "")],
        [("X-No-Type", "1")],
        [TYPED, ("Content-Encoding", "gzip")],
        [TYPED, ("Content-Encoding", "br, gzip")],
    ],
)
async def test_another_type_or_a_compressed_body_is_415(whole: Whole, headers: list[tuple[str, str]]) -> None:
    body = b'{"type": "a"}'
    answer = await post(whole, gzip.compress(body) if len(headers) > 1 else body, *headers)
    assert answer.error == (415, "unsupported_media_type")


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON", "application/json; charset=utf-8"])
async def test_json_is_json_however_it_is_written(whole: Whole, content_type: str) -> None:
    assert (await post(whole, b'{"type": "a"}', ("Content-Type", content_type))).status == 201


async def test_an_xml_body_is_415_whatever_is_in_it(whole: Whole) -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><a>&b;</a>'
    assert (await post(whole, bomb, ("Content-Type", "text/xml"))).error == (415, "unsupported_media_type")


@pytest.mark.parametrize("chunked", [False, True])
async def test_too_large_is_413(whole: Whole, chunked: bool) -> None:
    body = b'{"type": "a", "title": "%s"}' % (b"x" * 65_536)
    request = whole.request("POST", "/activities", "alice", [JSON, TYPED], body)
    if chunked:
        head = request.partition(b"Content-Length")[0]
        request = head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
    async with connected(whole.port) as client:
        client.send(request)
        answer = await read_answer(client)
    assert answer.error == (413, "content_too_large")


async def test_a_chunked_body_is_a_body(whole: Whole) -> None:
    head = whole.request("POST", "/activities", "alice", [JSON, TYPED])[:-2]
    async with connected(whole.port) as client:
        client.send(head + b'Transfer-Encoding: chunked\r\n\r\n7\r\n{"type"\r\n6\r\n: "a"}\r\n0\r\n\r\n')
        assert (await read_answer(client)).row["type"] == "a"


@pytest.mark.parametrize("uuid", ["x", "%00", "%2e%2e", "0" * 36, "'--", "%E2%80%AE", "a" * 2_000])
async def test_a_bad_uuid_is_404(whole: Whole, uuid: str) -> None:
    answers: list[Answer] = []
    bodies: dict[str, Any] = {"GET": None, "PATCH": {}, "DELETE": None}
    for method, body in bodies.items():
        answers.append(await whole.ask(method, f"/activities/{uuid}", "alice", [JSON], body))
    assert [answer.error for answer in answers] == [(404, "not_found")] * 3


async def test_any_accepted_text_comes_out_harmless(whole: Whole) -> None:
    hostile = 'a\r\n\r\ndata: x\u2028</script>&"\u001b[31m\u202e\ufffe'
    async with whole.events("alice") as stream:
        await stream.event()
        row = await whole.start(title=hostile, Context={"key": hostile})
        event = await stream.next()
    xml = await whole.ask("GET", f"/activities/{row['uuid']}", "alice", [XML])
    clean = 'a data: x </script>&"\ufffd[31m\ufffd'
    assert (row["title"], event.row["title"], event.row["Context"]) == (clean, clean, {"key": clean})
    assert b"&lt;/script&gt;&amp;&quot;\xef\xbf\xbd[31m" in xml.body
