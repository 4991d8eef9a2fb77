"""The guard: hosts, origins, bodies, and what every answer carries."""

import asyncio
import json
import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from headway.core.errors import NotFound
from headway.server.guard import Guard
from headway.testing.asgi import asgi_request, asgi_websocket

METHODS = ["GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "PUT", "TRACE"]
Headers = Sequence[tuple[str, str]]
HOST = ("host", "localhost:4590")


class App:
    """Remembers what it got, answers 200 or accepts, and then does what it was told to."""

    def __init__(self, headers: Headers = (), error: Exception | None = None, late: Exception | None = None) -> None:
        self.scopes: list[Scope] = []
        self.bodies: list[bytes] = []
        self.after: list[Message] = []
        self._headers = [(name.encode(), value.encode()) for name, value in headers]
        self._error, self._late = error, late

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        if self._error is not None:
            raise self._error
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
        else:
            self.bodies.append((await receive())["body"])
            await send({"type": "http.response.start", "status": 200, "headers": self._headers})
            await send({"type": "http.response.body", "body": b"hello", "more_body": self._late is not None})
        if self._late is not None:
            raise self._late
        self.after.append(await receive())


class Answer(NamedTuple):
    """An answer, read to its end."""

    status: int
    headers: dict[str, str]
    text: str


async def ask(guard: Guard, method: str = "GET", path: str = "/activities", **more: Any) -> Answer:
    async with asgi_request(guard, method, path, **more) as response:
        await response.start()
        body = await response.body()
    return Answer(response.status, response.headers, body.decode())


async def handshake(guard: Guard, headers: Headers, **more: Any) -> int:
    """The status that a WebSocket handshake ends with."""
    async with asgi_websocket(guard, "/:/websockets/notifications", headers=headers, **more) as socket:
        message = await socket.take()
        return 101 if message["type"] == "websocket.accept" else int(message["status"])


# Host


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:4590", "LOCALHOST:1", "localhost.", "localhost:", "127.0.0.1:4590", "[::1]:4590", "[::1]"],
)
async def test_a_host_that_means_this_machine_is_served(host: str) -> None:
    assert (await ask(Guard(App()), headers=[("host", host)])).status == 200
    assert await handshake(Guard(App()), [("host", host)]) == 101


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:4590", "localhost.evil.example", "127.0.0.1.evil.example", "evil.localhost"),
        *("127.0.0.2", "127.1", "2130706433", "0.0.0.0", "[::2]", ""),
    ],
)
@pytest.mark.parametrize("method", METHODS)
async def test_another_host_is_misdirected_on_every_method(method: str, host: str) -> None:
    app = App()
    assert (await ask(Guard(app), method, headers=[("host", host)])).status == 421
    assert app.scopes == []


async def test_another_host_is_misdirected_at_the_websocket_handshake() -> None:
    assert await handshake(Guard(App()), [("host", "evil.example")]) == 421


@pytest.mark.parametrize("host", ["a b", "a/b", "user@localhost", "[::1", "::1", "[zz]", "localhost:x", "[1.2.3.4]"])
async def test_a_host_that_is_none_is_a_bad_request(host: str) -> None:
    assert (await ask(Guard(App()), headers=[("host", host)])).status == 400


async def test_a_host_with_an_impossible_port_is_a_bad_request() -> None:
    assert (await ask(Guard(App()), headers=[("host", "localhost:65536")])).status == 400


async def test_two_hosts_are_a_bad_request_even_when_they_agree() -> None:
    assert (await ask(Guard(App()), headers=[("host", "localhost"), ("host", "localhost")])).status == 400


async def test_no_host_is_a_bad_request_and_for_an_older_client_misdirected() -> None:
    assert (await ask(Guard(App()), headers=[])).status == 400
    assert (await ask(Guard(App()), headers=[], http_version="1.0")).status == 421


async def test_a_listed_host_is_served_whatever_its_case_and_port() -> None:
    guard = Guard(App(), hosts=["Tower.Example:443", "fe80::1"])
    assert (await ask(guard, headers=[("host", "tower.example")])).status == 200
    assert (await ask(guard, headers=[("host", "[FE80::0001]:4590")])).status == 200
    assert (await ask(guard, headers=[("host", "localhost")])).status == 421


