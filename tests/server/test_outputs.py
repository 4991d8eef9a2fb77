"""``/activities/{uuid}/output``: who may write and read it, what it takes, and what it answers."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from headway.core.activity import State
from headway.core.policy import Principal, Role
from headway.hub import Activities
from headway.outputs import AFTERWARDS
from headway.server.embedded import ActivitiesApp
from headway.testing.asgi import asgi_request
from headway.testing.clock import FakeClock
from headway.wire.requests import MAX_OUTPUT
from tests.server.whole import JSON, UNKNOWN, Answer, Whole, in_memory

PLAIN = ("Content-Type", "text/plain")


def output_of(uuid: str) -> str:
    return f"/activities/{uuid}/output"


async def put(
    whole: Whole,
    uuid: str,
    body: bytes,
    token: str = "alice",
    *headers: tuple[str, str],
    kind: str | None = "text/plain",
) -> Answer:
    sent = [JSON, *headers] if kind is None else [JSON, ("Content-Type", kind), *headers]
    return await whole.ask("PUT", output_of(uuid), token, sent, body)


async def get(whole: Whole, uuid: str, token: str = "alice", *headers: tuple[str, str]) -> Answer:
    return await whole.ask("GET", output_of(uuid), token, [JSON, *headers])


async def test_what_is_put_is_what_is_got(whole: Whole) -> None:
    uuid = (await whole.start())["uuid"]
    empty = await get(whole, uuid)
    assert (empty.status, empty.body) == (200, b"")
    for text in ("one\n", "one\ntwo größer 🎬\n\ttab", ""):
        told = await put(whole, uuid, text.encode())
        assert (told.status, told.body) == (204, b"")
        assert (await get(whole, uuid)).body == text.encode()


async def test_it_is_text_for_whoever_reads_it_and_for_nobody_to_keep(whole: Whole) -> None:
    uuid = (await whole.start())["uuid"]
    await put(whole, uuid, b"<script>alert(1)</script>")
    headers = (await get(whole, uuid)).headers
    assert headers["content-type"] == "text/plain;charset=utf-8"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'self'" in headers["content-security-policy"]


async def test_who_has_it_is_told_that_it_is_the_same(whole: Whole) -> None:
    uuid = (await whole.start())["uuid"]
    await put(whole, uuid, b"one\n")
    tag = (await get(whole, uuid)).headers["etag"]
    same = await get(whole, uuid, "alice", ("If-None-Match", f'"other", {tag}'))
    assert (same.status, same.body, same.headers["etag"]) == (304, b"", tag)
    await put(whole, uuid, b"two\n")
    other = await get(whole, uuid, "alice", ("If-None-Match", tag))
    assert (other.status, other.body) == (200, b"two\n")
    head = await whole.ask("HEAD", output_of(uuid), "alice")
    assert (head.status, head.headers["etag"], head.headers["content-length"]) == (200, other.headers["etag"], "4")


async def test_what_is_foreign_is_unknown(whole: Whole) -> None:
    uuid = (await whole.start("alice"))["uuid"]
    await put(whole, uuid, b"secret")
    for method in ("GET", "PUT"):
        foreign, unknown, malformed = [
            await whole.ask(method, output_of(each), "bob", [JSON, PLAIN], b"text") for each in (uuid, UNKNOWN, "x")
        ]
        assert foreign.error == (404, "not_found")
        assert foreign.body == unknown.body == malformed.body
    assert (await get(whole, uuid, "admin")).body == b"secret"
    assert (await get(whole, uuid.upper())).body == b"secret"


async def test_writing_takes_a_role_that_reports(whole: Whole) -> None:
    uuid = (await whole.start("rob"))["uuid"]
    assert (await put(whole, uuid, b"text", "rob")).status == 204
    for known in (uuid, UNKNOWN):
        assert (await put(whole, known, b"text", "rita")).error == (403, "not_allowed")
    assert (await get(whole, UNKNOWN, "rita")).error == (404, "not_found")
    assert (await whole.ask("GET", output_of(uuid))).status == 401


@pytest.mark.parametrize("kind", ["text/plain", "Text/Plain; Charset=UTF-8", 'text/plain;charset="utf-8"', None])
async def test_text_is_taken(whole: Whole, kind: str | None) -> None:
    uuid = (await whole.start())["uuid"]
    assert (await put(whole, uuid, b"text", kind=kind)).status == 204


@pytest.mark.parametrize("kind", ["application/json", "text/html", "text/plain;charset=utf-16", "nonsense", "text/*"])
async def test_anything_else_is_refused(whole: Whole, kind: str) -> None:
    uuid = (await whole.start())["uuid"]
    refused = await put(whole, uuid, b'"text"', kind=kind)
    assert refused.error == (415, "unsupported_media_type")
    assert (await get(whole, uuid)).body == b""


async def test_so_much_and_no_more(whole: Whole) -> None:
    uuid = (await whole.start())["uuid"]
    assert (await put(whole, uuid, b"x" * MAX_OUTPUT)).status == 204
    assert (await put(whole, uuid, b"y" * (MAX_OUTPUT + 1))).status == 413
    assert (await get(whole, uuid)).body == b"x" * MAX_OUTPUT


async def test_the_end_of_a_file_may_begin_anywhere_and_hold_anything(whole: Whole) -> None:
    uuid = (await whole.start())["uuid"]
    for body, text in (
        ("ü one\n".encode()[1:], " one\n"),
        ("🎬 one\n".encode()[1:], " one\n"),
        (b"\xff\x00\x1b[1m\r\n\xbf", "\ufffd\ufffd\ufffd[1m\n\ufffd"),
        (b"\xbf\xbf\xbf\xbf", "\ufffd"),
    ):
        assert (await put(whole, uuid, body)).status == 204
        assert (await get(whole, uuid)).body.decode() == text


async def test_the_last_lines_come_after_the_end_but_not_long_after() -> None:
    clock = FakeClock()
    async with in_memory(Activities(clock=clock)) as whole:
        uuid = (await whole.start())["uuid"]
        await whole.change(uuid, state="succeeded")
        assert (await put(whole, uuid, b"last")).status == 204
        clock.advance(AFTERWARDS + 1)
        assert (await put(whole, uuid, b"later")).error == (409, "already_ended")
        assert (await get(whole, uuid)).body == b"last"


async def test_what_runs_inside_the_server_is_told_by_it_alone() -> None:
    async with in_memory() as whole, whole.activities.start("t", owner=2) as activity:
        assert (await put(whole, activity.uuid, b"text")).error == (409, "conflict")


async def test_it_changes_nothing_that_is_watched(whole: Whole) -> None:
    uuid = (await whole.start())["uuid"]
    before = await whole.ask("GET", "/activities", "alice", [JSON])
    await put(whole, uuid, b"text")
    after = await whole.ask("GET", "/activities", "alice", [JSON])
    assert (before.body, before.headers["x-headway-cursor"]) == (after.body, after.headers["x-headway-cursor"])


async def test_other_methods_are_refused_by_name(whole: Whole) -> None:
    uuid = (await whole.start())["uuid"]
    for method in ("POST", "PATCH", "DELETE"):
        answer = await whole.ask(method, output_of(uuid), "alice", [JSON])
        assert answer.status == 405
        assert {name.strip() for name in answer.headers["allow"].split(",")} == {"GET", "HEAD", "PUT"}


async def test_a_guest_reads_that_of_one_activity(whole: Whole) -> None:
    shown, other = (await whole.start())["uuid"], (await whole.start())["uuid"]
    for uuid in (shown, other):
        await put(whole, uuid, b"text")
    secret = (await whole.ask("POST", "/web/shares", "alice", [JSON], {"uuid": shown})).json["secret"]
    assert (await get(whole, shown, secret)).body == b"text"
    unknown = await get(whole, UNKNOWN, secret)
    assert (await get(whole, other, secret)).body == unknown.body
    assert unknown.error == (404, "not_found")
    assert (await put(whole, shown, b"mine", secret)).error == (403, "not_allowed")


async def test_curl_can_do_it(whole: Whole, tmp_path: Path) -> None:
    uuid = (await whole.start())["uuid"]
    log = tmp_path / "log"
    log.write_text("".join(f"{n} größer\n" for n in range(20_000)))
    url = f"{whole.url}{output_of(uuid)}"
    script = 'tail -c 64k "$1" | curl -sS -f -H "X-Plex-Token: $2" -T - "$3"'
    await curl(script, str(log), whole.tokens["alice"], url)
    kept = (await get(whole, uuid)).body
    assert log.read_bytes().endswith(kept)
    assert len(kept) > MAX_OUTPUT - 20


async def curl(script: str, *arguments: str) -> None:
    """Run a line of shell beside the server."""
    process = await asyncio.create_subprocess_exec("sh", "-c", script, "sh", *arguments, stderr=subprocess.PIPE)
    _, said = await process.communicate()
    assert (process.returncode, said) == (0, b"")


async def test_inside_a_host_it_is_as_bounded_and_as_safe() -> None:
    activities = Activities()
    app = ActivitiesApp(activities, lambda connection: Principal(2, Role.USER))
    async with activities:
        activity, _ = await activities.create("t", 2, lease=300.0)
        path = output_of(activity.uuid)
        for size, status in ((MAX_OUTPUT, 204), (MAX_OUTPUT + 1, 413)):
            async with asgi_request(app, method="PUT", path=path, headers=[PLAIN], body=[b"x" * size]) as answer:
                assert (await answer.start()).status == status
        await activities.finish(activity.uuid, State.SUCCEEDED)
        async with asgi_request(app, path=path) as answer:
            assert (await answer.start()).status == 200
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert await answer.body() == b"x" * MAX_OUTPUT
        await app.stop()
