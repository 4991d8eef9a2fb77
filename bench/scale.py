"""What nodes and a store carry, reckoned from what ``python -m bench nodes --json bench/runs/nodes.json`` has measured.

``python -m bench.scale`` rewrites the tables of docs/scale.md; with ``--watchers`` and the like it prints what one load
takes. What is assumed, beside what was measured, is in ``ROOM``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean, linear_regression
from typing import Any, NamedTuple

from headway.admission import Limits

RUN = Path(__file__).parent / "runs" / "nodes.json"
PAGE = Path(__file__).parent.parent / "docs" / "scale.md"
BUSIEST, ALONE = "changes 64", "changes 1"
MIB, GIB = 1024**2, 1024**3
MICRO = 1e6
MOST_NODES, MOST_SHARDS = 2_000, 4_096


class Room(NamedTuple):
    """What there is, of which nothing is measured: the assumptions."""

    busy: float = 0.6
    """Of a processor that may be used: the rest is for peaks."""
    network: float = 125e6
    """Bytes a second that a store can send: 1 Gbit/s, of which it may use as much."""
    memory: float = 4 * GIB
    """Of a node."""
    connections: int = 15_000
    """Of a node: as many as were measured (bench fanout)."""
    live: int = Limits().live
    """Activities, which all nodes of a store count."""


ROOM = Room()


class Costs(NamedTuple):
    """Of a change, in seconds of a processor, and bytes."""

    taking: float
    """Of the node that is told,"""
    following: float
    """of each other node,"""
    keeping: float
    """of the store, whoever reads,"""
    telling: float
    """and of the store for each node that reads."""
    size: float
    """That the store sends to each node."""


class Prices(NamedTuple):
    """Everything measured, for one store."""

    lifecycle: Costs
    """A start or an end, each a request of its own."""
    alone: Costs
    """The same where nothing else happens: what many share each has to pay for."""
    progress: Costs
    """A commit of progress, reported many in a request."""
    delivery: float
    """Seconds for a frame to a watcher."""
    watcher: float
    """Bytes,"""
    live: float
    """and of a live activity on each node,"""
    base: float
    """and of a node with neither."""


class Load(NamedTuple):
    """What there is to carry."""

    watchers: int
    live: int
    """Activities at a time."""
    lifecycle: float
    """Starts and ends a second."""
    progress: float
    """Commits of progress a second: at most 5 for each that reports."""
    audience: float
    """Watchers that are told of a change."""

    def part(self, shards: int) -> Load:
        """Of one shard, where owners are spread evenly: a change has as many watchers as before."""
        live, watchers = -(-self.live // shards), -(-self.watchers // shards)
        return Load(watchers, live, self.lifecycle / shards, self.progress / shards, self.audience)


class Plan(NamedTuple):
    """What carries a load."""

    shards: int
    nodes: int
    """Of each shard."""
    used: Mapping[str, float]
    """By limit, how much of it: 1 is all that there is room for."""

    @property
    def first(self) -> str:
        """The limit that is next."""
        return max(self.used, key=lambda name: self.used[name])


def used(load: Load, prices: Prices, nodes: int, room: Room = ROOM) -> dict[str, float]:
    """How much of each limit a load takes on one store."""
    both = ((load.lifecycle, prices.lifecycle), (load.progress, prices.progress))
    node = sum(rate * (cost.taking + cost.following * (nodes - 1)) / nodes for rate, cost in both)
    node += (load.lifecycle + load.progress) * load.audience * prices.delivery / nodes
    store = sum(rate * (cost.keeping + cost.telling * nodes) for rate, cost in both)
    network = sum(rate * cost.size * nodes for rate, cost in both)
    memory = prices.base + prices.live * load.live + prices.watcher * load.watchers / nodes
    return {
        "processor of a node": node / room.busy,
        "processor of the store": store / room.busy,
        "network of the store": network / (room.network * room.busy),
        "memory of a node": memory / room.memory,
        "connections of a node": load.watchers / nodes / room.connections,
        "activities of the store": load.live / room.live,
    }


def planned(load: Load, prices: Prices, most_shards: int = MOST_SHARDS) -> Plan | None:
    """The fewest shards, doubled as long as it takes, and the fewest nodes of each; None where that never suffices."""
    shards = 1
    while shards <= most_shards:
        for nodes in _fewest(load.part(shards), prices):
            found = used(load.part(shards), prices, nodes)
            if max(found.values()) <= 1:
                return Plan(shards, nodes, found)
        shards *= 2
    return None


def _fewest(load: Load, prices: Prices) -> Iterator[int]:
    """How many nodes to try: ascending, while the store bears them."""
    for nodes in range(1, MOST_NODES):
        found = used(load, prices, nodes)
        if max(value for name, value in found.items() if "store" in name) > 1:
            return
        yield nodes


def limits(prices: Prices, nodes: int, room: Room = ROOM) -> dict[str, float]:
    """Commits of progress a second that each limit allows, told to all nodes alike, with nobody watching."""
    one = used(Load(0, 0, 0.0, 1.0, 0.0), prices, nodes, room)
    return {name: 1 / one[name] for name in ("processor of a node", "processor of the store", "network of the store")}


# What was measured


def measured(run: Mapping[str, Any], store: str, watching: str = "redis") -> Prices:
    """The prices of a store. ``watching``: that with which watchers and memory were measured, which are the same."""
    found = {(row["server"], row["protocol"], row["watchers"]): row for row in run["medians"]}
    memory = found[watching, "memory", 2]
    return Prices(
        _costs(found, store, BUSIEST),
        _costs(found, store, ALONE),
        _costs(found, store, "progress"),
        found[watching, "watchers", 1]["cpu"],
        memory["watcher"],
        max(memory["first"], memory["follower"]),
        memory["at-0"],
    )


def _costs(found: Mapping[tuple[str, str, int], Mapping[str, float]], store: str, what: str) -> Costs:
    rows = {nodes: row for (server, name, nodes), row in sorted(found.items()) if (server, name) == (store, what)}
    line = linear_regression(list(rows), [row["store"] / 1e3 for row in rows.values()])
    telling = max(0.0, line.slope)
    keeping = fmean(row["store"] / 1e3 - telling * nodes for nodes, row in rows.items())
    return Costs(
        fmean(row["first"] for row in rows.values()) / 1e3,
        fmean(row["follower"] for nodes, row in rows.items() if nodes > 1) / 1e3,
        max(0.0, keeping),
        telling,
        fmean(row["bytes"] / nodes for nodes, row in rows.items()),
    )


def stores(run: Mapping[str, Any]) -> dict[str, Prices]:
    """Of all stores that nodes share and that were measured."""
    names = dict.fromkeys(row["server"] for row in run["medians"] if row["protocol"] == BUSIEST and "store" in row)
    return {name: measured(run, name) for name in names}


def main() -> None:
    from bench import scale_page

    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--store", default="redis", help="which one (redis)")
    parser.add_argument("--watchers", type=int, help="streams that are open")
    parser.add_argument("--live", type=int, default=1_000, help="activities at a time (1,000)")
    parser.add_argument("--lifecycle", type=float, default=10.0, help="starts and ends a second (10)")
    parser.add_argument("--progress", type=float, default=1_000.0, help="commits of progress a second (1,000)")
    parser.add_argument("--audience", type=float, default=1.0, help="watchers that are told of a change (1)")
    options = parser.parse_args()
    run = json.loads(RUN.read_bytes())
    if options.watchers is None:
        PAGE.write_text(scale_page.rewritten(PAGE.read_text(), run))
        return
    load = Load(options.watchers, options.live, options.lifecycle, options.progress, options.audience)
    print(scale_page.told(planned(load, measured(run, options.store))))


if __name__ == "__main__":
    main()