async def test_the_address_a_connection_came_in_on_is_served() -> None:
    here: Headers = [("host", "192.168.1.5:4590")]
    assert (await ask(Guard(App()), headers=here, server=("192.168.1.5", 4590))).status == 200
    assert (await ask(Guard(App()), headers=here, server=("::ffff:192.168.1.5", 4590))).status == 200
    assert (await ask(Guard(App()), headers=here, server=("192.168.1.6", 4590))).status == 421
    assert (await ask(Guard(App()), headers=here, server=None)).status == 421
    assert (await ask(Guard(App()), headers=[HOST], server=("/run/headway.sock", None))).status == 200


def test_what_is_no_host_cannot_be_listed() -> None:
    with pytest.raises(ValueError, match="not a host"):
        Guard(App(), hosts=["https://tower.example/"])


# Origin


@pytest.mark.parametrize(
    ("host", "origin", "scheme"),
    [
        ("localhost:4590", "http://localhost:4590", "http"),
        ("localhost:4590", "HTTP://LocalHost:4590", "http"),
        ("localhost", "http://localhost", "http"),
        ("localhost", "http://localhost:80", "http"),
        ("localhost:443", "https://localhost", "https"),
        ("[::1]:4590", "http://[::1]:4590", "http"),
    ],
)
async def test_the_servers_own_pages_may_use_it(host: str, origin: str, scheme: str) -> None:
    headers = [("host", host), ("origin", origin)]
    response = await ask(Guard(App()), headers=headers, scheme=scheme)
    assert response.status == 200
    assert not any(name.startswith("access-control") for name in response.headers)
    assert await handshake(Guard(App()), headers, scheme=scheme.replace("http", "ws")) == 101


FOREIGN = [
    *("https://evil.example", "http://localhost", "http://localhost:3000", "https://localhost:4590", "null", ""),
    *("http://127.0.0.1:4590", "http://localhost:4590.evil.example", "http://localhost:4590/", "localhost:4590"),
    *("file://", "chrome-extension://abcdef", "http://evil.example@localhost:4590"),
]


@pytest.mark.parametrize("origin", FOREIGN)
async def test_a_foreign_page_is_refused(origin: str) -> None:
    app = App()
    response = await ask(Guard(app), headers=[HOST, ("origin", origin)])
    assert response.status == 403
    assert not any(name.startswith("access-control") for name in response.headers)
    assert await handshake(Guard(app), [HOST, ("origin", origin)]) == 403
    assert app.scopes == []


@pytest.mark.parametrize("method", METHODS)
async def test_a_foreign_page_is_refused_on_every_method(method: str) -> None:
    assert (await ask(Guard(App()), method, headers=[HOST, ("origin", "https://evil.example")])).status == 403


async def test_a_foreign_page_is_refused_the_event_stream() -> None:
    headers = [HOST, ("origin", "https://evil.example"), ("accept", "text/event-stream")]
    assert (await ask(Guard(App()), path="/:/eventsource/notifications", headers=headers)).status == 403


async def test_two_origins_are_refused_even_when_one_is_our_own() -> None:
    own = ("origin", "http://localhost:4590")
    assert (await ask(Guard(App()), headers=[HOST, own, own])).status == 403


async def test_a_listed_page_may_use_the_server_and_read_what_matters_but_brings_no_credentials() -> None:
    guard = Guard(App([("Vary", "Accept")]), origins=["https://app.example"])
    response = await ask(guard, headers=[HOST, ("origin", "https://app.example")])
    assert response.status == 200
    assert response.headers["access-control-allow-origin"] == "https://app.example"
    assert "access-control-allow-credentials" not in response.headers
    assert response.headers["vary"] == "Accept, Origin"
    exposed = set(response.headers["access-control-expose-headers"].split(", "))
    assert exposed >= {"X-Plex-Activity", "X-Headway-Cursor", "X-Headway-State", "Location", "Retry-After"}
    assert "Preference-Applied" in exposed
    assert await handshake(guard, [HOST, ("origin", "https://app.example")]) == 101


