"""Servers that are broken or mean harm: always a typed error, in bounded time and memory, for both drivers."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from typing import Any

import pytest

from headway.client import Client
from headway.client.errors import NoConnection, Redirected, Unreachable
from headway.client.exchange import LARGEST
from headway.client.retries import NO_RETRIES
from headway.core.errors import HeadwayError, InvalidInput, NotAuthenticated, NotFound, TooMany, Unavailable
from headway.wire.errors import Unreadable
from headway.wire.event_stream import EventStreamReader
from tests.client.both import DRIVERS, HANGS, Both, Recorder
from tests.client.raw_server import RawServer, Say
from tests.client.scripted_server import UUID, Reply, ScriptedServer, as_json, eventually, listed, row
from tests.client.streams import STREAM, plex_event, proof

LISTS = [
    lambda client: client.activities.list(),
    lambda client: client.activities.cancel(UUID),
    lambda client: client.identity(),
]


def reply(body: bytes, *headers: str, status: str = "200 OK", type: str = "application/json") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {type}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def raw(*lines: bytes) -> bytes:
    return b"\r\n".join((*lines, b"", b""))


LAUGHS = b"".join(
    b'<!ENTITY l%d "%s">' % (each, b"&l%d;" % (each - 1) * 10) if each else b'<!ENTITY l0 "ha">' for each in range(10)
)
XML = "text/xml"
OK = b"HTTP/1.1 200 OK"
JSON = b"Content-Type: application/json"

UNREADABLE = {
    "a page": reply(b"<html><body>Welcome</body></html>", type="text/html"),
    "a page that claims to be JSON": reply(b"<html><body>Welcome</body></html>"),
    "nothing": reply(b""),
    "half of JSON": reply(b'{"MediaContainer":{"size":1,"Activity":[{"uuid":"'),
    "JSON that is no object": reply(b"[1]"),
    "JSON without a container": reply(b"{}"),
    "JSON within JSON": reply(b'{"MediaContainer":' * 100_000),
    "rows that are none": reply(b'{"MediaContainer":{"Activity":[1]}}'),
    "a row without a uuid": reply(b'{"MediaContainer":{"Activity":[{"type":"a"}]}}'),
    "not a number": reply(b'{"MediaContainer":{"Activity":[{"uuid":"a","progress":NaN}]}}'),
    "bytes that are no text": reply(b'{"MediaContainer":{"Activity":[{"uuid":"\xff\xfe"}]}}'),
    "half a surrogate": reply(b'{"MediaContainer":{"Activity":[{"uuid":"\\ud800"}]}}'),
    "half of XML": reply(b'<MediaContainer size="1"><Activity uuid="', type=XML),
    "XML of something else": reply(b"<html/>", type=XML),
    "XML without text": reply(b'<MediaContainer><Activity uuid="\xff"/></MediaContainer>', type=XML),
    "XML in no known encoding": reply(b'<?xml version="1.0" encoding="x"?><MediaContainer/>', type=XML),
    "XML within XML": reply(b"<MediaContainer>" * 100_000, type=XML),
    "a document type": reply(b"<!DOCTYPE MediaContainer><MediaContainer/>", type=XML),
    "a file of ours": reply(
        b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><MediaContainer>&b;</MediaContainer>', type=XML
    ),
    "a billion laughs": reply(b"<!DOCTYPE a [%s]><MediaContainer>&l9;</MediaContainer>" % LAUGHS, type=XML),
    "something compressed": reply(b"\x1f\x8b\x08", "Content-Encoding: gzip"),
    "an escape for a type": reply(b"{}", type="a/\x9b2J"),
}

BROKEN = {
    "nothing at all": b"",
    "HTTP/0.9": b"<html>hello</html>",
    "another HTTP": raw(b"HTTP/9.9 200 OK", JSON),
    "something else": b"\x15\x03\x01\x00\x02\x02\x28",
    "SSH": b"SSH-2.0-OpenSSH_9.9\r\n",
    "half a head": OK + b"\r\nContent-Ty",
    "a status that is none": raw(b"HTTP/1.1 999999 OK", JSON),
    "a status of text": raw(b"HTTP/1.1 OK OK", JSON),
    "a header without a colon": raw(OK, b"hello"),
    "a header with a zero": raw(OK, b"a: \x00"),
    "less than it promised": raw(OK, JSON, b"Content-Length: 1000") + b"{}",
    "a length that is none": raw(OK, JSON, b"Content-Length: many") + b"{}",
    "less than nothing": raw(OK, JSON, b"Content-Length: -1") + b"{}",
    "two lengths": raw(OK, JSON, b"Content-Length: 2", b"Content-Length: 3") + b"{}",
    "a chunk that is none": raw(OK, JSON, b"Transfer-Encoding: chunked") + b"zz\r\n{}\r\n",
    "a chunk without end": raw(OK, JSON, b"Transfer-Encoding: chunked") + b"ffff\r\n{}",
    "a transfer encoding that nobody knows": raw(OK, JSON, b"Transfer-Encoding: gzip") + b"{}",
    "a hundred thousand headers": raw(OK, *[b"X-%d: 1" % number for number in range(100_000)]),
    "one very long header": raw(OK, b"X: " + b"x" * 10_000_000),
    "a switch that nobody asked for": raw(b"HTTP/1.1 101 Switching Protocols", b"Upgrade: h2c"),
}


@DRIVERS
@pytest.mark.parametrize("name", UNREADABLE)
def test_what_nobody_can_read_is_said_so(driver: str, name: str) -> None:
    with RawServer(UNREADABLE[name]) as server, Both(driver, server.url) as both:
        with pytest.raises(Unreadable) as refused:
            both.do(lambda client: client.activities.list())
        assert refused.value.message.isprintable()


@DRIVERS
@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_answer_is_no_answer(driver: str, name: str) -> None:
    with RawServer(BROKEN[name]) as server, Both(driver, server.url, timeout=HANGS / 3) as both:
        with pytest.raises((Unreachable, Unreadable)) as refused:
            both.do(lambda client: client.activities.list())
        assert refused.value.message.isprintable()


@DRIVERS
@pytest.mark.parametrize("name", [*UNREADABLE, *BROKEN])
def test_in_place_of_a_stream_it_is_trouble_too(driver: str, name: str) -> None:
    with RawServer({**UNREADABLE, **BROKEN}[name]) as server, Both(driver, server.url, timeout=HANGS / 3) as both:
        trouble = troubled(both)
        assert trouble.message.isprintable()


def troubled(both: Both, **arguments: Any) -> HeadwayError:
    """The first trouble that a watch has, whether it is waited out or raised."""
    told: list[HeadwayError | None] = []
    watch = both.watch(on_connection=told.append, **arguments)
    seen = Recorder(watch)
    eventually(lambda: seen.error or any(told), HANGS)
    watch.close()
    return seen.error or next(error for error in told if error is not None)


@DRIVERS
class TestTime:
    def drip(self, *begins: bytes, with_: bytes = b"x") -> Say:
        def say(head: bytes) -> Iterator[bytes]:
            yield from begins
            while not server.stopping.wait(0.02):
                yield with_

        server = RawServer(say)
        self.server = server
        return say

    @pytest.mark.parametrize(
        ("begins", "with_"),
        [
            ((), b"H"),
            ((OK + b"\r\nX-Slow: ",), b"x"),
            ((OK + b"\r\n",), b"X: y\r\n"),
            ((), raw(b"HTTP/1.1 102 Processing")),
            ((raw(OK, JSON, b"Content-Length: 1000"),), b" "),
            ((raw(OK, JSON, b"Transfer-Encoding: chunked"),), b"1\r\n \r\n"),
        ],
        ids=["status", "header", "headers", "informational", "body", "chunks"],
    )
    def test_an_answer_that_drips_is_cut(self, driver: str, begins: tuple[bytes, ...], with_: bytes) -> None:
        self.drip(*begins, with_=with_)
        with self.server as server, Both(driver, server.url, timeout=0.3) as both, pytest.raises(Unreachable):
            both.do(lambda client: client.activities.list())

    def test_so_is_the_head_of_a_stream(self, driver: str) -> None:
        self.drip(OK + b"\r\nX-Slow: ")
        with self.server as server, Both(driver, server.url, timeout=0.3) as both:
            assert isinstance(troubled(both), Unreachable)
            assert isinstance(troubled(both, transport="websocket"), Unreachable)

    def test_a_flood_of_interim_answers_is_cut(self, driver: str) -> None:
        with (
            RawServer(lambda head: repeat(raw(b"HTTP/1.1 103 Early Hints", b"Link: x") * 100)) as server,
            Both(driver, server.url, timeout=0.5) as both,
            pytest.raises(Unreachable),
        ):
            both.do(lambda client: client.activities.list())

    def test_a_stream_without_events_is_given_up(self, driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("headway.client.live.subscription.SILENCE", 0.3)
        self.drip(raw(OK, b"Content-Type: text/event-stream"), with_=b": still here\n\n")
        with self.server as server, Both(driver, server.url) as both:
            assert "no event" in troubled(both).message


@DRIVERS
class TestMemory:
    def peak(self, both: Both, use: Callable[[Any], Any]) -> int:
        tracemalloc.start()
        try:
            with pytest.raises(HeadwayError):
                both.do(use)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    @pytest.mark.parametrize("status", ["200 OK", "404 Not Found"])
    def test_of_an_answer_without_end_little_is_kept(self, driver: str, status: str) -> None:
        head = raw(f"HTTP/1.1 {status}".encode(), JSON)
        with RawServer(lambda asked: chain(head, repeat(b"x" * 65536))) as server, Both(driver, server.url) as both:
            assert self.peak(both, lambda client: client.activities.get(UUID)) < 8 * LARGEST

    def test_a_title_of_ten_megabytes_is_too_much_for_one_activity(self, driver: str) -> None:
        with (
            ScriptedServer(lambda asked: listed(row(title="x" * 10_000_000))) as server,
            Both(driver, server.url) as both,
            pytest.raises(Unreadable, match=str(LARGEST)),
        ):
            both.do(lambda client: client.activities.get(UUID))

    def test_an_event_without_end_is_cut(self, driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def bounded(*, last_id: str) -> EventStreamReader:
            return EventStreamReader(last_id=last_id, max_event=100_000)

        monkeypatch.setattr("headway.client.live.framing.EventStreamReader", bounded)
        head = raw(OK, b"Content-Type: text/event-stream")
        with (
            RawServer(lambda asked: chain(head, b"data: ", repeat(b"x" * 65536))) as server,
            Both(driver, server.url) as both,
        ):
            assert "100000" in troubled(both).message

    def test_a_frame_without_end_is_cut(self, driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("headway.client.live.framing.MAX_EVENT", 100_000)
        fragment = b"\x00\x7e\xff\xff" + b"x" * 65535

        def say(head: bytes) -> Iterable[bytes]:
            if b"/activities" in head:
                return [reply(b'{"MediaContainer":{"size":0}}')]
            (key,) = re.findall(rb"(?i)sec-websocket-key: (\S+)", head)
            upgrade = (b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Accept: " + proof(key))
            return chain(raw(b"HTTP/1.1 101 Switching Protocols", *upgrade), b"\x01\x01x", repeat(fragment))

        with RawServer(say) as server, Both(driver, server.url) as both:
            assert "100000" in troubled(both, transport="websocket").message


def chain(*parts: bytes | Iterable[bytes]) -> Iterator[bytes]:
    for part in parts:
        yield from [part] if isinstance(part, bytes) else part


@DRIVERS
class TestElsewhere:
    """The token is for one server."""

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_nobody_is_sent_there(self, driver: str, status: int) -> None:
        with ScriptedServer(lambda asked: listed(row())) as elsewhere:
            away = Reply(status, b"", {"Location": elsewhere.url.replace("127.0.0.1", "localhost")})
            with ScriptedServer(lambda asked: away) as server, Both(driver, server.url) as both:
                for use in LISTS:
                    with pytest.raises(Redirected, match="localhost"):
                        both.do(use)
                for transport in ("sse", "websocket", "auto"):
                    assert isinstance(troubled(both, transport=transport), Redirected)
            assert elsewhere.asked == []

    def test_nor_round_in_circles(self, driver: str) -> None:
        with ScriptedServer(lambda asked: Reply(302, b"", {"Location": asked.path})) as server:
            with Both(driver, server.url) as both, pytest.raises(Redirected):
                both.do(lambda client: client.activities.list())
            assert len(server.asked) == 1

    @pytest.mark.parametrize("place", ["http://[", "//\x7f", "http://a:99999999/", "\x9b2J", "javascript:1", ""])
    def test_a_place_that_is_none_is_trouble(self, driver: str, place: str) -> None:
        answer = raw(b"HTTP/1.1 302 Found", b"Location: " + place.encode("latin-1"), b"Content-Length: 0")
        with RawServer(answer) as server, Both(driver, server.url) as both:
            with pytest.raises(HeadwayError) as refused:
                both.do(lambda client: client.activities.list())
            assert refused.value.message.isprintable()


@DRIVERS
class TestRefusals:
    @pytest.mark.parametrize("status", [429, 503])
    @pytest.mark.parametrize(
        "value", ["3600", "999999", "9" * 100, "Wed, 01 Jan 2098 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -2359"]
    )
    def test_one_that_asks_for_much_time_is_an_error_at_once(self, driver: str, status: int, value: str) -> None:
        retries_for_ever = value == "9" * 100  # is no time at all: then ours holds
        options: dict[str, Any] = {"retries": NO_RETRIES} if retries_for_ever else {}
        with ScriptedServer(lambda asked: as_json({}, status, Retry_After=value)) as server:
            with Both(driver, server.url, **options) as both, pytest.raises((TooMany, Unavailable)):
                both.do(lambda client: client.activities.list())
            assert len(server.asked) == 1

    @pytest.mark.parametrize("value", ["0", "Sun, 06 Nov 1994 08:49:37 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"])
    def test_one_that_asks_for_none_is_heeded(self, driver: str, value: str) -> None:
        answers = iter([as_json({}, 503, Retry_After=value), listed()])
        with ScriptedServer(lambda asked: next(answers)) as server, Both(driver, server.url) as both:
            assert both.do(lambda client: client.activities.list()).rows == []

    @pytest.mark.parametrize(
        ("status", "error"), [(400, HeadwayError), (401, NotAuthenticated), (404, NotFound), (418, HeadwayError)]
    )
    def test_whatever_it_says_of_itself_its_status_counts(
        self, driver: str, status: int, error: type[HeadwayError]
    ) -> None:
        for body in (
            b"\xff\xfe\x00",
            b'{"errors":[{"message":"\xff"}]}',
            b"<!DOCTYPE a><a/>",
            b'{"errors":' * 50_000,
            b"",
        ):
            answer = Reply(status, body, {"Content-Type": "application/json", "Content-Encoding": "identity"})
            with ScriptedServer(_always(answer)) as server, Both(driver, server.url) as both:
                with pytest.raises(error) as refused:
                    both.do(lambda client: client.activities.list())
                assert refused.value.message.isprintable()


def _always(answer: Reply) -> Callable[[Any], Reply]:
    return lambda asked: answer


@DRIVERS
def test_more_than_was_promised_is_not_read(driver: str) -> None:
    answer = reply(b'{"MediaContainer":{"size":0}}') + reply(b"<html>smuggled</html>", type="text/html")
    with RawServer(answer) as server, Both(driver, server.url) as both:
        assert both.do(lambda client: client.activities.list()).rows == []


@DRIVERS
def test_what_is_unknown_or_odd_in_a_stream_is_passed_over(driver: str) -> None:
    odd = b"event: \x9b\ndata: \xff\xfe\nid: \x00\nretry: never\nunknown: x\n\n:\n\n\r\r\n\r\ndata\n\n"
    with ScriptedServer(lambda asked: listed() if asked.path == "/activities" else stream) as server:
        stream = Reply(200, [odd, plex_event("started", progress="12"), plex_event("waltz")], STREAM)
        with Both(driver, server.url) as both:
            watch = both.watch()
            found = [next(watch) for _ in range(5)]
    (started,) = [each for each in found if hasattr(each, "kind")][:1]
    assert (started.row.uuid, started.row.progress) == (UUID, 12)


def test_a_host_that_no_resolver_can_be_asked_for_is_refused() -> None:
    with Client("http://127.0.0.1:1") as client, pytest.raises(NoConnection):
        client.activities.list()
    for host in ("a" * 64, "a..b"):
        with pytest.raises(InvalidInput):
            Client(f"http://{host}")
