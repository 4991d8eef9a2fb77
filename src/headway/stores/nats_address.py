"""Which NATS servers a URL names, how they are reached, and what they promise."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError

from headway.stores import StoreError, split
from headway.stores.durability import DURABILITIES, Durability
from headway.stores.nats_monitor import checked

PORT = 4222

TIMEOUT = 5.0
"""Seconds for a connection, and for an answer."""

TROUBLE = (NatsError, OSError, TimeoutError, asyncio.TimeoutError)
"""What is raised where a server cannot be reached, or refuses."""

BROKEN = (OSError, RuntimeError)
"""What writing to a transport raises that has been closed; the latter is uvloop's."""

NAMESPACE = re.compile(r"[A-Za-z0-9_-]{1,64}")
TAKEN = ("_outputs", "_beats", "_documents")
"""Ends of the streams that a namespace has beside its records."""

_KNOWN = ("namespace", "durability", "replicas", "storage", "creds", "nkey", "ca", "cert", "key", "domain", "monitor")

_log = logging.getLogger("headway")

Callback = Callable[[], Awaitable[None]]


class Connection(Client):
    """It says that it has broken, however it did, and leaves nothing behind."""

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        # Else the server's word, which anyone on the way may change, would decide whether secrets are encrypted.
        if initial_connection and self.options.get("tls") is not None and not info.get("tls_required"):
            if not info.get("tls_available"):
                raise NatsError("the server does not speak TLS, which the URL asks for")
            info["tls_required"] = True
        await super()._process_info(info, initial_connection)

    async def _close(self, status: int, do_cbs: bool = True) -> None:
        listening = list(self._subs.values())
        try:
            await super()._close(status, do_cbs)
        except BROKEN:  # a transport that has been closed meanwhile: the rest was not done
            if self._transport is not None:
                self._transport.close()  # type: ignore[no-untyped-call]
            if do_cbs and self._closed_cb is not None:
                await self._closed_cb()
        finally:
            for subscription in listening:
                subscription._stop_processing()


class Address(msgspec.Struct, frozen=True):
    """What a URL says."""

    servers: tuple[str, ...]
    """Without user and password."""
    name: str
    """Where it is, without what nobody may read."""
    namespace: str = "headway"
    durability: str | None = None
    """What the server must promise; None for whatever it does."""
    replicas: int = 1
    """Servers of a cluster that hold each record, where the streams are made by this node."""
    memory: bool = False
    """Records are to be in memory alone, where the streams are made by this node."""
    domain: str | None = None
    """Of JetStream."""
    monitors: tuple[str, ...] = ()
    """Where its servers tell how they are configured."""
    secrets: dict[str, Any] = {}
    """For ``Client.connect``: user, password, token, credentials."""
    tls: dict[str, str] | None = None
    """Files: ``ca``, ``cert``, ``key``; None for a plain connection."""

    def __repr__(self) -> str:
        return f"<Address {self.name} {self.namespace}>"

    async def connect(self, lost: Callback | None = None) -> Client:
        """A connection to any of the servers. It does not mend itself: where it breaks, ``lost`` is called, and another
        is to be made, so that everybody knows which one they talk by. Raises what is in ``TROUBLE``.
        """
        servers = random.sample(self.servers, len(self.servers))
        for server in servers[:-1]:
            with suppress(*TROUBLE):
                return await self._connected(server, lost)
        return await self._connected(servers[-1], lost)

    async def _connected(self, server: str, lost: Callback | None) -> Client:
        client = Connection()

        async def closed() -> None:
            # Whoever waits for an answer would wait until they gave up: none comes by another connection.
            for answer in list(client._resp_map.values()):
                if not answer.done():
                    answer.set_exception(ConnectionResetError("the connection is lost"))
            if lost is not None:
                await lost()

        options: dict[str, Any] = {**self.secrets}
        if self.tls is not None:
            options["tls"] = _context(self.tls)
        try:
            async with asyncio.timeout(TIMEOUT):
                await client.connect(
                    server,
                    name="headway",
                    error_cb=_heard,
                    closed_cb=closed,
                    connect_timeout=TIMEOUT,  # type: ignore[arg-type] # which takes fractions
                    allow_reconnect=False,
                    max_reconnect_attempts=1,  # which counts here all the same
                    reconnect_time_wait=0.05,  # type: ignore[arg-type]
                    ping_interval=2,
                    max_outstanding_pings=2,
                    **options,
                )
        except ImportError as error:  # of what few need, and `headway[nats]` does not bring
            raise StoreError("creds and nkey take the nkeys package: pip install 'nats-py[nkeys]'") from error
        except (*TROUBLE, RuntimeError) as error:
            # Not `close`: of a client that never was connected it waits for what nobody will flush.
            if client._transport is not None:
                client._transport.close()  # type: ignore[no-untyped-call]
            if isinstance(error, RuntimeError):
                raise ConnectionError(str(error)) from error
            raise
        return client


