"""What a watcher costs that idles, what one that has stopped reading, and what an activity: in bytes of memory.

In the process it is the slope of its resident memory over their number; in the kernel it is what the sockets of the
server hold (``ss``), not those of the readers, which are elsewhere in life. Those that have stopped reading have been
sent as much as anyone takes for them; ``snapshot`` are such that asked for a snapshot of many activities and read
nothing of it: all of the same moment, or (``snapshots``) each of another. At last, many real watchers at once: do all
of them get everything?
"""

from __future__ import annotations

import argparse
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import linear_regression
from typing import NamedTuple

from bench import memory_table
from bench.frame import PROTOCOLS, Protocol
from bench.machine import resident_bytes, too_many
from bench.memory_table import ACTIVITIES, HELD, IDLE, OURS, SNAPSHOT, SNAPSHOTS, STALLED
from bench.reader import watching
from bench.record import write
from bench.rounds import Round
from bench.servers import SERVERS, Running, Server, python
from bench.talk import Failed

PEERS = (*OURS, "queues", "nchan")
IDLES, STALLS, MOMENTS, MANY, HOLD = [1_000, 3_000, 10_000], [50, 150], [20, 100], [1_000, 10_000], 10_000
QUICK_IDLES, QUICK_STALLS, QUICK_MOMENTS, QUICK_MANY, QUICK_HOLD = [50, 250], [10, 40], [2, 6], [100, 1_000], 200
FILL = 2.0
"""Seconds of frames, as fast as one who reads can take them, for those who do not,"""
FILLS = 8
"""and how often, at most, until their sockets take no more."""
SNAPSHOT_SIZE = 1_000
SHARING = 4
"""Times as many as of the other stalled ones stop at one snapshot."""
CHANGES = 500.0
"""Per second,"""
APART = 0.06
"""and seconds from one watcher to the next, so that no two snapshots are of the same moment."""
LITTLE = 4096
"""Bytes that the kernel of one who does not read takes for it."""
STEP, PATIENCE = 0.25, 5.0
"""Seconds between two looks at a process whose memory is to come to rest, and for that in all."""
STILL = 64 * 1024
ADMIN = 1


class Plan(NamedTuple):
    """What to measure."""

    servers: Sequence[Server]
    protocols: Sequence[Protocol]
    idle: Sequence[int]
    stalls: Sequence[int]
    moments: Sequence[int]
    """Stalled ones, each at a snapshot of its own."""
    activities: Sequence[int]
    hold: int
    rounds: int

    def steps(self) -> Iterator[tuple[str, str, Protocol, int]]:
        """Which server, what of it, protocol, round."""
        ours = [server.name for server in self.servers if server.name in OURS]
        for number in range(self.rounds):
            for protocol in self.protocols:
                for server in self.servers:
                    yield server.name, IDLE, protocol, number
                    yield server.name, STALLED, protocol, number
                for name in ours:
                    yield name, SNAPSHOT, protocol, number
                    yield name, SNAPSHOTS, protocol, number
            for name in ours:
                yield name, ACTIVITIES, "sse", number
        for protocol in self.protocols if self.hold else ():
            for name in ours:
                yield name, HELD, protocol, 0


class Memory(NamedTuple):
    """Bytes."""

    process: int
    kernel: int

    @classmethod
    def of(cls, running: Running) -> Memory:
        """Of a server, once it has come to rest."""
        return cls(at_rest(running.process.pid), _in_sockets(running.port))


def _idle(running: Running, plan: Plan) -> dict[str, float]:
    def watch(stack: ExitStack, more: int) -> None:
        stack.enter_context(watching(running, more)).warm()

    return _slopes(running, plan.idle, watch)


def _stalled(running: Running, plan: Plan) -> dict[str, float]:
    def watch(stack: ExitStack, more: int) -> None:
        reader = stack.enter_context(watching(running, more + 1, stalled=more))
        reader.warm()
        full = -1
        for _ in range(FILLS):
            reader.go(FILL)
            before, full = full, _in_sockets(running.port)
            if full - before < STILL:
                return

    return _slopes(running, plan.stalls, watch)


def _of_a_moment(running: Running, plan: Plan) -> dict[str, float]:
    """Stalled ones that have asked for a snapshot."""
    running.tell(f"hold {SNAPSHOT_SIZE} {ADMIN}")
    running.hear()

    def watch(stack: ExitStack, more: int) -> None:
        stack.enter_context(watching(running, more, stalled=more))

    # More of them, for what encoding has left behind serves the first.
    return _slopes(running, [SHARING * count for count in plan.stalls], watch)


def _of_moments(running: Running, plan: Plan) -> dict[str, float]:
    """Likewise, each with a snapshot of its own: they come one after the other, and slower than changes."""
    for line in (f"hold {SNAPSHOT_SIZE} {ADMIN}", f"change {CHANGES}"):
        running.tell(line)
        running.hear()

    def watch(stack: ExitStack, more: int) -> None:
        for _ in range(more):
            stalled = stack.enter_context(socket.socket())
            stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LITTLE)
            stalled.connect(("127.0.0.1", running.port))
            stalled.sendall(running.request)
            time.sleep(APART)

    return _slopes(running, plan.moments, watch)


