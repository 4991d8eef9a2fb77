"""The stores that are compared: how each is started, what it tells of itself, and how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import NamedTuple

from bench.peers import nats_server, valkey

RECORD = b"x" * 600
"""About as long as a record of an activity."""


class Tally(NamedTuple):
    """What a store says of itself, since it was started."""

    changes: int
    """Records written."""
    sent: int
    """Bytes."""
    memory: int
    """Bytes that it holds now, as far as it tells; 0 where it does not."""


class Question(NamedTuple):
    """Bytes for the connection to a store, and how the answer ends."""

    asked: bytes
    end: bytes


class Probe(NamedTuple):
    """How to measure a round trip, in the store's own protocol."""

    port: int
    hello: tuple[Question, ...]
    """Once, in the beginning."""
    ping: Question
    write: Question
    """Of a record, kept as it would keep ours."""


class Store(NamedTuple):
    """One that runs."""

    url: str
    pid: int
    """0: it is inside its node."""
    probe: Probe | None = None
    tally: Callable[[], Tally] | None = None


class StoreKind(NamedTuple):
    """One kind of store."""

    name: str
    what: str
    shared: bool
    """By any number of nodes."""
    running: Callable[[], AbstractContextManager[Store]]
    """Started and empty; ended with the block."""
    missing: Callable[[], str | None]
    """Why it cannot be measured here."""


@contextmanager
def _inside(url: str) -> Iterator[Store]:
    """``url`` may be empty: then it is what the node keeps in its own folder."""
    yield Store(url, 0)


@contextmanager
def _valkey(appendfsync: str) -> Iterator[Store]:
    import redis

    with valkey.running(appendfsync) as server, redis.Redis(port=server.port) as client:

        def tally() -> Tally:
            told = client.info()
            changes = client.hget("{headway}:meta", "revision")
            return Tally(int(changes or 0), told["total_net_output_bytes"], told["used_memory"])

        script = b"redis.call('HSET', KEYS[1], 'r', ARGV[1]) redis.call('SADD', KEYS[2], 'r') " + (
            b"redis.call('XADD', KEYS[3], 'MAXLEN', '~', 1000, '*', 'record', ARGV[1]) return 1"
        )
        keys = [b"{bench}:records", b"{bench}:live", b"{bench}:journal"]
        write = Question(_command(b"EVAL", script, b"3", *keys, RECORD), b":1\r\n")
        probe = Probe(server.port, (), Question(_command(b"PING"), b"+PONG\r\n"), write)
        yield Store(f"redis://127.0.0.1:{server.port}", server.pid, probe, tally)


@contextmanager
def _nats(sync_interval: str | None) -> Iterator[Store]:
    with nats_server.running(sync_interval) as server:

        def tally() -> Tally:
            accounts = server.told("jsz?streams=1&accounts=1").get("account_details", [])
            streams = [stream for account in accounts for stream in account.get("stream_detail", ())]
            changes = [stream["state"]["last_seq"] for stream in streams if stream["name"] == "KV_headway"]
            return Tally(sum(changes), server.told("varz")["out_bytes"], 0)

        stream = b'{"name":"bench","subjects":["bench"],"max_msgs":1000,"storage":"file"}'
        hello = (
            Question(b'CONNECT {"verbose":false}\r\nSUB answers 1\r\nPING\r\n', b"PONG\r\n"),
            Question(_published(b"$JS.API.STREAM.CREATE.bench", stream), b"}\r\n"),
        )
        probe = Probe(
            server.port, hello, Question(b"PING\r\n", b"PONG\r\n"), Question(_published(b"bench", RECORD), b"}\r\n")
        )
        yield Store(f"nats://127.0.0.1:{server.port}", server.pid, probe, tally)


def _command(*words: bytes) -> bytes:
    """In RESP."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def _published(subject: bytes, data: bytes) -> bytes:
    """In the protocol of NATS, to be answered."""
    return b"PUB %b answers %d\r\n%b\r\n" % (subject, len(data), data)


def _here() -> None:
    """Nothing is missing."""


STORES = {
    store.name: store
    for store in (
        StoreKind("memory", "in memory", False, partial(_inside, "memory:"), _here),
        StoreKind("sqlite", "SQLite in the node's folder", False, partial(_inside, ""), _here),
        StoreKind("redis", "Valkey, appendfsync everysec", True, partial(_valkey, "everysec"), valkey.missing),
        StoreKind("redis-always", "Valkey, appendfsync always", True, partial(_valkey, "always"), valkey.missing),
        StoreKind("nats", "NATS, as it is", True, partial(_nats, None), nats_server.missing),
        StoreKind("nats-always", "NATS, sync_interval always", True, partial(_nats, "always"), nats_server.missing),
    )
}
"""By name, in the order of the tables."""
