"""What it costs that several nodes share a store: time, changes a second, processors, memory and bytes.

All are real: servers as ``headway serve --store URL`` runs them, Valkey and NATS servers started by the bench, and
programs that ask over HTTP. One program asks only the first node; the others follow, and what they use for it is what
a node costs that is added. All processes share the processors of this machine (only the watchers' readers have one of
their own), so that rates are those of a machine, not of a node: reckon with what a change costs each of them.

``latency``: see ``bench.peers.probing``. ``changes``: starts and ends, each answered once it is durable, 1, 8 and 64 at
once. ``progress``: activities that report 20 times a second each. ``memory``: by the slope over live activities, and
over idle watchers. ``watchers``: as many on one node, and half on each of two. Peers, beside two of our nodes: Celery's
events with its receiver, and python-socketio with its Redis manager; both keep nothing, ours is on record.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import fmean, linear_regression, median
from typing import NamedTuple

import msgspec

from bench import nodes_table
from bench.cluster import Cluster, cluster
from bench.machine import busy_seconds, cpu_seconds, resident_bytes
from bench.memory import at_rest
from bench.nodes_table import LATENCY, MEMORY, PEERS, PROGRESS, WATCHERS, changes
from bench.pairs import PAIRS, PairKind
from bench.reader import watching
from bench.record import write
from bench.rounds import Round
from bench.servers import python
from bench.stores import STORES, StoreKind, Tally
from bench.talk import Failed, heard, say, started
from headway.stores.redis import PACE

REPORTS = 20
"""A second and activity, where the store takes at most 5."""
RATE = 10
"""Changes a second that watchers are told of: few enough for one processor, so that what is counted is their cost."""
ENOUGH = 4
"""Processors from which on two nodes can show that they tell more watchers than one."""


class Size(NamedTuple):
    """How much of everything."""

    trials: int = 100
    seconds: float = 3.0
    at_once: tuple[int, ...] = (1, 8, 64)
    reporting: int = 200
    """Activities."""
    live: tuple[int, ...] = (1_000, 10_000)
    idle: tuple[int, ...] = (1_000, 4_000)
    """Watchers."""
    watchers: int = 4_000
    burst: int = 2_000
    settling: float = 0.5
    """Seconds after which the last change has reached all."""


QUICK = Size(3, 0.2, (1, 8), 20, (100,), (20, 40), 20, 50, 0.1)


class Plan(NamedTuple):
    """What to measure."""

    stores: Sequence[StoreKind]
    pairs: Sequence[PairKind]
    nodes: Sequence[int]
    rounds: int
    size: Size

    def steps(self) -> Iterator[tuple[int, Callable[[], list[Round]]]]:
        """Each makes some rounds; in turns, so that noise strikes all alike."""
        shared = [kind for kind in self.stores if kind.shared]
        for number in range(self.rounds):
            for kind in self.stores:
                for count in self.nodes if kind.shared else [1]:
                    yield number, partial(_working, kind, count, self.size, number)
            for kind in shared[:1]:
                yield number, partial(_remembering, kind, self.size, number)
                for count in (1, 2):
                    yield number, partial(_delivering, kind, count, self.size, number)
            for pair in self.pairs:
                yield number, partial(_paired, pair, self.size, number)


class Meter:
    """What the nodes of a cluster and its store use from now on."""

    def __init__(self, whole: Cluster) -> None:
        self._whole = whole
        self._before = self._cpu()
        self._tally = self._told()

    def read(self, changes: float) -> dict[str, float]:
        """For a thousand changes; ``changes``: how many there were, where the store does not say."""
        first, *followers, store = (late - early for early, late in zip(self._before, self._cpu(), strict=True))
        before, after = self._tally, self._told()
        found = changes if after is None or before is None else after.changes - before.changes
        thousand = max(found, 1) / 1e3
        values = {"committed": float(found), "first": first / thousand}
        if self._whole.store.pid:
            values |= {"store": store / thousand, "follower": fmean(followers) / thousand if followers else 0.0}
        if after is not None and before is not None:
            values["bytes"] = (after.sent - before.sent) / (thousand * 1e3)
        return values

    def _cpu(self) -> list[float]:
        pid = self._whole.store.pid
        return [*(cpu_seconds(node.process.pid) for node in self._whole.nodes), cpu_seconds(pid) if pid else 0.0]

    def _told(self) -> Tally | None:
        tally = self._whole.store.tally
        return None if tally is None else tally()


def _working(kind: StoreKind, count: int, size: Size, number: int) -> list[Round]:
    done = []
    try:
        with cluster(kind, count) as whole:
            done.append(Round(kind.name, LATENCY, count, number, _latency(whole, size)))
            with _asking(whole) as program:
                for at_once in size.at_once:
                    values = _changes(whole, program, f"lifecycle {size.seconds} {at_once}", size)
                    done.append(Round(kind.name, changes(at_once), count, number, values))
                values = _progress(whole, program, size)
                done.append(Round(kind.name, PROGRESS, count, number, values))
    except (Failed, OSError) as error:
        done.append(Round(kind.name, "", count, number, error=str(error)))
    return done


def _latency(whole: Cluster, size: Size) -> dict[str, float]:
    """Median and 99th percentile of each thing that was timed."""
    probe = msgspec.json.encode(whole.store.probe) if whole.store.probe else b""
    with started(python("probing", probe, whole.token.encode(), *whole.ports), "any") as process:
        heard(process)
        say(process, str(size.trials))
        taken: dict[str, list[float]] = heard(process, size.trials)["taken"]
    values = {}
    for name, seconds in taken.items():
        values[f"{name}-p50"] = median(seconds)
        values[f"{name}-p99"] = sorted(seconds)[round(0.99 * (len(seconds) - 1))]
    return values


@contextmanager
def _asking(whole: Cluster) -> Iterator[subprocess.Popen[bytes]]:
    """The program that works with the first node."""
    with started(python("changing", whole.token.encode(), whole.ports[0]), "any") as process:
        heard(process)
        yield process


def _asked(process: subprocess.Popen[bytes], line: str, seconds: float = 0.0) -> dict[str, float]:
    say(process, line)
    return heard(process, seconds)


def _changes(whole: Cluster, process: subprocess.Popen[bytes], line: str, size: Size) -> dict[str, float]:
    meter, busy = Meter(whole), busy_seconds()
    told = _asked(process, line, size.seconds)
    busy = (busy_seconds() - busy) / told["seconds"]
    time.sleep(size.settling)
    return {
        "rate": told["changes"] / told["seconds"],
        "seconds": told["seconds"],
        "busy": busy,
        **meter.read(told["changes"]),
    }


def _progress(whole: Cluster, process: subprocess.Popen[bytes], size: Size) -> dict[str, float]:
    _asked(process, f"hold {size.reporting}")
    values = _changes(whole, process, f"progress {size.seconds} {size.reporting} {REPORTS}", size)
    if whole.store.tally is not None:
        # Intervals between the first of its commits and the last, which waits for the pace after the last report.
        values["each"] = (values["committed"] / size.reporting - 1) / (values["seconds"] + PACE)
    return values


def _remembering(kind: StoreKind, size: Size, number: int) -> list[Round]:
    try:
        with cluster(kind, 2) as whole, _asking(whole) as program:
            found = {0: _held(whole)}
            for live in size.live:
                _asked(program, f"hold {live - max(found)}", live / 100)
                found[live] = _held(whole)
            slopes = [linear_regression(list(found), column).slope for column in zip(*found.values(), strict=True)]
            sizes = dict(zip(("first", "follower", "store"), slopes, strict=True))
            sizes |= {f"at-{live}": float(held[0]) for live, held in found.items()}
            sizes["watcher"] = _idle(whole, size)
        return [Round(kind.name, MEMORY, 2, number, sizes)]
    except (Failed, OSError) as error:
        return [Round(kind.name, MEMORY, 2, number, error=str(error))]


def _held(whole: Cluster) -> tuple[int, int, int]:
    """Bytes of the two nodes, and of the store."""
    first, second = (at_rest(node.process.pid) for node in whole.nodes)
    tally = whole.store.tally
    return first, second, (tally().memory if tally else 0) or resident_bytes(whole.store.pid)


def _idle(whole: Cluster, size: Size) -> float:
    """Bytes of the second node for a watcher."""
    node = whole.nodes[1]
    found: dict[int, int] = {}
    with ExitStack() as stack:
        for count in size.idle:
            stack.enter_context(watching(node, count - max(found, default=0)))
            found[count] = at_rest(node.process.pid)
    return linear_regression(list(found), list(found.values())).slope


def _delivering(kind: StoreKind, count: int, size: Size, number: int) -> list[Round]:
    try:
        with cluster(kind, count, "server") as whole:
            values = _deliveries(whole, size, RATE)
            if (os.cpu_count() or 1) >= ENOUGH:
                values["most"] = _deliveries(whole, size, 0)["rate"]
        return [Round(kind.name, WATCHERS, count, number, values)]
    except (Failed, OSError) as error:
        return [Round(kind.name, WATCHERS, count, number, error=str(error))]


def _deliveries(whole: Cluster, size: Size, rate: int) -> dict[str, float]:
    each = size.watchers // len(whole.nodes)
    with ExitStack() as stack:
        first, *others = [stack.enter_context(watching(node, each)) for node in whole.nodes]
        first.warm()
        for other in others:
            other.count(size.settling)  # that by which the first was warmed comes here, too: begin anew then
            other.count(0.0)
        before = [cpu_seconds(node.process.pid) for node in whole.nodes]
        reading = first.go(size.seconds, rate)
        readings = [reading, *(other.more(size.settling) for other in others)]
        used = sum(cpu_seconds(node.process.pid) for node in whole.nodes) - sum(before)
    frames = sum(one.frames for one in readings)
    if frames != reading.publishes * each * len(readings) or not reading.sound:
        raise Failed(f"{reading.publishes} changes, {each} watchers on each node, but {frames} frames")
    return {
        "streams": size.watchers,
        "rate": frames / reading.seconds,
        "cpu": used / frames,
        "p50": reading.p50,
        "p99": reading.p99,
    }


def _paired(kind: PairKind, size: Size, number: int) -> list[Round]:
    try:
        with kind.running() as pair:
            latency = pair.receiver.latency(size.trials / RATE)
            before = pair.used()
            seconds = pair.burst(size.burst)
            used = [(late - early) / size.burst for early, late in zip(before, pair.used(), strict=True)]
        cpu = dict(zip(("sender", "receiver", "between"), used, strict=True))
        values = {"p50": latency.p50, "p99": latency.p99, "rate": size.burst / seconds, "cpu": sum(used), **cpu}
        return [Round(kind.name, PEERS, 2, number, values)]
    except (Failed, OSError) as error:
        return [Round(kind.name, PEERS, 2, number, error=str(error))]


def run(plan: Plan) -> list[Round]:
    """All rounds; each is told of on stderr as it is done."""
    done: list[Round] = []
    for number, step in plan.steps():
        for one in step():
            told = f"nodes {number + 1}/{plan.rounds} {one.server} {one.protocol}, {one.watchers} nodes"
            print(f"{told}: {one.error or 'done'}", file=sys.stderr)
            done.append(one)
    return done


def main(arguments: list[str]) -> None:
    options = _parser().parse_args(arguments)
    stores = [STORES[name] for name in options.stores or STORES]
    pairs = [PAIRS[name] for name in (PAIRS if options.peers is None else options.peers)]
    skipped = [f"{store.name}: {reason}" for store in stores if (reason := store.missing())]
    skipped += [f"{pair.name}: {reason}" for pair in pairs if (reason := pair.missing())]
    plan = Plan(
        [store for store in stores if not store.missing()],
        [pair for pair in pairs if not pair.missing()],
        options.nodes or ([1, 2] if options.quick else [1, 2, 4]),
        options.rounds or (1 if options.quick else 3),
        QUICK if options.quick else Size(),
    )
    for reason in skipped:
        print(f"left out: {reason}", file=sys.stderr)
    rounds = run(plan)
    print(nodes_table.printed(rounds, skipped))
    if options.json:
        found = {"size": plan.size._asdict(), **nodes_table.summary(rounds)}
        write(options.json, "nodes", arguments, rounds, skipped, found)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench nodes", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one short round of everything, to see that it works")
    parser.add_argument("--stores", nargs="+", choices=STORES, metavar="NAME", help=f"only: {', '.join(STORES)}")
    parser.add_argument("--peers", nargs="*", choices=PAIRS, metavar="NAME", help=f"only: {', '.join(PAIRS)}")
    parser.add_argument("--nodes", type=int, nargs="+", metavar="N", help="how many (1 2 4)")
    parser.add_argument("--rounds", type=int, help="of each, for the median (3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured")
    return parser