async def test_a_listed_page_can_read_errors() -> None:
    guard = Guard(App(error=NotFound()), origins=["https://app.example"])
    response = await ask(guard, headers=[HOST, ("origin", "https://app.example")])
    assert response.status == 404
    assert response.headers["access-control-allow-origin"] == "https://app.example"


async def test_a_listed_page_is_told_what_it_may_send() -> None:
    app = App()
    guard = Guard(app, origins=["https://app.example"])
    asked = "x-plex-token, X-Plex-Client-Identifier, content-type, idempotency-key, x-evil"
    headers = [
        HOST,
        ("origin", "https://app.example"),
        ("access-control-request-method", "DELETE"),
        ("access-control-request-headers", asked),
    ]
    response = await ask(guard, "OPTIONS", headers=headers)
    assert response.status == 204
    assert "DELETE" in response.headers["access-control-allow-methods"]
    allowed = "x-plex-token, X-Plex-Client-Identifier, content-type, idempotency-key"
    assert response.headers["access-control-allow-headers"] == allowed
    assert response.headers["access-control-allow-origin"] == "https://app.example"
    assert app.scopes == []


async def test_a_plain_options_request_is_the_applications() -> None:
    app = App()
    guard = Guard(app, origins=["https://app.example"])
    assert (await ask(guard, "OPTIONS", headers=[HOST, ("origin", "https://app.example")])).status == 200
    assert len(app.scopes) == 1


async def test_answers_vary_by_origin_as_soon_as_one_is_listed() -> None:
    assert "vary" not in (await ask(Guard(App()), headers=[HOST])).headers
    assert (await ask(Guard(App(), origins=["https://app.example"]), headers=[HOST])).headers["vary"] == "Origin"


