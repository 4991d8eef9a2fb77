"""The whole server of ``headway serve``: a data folder, and everything from the store to the sockets."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import msgspec
from starlette.applications import Starlette
from starlette.types import ASGIApp, Lifespan

from headway.admission import Limits
from headway.core.errors import Cancelled
from headway.hub import Activities
from headway.ports import SystemClock
from headway.server.app import create_app
from headway.server.authority import own_hosts
from headway.server.data import IDENTITY, make_data_dir, write_private
from headway.server.guard import Guard
from headway.server.identity.accounts import Accounts
from headway.server.identity.grants import Grants
from headway.server.identity.identities import Identities
from headway.server.polling import Polling
from headway.server.redaction import redact_logs
from headway.server.serve import RESERVED_FILES, Server, TlsFiles
from headway.server.service import Service, StreamLimits
from headway.stores import open_document

_log = logging.getLogger("headway.server")

ADDRESS = "server.json"
"""In the data folder while a server runs: where it listens, for commands on this machine."""

Job = Callable[[Activities], Awaitable[None]]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What ``headway serve`` can be told."""

    data: Path
    store: str | None = None
    """The URL of a store that several nodes share, users and tokens with it; None for one in the data folder."""
    host: str = "127.0.0.1"
    port: int = 4590
    tls: TlsFiles | None = None
    behind_proxy: bool = False
    allowed_hosts: Sequence[str] = ()
    """Names the server answers to, beside its address."""
    allowed_origins: Sequence[str] = ()
    """Pages of other servers that may call this one."""
    jwt_keys: Sequence[Path] = ()
    jwt_audience: str | None = None
    jwt_issuer: str | None = None
    access_log: bool = False
    limits: Limits = Limits()
    streams: StreamLimits = StreamLimits()


class Assembly(NamedTuple):
    """The parts, put together."""

    server: Server
    service: Service


async def serve(settings: Settings, on_ready: Callable[[list[str]], None], job: Job | None = None) -> int:
    """Serve until stopped; the exit code. ``on_ready`` gets the URLs, ``job`` runs under the server meanwhile.

    Raises ``CannotServe``, ``StoreError``, ``DataError`` or ``KeyFileError`` when the server cannot start.
    """
    async with assembled(settings, on_ready, job) as whole:
        return await whole.server.serve()


@asynccontextmanager
async def assembled(
    settings: Settings, on_ready: Callable[[list[str]], None], job: Job | None = None
) -> AsyncIterator[Assembly]:
    """Everything that ``serve`` runs, open while the block runs; see there."""
    _configure_logging(settings.access_log)
    make_data_dir(settings.data)
    keys = None
    if settings.jwt_keys:
        from headway.server.identity.jwt import Keys  # with all it needs a tenth of what a start takes

        keys = Keys.load(settings.jwt_keys, audience=settings.jwt_audience, issuer=settings.jwt_issuer)
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        # The store first: its lock tells a second server on the same folder to go away before it touches anything.
        url = _store_url(settings.data) if settings.store is None else settings.store
        activities = await Activities(url, clock=clock, limits=settings.limits).open()
        stack.push_async_callback(activities.close)
        grants = Grants(clock)
        identities = Identities.open(settings.data, grants, clock, keys, open_document(url, IDENTITY))
        stack.callback(identities.close)
        service = Service(
            activities,
            identities.identify,
            grants=grants,
            accounts=Accounts(identities, clock),
            friendly_name=os.uname().nodename,
            streams=settings.streams,
        )
        app = create_app(service, _lifespan(activities, identities, grants, job))
        address = settings.data / ADDRESS
        stack.callback(_remove, address)

        def ready(urls: list[str]) -> None:
            if server.connections < settings.streams.total:
                _log.warning(
                    "only %d of %d files may be open: enough for %d connections, and not for %d streams; raise the "
                    "hard limit (ulimit -Hn, LimitNOFILE=) or lower --max-streams",
                    *(server.open_files, settings.streams.total + RESERVED_FILES, server.connections),
                    settings.streams.total,
                )
            write_private(address, msgspec.json.encode({"url": urls[0], "pid": os.getpid()}).decode())
            on_ready(urls)

        server = _server(settings, app, ready, service)
        yield Assembly(server, service)


def _store_url(folder: Path) -> str:
    # Quoted: a folder may be called anything, also what means something in a URL.
    return f"sqlite://{quote(str(folder.absolute()))}"


def _remove(file: Path) -> None:
    with suppress(OSError):
        file.unlink(missing_ok=True)


def _configure_logging(access_log: bool) -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    if access_log:
        logging.getLogger("uvicorn.access").setLevel(logging.INFO)
    redact_logs()


def _server(settings: Settings, app: ASGIApp, on_ready: Callable[[list[str]], None], service: Service) -> Server:
    hosts = (*own_hosts(settings.host), *settings.allowed_hosts)
    return Server(
        Polling(Guard(app, hosts=hosts, origins=settings.allowed_origins), service),
        host=settings.host,
        port=settings.port,
        tls=settings.tls,
        behind_proxy=settings.behind_proxy,
        on_ready=on_ready,
        on_stop=service.stop,
        access_log=settings.access_log,
    )


def _lifespan(activities: Activities, identities: Identities, grants: Grants, job: Job | None) -> Lifespan[Starlette]:
    """What runs beside the requests; within the lifespan, so that stopping it counts into the time of a stop."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(identities.run()), loop.create_task(grants.run())]
        if job is not None:
            tasks.append(loop.create_task(_working(job, activities)))
        try:
            yield
        finally:
            await activities.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    return lifespan


async def _working(job: Job, activities: Activities) -> None:
    try:
        await job(activities)
    except Cancelled:
        _log.info("the job of this server was cancelled")
    except Exception:
        _log.exception("the job of this server failed")  # its activity has ended; who watches it was told
