"""`headway doctor`: every way in which a connection goes wrong is named, with what mends it."""

import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from headway.cli import checks
from headway.cli.checks import Diagnosis, network
from headway.cli.checks.findings import Finding, Level
from headway.cli.checks.local import FREE, folder, lock_holder, note
from headway.cli.connection import Connection, LocalServer
from headway.core.policy import Role
from headway.stores.folder import FolderLock
from tests.certificates import self_signed
from tests.cli.invoking import invoke
from tests.client.scripted_server import (
    Asked,
    Drop,
    Hang,
    Reply,
    ScriptedServer,
    as_json,
    free_port,
    html,
    listed,
    refused,
)
from tests.server.running import Running, running_server, token_for

PATIENCE = 30.0
"""Seconds for a step that answers: a slow machine is not a failed test."""

HURRY = 0.5
"""And for one that never does."""

STREAM = {"Content-Type": "text/event-stream"}
PING = b"event: ping\ndata: {}\n\n"

Answer = Reply | Drop | Hang


class Headway:
    """A server with which all is well, but for what a test puts in the place of an answer."""

    def __init__(self, **instead: Answer) -> None:
        """``instead``: by a part of the path, with underscores for what no name can hold."""
        self.instead = instead

    def __call__(self, asked: Asked) -> Answer:
        for part, answer in self.instead.items():
            if part.replace("_", "/") in asked.path:
                return answer
        if asked.path == "/identity":
            return identified()
        if asked.path == "/ready":
            return as_json({"status": "ready"})
        if "eventsource" in asked.path:
            return Reply(200, iter([PING]), STREAM)
        if "websocket" in asked.path:
            return Reply(101, b"", {"Upgrade": "websocket", "Connection": "Upgrade"})
        if asked.method == "DELETE":
            return refused(403, "not_allowed", "a user token may not administer")
        return listed(X_Headway_Cursor="x") if asked.path == "/activities" else refused(404, "not_found")


class Plex(Headway):
    """The same for a Plex server: no readiness, errors as pages."""

    def __call__(self, asked: Asked) -> Answer:
        return html(404) if asked.path in ("/ready", "/health") else super().__call__(asked)


def identified(**headers: str) -> Reply:
    members = {"size": 0, "claimed": True, "machineIdentifier": "b" * 40, "version": "1.2.3"}
    return as_json({"MediaContainer": members}, 200, **headers)


def examine(
    url: str, data: Path, *, seconds: float = PATIENCE, ping: float = PATIENCE, **options: Any
) -> list[Finding]:
    connection = Connection(url, options.pop("token", "hw_s3cret"), str(data / "nothing"))
    return list(Diagnosis(connection, seconds=seconds, ping=ping, **options).findings())


def wrong(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.level is not Level.OK]


def only(findings: list[Finding]) -> Finding:
    (finding,) = wrong(findings)
    return finding


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_server(tmp_path_factory.mktemp("doctor") / "data") as running:
        yield running


class TestWhenAllIsWell:
    @pytest.mark.parametrize(
        ("role", "told"),
        [(Role.ADMIN, "admin"), (Role.USER, "user: sees"), (Role.REPORTER, "reporter:"), (Role.READER, "reader:")],
    )
    def test_the_real_server_passes_and_the_role_is_known(
        self, running: Running, tmp_path: Path, role: Role, told: str
    ) -> None:
        found = examine(running.url, tmp_path, token=token_for(running, role.value, role))
        assert wrong(found) == []
        (shown,) = [finding for finding in found if finding.check == "role"]
        assert shown.says.startswith(told)
        checks = [finding.check for finding in found]
        assert list(dict.fromkeys(checks)) == [
            *("choice", "name", "connect", "server", "clock", "ready", "token", "role", "round trip", "events"),
            "websocket",
        ]

    def test_the_local_server_is_looked_at_too(self, running: Running) -> None:
        result = invoke(running.data, "doctor", "--json")
        found = {each["check"]: each for each in json.loads(result.stdout)}
        assert (result.exit_code, found["local server"]["level"], found["local token"]["level"]) == (0, "ok", "ok")

    def test_so_does_a_plex_server(self, tmp_path: Path) -> None:
        with ScriptedServer(Plex()) as server:
            found = examine(server.url, tmp_path)
        assert wrong(found) == []
        assert not {"ready", "role"} & {finding.check for finding in found}
        assert any("Plex Media Server" in finding.says for finding in found)
        assert not server.asked_for("DELETE")

    def test_the_token_is_shown_nowhere_and_sent_where_it_is_needed(self, tmp_path: Path) -> None:
        with ScriptedServer(Headway()) as server:
            found = examine(server.url, tmp_path)
        assert "s3cret" not in str(found)
        sent = {asked.path for asked in server.asked if "x-plex-token" in asked.headers}
        assert not {"/identity", "/ready"} & sent
        assert all("s3cret" not in str(asked.query) for asked in server.asked)


