"""Which Redis or Valkey server a URL names, and whether it can be trusted with records."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import msgspec
from redis.asyncio import Redis, RedisCluster, Sentinel
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from headway.stores import StoreError, split
from headway.stores.durability import DURABILITIES, Durability

Client = Redis | RedisCluster

SECURE = ("rediss", "valkeys")
SENTINEL = "+sentinel"
"""The end of a scheme whose hosts are sentinels."""

PORT, SENTINEL_PORT = 6379, 26379
MINIMUM = (7, 0)
"""The oldest version: its scripts can go on where there is no memory left for starts."""

TIMEOUT = 5.0
"""Seconds for a connection, and for an answer."""

TROUBLE = (RedisError, OSError, RuntimeError)
"""What a connection raises that is broken; the last is uvloop's, of a transport that has been closed meanwhile."""

NAMESPACE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_THEIRS = ("db", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname", "ssl_cert_reqs")
_OURS = ("namespace", "durability")


class Address(msgspec.Struct, frozen=True):
    """What a URL says."""

    url: str
    """For redis-py; for sentinels what is to be said to the server that they name."""
    name: str
    """Where it is, without what nobody may read."""
    namespace: str = "headway"
    durability: str | None = None
    """What the server must promise; None for whatever it does."""
    sentinels: tuple[tuple[str, int], ...] = ()
    master: str = ""

    def __repr__(self) -> str:
        return f"<Address {self.name} {self.namespace}>"

    def client(self, *, timeout: float = TIMEOUT, cluster: bool = False) -> Client:
        """A client with connections of its own. ``timeout``: seconds to wait for an answer."""
        # Not again by itself: whether a change may be sent twice is ours to know.
        patience: dict[str, Any] = {
            "socket_timeout": timeout,
            "socket_connect_timeout": TIMEOUT,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,
        }
        if self.sentinels:
            return self._by_sentinel(patience)
        if cluster:
            patience["retry"] = Retry(NoBackoff(), 1)  # to learn that a slot has moved
            return RedisCluster.from_url(self.url, **patience)
        client: Redis = Redis.from_url(self.url, **patience)
        return client

    def _by_sentinel(self, patience: Mapping[str, Any]) -> Redis:
        said: dict[str, Any] = {**parse_url(self.url)}
        secure = said.pop("connection_class", None) is not None
        sentinels = Sentinel(self.sentinels, ssl=secure, **said, **patience)  # type: ignore[no-untyped-call]
        master: Redis = sentinels.master_for(self.master)
        return master


def parse_address(url: str) -> Address:
    """What a URL says. Raises ``StoreError`` naming what is wrong."""
    parts = split(url)
    said = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in said.keys() - {*_OURS, *_THEIRS}:
        raise StoreError(f"{name!r} is not known in the URL of a store; known are {', '.join((*_OURS, *_THEIRS))}")
    namespace, durability = said.get("namespace", "headway"), said.get("durability")
    if not NAMESPACE.fullmatch(namespace):
        raise StoreError(f"namespace {namespace!r}: 1 to 64 of A-Z a-z 0-9 . _ -")
    if durability is not None and durability not in DURABILITIES:
        raise StoreError(f"durability {durability!r}: must be one of {', '.join(DURABILITIES)}")
    user, at, host = parts.netloc.rpartition("@")
    scheme = "rediss" if parts.scheme.removesuffix(SENTINEL) in SECURE else "redis"
    theirs = urlencode({name: said[name] for name in said if name in _THEIRS})
    path = parts.path[1:].rstrip("/")
    master, _, database = path.partition("/") if parts.scheme.endswith(SENTINEL) else ("", "", path)
    if database and not database.isdecimal():
        raise StoreError(f"database {database!r}: must be a number")
    if not parts.scheme.endswith(SENTINEL):
        plain = urlunsplit((scheme, parts.netloc, parts.path, theirs, ""))
        return Address(plain, "{}:{}".format(*_host(host, PORT)), namespace, durability)
    if not master:
        raise StoreError("the URL names no master: redis+sentinel://HOST:PORT,HOST:PORT/MASTER")
    plain = urlunsplit((scheme, user + at, f"/{database}", theirs, ""))
    sentinels = tuple(_host(each, SENTINEL_PORT) for each in host.split(","))
    return Address(plain, f"{unquote(master)} of {host}", namespace, durability, sentinels, unquote(master))


def _host(text: str, port: int) -> tuple[str, int]:
    """Host and port of one; ``port``: the usual one."""
    try:
        parts = urlsplit(f"//{text}")
        return parts.hostname or "localhost", parts.port or port
    except ValueError as error:
        raise StoreError(f"{text!r} is not HOST:PORT: {error}") from None


async def close(client: Client) -> None:
    """Close all connections of a client, those to sentinels, too, which redis-py leaves to whoever named them."""
    await client.aclose()
    manager = getattr(getattr(client, "connection_pool", None), "sentinel_manager", None)
    for sentinel in () if manager is None else manager.sentinels:
        await sentinel.aclose()


async def is_cluster(client: Client) -> bool:
    """Whether the server is one of a cluster."""
    told: Mapping[str, Any] = await client.info("cluster")
    return bool(told.get("cluster_enabled"))


async def examine(client: Client, address: Address) -> Durability:
    """What the server promises of what it acknowledges. Raises ``StoreError`` where that is too little, naming the
    setting to change, where it would throw records away, and where it is too old.
    """
    server = await _info(client, "server")
    told = str(server.get("valkey_version") or server["redis_version"])
    if tuple(int(part) for part in told.split(".")[:2]) < MINIMUM:
        raise StoreError(f"{address.name} is version {told}; it must be {MINIMUM[0]}.{MINIMUM[1]} at least")
    policy = str((await _info(client, "memory")).get("maxmemory_policy", "noeviction"))
    if policy.startswith("allkeys"):
        raise StoreError(
            f"{address.name} evicts any key when its memory is full, and so would records: set maxmemory-policy to "
            f"noeviction, not {policy}"
        )
    durability, wanted = await _durability(client), address.durability
    if wanted is not None and [*DURABILITIES].index(durability) < [*map(str, DURABILITIES)].index(wanted):
        setting = "appendonly yes"
        if durability != "none":
            setting = "appendfsync always and no-appendfsync-on-rewrite no, and let its user see that by CONFIG GET"
        raise StoreError(
            f"{address.name} keeps what it acknowledges less safely (durability={durability}) than asked for "
            f"(durability={wanted}): set {setting}, or ask for less"
        )
    return durability


async def _durability(client: Client) -> Durability:
    persistence = await _info(client, "persistence")
    if not int(persistence.get("aof_enabled", 0)):
        return "none"
    try:
        said = await _on_one(client, "config_get", "appendfsync", "no-appendfsync-on-rewrite")
    except (NoPermissionError, ResponseError):  # a managed server: what cannot be seen is not promised
        return "process"
    # Where it does not while it rewrites its log, it acknowledges then what is on no disk.
    always = said.get("appendfsync") == "always" and said.get("no-appendfsync-on-rewrite") == "no"
    return "power" if always else "process"


async def _info(client: Client, section: str) -> Mapping[str, Any]:
    told: Mapping[str, Any] = await _on_one(client, "info", section)
    return told


async def _on_one(client: Client, command: str, *args: str) -> Any:
    """Of a cluster one primary speaks for all: they are configured alike."""
    if isinstance(client, RedisCluster):
        return await getattr(client, command)(*args, target_nodes=RedisCluster.RANDOM)
    return await getattr(client, command)(*args)
