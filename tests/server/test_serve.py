"""Serving: sockets, what is refused before it starts, and how it stops."""

import asyncio
import os
import resource
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from headway.server.authority import own_hosts
from headway.server.guard import Guard
from headway.server.protocols import Limits
from headway.server.serve import CannotServe, Server, TlsFiles
from headway.server.sockets import PortInUse, listen, raise_open_files
from tests.server.harness import DEADLINE, App, connected, eventually, lifespan, running

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


# Sockets


async def test_both_loopbacks_are_served_on_one_port() -> None:
    urls: list[str] = []
    async with running(App(), on_urls=urls.extend) as (_, port):
        hosts = ["127.0.0.1", "::1"] if has_ipv6() else ["127.0.0.1"]
        for host in hosts:
            async with connected(port, host) as client:
                client.send(GET)
                assert (await client.answer())[0] == 200
        assert urls == [f"http://127.0.0.1:{port}", f"http://[::1]:{port}"][: len(hosts)]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_machine_without_ipv6_listens_on_the_other_loopback(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_ipv6(family: int, *more: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return real(family, *more)

    real = socket.socket
    monkeypatch.setattr("headway.server.sockets.socket.socket", no_ipv6)
    (listener,) = listen(host, 0)
    with closing(listener):
        assert listener.getsockname()[0] == "127.0.0.1"


def test_a_port_that_is_taken_is_named_and_so_is_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortInUse, match=rf"^port {port} on 127\.0\.0\.1 is in use: .* --port") as raised:
            listen("127.0.0.1", port)
        assert "\n" not in str(raised.value)


@pytest.mark.skipif(not has_ipv6(), reason="there is no IPv6 here")
def test_a_port_that_is_taken_on_the_second_loopback_only_is_taken_too() -> None:
    """Whoever looks up localhost might reach the other program, and send it a token."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortInUse, match=f"port {port} on ::1 is in use"):
            listen("127.0.0.1", port)
        with socket.socket() as free:
            free.bind(("127.0.0.1", port))  # nothing was left behind


@pytest.mark.skipif(not has_ipv6(), reason="there is no IPv6 here")
def test_a_port_that_is_picked_is_free_on_both_loopbacks(monkeypatch: pytest.MonkeyPatch) -> None:
    picked: list[int] = []

    class FirstPickIsTaken(socket.socket):
        def bind(self, address: Any) -> None:
            if self.family == socket.AF_INET6 and not picked:
                picked.append(address[1])
                raise OSError(98, "Address already in use")
            super().bind(address)

    monkeypatch.setattr("headway.server.sockets.socket.socket", FirstPickIsTaken)
    first, second = listen("127.0.0.1", 0)
    with closing(first), closing(second):
        assert first.getsockname()[1] == second.getsockname()[1]
        assert len(picked) == 1


def test_two_servers_that_start_at_once_do_not_share_a_port() -> None:
    listeners = listen("127.0.0.1", 0)
    try:
        with pytest.raises(PortInUse):
            listen("127.0.0.1", listeners[0].getsockname()[1])
    finally:
        for listener in listeners:
            listener.close()


def test_connections_are_not_delayed_and_dead_ones_are_noticed() -> None:
    listeners = listen("127.0.0.1", 0)
    with socket.create_connection(listeners[0].getsockname()), listeners[0].accept()[0] as accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
    for listener in listeners:
        listener.close()


def test_a_host_that_does_not_exist_is_named() -> None:
    with pytest.raises(CannotServe, match=r"^--host no\.such\.host\.invalid: "):
        listen("no.such.host.invalid", 0)
    with pytest.raises(CannotServe, match=r"^cannot listen on 192\.0\.2\.1 port 4590: "):
        listen("192.0.2.1", 4590)


# What is refused


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "tower.example"])
def test_a_host_beyond_this_machine_needs_tls_or_a_proxy(host: str) -> None:
    with pytest.raises(CannotServe, match=rf"^--host {host} .*--tls-cert and --tls-key, or --behind-proxy"):
        Server(App(), host=host)
    Server(App(), host=host, behind_proxy=True)
    Server(App(), host=host, tls=TlsFiles(Path("cert.pem")))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_this_machine_needs_neither(host: str) -> None:
    Server(App(), host=host)


async def test_tls_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("not a certificate")
    for certificate in (tmp_path / "missing.pem", rubbish):
        with pytest.raises(CannotServe, match=rf"^cannot use --tls-cert {certificate}"):
            await Server(App(), port=0, tls=TlsFiles(certificate)).serve()


def test_the_names_of_a_server_follow_from_where_it_listens() -> None:
    assert set(own_hosts("127.0.0.1")) == {"localhost", "127.0.0.1", "::1"}
    assert set(own_hosts("0.0.0.0")) == {"localhost", "127.0.0.1", "::1", socket.gethostname()}
    assert "tower.example" in own_hosts("tower.example")


# Starting


async def test_it_is_ready_once_it_answers_and_not_before() -> None:
    starting = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await starting.wait()
        await App()(scope, receive, send)

    server = Server(slow, port=0)
    serving = asyncio.get_running_loop().create_task(server.serve())
    for _ in range(3):
        await asyncio.sleep(0)
    assert not server.ready
    starting.set()
    await eventually(lambda: server.ready)
    server.stop()
    assert not server.ready
    assert await serving == 0


async def test_what_an_application_raises_instead_of_starting_reaches_the_caller(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Locked(Exception):
        pass

    async def locked(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "Traceback (most recent call last): …"})
        raise Locked

    server = Server(locked, port=0)
    with pytest.raises(Locked):
        await server.serve()
    assert not server.ready
    assert "Traceback" not in caplog.text


async def test_an_application_that_says_it_cannot_start_is_quoted() -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no room"})

    with pytest.raises(CannotServe, match="did not start: no room"):
        await Server(failing, port=0).serve()


def test_the_limit_of_open_files_is_raised_but_not_without_end() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowered = min(before[0], 500)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowered, before[1]))
        raised = raise_open_files()
        assert raised == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        assert raised == min(before[1] if before[1] != resource.RLIM_INFINITY else 65_536, 65_536)
        assert raise_open_files() == raised
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


# Behind a proxy, and TLS


FORWARDED = b"X-Forwarded-Proto: https\r\nX-Forwarded-For: 203.0.113.9\r\n"


@pytest.mark.parametrize("behind_proxy", [True, False])
async def test_what_a_proxy_says_counts_only_behind_one(behind_proxy: bool) -> None:
    app = App()
    async with running(Guard(app), behind_proxy=behind_proxy) as (_, port), connected(port) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: https://localhost\r\n" + FORWARDED + b"\r\n")
        assert (await client.head())[0] == (200 if behind_proxy else 403)
        client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + FORWARDED + b"\r\n")
        await client.until(b"\r\n\r\n")
    last = app.scopes[-1]
    assert last["scheme"] == ("https" if behind_proxy else "http")
    assert (last["client"][0] == "203.0.113.9") is behind_proxy


async def test_tls_is_served_and_its_pages_are_its_own(certificate: TlsFiles) -> None:
    trust = ssl.create_default_context(cafile=str(certificate.certificate))
    async with running(Guard(App()), tls=certificate, limits=Limits(linger=0.1)) as (_, port):
        reader, writer = await asyncio.open_connection("localhost", port, ssl=trust)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost:%d\r\nOrigin: https://localhost:%d\r\n\r\n" % (port, port))
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
        writer.write(b"\x00rubbish")
        assert b"HTTP/1.1 400" in await reader.read()
        writer.close()
        await writer.wait_closed()


# Stopping


async def test_a_stop_tells_the_streams_before_anything_else_and_serves_until_then() -> None:
    app = App()
    seen: list[Any] = []

    async def on_stop() -> None:
        seen.append(server.ready)
        async with connected(port) as late:
            late.send(GET)
            seen.append((await late.answer())[0])
        await app.end_streams()

    async with running(app, on_stop=on_stop) as (server, port), connected(port) as events, connected(port) as socket_:
        events.send(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await events.head()
        await socket_.handshake()
        await eventually(lambda: len(app.streams) == 2)
        server.stop()
        assert b"0\r\n\r\n" in await events.rest()
        await socket_.rest()
        await eventually(lambda: not server.ready)
    assert seen == [False, 200]
    assert server.exit_code == 0


async def test_requests_under_way_are_finished_before_the_lifespan_ends() -> None:
    order: list[str] = []
    under_way, finish = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            order.append("lifespan")
            return
        under_way.set()
        await finish.wait()
        order.append("request")
        await App()(scope, receive, send)

    async def on_stop() -> None:
        order.append("streams")
        asyncio.get_running_loop().call_later(0.2, finish.set)  # while uvicorn drains

    async with running(app, on_stop=on_stop) as (server, port), connected(port) as client:
        client.send(GET)
        await under_way.wait()
        server.stop()
        assert (await client.answer())[0] == 200
    assert order == ["streams", "request", "lifespan"]


async def test_a_stop_goes_on_when_the_application_fails_to_end_its_streams(caplog: pytest.LogCaptureFixture) -> None:
    async def on_stop() -> None:
        raise ZeroDivisionError

    async with running(App(), on_stop=on_stop) as (server, _):
        pass
    assert server.exit_code == 0
    assert "closing the streams failed" in caplog.text


async def never() -> None:
    await asyncio.Event().wait()


@asynccontextmanager
async def leaving_nothing_behind() -> AsyncIterator[None]:
    """No task of the block waits for what will not come: it would be complained of when collected, in any test."""
    before = asyncio.all_tasks()
    yield
    async with asyncio.timeout(DEADLINE):
        while asyncio.all_tasks() - before:
            await asyncio.sleep(0)


async def test_a_stop_that_takes_too_long_is_cut_short_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    serving = running(App(), on_stop=never, stop_timeout=0.05)
    async with leaving_nothing_behind(), serving as (server, port), connected(port) as client:
        client.send(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await client.head()
        server.stop()
        assert await client.rest() == b""
    assert server.exit_code == 1
    assert [record for record in caplog.records if record.exc_info] == []


async def test_a_second_stop_is_immediate() -> None:
    async with leaving_nothing_behind(), running(App(), on_stop=never) as (server, port), connected(port) as client:
        client.send(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await client.head()
        server.stop()
        server.stop()
        assert await client.rest() == b""
    assert server.exit_code == 1


async def test_the_signal_handlers_before_are_put_back() -> None:
    assert threading.current_thread() is threading.main_thread()
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with running(App()):
        assert signal.getsignal(signal.SIGTERM) not in before
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


PROGRAM = """
import asyncio, sys, threading
from headway.server.serve import Server, run
from tests.server.harness import App

class Stubborn(App):
    async def end_streams(self):
        await asyncio.Event().wait()

app = {"polite": App, "stubborn": Stubborn, "stuck": App}[sys.argv[1]]()

async def main():
    if sys.argv[1] == "stuck":
        asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)
    ready = lambda urls: print(urls[0].rpartition(":")[2], flush=True)
    return await Server(app, port=0, on_ready=ready, on_stop=app.end_streams).serve()