CASES: dict[str, tuple[Headway, str, str, str, int]] = {
    # What answers → the check that fails, in which words, with which advice, and the exit code.
    "another host": (
        Headway(identity=refused(421, "misdirected_request")),
        *("server", "does not answer for the host 127.0.0.1", "--allow-host 127.0.0.1", 3),
    ),
    "a redirect": (
        Headway(identity=Reply(301, b"", {"Location": "https://media.example/identity?secret"})),
        *("server", "sends us to https://media.example", "name that place", 3),
    ),
    "a page": (
        Headway(
            identity=Reply(200, b"<html><title>My \x1bRouter", {"Content-Type": "text/html", "Server": "lighttpd"})
        ),
        *("server", "with the page “My \ufffdRouter” answers 200", "see to the port", 3),
    ),
    "JSON of something else": (
        Headway(identity=as_json({"hello": "world"})),
        *("server", "application/json answers 200", "see to the port", 3),
    ),
    "a proxy without its server": (
        Headway(identity=Reply(502, b"<title>502 Bad Gateway</title>", {"Server": "nginx"})),
        *("server", "answers 502 in its place", "is away", 3),
    ),
    "a login before it": (
        Headway(identity=html(401)),
        *("server", "wants a login of its own", "without it", 3),
    ),
    "TLS at that port": (
        Headway(identity=Reply(400, b"<title>The plain HTTP request was sent to HTTPS port</title>")),
        *("server", "speaks TLS", "https://", 3),
    ),
    "an origin put in on the way": (
        Headway(identity=refused(403, "forbidden", "this origin may not use the server; --allow-origin adds one")),
        *("server", "this origin may not", "--allow-origin", 3),
    ),
    "nothing but silence": (Headway(identity=Hang()), "server", "does not answer", "log", 3),
    "a connection that is cut": (Headway(identity=Drop()), "server", "does not speak HTTP", "see to the port", 3),
    "not ready": (Headway(ready=as_json({"status": "not ready"}, 503)), "ready", "cannot record", "disk", 1),
    "a bad token": (
        Headway(activities=refused(401, "not_authenticated")),
        *("token", "does not know the one from --token", "headway token create", 4),
    ),
    "a role that may not look": (
        Headway(activities=refused(403, "not_allowed", "a strange token may not read")),
        *("token", "a strange token may not read", "another token", 4),
    ),
    "a limit": (
        Headway(eventsource=refused(429, "too_many", "too many streams")),
        *("events", "too many streams", "--max-streams-per-user", 1),
    ),
    "a stream that is a page": (Headway(eventsource=html(200)), "events", "text/html came", "proxy", 1),
    "a stream that is compressed": (
        Headway(eventsource=Reply(200, iter([PING]), {**STREAM, "Content-Encoding": "gzip"})),
        *("events", "compresses", "gzip off", 1),
    ),
    "a stream that ends": (Headway(eventsource=Reply(200, iter([b": x\n"]), STREAM)), "events", "ended", "log", 1),
    "no upgrade": (
        Headway(_websocket=Reply(400, b"")),
        *("websocket", "a proxy does not pass the upgrade on", "proxy_set_header Upgrade $http_upgrade", 1),
    ),
}


@pytest.mark.parametrize(("script", "check", "says", "advice", "code"), CASES.values(), ids=CASES)
def test_what_goes_wrong_is_named_with_what_mends_it(
    tmp_path: Path, script: Headway, check: str, says: str, advice: str, code: int
) -> None:
    hurried = any(isinstance(answer, Hang) for answer in script.instead.values())
    with ScriptedServer(script) as server:
        found = examine(server.url, tmp_path, seconds=HURRY if hurried else PATIENCE)
    assert len(wrong(found)) in (1, 2)  # both paths of a WebSocket may be wrong
    for finding in wrong(found):
        assert (finding.check, finding.level, finding.code) == (check, Level.FAIL, code)
        assert says in finding.says
        assert advice in finding.advice


