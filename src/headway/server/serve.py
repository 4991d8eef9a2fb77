"""Runs an application under uvicorn, and stops it without leaving anyone hanging.

A stop, asked for by SIGTERM, SIGINT or ``Server.stop``, goes through these steps, in at most ``stop_timeout`` seconds:

1. ``ready`` becomes false. The sockets still listen, so that whoever asks is told so.
2. ``on_stop`` is awaited: the application takes no new streams and ends those it has. It must come before uvicorn's
   own steps, for uvicorn would wait for open streams for ever.
3. The sockets close; requests under way are finished.
4. The application's lifespan ends: operations are stopped, the store is closed.

Whoever is still connected then is cut off. A second signal skips what is left.

The exit code is 0 after a complete stop, 128 + the signal's number (143, 130) after one that was cut short, by a
second signal or for lack of time (1 when there was no signal).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headway.server.authority import is_loopback
from headway.server.protocols import Limits, limited
from headway.server.sockets import BACKLOG, CannotServe, listen, raise_open_files

__all__ = ["CannotServe", "Server", "TlsFiles", "event_loop", "run"]

KEEP_ALIVE = 75
"""Seconds that a connection may idle. Well above the interval at which clients poll: a connection that is closed just
when its client writes looks like a failure to it."""
PING = 20.0
"""Seconds between two pings of a WebSocket, and for the answer to one."""
DRAIN = 4
"""Seconds for requests under way to finish."""
FAREWELL = 8.0
"""Seconds for ``on_stop``."""
STOP = 24.0
"""Seconds for a whole stop."""
LAST_SECOND = 1.0
"""Seconds after which a process that should be gone is ended: a thread that does not return would keep it."""
RESERVED_FILES = 256
"""Of those that may be open, how many connections leave for the store, logs and subprocesses."""
PROXIES = [
    *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"),
    *("::1", "fc00::/7", "fe80::/10"),
]
"""Networks in which a proxy is believed what it says of its client. Not everywhere: what a proxy on a public address
is told by a client further off it may pass on."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_log = logging.getLogger("headway.server")


