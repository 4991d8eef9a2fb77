"""What answers over HTTP, and whether it lets us in."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import httpx2

from headway.cli.checks.findings import Finding, fail, milliseconds, ok, quoted, warn
from headway.cli.connection import Choice
from headway.cli.failures import NOT_AUTHORISED, UNREACHABLE
from headway.cli.plex import HOW_TO_GET_A_TOKEN
from headway.client.address import Address
from headway.wire.decode import decode_document, decode_identity
from headway.wire.errors import Unreadable, decode_error
from headway.wire.server import Server

SKEW = 5.0
"""Seconds by which clocks may differ before it is worth a word; a Date header tells whole ones."""

NOBODY = "/activities/00000000-0000-0000-0000-000000000000"
"""An activity that there is nowhere: what is asked of it changes nothing."""

GIVE_A_TOKEN = "give one with HEADWAY_TOKEN, --token or a context; on its machine `headway token create USER` makes one"

_READ = 64 * 1024
_TITLE = re.compile(rb"<title[^>]*>([^<]{1,200})", re.IGNORECASE)
_ROLE = re.compile(r"a (\w+) token may not")
_TO_TLS = re.compile(rb"HTTP request (was sent )?to (an )?HTTPS (port|server)", re.IGNORECASE)


class Reply(NamedTuple):
    """An answer, or the beginning of one."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    seconds: float
    """From the request to the head of the answer."""

    @property
    def message(self) -> str:
        """What an error says."""
        return decode_error(self.status, self.body).message


