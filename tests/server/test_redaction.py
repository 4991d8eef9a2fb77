"""No token in any log: of ours, of uvicorn's, whatever form a client gave it."""

import http.client
import io
import logging
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
import uvicorn.logging
from hypothesis import given
from hypothesis import strategies as st

from headway.server.identity.tokens import new_link, new_session, new_share, new_token
from headway.server.redaction import LOGGERS, REDACTED, RedactingFilter, redact, redact_logs

SECRET = "s3cr3t-Value_99"


@pytest.mark.parametrize(
    "text",
    [
        "GET /activities?X-Plex-Token={} HTTP/1.1",
        "GET /activities?a=b&x-plex-token={}&c=d HTTP/1.1",
        "GET /?X-PLEX-TOKEN={}",
        "GET /?X%2DPlex%2dToken={}",
        "GET /?X-Plex-%54%6f%6Ben={}",
        "GET /?X-Plex-Token%3D{}",
        "GET /?next=%2F%3FX-Plex-Token%3D{}%26a",
        "GET /?next=%252F%253FX-Plex-Token%253D{}",
        "GET /?X-Plex-Token=%20{}%26{}",
        "?token={}",
        "?access_token={}",
        "Cookie: a=b; headway_token={}; c=d",
        "< X-Plex-Token: {}",
        "x-plex-token:{}",
        "{{'X-Plex-Token': '{}'}}",
        "[(b'x-plex-token', b'{}'), (b'host', b'localhost')]",
        "('x-plex-token', '{}')",
        "Authorization: Bearer {}",
        "(b'authorization', b'bearer  {}')",
        "Bearer%20{}",
        'url="http://localhost/?X-Plex-Token={}"',
    ],
)
def test_a_token_is_taken_out(text: str) -> None:
    clean = redact(text.format(SECRET, SECRET))
    assert SECRET not in clean
    assert REDACTED in clean


def test_what_is_around_it_stays() -> None:
    line = '127.0.0.1:5 - "GET /activities?type=a&X-Plex-Token=abc&since=b HTTP/1.1" 200'
    assert redact(line) == line.replace("abc", REDACTED)
    assert (
        redact("[(b'x-plex-token', b'abc'), (b'host', b'h')]") == f"[(b'x-plex-token', b'{REDACTED}'), (b'host', b'h')]"
    )


def test_our_own_tokens_and_signed_ones_are_known_without_a_name() -> None:
    token = new_token("0123abcd")
    assert redact(f"who is {token}?") == f"who is {REDACTED}?"
    assert redact(f"/path/{token}") == f"/path/{REDACTED}"
    assert redact(f"{{'link': '{new_link()}'}}") == f"{{'link': '{REDACTED}'}}"
    assert redact(f"(b'cookie', b'a={new_session('0123abcd')}')") == f"(b'cookie', b'a={REDACTED}')"
    assert redact(f"http://localhost/web/#link={new_link()}") == f"http://localhost/web/#link={REDACTED}"
    assert redact("http://localhost/web/#link=abc") == f"http://localhost/web/#link={REDACTED}"
    shared = f"http://localhost/web/#shared={new_share('0123abcd')}&uuid=6f7c"
    assert redact(shared) == f"http://localhost/web/#shared={REDACTED}&uuid=6f7c"
    assert redact(f"it is {new_share('0123abcd')}") == f"it is {REDACTED}"
    assert redact("got eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiI3In0.c2ln_-x.") == f"got {REDACTED}."


@pytest.mark.parametrize(
    "text",
    [
        "",
        "GET /activities?type=a HTTP/1.1",
        "token anna",
        "tokens are up to date",
        "a bearer",
        "X-Plex-Token=&a=b",
        "hw_x",
    ],
)
def test_what_holds_no_token_stays(text: str) -> None:
    assert redact(text) == text


@given(
    st.lists(
        st.sampled_from(
            ["token", "=", "%3D", "X-Plex-Token", ": ", "Bearer ", "&", " ", "a", "'", "eyJ", ".", "%", "25"]
        )
    )
)
def test_redacting_again_changes_nothing(parts: list[str]) -> None:
    once = redact("".join(parts))
    assert redact(once) == once


