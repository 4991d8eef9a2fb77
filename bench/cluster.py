"""Nodes on one store: servers as ``headway serve --store URL`` runs them, but with room for whatever is measured."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from bench import frame
from bench.frame import Split
from bench.machine import Role
from bench.servers import Running, python
from bench.stores import Store, StoreKind
from bench.talk import heard, started

EVENTS = "/:/eventsource/notifications"


class Cluster(NamedTuple):
    """Some nodes, and the store that they share."""

    store: Store
    nodes: list[Running]
    token: str
    """Of the admin, good for all nodes."""

    @property
    def ports(self) -> list[bytes]:
        """Of the nodes, as arguments."""
        return [b"%d" % node.port for node in self.nodes]


@contextmanager
def cluster(kind: StoreKind, count: int, role: Role = "any") -> Iterator[Cluster]:
    """Started, on free ports; ended with the block. Raises ``Failed``."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="headway-bench-")))
        store = stack.enter_context(kind.running())
        nodes: list[Running] = []
        for number in range(count):
            place = [str(folder / str(number)).encode(), *([store.url.encode()] if store.url else [])]
            process = stack.enter_context(started(python("ours", b"fast", *place), role))
            told = heard(process)
            token = nodes[0].token if nodes else told["token"]  # the first makes it
            nodes.append(running(process, told["port"], token))
        assert nodes[0].token is not None
        yield Cluster(store, nodes, nodes[0].token)


def running(process: subprocess.Popen[bytes], port: int, token: str | None) -> Running:
    """A server that streams events, and is told on its input what to publish."""
    assert process.stdin is not None
    request = frame.request("sse", EVENTS, port, token)
    return Running(process, port, token, "sse", request, b"", process.stdin.fileno(), Split(b"", b"\n"))