sys.exit(run(main()))
"""


@asynccontextmanager
async def program(behaviour: str) -> AsyncIterator[tuple[subprocess.Popen[str], int]]:
    """A server in a process of its own, and its port."""
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, behaviour],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    try:
        assert process.stdout is not None
        yield process, int(await asyncio.to_thread(process.stdout.readline))
    finally:
        process.kill()
        process.communicate()


async def exit_of(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and what was written to stderr."""
    _, errors = await asyncio.to_thread(process.communicate, timeout=60)
    return process.returncode, errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_a_server_with_open_streams_cleanly(number: signal.Signals) -> None:
    async with program("polite") as (process, port), connected(port) as events, connected(port) as socket_:
        events.send(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await events.head()
        assert (await socket_.handshake())[0] == 101
        process.send_signal(number)
        assert await exit_of(process) == (0, "")
        assert await events.rest() == b"0\r\n\r\n"


async def test_a_second_signal_ends_a_server_that_waits() -> None:
    async with program("stubborn") as (process, port), connected(port) as events:
        events.send(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await events.head()
        process.send_signal(signal.SIGTERM)
        async with connected(port) as client:
            client.send(GET)  # still served: it waits for its streams
            assert (await client.answer())[0] == 200
        process.send_signal(signal.SIGTERM)
        code, errors = await exit_of(process)
        assert code == 128 + signal.SIGTERM
        assert "Traceback" not in errors


async def test_a_thread_that_never_ends_does_not_keep_the_process() -> None:
    async with program("stuck") as (process, _):
        process.send_signal(signal.SIGTERM)
        assert await exit_of(process) == (0, "")