def test_without_a_token_it_is_said_where_to_get_one(tmp_path: Path) -> None:
    with ScriptedServer(Plex(activities=html(401))) as server:
        found = examine(server.url, tmp_path, token=None)
    finding = only(found)
    assert (finding, "there is none" in finding.says) == (found[-1], True)  # nothing else is worth asking
    assert "X-Plex-Token" in finding.advice


def test_a_stream_that_a_proxy_holds_back(tmp_path: Path) -> None:
    def silent() -> Iterator[bytes]:
        yield b""
        server.stopping.wait()

    with ScriptedServer(Headway(eventsource=Reply(200, silent(), STREAM))) as server:
        finding = only(examine(server.url, tmp_path, ping=HURRY))
    assert (finding.check, "proxy_buffering off" in finding.advice) == ("events", True)


def test_one_path_of_the_websocket_is_enough(tmp_path: Path) -> None:
    with ScriptedServer(Headway(_websocket_=html(404))) as server:
        finding = only(examine(server.url, tmp_path))
    assert (finding.level, "/:/websocket/" in finding.says) == (Level.WARN, True)


@pytest.mark.parametrize(("ahead", "which"), [(3600, "ahead of"), (-3600, "behind")])
def test_a_clock_that_is_wrong(tmp_path: Path, ahead: int, which: str) -> None:
    found = checks.web.clock(
        checks.web.Reply(200, {"date": formatdate(1_800_000_000 + ahead, usegmt=True)}, b"", 0.1), 1_800_000_000.5
    )
    assert found is not None
    assert (found.level, which in found.says) == (Level.WARN, True)


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Jan 2026 00:00:00 GMT", "Mon, 01 Jan 99999 00:00:00 GMT"])
def test_a_date_that_is_none_tells_nothing(date: str) -> None:
    assert checks.web.clock(checks.web.Reply(200, {"date": date}, b"", 0.1), 1.0) is None


@pytest.mark.parametrize("place", ["", "/headway"])
def test_a_server_that_is_elsewhere_is_found(tmp_path: Path, place: str) -> None:
    def script(asked: Asked) -> Reply:
        return identified() if asked.path == f"{place}/identity" else html(404)

    with ScriptedServer(script) as server:
        finding = only(examine(server.url + ("" if place else "/wrong"), tmp_path))
    assert finding.advice == f"there is one at {server.url}{place}"


class TestPagesOfAnotherOrigin:
    ORIGIN = "https://app.example"

    @pytest.mark.parametrize(
        ("answer", "level"),
        [
            (refused(403, "forbidden"), Level.FAIL),
            (identified(), Level.WARN),
            (identified(Access_Control_Allow_Origin="https://app.example"), Level.OK),
        ],
    )
    def test_may_call_or_not(self, tmp_path: Path, answer: Reply, level: Level) -> None:
        plain = Headway()

        def script(asked: Asked) -> Answer:
            return answer if asked.headers.get("origin") == self.ORIGIN else plain(asked)

        with ScriptedServer(script) as server:
            found = examine(server.url, tmp_path, origin=self.ORIGIN)
        (finding,) = [finding for finding in found if finding.check == "origin"]
        assert finding.level is level
        assert level is not Level.FAIL or "--allow-origin https://app.example" in finding.advice


