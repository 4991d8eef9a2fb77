"""Which NATS servers a URL names, how they are reached, and what they promise."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError

from headway.stores import StoreError
from headway.stores.durability import DURABILITIES, Durability

PORT = 4222

TIMEOUT = 5.0
"""Seconds for a connection, and for an answer."""

RECONNECT = 0.05
"""Seconds between two tries to connect again."""

TROUBLE = (NatsError, OSError, TimeoutError, asyncio.TimeoutError)
"""What is raised where a server cannot be reached, or refuses."""

NAMESPACE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KNOWN = ("namespace", "durability", "replicas", "storage", "creds", "nkey", "ca", "cert", "key", "domain")

Callback = Callable[[], Awaitable[None]]


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
    secrets: dict[str, Any] = {}
    """For ``Client.connect``: user, password, token, credentials."""
    tls: dict[str, str] | None = None
    """Files: ``ca``, ``cert``, ``key``; None for a plain connection."""

    def __repr__(self) -> str:
        return f"<Address {self.name} {self.namespace}>"

    async def connect(self, reconnected: Callback | None = None) -> Client:
        """A connection, which mends itself for as long as it is not closed. Raises what is in ``TROUBLE``."""
        said: list[Exception] = []

        async def told(error: Exception) -> None:
            # What is said first is why; what comes of trying again may be less to the point.
            said.append(error)

        client = Client()
        options: dict[str, Any] = {**self.secrets}
        if self.tls is not None:
            options["tls"] = _context(self.tls)
        try:
            async with asyncio.timeout(TIMEOUT):
                await client.connect(
                    list(self.servers),
                    name="headway",
                    error_cb=told,
                    reconnected_cb=reconnected,
                    connect_timeout=TIMEOUT,  # type: ignore[arg-type] # which takes fractions
                    reconnect_time_wait=RECONNECT,  # type: ignore[arg-type]
                    max_reconnect_attempts=1,
                    ping_interval=2,
                    max_outstanding_pings=2,
                    **options,
                )
        except TROUBLE as error:
            await client.close()
            raise (said[0] if said else error) from error
        client.options["max_reconnect_attempts"] = -1  # whoever was there once comes back
        return client


def parse_address(url: str) -> Address:
    """What a URL says. Raises ``StoreError`` naming what is wrong."""
    parts = urlsplit(url)
    said = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in said.keys() - {*_KNOWN}:
        raise StoreError(f"{name!r} is not known in the URL of a store; known are {', '.join(_KNOWN)}")
    namespace, durability = said.get("namespace", "headway"), said.get("durability")
    if not NAMESPACE.fullmatch(namespace):
        raise StoreError(f"namespace {namespace!r}: 1 to 64 of A-Z a-z 0-9 _ -")
    if durability is not None and durability not in DURABILITIES:
        raise StoreError(f"durability {durability!r}: must be one of {', '.join(DURABILITIES)}")
    if said.get("storage", "file") not in ("file", "memory"):
        raise StoreError(f"storage {said['storage']!r}: must be file or memory")
    if said.get("replicas", "1") not in ("1", "2", "3", "4", "5"):
        raise StoreError(f"replicas {said['replicas']!r}: must be 1 to 5")
    user, _, hosts = parts.netloc.rpartition("@")
    tls: dict[str, str] = {name: said[name] for name in ("ca", "cert", "key") if name in said}
    secure = parts.scheme in ("tls", "nats+tls")
    return Address(
        servers=tuple(f"{'tls' if secure else 'nats'}://{_host(each)}" for each in hosts.split(",")),
        name=",".join(_host(each) for each in hosts.split(",")),
        namespace=namespace,
        durability=durability,
        replicas=int(said.get("replicas", "1")),
        memory=said.get("storage") == "memory",
        domain=said.get("domain"),
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


def require_durability(address: Address, storage: str, replicas: int) -> Durability:
    """What streams of that storage promise of what they acknowledge: those in files outlive the server's process, and
    more it does not tell its clients. Raises ``StoreError`` where that is less than asked for, naming the setting.
    """
    has: Durability = "process" if storage == "file" or replicas > 1 else "none"
    wanted = address.durability
    if wanted is not None and [*DURABILITIES].index(has) < [*map(str, DURABILITIES)].index(wanted):
        setting = (
            "a NATS server does not tell whether `sync_interval: always` is set, so nothing is promised for the end of "
            "its machine's power: ask for durability=process"
            if has == "process"
            else "its streams have storage=memory: make them anew with storage=file"
        )
        raise StoreError(
            f"{address.name} keeps what it acknowledges less safely (durability={has}) than asked for "
            f"(durability={wanted}): {setting}"
        )
    return has