@pytest.mark.parametrize("origin", ["null", "*", "app.example", "https://app.example/"])
def test_what_is_no_origin_cannot_be_listed(origin: str) -> None:
    with pytest.raises(ValueError, match="not an origin"):
        Guard(App(), origins=[origin])


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_what_another_sites_page_embeds_is_refused_though_it_has_no_origin(site: str) -> None:
    headers = [HOST, ("sec-fetch-site", site), ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")]
    assert (await ask(Guard(App()), headers=headers)).status == 403
    framed = [HOST, ("sec-fetch-site", site), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")]
    assert (await ask(Guard(App()), headers=framed)).status == 403


async def test_a_link_from_another_site_may_be_followed_but_not_post() -> None:
    headers = [HOST, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")]
    assert (await ask(Guard(App()), headers=headers)).status == 200
    assert (await ask(Guard(App()), "POST", headers=headers)).status == 403


@pytest.mark.parametrize("site", ["same-origin", "none"])
async def test_a_browser_that_is_here_already_or_was_told_the_address_is_served(site: str) -> None:
    assert (await ask(Guard(App()), headers=[HOST, ("sec-fetch-site", site)])).status == 200


# Headers of every answer


@pytest.mark.parametrize("error", [None, NotFound(), HTTPException(405), ZeroDivisionError()])
async def test_every_answer_carries_the_security_headers(error: Exception | None) -> None:
    headers = (await ask(Guard(App(error=error)), headers=[HOST])).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["x-plex-protocol"] == "1.0"
    policy = headers["content-security-policy"].split("; ")
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy


async def test_refusals_carry_the_security_headers_too_also_at_the_websocket_handshake() -> None:
    assert (await ask(Guard(App()), headers=[("host", "evil.example")])).headers["referrer-policy"] == "no-referrer"
    async with asgi_websocket(Guard(App()), headers=[("host", "evil.example")]) as socket:
        assert (b"referrer-policy", b"no-referrer") in (await socket.take())["headers"]


async def test_what_the_application_sets_itself_stays() -> None:
    headers = (await ask(Guard(App([("Cache-Control", "no-cache")])), headers=[HOST])).headers
    assert headers["cache-control"] == "no-cache"


# Bodies


def posting(*more: tuple[str, str]) -> Headers:
    return [HOST, ("content-type", "application/json"), *more]


async def test_a_body_of_the_largest_size_reaches_the_application_in_one_piece() -> None:
    app = App()
    pieces = [b"a" * 40_000, b"b" * 25_536]
    response = await ask(Guard(app), "POST", headers=posting(("content-length", "65536")), body=pieces)
    assert response.status == 200
    assert app.bodies == [b"".join(pieces)]


async def test_after_the_body_the_application_hears_of_the_client_leaving() -> None:
    app = App()
    await ask(Guard(app), "POST", headers=posting(("content-length", "2")), body=[b"{}"])
    assert app.after == [{"type": "http.disconnect"}]


async def test_one_byte_more_is_too_large_and_is_not_even_read() -> None:
    app = App()
    headers = posting(("content-length", "65537"))
    assert (await ask(Guard(app), "POST", headers=headers, body=[], ends=False)).status == 413
    assert app.scopes == []


async def test_a_body_of_unknown_length_is_cut_where_it_is_too_large() -> None:
    headers = posting(("transfer-encoding", "chunked"))
    assert (await ask(Guard(App()), "POST", headers=headers, body=[b"a" * 65_536])).status == 200
    assert (await ask(Guard(App()), "POST", headers=headers, body=[b"a" * 65_537])).status == 413
    endless = [b"a" * 10_000] * 7
    assert (await ask(Guard(App()), "POST", headers=headers, body=endless, ends=False)).status == 413


@pytest.mark.parametrize("length", ["-1", "+5", "5 5", "0x10", "many", "\xb2", "5, 5", ""])
async def test_a_length_that_is_no_number_is_a_bad_request(length: str) -> None:
    assert (await ask(Guard(App()), "POST", headers=posting(("content-length", length)))).status == 400


async def test_a_length_of_thousands_of_digits_is_too_large() -> None:
    assert (await ask(Guard(App()), "POST", headers=posting(("content-length", "9" * 8000)))).status == 413


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "zstd", "GZIP", "identity, gzip"])
async def test_a_compressed_body_is_refused(coding: str) -> None:
    headers = posting(("content-length", "2"), ("content-encoding", coding))
    assert (await ask(Guard(App()), "POST", headers=headers, body=[b"{}"])).status == 415
    headers = posting(("transfer-encoding", f"{coding}, chunked"))
    assert (await ask(Guard(App()), "POST", headers=headers, body=[b"{}"])).status == 415


async def test_an_encoding_of_nothing_does_not_matter() -> None:
    nothing = [HOST, ("content-encoding", "gzip"), ("content-length", "0")]
    assert (await ask(Guard(App()), "DELETE", headers=nothing)).status == 200
    headers = posting(("content-length", "2"), ("content-encoding", "identity"))
    assert (await ask(Guard(App()), "POST", headers=headers, body=[b"{}"])).status == 200


async def test_a_body_that_does_not_come_is_not_waited_for_for_ever() -> None:
    app = App()
    guard = Guard(app, body_timeout=0.01)
    headers = posting(("content-length", "10"))
    response = await ask(guard, "POST", headers=headers, body=[b"12345"], ends=False)
    assert response.status == 408
    assert response.headers["connection"] == "close"
    assert app.scopes == []


async def test_a_client_that_leaves_within_its_body_leaves_nothing() -> None:
    app = App()
    async with asgi_request(Guard(app), "POST", headers=posting(("content-length", "10")), body=[b"1"], ends=False):
        pass
    assert app.scopes == []


async def test_who_waits_for_leave_to_send_a_body_and_is_refused_has_to_connect_anew() -> None:
    waiting = posting(("content-length", "65537"), ("expect", "100-continue"))
    assert (await ask(Guard(App()), "POST", headers=waiting, body=[], ends=False)).headers["connection"] == "close"
    assert "connection" not in (await ask(Guard(App()), "POST", headers=posting(("content-length", "65537")))).headers


# Errors


async def test_errors_take_the_form_that_is_asked_for() -> None:
    as_json = await ask(Guard(App()), headers=[("host", "evil.example")])
    assert as_json.headers["content-type"] == "application/json"
    (error,) = json.loads(as_json.text)["errors"]
    assert (error["status"], error["code"]) == (421, 4210)
    as_html = await ask(Guard(App()), headers=[("host", "evil.example"), ("accept", "*/*")])
    assert as_html.headers["content-type"] == "text/html"
    assert "<h1>421 Misdirected Request</h1>" in as_html.text


async def test_host_comes_before_origin_and_origin_before_the_body() -> None:
    everything_wrong = posting(("origin", "https://evil.example"), ("content-length", "65537"))
    assert (await ask(Guard(App()), "POST", headers=[("host", "evil.example"), *everything_wrong[1:]])).status == 421
    assert (await ask(Guard(App()), "POST", headers=everything_wrong)).status == 403


@pytest.mark.parametrize("uuid", ["", "d6199ba1-fb5e-4cae-bf17-1a5369c1cf1e", "../../etc/passwd", "\x00"])
async def test_refusals_do_not_depend_on_what_is_asked_for(uuid: str) -> None:
    first = await ask(Guard(App()), "DELETE", "/activities/other", headers=[("host", "evil.example")])
    second = await ask(Guard(App()), "DELETE", f"/activities/{uuid}", headers=[("host", "evil.example")])
    assert (first.status, first.headers, first.text) == (second.status, second.headers, second.text)


async def test_an_unexpected_error_is_logged_once_and_the_client_told_no_more_than_that(
    caplog: pytest.LogCaptureFixture,
) -> None:
    guard = Guard(App(error=ZeroDivisionError("secret plan")))
    response = await ask(guard, "DELETE", "/activities/1\n2?X-Plex-Token=hw_secret", headers=[HOST])
    assert response.status == 500
    assert "secret" not in response.text
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.getMessage() == r"DELETE '/activities/1\n2' failed"


async def test_an_expected_error_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert (await ask(Guard(App(error=NotFound())), headers=[HOST])).status == 404
    assert caplog.records == []


async def test_an_error_within_an_answer_leaves_it_visibly_unfinished(caplog: pytest.LogCaptureFixture) -> None:
    async with asgi_request(Guard(App(late=NotFound())), headers=[HOST]) as response:
        await response.start()
        assert await response.chunk() == b"hello"
        with pytest.raises(EOFError):
            await response.chunk()
    assert len(caplog.records) == 1


async def test_an_error_in_a_websocket_closes_it_with_its_code(caplog: pytest.LogCaptureFixture) -> None:
    async with asgi_websocket(Guard(App(late=ZeroDivisionError())), headers=[HOST]) as socket:
        assert (await socket.take())["type"] == "websocket.accept"
        assert await socket.take() == {"type": "websocket.close", "code": 1011}
    assert len(caplog.records) == 1


async def test_an_error_before_a_websocket_is_accepted_is_an_answer() -> None:
    assert await handshake(Guard(App(error=ZeroDivisionError())), [HOST]) == 500


async def test_a_server_that_cannot_answer_a_handshake_still_refuses_it() -> None:
    async with asgi_websocket(Guard(App()), headers=[("host", "evil.example")], extensions={}) as socket:
        assert (await socket.take())["type"] == "websocket.close"


async def test_what_follows_from_a_client_that_has_gone_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async def gone(message: Message) -> None:
        raise ConnectionResetError

    scope = {"type": "websocket", "scheme": "ws", "path": "/", "headers": [(b"host", b"localhost")], "extensions": {}}
    queue: asyncio.Queue[Message] = asyncio.Queue()
    queue.put_nowait({"type": "websocket.connect"})
    with caplog.at_level(logging.DEBUG):
        await Guard(App())(scope, queue.get, gone)
    assert caplog.records == []


# Streams


async def test_a_stream_passes_piece_by_piece_and_its_client_can_leave() -> None:
    left = asyncio.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": b"event: ping\n", "more_body": True})
        await send({"type": "http.response.body", "body": b"data: {}\n\n", "more_body": True})
        assert (await receive())["type"] == "http.request"
        assert (await receive())["type"] == "http.disconnect"
        left.set()

    async with asgi_request(Guard(endless), path="/:/eventsource/notifications", headers=[HOST]) as response:
        await response.start()
        assert response.headers["x-content-type-options"] == "nosniff"
        assert await response.chunk() == b"event: ping\n"
        assert await response.chunk() == b"data: {}\n\n"
        assert not left.is_set()
    assert left.is_set()


async def test_the_lifespan_passes_untouched() -> None:
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    await Guard(app)({"type": "lifespan"}, asyncio.Queue[Message]().get, asyncio.Queue[Message]().put)
    assert seen == ["lifespan"]
