"""How httpx2 is used: whom to trust, through whom to go, and what its errors mean."""

import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from headway.client import Client
from headway.client.errors import NoConnection, Unreachable
from headway.client.network.connecting import options_for
from headway.core.errors import InvalidInput
from tests.certificates import self_signed
from tests.client.scripted_server import ScriptedServer, free_port, listed


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed one for localhost, with its key in the same file."""
    folder = tmp_path_factory.mktemp("tls")
    whole = folder / "whole.pem"
    whole.write_bytes(b"".join(file.read_bytes() for file in self_signed(folder)))
    return whole


class Identity(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"MediaContainer":{"size":0,"machineIdentifier":"a","version":"1.2"}}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Tests are quiet."""


@pytest.fixture
def port(certificate: Path) -> Iterator[int]:
    """Where a server speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with HTTPServer(("127.0.0.1", 0), Identity) as server:
        server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_a_certificate_that_nobody_vouches_for_is_refused_in_plain_words(port: int) -> None:
    with (
        Client(f"https://localhost:{port}") as client,
        pytest.raises(NoConnection, match="its certificate is not to be trusted: self-signed certificate"),
    ):
        client.identity()


def test_it_can_be_named(port: int, certificate: Path) -> None:
    for verify in (str(certificate), ssl.create_default_context(cafile=certificate)):
        with Client(f"https://localhost:{port}", verify=verify) as client:
            assert client.identity().version == "1.2"


def test_a_certificate_of_our_own_is_shown_beside_it(port: int, certificate: Path) -> None:
    with Client(f"https://localhost:{port}", verify=str(certificate), cert=str(certificate)) as client:
        assert client.identity().version == "1.2"


def test_a_certificate_for_another_host_is_refused(port: int, certificate: Path) -> None:
    with (
        Client(f"https://other.localhost:{port}", verify=str(certificate)) as client,
        pytest.raises(NoConnection, match=r"not to be trusted: Hostname mismatch|no such host"),
    ):
        client.identity()


def test_a_file_that_holds_none_is_said_at_once(tmp_path: Path) -> None:
    for keywords in ({"verify": str(tmp_path / "none")}, {"cert": str(tmp_path / "none")}):
        with Client("https://localhost:1", **keywords) as client, pytest.raises(InvalidInput, match="cannot be used"):  # type: ignore[arg-type]
            client.identity()


def test_tls_where_there_is_none_is_said(port: int) -> None:
    with (
        ScriptedServer(lambda asked: listed()) as plain,
        Client(f"https://localhost:{plain.port}") as client,
        pytest.raises(NoConnection, match="does not speak TLS"),
    ):
        client.identity()


def test_plain_words_to_one_who_expects_tls_are_an_end_of_the_connection(port: int) -> None:
    with Client(f"http://localhost:{port}") as client, pytest.raises(Unreachable, match=r"broke off|reset by peer"):
        client.identity()


def test_a_host_that_does_not_exist_is_said() -> None:
    with Client("http://nowhere.invalid") as client, pytest.raises(NoConnection, match="there is no such host"):
        client.identity()


def test_a_proxy_that_is_named_is_used_for_this_machine_too() -> None:
    with ScriptedServer(lambda asked: listed()) as proxy:
        with Client(f"http://127.0.0.1:{free_port()}", proxy=proxy.url) as client:
            client.activities.list()
        assert len(proxy.asked) == 1


def test_who_brings_an_http_client_tells_that_one_of_proxies() -> None:
    import httpx2

    with httpx2.Client() as http, pytest.raises(InvalidInput, match="proxy: say so to the HTTP client"):
        Client(http=http, proxy="http://127.0.0.1:1")


def test_certificates_are_not_read_for_a_plain_connection_to_this_machine() -> None:
    assert options_for("http://127.0.0.1:1", {})["verify"] is False
    assert "verify" not in options_for("https://127.0.0.1:1", {})
    assert "verify" not in options_for("http://elsewhere.example", {})