@dataclass(frozen=True)
class TlsFiles:
    """A certificate chain and its key, in PEM."""

    certificate: Path
    key: Path | None = None
    """None when it is in the same file."""

    def context(self) -> ssl.SSLContext:
        """For the listening sockets; raises ``CannotServe``."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            # Without a password OpenSSL would ask for one on the terminal, and wait.
            context.load_cert_chain(self.certificate, self.key, password="")
        except OSError as error:
            files = f"--tls-cert {self.certificate}" + (f" with --tls-key {self.key}" if self.key else "")
            raise CannotServe(f"cannot use {files}: {error.strerror or error}") from error
        return context


def run(main: Coroutine[Any, Any, int]) -> int:
    """Run a program whose last act is ``Server.serve``, in uvloop where there is one; returns what it returns.

    Threads that do not end then do not keep the process: it is ended after a second.
    """
    last_resort = None
    try:
        with asyncio.Runner(loop_factory=event_loop()) as runner:
            code = runner.run(main)
            last_resort = _exit_later(LAST_SECOND, code)
    finally:
        if last_resort is not None:
            last_resort.cancel()
    return code


class Server:
    """One application on one port."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str = "127.0.0.1",
        port: int = 4590,
        tls: TlsFiles | None = None,
        behind_proxy: bool = False,
        on_ready: Callable[[list[str]], None] | None = None,
        on_stop: Callable[[], Awaitable[None]] | None = None,
        log_config: dict[str, Any] | None = None,
        access_log: bool = False,
        limits: Limits | None = None,
        stop_timeout: float = STOP,
    ) -> None:
        """``port`` 0 picks one. ``on_ready`` gets the server's URLs once it answers. ``behind_proxy``: only a proxy can
        reach the server, and it sets ``X-Forwarded-Proto`` and ``X-Forwarded-For``. ``log_config`` is for
        ``logging.config.dictConfig``; None leaves logging as it is. ``stop_timeout`` in seconds.

        Raises ``CannotServe`` for an address outside this machine without TLS or a proxy.
        """
        if not is_loopback(host) and tls is None and not behind_proxy:
            raise CannotServe(
                f"--host {host} can be reached from other machines, and tokens would cross the network readable: give "
                "--tls-cert and --tls-key, or --behind-proxy if a proxy in front of it does TLS"
            )
        self.ready: bool = False
        """True while new clients are welcome."""
        self.exit_code: int = 0
        """What the process should exit with, once ``serve`` has returned."""
        self.open_files: int = 0
        """How many files may be open; a stream takes one."""
        self._app, self._host, self._port, self._tls = app, host, port, tls
        self._behind_proxy = behind_proxy
        self._on_ready, self._on_stop = on_ready, on_stop
        self._log_config, self._access_log = log_config, access_log
        self._limits = limits or Limits()
        self._stop_timeout = stop_timeout
        self._lifespan_error: Exception | None = None
        self._lifespan_task: asyncio.Task[Any] | None = None
        self._uvicorn: _Uvicorn | None = None

    @property
    def connections(self) -> int:
        """How many clients may be connected, streams and others, once ``serve`` has begun."""
        return self._limits.connections or max(self.open_files - RESERVED_FILES, 16)

    async def serve(self) -> int:
        """Serve until stopped; returns the exit code. In the main thread SIGINT and SIGTERM stop it, and the handlers
        before are put back. When the stop after a signal is cut short, the process is ended within a second.

        Raises ``CannotServe``, or what the application raised instead of starting.
        """
        self.open_files = raise_open_files()
        context = self._tls.context() if self._tls is not None else None
        sockets = listen(self._host, self._port)
        self._uvicorn = _Uvicorn(
            self._config(context),
            on_started=self._started,
            farewell=self._say_farewell,
            stop=self.stop,
            stop_timeout=self._stop_timeout,
        )
        try:
            await self._uvicorn.serve(sockets)
        except SystemExit:  # uvicorn's answer to an application that does not start; it has logged as much
            raise self._lifespan_error or CannotServe("the application did not start") from None
        finally:
            self.ready = False
            for listener in sockets:
                listener.close()
            if self._lifespan_task is not None:  # a stop that is cut short leaves it waiting
                self._lifespan_task.cancel()
        self.exit_code = self._uvicorn.exit_code
        return self.exit_code

    def stop(self) -> None:
        """Begin to stop, or, when that has begun, stop at once. From the event loop's thread; returns immediately."""
        self.ready = False
        if self._uvicorn is not None:
            self._uvicorn.stop()

    def _config(self, context: ssl.SSLContext | None) -> uvicorn.Config:
        limits = msgspec.structs.replace(self._limits, connections=self.connections)
        http, websocket = limited(limits)
        return uvicorn.Config(
            self._outermost,
            http=http,
            ws=websocket,
            ws_max_size=limits.message,
            ws_per_message_deflate=False,
            ws_ping_interval=PING,
            ws_ping_timeout=PING,
            lifespan="on",
            interface="asgi3",
            log_config=self._log_config,
            access_log=self._access_log,
            proxy_headers=self._behind_proxy,
            forwarded_allow_ips=PROXIES,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=DRAIN,
            ssl_context_factory=None if context is None else lambda *_: context,
        )

    async def _outermost(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if self.ready:
                raise
            # Cut off at the end of a stop, as planned; uvicorn would log it as a crash.

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Keep for the caller what the application raises instead of starting; uvicorn only logs it."""
        self._lifespan_task = asyncio.current_task()
        started = False

        async def watched_send(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "lifespan.startup.complete"
            if message["type"] == "lifespan.startup.failed":
                # Starlette's message is the traceback of the exception that it raises next.
                self._lifespan_error = CannotServe(f"the application did not start: {message.get('message', '')}")
                message = {"type": message["type"]}
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except Exception as error:
            if not started:
                self._lifespan_error = error
            raise
        except asyncio.CancelledError:
            if self.ready or not started:
                raise

    def _started(self, sockets: list[socket.socket]) -> None:
        self.ready = True
        if self._on_ready is not None:
            self._on_ready([_url(listener, self._tls is not None) for listener in sockets])

    async def _say_farewell(self) -> None:
        if self._on_stop is None:
            return
        try:
            async with asyncio.timeout(FAREWELL):
                await self._on_stop()
        except TimeoutError:
            _log.warning("the streams were not closed within %g seconds", FAREWELL)
        except Exception:
            _log.exception("closing the streams failed")


class _Uvicorn(uvicorn.Server):
    """uvicorn, with our steps around its own."""

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        on_started: Callable[[list[socket.socket]], None],
        farewell: Callable[[], Awaitable[None]],
        stop: Callable[[], None],
        stop_timeout: float,
    ) -> None:
        super().__init__(config)
        self.cut_short = False
        """The stop was not complete."""
        self.signal: int | None = None
        """The last that came."""
        self._on_started = on_started
        self._farewell = farewell
        self._stop = stop
        self._stop_timeout = stop_timeout
        self._patience: asyncio.Timeout | None = None

    def stop(self) -> None:
        """The first call stops, the second does it at once."""
        if not self.should_exit:
            self.should_exit = True
            return
        self.force_exit = self.cut_short = True
        if self._patience is not None:
            self._patience.reschedule(asyncio.get_running_loop().time())

    @property
    def exit_code(self) -> int:
        """See the top of this file."""
        if not self.cut_short:
            return 0
        return 1 if self.signal is None else 128 + self.signal

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if not self.should_exit:
            self._on_started(sockets or [])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            async with asyncio.timeout(0 if self.cut_short else self._stop_timeout) as self._patience:
                await self._farewell()
                await super().shutdown(sockets)
        except TimeoutError:
            self.cut_short = True
        finally:
            self._patience = None
            self._abandon()
        if self.cut_short:
            _log.warning("stopped before everything had ended")

    def _abandon(self) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn's own would raise the signal again at the end, and a clean stop would look like a crash."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()

        def handle(number: int, frame: FrameType | None) -> None:
            again, self.signal = self.signal is not None, number
            # Not by the event loop, which may be stuck.
            last_resorts.append(_exit_later(LAST_SECOND if again else self._stop_timeout + LAST_SECOND, 128 + number))
            loop.call_soon_threadsafe(self._stop)

        last_resorts: list[threading.Timer] = []
        previous = {number: signal.signal(number, handle) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in previous.items():
                # None: it was not installed by Python, which cannot put it back then.
                signal.signal(number, signal.SIG_DFL if handler is None else handler)
        if not self.cut_short:
            for timer in last_resorts:
                timer.cancel()


def _exit_later(seconds: float, code: int) -> threading.Timer:
    timer = threading.Timer(seconds, os._exit, (code,))
    timer.daemon = True
    timer.start()
    return timer


def _url(listener: socket.socket, tls: bool) -> str:
    host, port = listener.getsockname()[:2]
    return f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def event_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Makes the loop to serve in: uvloop's where there is one, else None for Python's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