def _activities(running: Running, plan: Plan) -> dict[str, float]:
    def hold(_: ExitStack, more: int) -> None:
        running.tell(f"hold {more} {ADMIN}")
        running.hear()

    return _slopes(running, plan.activities, hold)


def _held(running: Running, plan: Plan) -> dict[str, float]:
    """Many watchers, for as long as it takes to see that all are served."""
    with watching(running, plan.hold) as reader:
        reader.warm()
        reading = reader.go(FILL)
        if not reading.sound:
            raise Failed(f"{reading.lost} frames lost, {reading.cut} cut, {reading.closed} connections closed")
        return {"process": float(at_rest(running.process.pid)), "frames": float(reading.frames)}


def _slopes(running: Running, counts: Sequence[int], add: Callable[[ExitStack, int], object]) -> dict[str, float]:
    """What one costs, by how memory grows with their number."""
    found: dict[int, Memory] = {}
    with ExitStack() as stack:
        for count in counts:
            add(stack, count - max(found, default=0))
            found[count] = Memory.of(running)
    process, kernel = (linear_regression(list(found), column).slope for column in zip(*found.values(), strict=True))
    return {"process": process, **({"kernel": kernel} if shutil.which("ss") else {})}


MEASURES: dict[str, Callable[[Running, Plan], dict[str, float]]] = {
    IDLE: _idle,
    STALLED: _stalled,
    SNAPSHOT: _of_a_moment,
    SNAPSHOTS: _of_moments,
    ACTIVITIES: _activities,
    HELD: _held,
}


def _server(name: str, what: str) -> Server:
    """The one that can be asked for that."""
    server = SERVERS[name]
    if what not in (SNAPSHOT, SNAPSHOTS, ACTIVITIES):
        return server
    events, socket = (f"{path}?snapshot=1" for path in server.paths)
    command = lambda _, folder: python("holding", name.encode(), str(folder).encode())  # noqa: E731
    return server._replace(command=command, paths=(events, socket))


def run(plan: Plan) -> list[Round]:
    """All rounds; each is told of on stderr as it is done."""
    done = []
    for name, what, protocol, number in plan.steps():
        print(f"memory {protocol} {number + 1}/{plan.rounds} {name} {what}", file=sys.stderr)
        key = f"{name} {what}", protocol, 0
        try:
            with _server(name, what).running(protocol) as running:
                done.append(Round(*key, number, MEASURES[what](running, plan)))
        except (Failed, OSError) as error:
            done.append(Round(*key, number, error=str(error)))
    return done


def at_rest(pid: int) -> int:
    """Resident bytes, once they do not change any more."""
    deadline, before = time.monotonic() + PATIENCE, 0
    while abs((now := resident_bytes(pid)) - before) > STILL and time.monotonic() < deadline:
        before = now
        time.sleep(STEP)
    return now


def _in_sockets(port: int) -> int:
    """What the kernel holds for the connections of a server: read and write queues, and what was set aside for them."""
    if shutil.which("ss") is None:
        return 0
    command = ["ss", "-tmnH", "state", "established", "sport", "=", f":{port}"]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=60).stdout
    return sum(int(size) for size in re.findall(r"[(,][rfw](\d+)", told))


def main(arguments: list[str]) -> None:
    options = _parser().parse_args(arguments)
    hold = QUICK_HOLD if options.quick else HOLD
    idle = options.watchers or (QUICK_IDLES if options.quick else IDLES)
    servers = [SERVERS[name] for name in options.peers or PEERS]
    skipped = [f"{server.name}: {reason}" for server in servers if (reason := server.missing())]
    skipped += [reason for count in {*idle, hold} if (reason := too_many(count))]
    if shutil.which("ss") is None:
        skipped.append("memory in the kernel: ss is not installed (Debian: iproute2)")
    plan = Plan(
        [server for server in servers if not server.missing()],
        options.protocol or PROTOCOLS,
        [count for count in idle if not too_many(count)],
        QUICK_STALLS if options.quick else STALLS,
        QUICK_MOMENTS if options.quick else MOMENTS,
        QUICK_MANY if options.quick else MANY,
        0 if too_many(hold) else hold,
        options.rounds or (1 if options.quick else 3),
    )
    rounds = run(plan)
    print(memory_table.printed(rounds, plan.hold, skipped))
    if options.json:
        load = {"idle": plan.idle, "stalled": plan.stalls, "activities": plan.activities, "held": plan.hold}
        write(options.json, "memory", arguments, rounds, skipped, {**load, **memory_table.summary(rounds)})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench memory", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round with few of everything, to see that it works")
    parser.add_argument("--watchers", type=int, nargs="+", metavar="N", help=f"how many idle ({IDLES})")
    parser.add_argument("--peers", nargs="+", choices=PEERS, metavar="NAME", help=f"only these of: {', '.join(PEERS)}")
    parser.add_argument("--protocol", nargs="+", choices=PROTOCOLS, help="only this one")
    parser.add_argument("--rounds", type=int, help="of each, for the median (3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured")
    return parser
