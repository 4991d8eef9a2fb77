"""Requests over real sockets, to servers that are slow, absent, broken or hostile."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from headway.client import calls
from headway.client.address import Address
from headway.client.errors import Redirected, Unreachable
from headway.client.exchange import LARGEST, Answer, Request
from headway.client.network.transport import AsyncTransport, Transport
from headway.core.errors import NotAuthenticated
from headway.wire.errors import Unreadable
from tests.client.scripted_server import (
    UUID,
    Asked,
    Drop,
    Hang,
    Reply,
    Script,
    ScriptedServer,
    free_port,
    html,
    listed,
    row,
)

GET = calls.get(UUID).request
DRIVERS = pytest.mark.parametrize("driver", ["sync", "async"])


def exchange(
    driver: str, url: str, request: Request = GET, timeout: float = 10.0, token: str | None = "t0k3n"
) -> Answer:
    address = Address(url, token)
    if driver == "sync":
        with Transport(address, timeout=timeout) as transport:
            return transport.exchange(request)

    async def ask() -> Answer:
        async with AsyncTransport(address, timeout=timeout) as transport:
            return await transport.exchange(request)

    return asyncio.run(ask())


def scripted(reply: Reply | Drop | Hang) -> Script:
    return lambda asked: reply


@DRIVERS
def test_a_request_says_who_asks_and_what_it_can_read(driver: str) -> None:
    with ScriptedServer(scripted(listed(row()))) as server:
        answer = exchange(driver, server.url)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    (asked,) = server.asked
    assert asked.headers["x-plex-token"] == "t0k3n"
    assert asked.headers["accept"] == "application/json"
    assert asked.headers["accept-encoding"] == "identity"
    assert "t0k3n" not in asked.path


@DRIVERS
def test_without_a_token_none_is_sent(driver: str) -> None:
    with ScriptedServer(scripted(listed())) as server:
        exchange(driver, server.url, token=None)
    assert "x-plex-token" not in server.asked[0].headers


@DRIVERS
def test_a_url_may_have_a_path(driver: str) -> None:
    with ScriptedServer(scripted(listed())) as server:
        exchange(driver, server.url + "/below", calls.list_activities(type="a.b").request)
    assert (server.asked[0].path, server.asked[0].query) == ("/below/activities", {"type": "a.b"})


@DRIVERS
def test_nobody_there_is_said_in_plain_words(driver: str) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(Unreachable, match=f"cannot reach {url}: connection refused"):
        exchange(driver, url)


@DRIVERS
def test_a_server_that_never_answers_is_given_up(driver: str) -> None:
    with ScriptedServer(scripted(Hang())) as server, pytest.raises(Unreachable, match="no answer"):
        exchange(driver, server.url, timeout=0.2)


@DRIVERS
def test_a_server_that_hangs_up_is_unreachable(driver: str) -> None:
    with ScriptedServer(scripted(Drop())) as server, pytest.raises(Unreachable, match="broke off"):
        exchange(driver, server.url)


@DRIVERS
def test_an_answer_that_drips_is_given_up(driver: str) -> None:
    def drip() -> Iterator[bytes]:
        while True:
            yield b" "
            time.sleep(0.02)

    with ScriptedServer(scripted(Reply(body=drip()))) as server, pytest.raises(Unreachable, match=r"no .*answer"):
        exchange(driver, server.url, timeout=0.3)


@DRIVERS
def test_an_answer_without_end_is_cut_short(driver: str) -> None:
    def flood() -> Iterator[bytes]:
        while True:
            yield b"x" * 65536

    with ScriptedServer(scripted(Reply(body=flood()))) as server, pytest.raises(Unreadable, match=str(LARGEST)):
        exchange(driver, server.url)


@DRIVERS
def test_of_an_error_only_the_beginning_is_read(driver: str) -> None:
    with ScriptedServer(scripted(Reply(401, iter([b"x" * LARGEST, b"y" * LARGEST])))) as server:
        answer = exchange(driver, server.url)
    assert len(answer.body) == LARGEST
    with pytest.raises(NotAuthenticated):
        answer.require_success()


@DRIVERS
def test_a_compressed_answer_is_not_unpacked(driver: str) -> None:
    bomb = Reply(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    with ScriptedServer(scripted(bomb)) as server, pytest.raises(Unreadable, match="compressed"):
        exchange(driver, server.url)


@DRIVERS
def test_a_redirect_is_not_followed_and_no_token_goes_there(driver: str) -> None:
    with ScriptedServer(scripted(listed(row()))) as elsewhere:
        away = Reply(302, b"", {"Location": f"{elsewhere.url}/activities"})
        with ScriptedServer(scripted(away)) as server:
            answer = exchange(driver, server.url)
    with pytest.raises(Redirected, match=elsewhere.url):
        answer.require_success()
    assert elsewhere.asked == []


@DRIVERS
def test_no_proxy_stands_between_us_and_this_machine(driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(scripted(html(200, "proxy"))) as proxy, ScriptedServer(scripted(listed())) as server:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert exchange(driver, server.url).status == 200
    assert proxy.asked == []


@DRIVERS
def test_waiting_on_the_server_s_side_takes_no_time_from_the_answer(driver: str) -> None:
    def slow(asked: Asked) -> Reply:
        time.sleep(0.3)
        return listed(row())

    with ScriptedServer(slow) as server:
        assert exchange(driver, server.url, calls.get(UUID, wait=5.0).request, timeout=0.1).status == 200