class TestTheWayThere:
    def test_a_name_that_nobody_knows(self, tmp_path: Path) -> None:
        finding = only(examine("https://doctor.invalid", tmp_path, seconds=PATIENCE))
        assert (finding.check, finding.code) == ("name", 3)

    def test_a_name_server_that_does_not_answer(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        forever = threading.Event()
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: forever.wait())
        finding = only(examine("https://doctor.invalid", tmp_path, seconds=HURRY))
        assert (finding.check, "no answer in time" in finding.says) == ("name", True)
        forever.set()

    def test_a_port_at_which_nobody_listens(self, tmp_path: Path) -> None:
        finding = only(examine(f"http://127.0.0.1:{free_port()}", tmp_path))
        assert (finding.check, finding.code) == ("connect", 3)
        assert "connection refused" in finding.says
        assert "headway serve" in finding.advice

    def test_one_address_of_several_is_worth_a_warning(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with ScriptedServer(Headway()) as server:
            both = [
                (family, socket.SOCK_STREAM, 6, "", (address, server.port))
                for family, address in ((socket.AF_INET, "127.0.0.2"), (socket.AF_INET, "127.0.0.1"))
            ]
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
            finding = only(examine(f"http://127.0.0.1:{server.port}", tmp_path))
        assert (finding.check, finding.level) == ("connect", Level.WARN)

    def test_what_does_not_speak_http(self, tmp_path: Path) -> None:
        with speaking(b"SSH-2.0-OpenSSH_9.2\r\n") as port:
            finding = only(examine(f"http://127.0.0.1:{port}", tmp_path))
        assert (finding.check, finding.code) == ("server", 3)
        assert "does not speak HTTP" in finding.says

    def test_what_sends_a_byte_now_and_then(self, tmp_path: Path) -> None:
        with speaking(b"HTTP/1.1 200 OK\r\nX: ", b"x") as port:
            finding = only(examine(f"http://127.0.0.1:{port}", tmp_path, seconds=HURRY))
        assert "does not answer" in finding.says


class TestProxies:
    def test_one_in_the_environment_is_told_of(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with ScriptedServer(Headway()) as proxy:
            monkeypatch.setenv("HTTP_PROXY", f"http://user:s3cret@127.0.0.1:{proxy.port}")
            monkeypatch.delenv("NO_PROXY", raising=False)
            found = examine("http://headway.example", tmp_path, token=None)
        finding = only(found)
        assert (finding.check, finding.level) == ("proxy", Level.WARN)
        assert finding.advice == "to go there directly: NO_PROXY=headway.example"
        assert "s3cret" not in str(found)

    def test_none_stands_before_this_machine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        assert network.proxy_for("http://127.0.0.1:4590") is None
        monkeypatch.setenv("NO_PROXY", "media.example")
        assert network.proxy_for("http://media.example") is None

    @pytest.mark.parametrize("proxy", ["http://[", "http://me:s3cret@x:port", "gopher://me:s3cret@127.0.0.1:1"])
    def test_one_that_is_none(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.delenv("NO_PROXY", raising=False)
        found = examine("http://headway.example", tmp_path, token=None)
        assert any(finding.level is Level.FAIL for finding in found)
        assert "s3cret" not in str(found)


class TestTls:
    def test_all_is_well_with_a_certificate_that_is_trusted(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        certificate = make_certificate(tmp_path, "127.0.0.1", days=365)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with encrypted(certificate) as url:
            assert [finding.check for finding in wrong(examine(url, tmp_path))] == ["server"]  # it only shakes hands

    @pytest.mark.parametrize(
        ("name", "days", "trusted", "says", "advice"),
        [
            ("127.0.0.1", 365, False, "self-signed certificate", "SSL_CERT_FILE"),
            ("127.0.0.1", -1, True, "has expired", "renew it"),
            ("media.example", 365, True, "mismatch", "name the server as its certificate does"),
        ],
        ids=["self-signed", "expired", "another name"],
    )
    def test_a_certificate_that_does_not_hold(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
        days: int,
        trusted: bool,
        says: str,
        advice: str,
    ) -> None:
        certificate = make_certificate(tmp_path, name, days=days)
        if trusted:
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with encrypted(certificate) as url:
            finding = only(examine(url, tmp_path))
        assert (finding.check, finding.code) == ("tls", 3)
        assert says in finding.says
        assert advice in finding.advice

    def test_nothing_to_judge_it_by(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
        with listening(lambda connection: None) as port:
            finding = only(examine(f"https://127.0.0.1:{port}", tmp_path))
        assert (finding.check, "SSL_CERT_FILE" in finding.advice) == ("tls", True)

    def test_one_that_expires_soon(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        certificate = make_certificate(tmp_path, "127.0.0.1", days=3)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with encrypted(certificate) as url:
            found = examine(url, tmp_path)
        assert [finding.level for finding in found if finding.check == "tls"] == [Level.WARN]

    def test_tls_at_a_plain_port_and_the_other_way_round(self, tmp_path: Path) -> None:
        with ScriptedServer(Headway()) as server:
            finding = only(examine(server.url.replace("http:", "https:"), tmp_path))
        assert (finding.check, "http://" in finding.advice) == ("tls", True)
        with encrypted(make_certificate(tmp_path, "127.0.0.1", days=365)) as url:
            finding = only(examine(url.replace("https:", "http:"), tmp_path))
        assert (finding.says, "https://" in finding.advice) == ("it speaks TLS at that port", True)


class TestTheDataFolder:
    URL = "http://127.0.0.1:4999"

    def test_there_is_none(self, tmp_path: Path) -> None:
        (finding,) = folder(tmp_path / "nothing")
        assert (finding.level, "headway serve" in finding.advice) == (Level.WARN, True)

    @pytest.mark.parametrize(
        ("server", "holder", "says"),
        [
            (None, None, "none runs"),
            (None, FREE, "none runs"),
            (None, 77, "process 77 holds the folder, and does not listen"),
            (os.getpid(), FREE, "left behind"),
            (2**31 - 1, None, "left behind"),
            (0, None, "left behind"),
            (os.getpid(), 77, "process 77 holds the folder"),
        ],
        ids=lambda given: "running" if given == os.getpid() else None,  # a test has the same name in every process
    )
    def test_what_does_not_fit_together(
        self, tmp_path: Path, server: int | None, holder: int | None, says: str
    ) -> None:
        told = None if server is None else LocalServer(self.URL, server)
        finding = note(tmp_path, told, holder)
        assert (finding.level, says in finding.says) == (Level.WARN, True)

    def test_what_does(self, tmp_path: Path) -> None:
        for holder in (None, os.getpid()):
            assert note(tmp_path, LocalServer(self.URL, os.getpid()), holder).level is Level.OK

    @pytest.mark.skipif(not os.path.exists("/proc/locks"), reason="this system does not tell of locks")
    def test_the_lock_is_seen_and_not_touched(self, tmp_path: Path) -> None:
        assert lock_holder(tmp_path) is None
        lock = FolderLock(tmp_path)
        lock.acquire()
        assert lock_holder(tmp_path) == os.getpid()
        lock.release()
        assert lock_holder(tmp_path) == FREE

    def test_a_token_that_is_gone(self, tmp_path: Path) -> None:
        found = {finding.check: finding for finding in folder(tmp_path)}
        assert "headway token create" in found["local token"].advice


class TestTheCommand:
    def test_is_in_lines_with_the_advice_below(self, tmp_path: Path) -> None:
        result = invoke(tmp_path, "doctor", "--url", f"http://127.0.0.1:{free_port()}")
        assert result.exit_code == 3
        lines = result.stdout.splitlines()
        assert lines[0].split()[:3] == ["✔", "ok", "choice"]
        assert lines[-2].split()[:3] == ["✘", "fail", "connect"]
        assert lines[-1].startswith(" " * 10 + " ")

    def test_exits_with_0_when_nothing_is_worse_than_a_warning(self, tmp_path: Path) -> None:
        with ScriptedServer(Headway(_websocket_=html(404))) as server:
            assert invoke(tmp_path, "doctor", "--url", server.url).exit_code == 0

    @pytest.mark.parametrize(
        ("options", "code", "says"),
        [(["--context", "x"], 1, "no context x"), (["--url", "gopher://x"], 2, "not a server's URL")],
    )
    def test_a_choice_that_cannot_be_made_is_a_finding(
        self, tmp_path: Path, options: list[str], code: int, says: str
    ) -> None:
        result = invoke(tmp_path, "doctor", *options, "--json")
        (finding,) = json.loads(result.stdout)
        assert (result.exit_code, finding["check"], says in finding["says"]) == (code, "choice", True)


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Each connection is served in a thread; whatever goes wrong with it ends it."""

    def run(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.settimeout(PATIENCE)
            serve(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=run, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE)


@contextmanager
def speaking(first: bytes, again: bytes = b"") -> Iterator[int]:
    """Says something at once, and something else for ever."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(first)
        while again:
            connection.sendall(again)
            time.sleep(HURRY / 10)
        connection.recv(1024)

    with listening(serve) as port:
        yield port


@contextmanager
def encrypted(certificate: Path) -> Iterator[str]:
    """Shakes hands, and hangs up."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(1024)

    with listening(serve) as port:
        yield f"https://127.0.0.1:{port}"


def make_certificate(place: Path, name: str, *, days: int) -> Path:
    """A certificate that vouches for itself, and its key, in one file."""
    path = place / "both.pem"
    path.write_bytes(b"".join(file.read_bytes() for file in self_signed(place, name, days=days)))
    return path