@pytest.fixture
def logger() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger that redacts, and what it wrote."""
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    made, redacting = logging.getLogger("headway.test"), RedactingFilter()
    made.setLevel("INFO")
    made.addHandler(handler)
    made.addFilter(redacting)
    yield made, output
    made.removeHandler(handler)
    made.removeFilter(redacting)


def test_messages_and_arguments_are_redacted(logger: tuple[logging.Logger, io.StringIO]) -> None:
    log, output = logger
    log.info(f"token={SECRET}")  # noqa: G004 - a message made that way must not leak either
    log.info("%s %d", f"?X-Plex-Token={SECRET}", 200)
    log.info("token=%s", SECRET)
    log.info("%(url)s", {"url": f"?token={SECRET}"})
    log.info("%s", {"headers": [(b"x-plex-token", SECRET.encode())]})
    log.info("%r", ValueError(f"?token={SECRET}"))
    log.info(ValueError(f"?token={SECRET}"))
    assert SECRET not in output.getvalue()
    assert output.getvalue().count(REDACTED) == 7


def test_tracebacks_are_redacted(logger: tuple[logging.Logger, io.StringIO]) -> None:
    log, output = logger
    try:
        raise ValueError(f"bad request ?X-Plex-Token={SECRET}")
    except ValueError:
        log.exception("failed")
    assert SECRET not in output.getvalue()
    assert f"ValueError: bad request ?X-Plex-Token={REDACTED}" in output.getvalue()


def test_everything_else_is_logged_as_ever(logger: tuple[logging.Logger, io.StringIO]) -> None:
    log, output = logger
    log.info("%s took %.2f s, %d %%, %r", "it", 1.5, 40, None)
    assert output.getvalue() == "it took 1.50 s, 40 %, None\n"


@pytest.mark.parametrize(("message", "arguments"), [("%d", [f"token={SECRET}"]), ("token=%s %s", [SECRET])])
def test_a_wrong_format_string_is_no_way_around(
    logger: tuple[logging.Logger, io.StringIO],
    capsys: pytest.CaptureFixture[str],
    message: str,
    arguments: list[str],
) -> None:
    log, output = logger
    log.info(message, *arguments)
    assert SECRET not in capsys.readouterr().err + output.getvalue()
    assert "(logged with wrong arguments)" in output.getvalue()


def test_the_coloured_form_of_a_message_is_no_way_around() -> None:
    record = logging.LogRecord("uvicorn.error", logging.INFO, "", 0, "at token=%s", (SECRET,), None)
    record.__dict__["color_message"] = "at token=%s"
    RedactingFilter().filter(record)
    formatted = uvicorn.logging.ColourizedFormatter("%(message)s", use_colors=True).format(record)
    assert formatted == f"at token={REDACTED}"


@pytest.fixture
def unfiltered() -> Iterator[None]:
    places = [place for name in LOGGERS for place in (logging.getLogger(name), *logging.getLogger(name).handlers)]
    before = [list(place.filters) for place in places]
    yield
    for place, filters in zip(places, before, strict=True):
        place.filters[:] = filters


@pytest.mark.usefixtures("unfiltered")
def test_installing_twice_filters_once() -> None:
    redact_logs()
    redact_logs()
    for name in LOGGERS:
        assert sum(isinstance(each, RedactingFilter) for each in logging.getLogger(name).filters) == 1


SERVER = """
import logging, socket, sys
import uvicorn
from headway.server.redaction import redact_logs

async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close"})
        return
    logging.getLogger("headway.server.app").warning("asked for %s", scope["query_string"])
    if scope["path"] == "/fails":
        raise RuntimeError("cannot answer " + scope["query_string"].decode())
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})

logging.basicConfig(level="DEBUG", stream=sys.stdout)
server = uvicorn.Server(uvicorn.Config(app, log_level="trace", lifespan="off"))
redact_logs()
server.run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
"""


def ask(port: int, path: str, headers: dict[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_uvicorn_at_its_most_talkative_logs_no_token() -> None:
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with subprocess.Popen(
            [sys.executable, "-c", SERVER, str(listener.fileno())],
            pass_fds=[listener.fileno()],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as server:
            statuses = [
                ask(port, f"/plain?X-Plex-Token={SECRET}&a=b", {}),
                ask(port, f"/encoded?X%2DPlex-%54oken={SECRET}", {}),
                ask(port, f"/fails?x-plex-token={SECRET}", {}),
                ask(port, "/header", {"X-Plex-Token": SECRET}),
                ask(port, "/bearer", {"Authorization": f"Bearer {SECRET}"}),
                ask(port, "/cookie", {"Cookie": f"headway_token={SECRET}"}),
                ask(port, f"/socket?X-Plex-Token={SECRET}", {**upgrade, "X-Plex-Token": SECRET}),
            ]
            server.send_signal(signal.SIGTERM)
            log = server.communicate()[0]
    assert statuses == [204, 204, 500, 204, 204, 204, 101]
    assert SECRET not in log
    # Where it would have been: the access log, a traceback, the handshake, the dumped scopes, a line of our own.
    for line in (
        f"GET /plain?X-Plex-Token={REDACTED}&a=b HTTP/1.1",
        f"RuntimeError: cannot answer x-plex-token={REDACTED}",
        f'"WebSocket /socket?X-Plex-Token={REDACTED}" [accepted]',
        f"'query_string': b'X-Plex-Token={REDACTED}&a=b'",
        f"asked for b'X-Plex-Token={REDACTED}&a=b'",
    ):
        assert line in log
