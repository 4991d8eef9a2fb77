"""What may be wrong with a connection, step by step; a step that everything later stands on ends the diagnosis."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2

from headway.cli.checks import local, network, streams, tls, web
from headway.cli.checks.findings import Finding, Level, fail, ok, quoted, warn, within
from headway.cli.checks.network import Place, Reached
from headway.cli.checks.web import Reply, Web
from headway.cli.connection import Choice, Connection, local_server
from headway.cli.failures import UNREACHABLE, exit_code
from headway.core.errors import HeadwayError
from headway.server.data import data_dir
from headway.wire.errors import Unreadable

PING = 11.0
"""Seconds within which a stream has an event: the first comes at once, and another sign of life every ten."""

TROUBLE = (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, ValueError)
"""What requests raise: httpx2's, the system's, and ``ValueError`` for a proxy that is none."""

_PROXY = Place("the proxy that the environment names", 0)

T = TypeVar("T")
Steps = Generator[Finding, None, T]


class Diagnosis:
    """One connection under examination."""

    def __init__(
        self, connection: Connection, *, seconds: float, ping: float = PING, origin: str | None = None
    ) -> None:
        """``seconds``: what each step may take; ``ping``: the first event. ``origin``: of pages that are to call."""
        self._connection = connection
        self._seconds = seconds
        self._ping = ping
        self._origin = origin
        self._headway = False

    def findings(self) -> Iterator[Finding]:
        """All of them, each as soon as it is known."""
        choice = yield from self._chosen()
        if choice is None:
            return
        place = data_dir(self._connection.data)
        here = local_server(place)
        if choice.by_itself or (here is not None and here.url == choice.url):
            yield from local.folder(place)
        takes, reached = yield from self._reached(choice)
        if not takes:
            return
        try:
            asking = Web(choice, self._seconds)
        except TROUBLE as error:
            yield fail("proxy", quoted(str(error)), "see to the proxies that the environment names", UNREACHABLE)
            return
        with closing(asking):
            if (yield from self._identified(choice, asking, reached)) and (yield from self._admitted(choice, asking)):
                yield from self._used(asking)
                yield from self._streamed(asking)

    def _chosen(self) -> Steps[Choice | None]:
        try:
            choice = self._connection.choose()
            _ = choice.address
        except HeadwayError as error:
            yield fail("choice", quoted(error.message), code=exit_code(error))
            return None
        yield ok("choice", f"{choice.url}, by {choice.url_source}")
        yield ok("choice", f"token: {quoted(choice.token_source)}")
        if choice.token and choice.url.startswith("http:") and not choice.address.loopback:
            yield warn("choice", "the token travels in the clear", "use https://, or trust everybody on the way")
        return choice

    def _reached(self, choice: Choice) -> Steps[tuple[bool, Reached | None]]:
        """Whether anything takes connections, and at which address; through a proxy only that knows."""
        proxy = network.proxy_for(choice.url)
        try:
            place = Place.of(proxy or choice.url)
            if proxy is not None:
                yield network.proxied(choice.url, place)
            addresses = network.resolve(place, self._seconds)
        except (OSError, ValueError) as error:
            yield network.unresolved(Place.of(choice.url) if proxy is None else _PROXY, error)
            return False, None
        yield network.resolved(place, addresses)
        first: Reached | None = None
        for reached, finding in network.connections(addresses, self._seconds):
            yield finding
            if first is None and finding.level is Level.OK:
                first = reached
        if first is None or proxy is not None or choice.url.startswith("http:"):
            return first is not None, None if proxy is not None else first
        return (yield from self._secured(place, first)), first

    def _secured(self, place: Place, reached: Reached) -> Steps[bool]:
        try:
            trusted = httpx2.create_ssl_context()
        except OSError as error:
            yield tls.untrusting(error)
            return False
        try:
            result = self._bounded(lambda: tls.handshake(place, reached, trusted, self._seconds))
        except OSError as error:
            yield tls.insecure(place, error)
            return False
        yield tls.secured(result)
        return True

    def _identified(self, choice: Choice, asking: Web, reached: Reached | None) -> Steps[bool]:
        try:
            reply = self._bounded(lambda: asking.ask("/identity"))
        except TROUBLE as error:
            yield self._silent(choice, reached, error)
            return False
        now = time.time()
        server = web.server_of(reply)
        if server is None:
            yield web.something_else(reply, choice.address, self._elsewhere(choice, asking))
            return False
        ready = self._asked(asking, "/ready")
        self._headway = isinstance(ready, Reply) and web.is_headway(ready)
        yield web.introduced(server, self._headway, reply)
        if (skew := web.clock(reply, now)) is not None:
            yield skew
        if self._headway and isinstance(ready, Reply):
            yield web.readiness(ready)
        return True

    def _elsewhere(self, choice: Choice, asking: Web) -> str | None:
        """Where the server is, if not at the very place that was named."""
        root = "{0.scheme}://{0.netloc}".format(urlsplit(choice.url))
        for place in (root, f"{root}/headway"):
            if place != choice.url:
                reply = self._asked(asking, "/identity", base=place)
                if isinstance(reply, Reply) and web.server_of(reply) is not None:
                    return place
        return None

    def _silent(self, choice: Choice, reached: Reached | None, error: Exception) -> Finding:
        place = Place.of(choice.url)
        plain = choice.url.startswith("http:")
        if plain and reached is not None and tls.speaks_tls(place, reached, self._seconds):
            return fail("server", "it speaks TLS at that port", "name it with https:// instead of http://", UNREACHABLE)
        late = isinstance(error, TimeoutError | httpx2.TimeoutException)
        says = (
            "it takes the connection, and does not answer" if late else f"it does not speak HTTP: {quoted(str(error))}"
        )
        return fail("server", says, "see to the port, and to the server's log", UNREACHABLE)

    def _admitted(self, choice: Choice, asking: Web) -> Steps[bool]:
        listed = self._asked(asking, "/activities", token=True)
        if isinstance(listed, str):
            yield fail("token", f"the list of activities does not come: {listed}", "see the server's log", UNREACHABLE)
            return False
        yield web.admission(listed, choice, self._headway)
        return listed.status == 200

    def _used(self, asking: Web) -> Iterator[Finding]:
        if self._headway:
            forced = self._asked(asking, f"{web.NOBODY}?force=1", method="DELETE", token=True)
            if isinstance(forced, Reply) and (found := web.role(forced)) is not None:
                yield found
        if self._origin is not None:
            answered = self._asked(asking, "/identity", Origin=self._origin)
            if isinstance(answered, Reply):
                yield web.origin(answered, self._origin)
        try:
            yield self._bounded(lambda: web.round_trips(lambda: asking.ask("/identity")))
        except TROUBLE as error:
            yield warn("round trip", f"not every request is answered: {quoted(str(error))}")

    def _streamed(self, asking: Web) -> Iterator[Finding]:
        try:
            yield streams.events(within(self._ping, lambda: streams.open_events(asking, self._ping)))
        except (TimeoutError, httpx2.TimeoutException):
            yield streams.no_events(self._ping)
        except (*TROUBLE, Unreadable) as error:
            yield fail("events", f"the stream breaks off: {quoted(str(error))}", streams.UNBUFFERED)
        yield from streams.sockets({path: self._socket(asking, path) for path in streams.SOCKETS})

    def _socket(self, asking: Web, path: str) -> Reply | str:
        try:
            return self._bounded(lambda: streams.open_socket(asking, path))
        except TROUBLE as error:
            return quoted(str(error))

    def _asked(self, asking: Web, path: str, **how: Any) -> Reply | str:
        """An answer, or what went wrong."""
        try:
            return self._bounded(lambda: asking.ask(path, **how))
        except TROUBLE as error:
            return quoted(str(error)) or "nothing"

    def _bounded(self, work: Callable[[], T]) -> T:
        return within(self._seconds, work)