def why(error: Exception) -> str:
    """What went wrong, for an operator."""
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return "there is no answer in time, or not as of a NATS server"
    return str(error) or type(error).__name__


async def _heard(error: Exception) -> None:
    _log.debug("NATS: %s", error)


def parse_address(url: str) -> Address:
    """What a URL says. Raises ``StoreError`` naming what is wrong."""
    parts = split(url)
    said = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in said.keys() - {*_KNOWN}:
        raise StoreError(f"{name!r} is not known in the URL of a store; known are {', '.join(_KNOWN)}")
    namespace, durability = said.get("namespace", "headway"), said.get("durability")
    if not NAMESPACE.fullmatch(namespace):
        raise StoreError(f"namespace {namespace!r}: 1 to 64 of A-Z a-z 0-9 _ -")
    if parts.path.strip("/"):
        raise StoreError(
            f"{parts.path!r} means nothing to NATS; say ?namespace=NAME to tell several sets of nodes apart"
        )
    if namespace.endswith(TAKEN):
        raise StoreError(f"namespace {namespace!r}: must not end in {', '.join(TAKEN)}, as streams of another do")
    if durability is not None and durability not in DURABILITIES:
        raise StoreError(f"durability {durability!r}: must be one of {', '.join(DURABILITIES)}")
    if said.get("storage", "file") not in ("file", "memory"):
        raise StoreError(f"storage {said['storage']!r}: must be file or memory")
    if said.get("replicas", "1") not in ("1", "2", "3", "4", "5"):
        raise StoreError(f"replicas {said['replicas']!r}: must be 1 to 5")
    user, _, hosts = parts.netloc.rpartition("@")
    tls: dict[str, str] = {name: said[name] for name in ("ca", "cert", "key") if name in said}
    secure = parts.scheme == "tls"
    return Address(
        servers=tuple(f"{'tls' if secure else 'nats'}://{_host(each)}" for each in hosts.split(",")),
        name=",".join(_host(each) for each in hosts.split(",")),
        namespace=namespace,
        durability=durability,
        replicas=int(said.get("replicas", "1")),
        memory=said.get("storage") == "memory",
        domain=said.get("domain"),
        monitors=checked(said.get("monitor", "")),
        secrets=_secrets(user, said),
        tls=tls if secure or tls else None,
    )


def _host(text: str) -> str:
    try:
        parts = urlsplit(f"//{text}")
        host = parts.hostname or "localhost"
        return f"{f'[{host}]' if ':' in host else host}:{parts.port or PORT}"
    except ValueError as error:
        raise StoreError(f"{text!r} is not HOST:PORT: {error}") from None


def _secrets(user: str, said: dict[str, str]) -> dict[str, Any]:
    name, colon, password = user.partition(":")
    secrets: dict[str, Any] = {}
    if colon:
        secrets |= {"user": unquote(name), "password": unquote(password)}
    elif name:
        secrets["token"] = unquote(name)
    if "creds" in said:
        secrets["user_credentials"] = said["creds"]
    if "nkey" in said:
        secrets["nkeys_seed"] = said["nkey"]
    return secrets


def _context(files: dict[str, str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=files.get("ca"))
        if "cert" in files:
            context.load_cert_chain(files["cert"], files.get("key"))
    except OSError as error:
        raise StoreError(f"the files for TLS cannot be used: {error}") from error
    return context


def require_durability(address: Address, storage: str, replicas: int, synced: bool) -> Durability:
    """What streams of that storage promise of what they acknowledge: those in files outlive the server's process, and,
    where all is ``synced``, the machine's power. Raises ``StoreError`` where that is less than asked for, naming the
    setting.
    """
    has: Durability = "process" if storage == "file" or replicas > 1 else "none"
    if storage == "file" and synced:
        has = "power"
    wanted = address.durability
    if wanted is not None and [*DURABILITIES].index(has) < [*map(str, DURABILITIES)].index(wanted):
        setting = "set `sync_interval: always` in the `jetstream` part of its configuration"
        if not address.monitors:
            setting += ", and say monitor=http://HOST:8222: it does not tell its clients"
        if storage != "file":
            setting = "its streams have storage=memory: make them anew with storage=file"
        raise StoreError(
            f"{address.name} keeps what it acknowledges less safely (durability={has}) than asked for "
            f"(durability={wanted}): {setting}"
        )
    return has