class Web:
    """Asks a server. A token is only sent where that is said."""

    def __init__(self, choice: Choice, seconds: float) -> None:
        """``seconds``: without a byte, after which nobody is there."""
        self.address: Address = choice.address
        self._seconds = seconds
        options: dict[str, Any] = {"follow_redirects": False}
        if self.address.loopback:
            options["mounts"] = dict.fromkeys(("all://", "http://", "https://"))
            options["trust_env"] = self.address.url.startswith("https:")
        self._http = httpx2.Client(**options)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @contextmanager
    def open(
        self,
        path: str,
        *,
        method: str = "GET",
        token: bool = False,
        base: str | None = None,
        silence: float | None = None,
        **headers: str,
    ) -> Iterator[httpx2.Response]:
        """An answer while it arrives. Raises ``httpx2.HTTPError``.

        ``base``: another URL than the server's. ``silence``: seconds without a byte, after which nobody is there.
        """
        sent = {"Accept": "application/json", "Accept-Encoding": "identity"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if token and self.address.token:
            sent["X-Plex-Token"] = self.address.token
        patience = self._seconds if silence is None else silence
        with self._http.stream(method, (base or self.address.url) + path, headers=sent, timeout=patience) as response:
            yield response

    def ask(self, path: str, **how: Any) -> Reply:
        """An answer; of its body the beginning. Raises ``httpx2.HTTPError``. ``how``: see ``open``."""
        begun = time.monotonic()
        with self.open(path, **how) as response:
            seconds, body = time.monotonic() - begun, b""
            for chunk in response.iter_raw():
                body += chunk
                if len(body) >= _READ:
                    break
            return Reply(response.status_code, headers_of(response), body[:_READ], seconds)


def headers_of(response: httpx2.Response) -> dict[str, str]:
    """The headers, names in lower case."""
    return {name.lower(): value for name, value in response.headers.items()}


def server_of(reply: Reply) -> Server | None:
    """Which server answered ``GET /identity``; None when it was no media server."""
    try:
        server = decode_identity(reply.body, reply.headers.get("content-type")) if reply.status == 200 else None
    except Unreadable:
        return None
    return server if server is not None and server.machine_identifier else None


def is_headway(ready: Reply) -> bool:
    """True when ``GET /ready`` was answered by one of ours."""
    try:
        return decode_document(ready.body).get("status") in ("ready", "not ready")
    except Unreadable:
        return False


def something_else(reply: Reply, address: Address, elsewhere: str | None) -> Finding:
    """What answered ``GET /identity`` is no Headway and no Plex server: what is it, and what to do?

    ``elsewhere``: where one was found beside it.
    """
    says, advice = _guess(reply, address)
    if elsewhere is not None:
        says, advice = f"there is no server at {quoted(address.url)}", f"there is one at {quoted(elsewhere)}"
    return fail("server", says, advice, UNREACHABLE)


def _guess(reply: Reply, address: Address) -> tuple[str, str]:
    host = quoted(httpx2.URL(address.url).host)
    if reply.status == 421:
        return f"it does not answer for the host {host}", f"start the server with --allow-host {host}"
    if 300 <= reply.status < 400:
        place = quoted(reply.headers.get("location", "").partition("?")[0]).removesuffix("/identity")
        return f"it sends us to {place or 'nowhere'}", "name that place as the URL, if it is the server"
    if _TO_TLS.search(reply.body):
        return "it speaks TLS at that port", "name it with https:// instead of http://"
    if reply.status == 407:
        return "the proxy wants a password", "put it into the proxy's URL in the environment, or set NO_PROXY"
    if reply.status in (502, 503, 504):
        return (
            f"{_author(reply)} answers {reply.status} in its place",
            "the server behind it is away",
        )
    if reply.status in (401, 403) and "origin" not in reply.message:
        return f"{_author(reply)} wants a login of its own: {reply.status}", "let the server's paths pass without it"
    if reply.status == 403:
        return reply.message, "start the server with --allow-origin, or have the proxy leave out Origin"
    return f"it is no Headway and no Plex server: {_author(reply)} answers {reply.status}", (
        "see to the port; a server within an application is below a path of it"
    )


def _author(reply: Reply) -> str:
    """Who may have written an answer."""
    program = quoted(reply.headers.get("server", ""), 60)
    title = _TITLE.search(reply.body)
    page = f"the page “{quoted(title[1].decode(errors='replace').strip(), 80)}”" if title else ""
    kind = quoted(reply.headers.get("content-type", "").partition(";")[0], 60)
    return " with ".join(filter(None, (program, page or kind))) or "something"


def introduced(server: Server, headway: bool, reply: Reply) -> Finding:
    """Which server it is."""
    kind = "Headway" if headway else "Plex Media Server, or one like it"
    return ok("server", f"{kind}, version {quoted(server.version, 40)}, answers in {milliseconds(reply.seconds)}")


def clock(reply: Reply, now: float) -> Finding | None:
    """How far its clock is from ours; None when it does not tell. ``now``: seconds since the epoch at the answer."""
    try:
        theirs = parsedate_to_datetime(reply.headers.get("date", "")).timestamp()
    except (ValueError, OverflowError):
        return None
    ahead = theirs - now
    if abs(ahead) <= SKEW + reply.seconds:
        return ok("clock", "the same time here and there")
    which = "ahead of" if ahead > 0 else "behind"
    return warn(
        "clock",
        f"the server's clock is {abs(ahead):.0f} seconds {which} this one's",
        "times, and time left, are shown wrong; let both follow a time server",
    )


def readiness(reply: Reply) -> Finding:
    """Whether a start would be recorded."""
    if reply.status == 200:
        return ok("ready", "a start is recorded and seen")
    advice = "it is stopping, or its store has trouble: see its log, and the room on its disk"
    return fail("ready", "the server answers, and cannot record anything", advice)


def admission(reply: Reply, choice: Choice, headway: bool) -> Finding:
    """Whether the token opens the list of activities."""
    if reply.status == 200:
        return ok("token", "accepted" if choice.token else "none is needed")
    where = GIVE_A_TOKEN if headway else HOW_TO_GET_A_TOKEN
    if reply.status == 401 and not choice.token:
        return fail("token", "the server wants one, and there is none", where, NOT_AUTHORISED)
    if reply.status == 401:
        says = f"the server does not know the one from {choice.token_source}: another server's, revoked or expired"
        return fail("token", says, where, NOT_AUTHORISED)
    if reply.status == 403:
        return fail("token", quoted(reply.message), "take another token", NOT_AUTHORISED)
    advice = "try again later" if reply.status in (429, 503) else "see the server's log"
    return fail("token", f"the list of activities is answered {reply.status}: {quoted(reply.message)}", advice)


def role(reply: Reply) -> Finding | None:
    """What the token may do, by how a forced cancel of nothing is answered; None where that does not tell."""
    if reply.status == 404:
        return ok("role", "admin")
    told = _ROLE.search(reply.message) if reply.status == 403 else None
    if told is None:
        return None
    meaning = {"user": "sees, starts and stops its own", "reporter": "reports, stops nothing", "reader": "only looks"}
    return ok("role", f"{told[1]}: {meaning.get(told[1], 'as the server has it')}")


def origin(reply: Reply, asked: str) -> Finding:
    """Whether pages of an origin may call the server."""
    if reply.status == 403:
        advice = f"start the server with --allow-origin {quoted(asked)}"
        return fail("origin", f"pages of {quoted(asked)} may not call the server", advice)
    if reply.headers.get("access-control-allow-origin") in (asked, "*"):
        return ok("origin", f"pages of {quoted(asked)} may call the server")
    return warn(
        "origin", f"pages of {quoted(asked)} may ask, and may not read the answer, unless it is the server's own"
    )


def round_trips(ask: Callable[[], Reply], count: int = 5) -> Finding:
    """How long a request takes on a connection that is there. Raises ``httpx2.HTTPError``."""
    ask()
    times = sorted(ask().seconds for _ in range(count))
    return ok(
        "round trip", f"{milliseconds(times[count // 2])} ({milliseconds(times[0])} to {milliseconds(times[-1])})"
    )
