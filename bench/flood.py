"""What watchers get when activities report far more often than anyone wants to read, and what it costs.

Each of many activities reports thousands of times a second, and one after the other ends and makes room for a new one.
Counted are the frames that come out, the server's processor time, and how late the ends arrive; beside a server that
keeps a queue per client. Then, on a calm server, how late frames arrive while some of the readers have stopped reading
with all their buffers full, beside the same without those.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bench import flood_table
from bench.frame import PROTOCOLS, Protocol
from bench.machine import cpu_seconds, resident_bytes, too_many
from bench.reader import Reader, watching
from bench.record import write
from bench.rounds import Round
from bench.servers import SERVERS, Running, Server
from bench.talk import Failed

PEERS = ("fast", "portable", "queues")
OURS = ("fast", "portable")
TAIL = 2.0
"""Seconds after the flood in which late ends still count."""
CALM = 20.0
"""Frames per second while some readers are stalled: what one activity may come to."""
LONGER = 3
"""Times the seconds of a flood: it takes hundreds of frames to tell what is rare."""
FILL = 2.0
"""Seconds of flood that fill the buffers of those who do not read."""
SETTLED = 0.5
"""Seconds between filling the buffers and measuring."""


class Plan(NamedTuple):
    """What to measure."""

    servers: Sequence[Server]
    protocols: Sequence[Protocol]
    watchers: int
    stalled: int
    """Of the watchers."""
    activities: int
    rate: float
    """Reports per second of each activity."""
    rounds: int
    seconds: float

    def steps(self) -> Iterator[tuple[Callable[[Running, Plan], dict[str, float]], str, Server, Protocol, int]]:
        """What is measured, in its order; the rounds of all take turns."""
        for number in range(self.rounds):
            for protocol in self.protocols:
                for server in self.servers:
                    yield flooded, "", server, protocol, number
                for server in self.servers:
                    if server.name in OURS and self.stalled:
                        yield calm, flood_table.CALM, server, protocol, number
                        yield partly_stalled, flood_table.STALLED, server, protocol, number


def flooded(running: Running, plan: Plan) -> dict[str, float]:
    """A round of the flood."""
    with watching(running, plan.watchers) as reader:
        reader.warm()
        _open_the_gates(running, plan)
        before = cpu_seconds(running.process.pid)
        reading = reader.count(plan.seconds)
        cpu = cpu_seconds(running.process.pid) - before
        told = _close_the_gates(running)
        whole = reader.more(TAIL)
    if whole.cut or whole.closed:
        raise Failed(f"{whole.cut} frames cut, {whole.closed} connections closed")
    expected = told["ended"] * plan.watchers
    return {
        "reports": told["reports"] / told["lasted"] / plan.activities,
        # Each end was stamped, and was followed by a start; the rest are updates.
        "updates": (reading.frames - 2 * reading.samples) / reading.seconds / plan.watchers / plan.activities,
        "deliveries": reading.frames / reading.seconds,
        "cpu": cpu / reading.seconds,
        "memory": resident_bytes(running.process.pid) / 2**20,
        "ended": float(told["ended"]),
        "ended_p50": whole.p50,
        "ended_p99": whole.p99,
        "ended_missing": 1 - whole.samples / expected if expected else 0.0,
    }


def calm(running: Running, plan: Plan) -> dict[str, float]:
    """The readers that will not stall, alone."""
    with watching(running, plan.watchers - plan.stalled) as reader:
        return _latency(running, plan, reader)


def partly_stalled(running: Running, plan: Plan) -> dict[str, float]:
    """The same beside those that stall."""
    with watching(running, plan.watchers, stalled=plan.stalled) as reader:
        return _latency(running, plan, reader)


def _latency(running: Running, plan: Plan, reader: Reader) -> dict[str, float]:
    reader.warm()
    _open_the_gates(running, plan)
    reader.count(FILL)
    _close_the_gates(running)
    settled = reader.count(SETTLED)
    reading = reader.go(plan.seconds * LONGER, CALM)
    if not reading.sound:
        raise Failed(f"{reading.lost} frames lost, {reading.cut} cut, {reading.closed} connections closed")
    if reading.unread != settled.unread:
        raise Failed("the buffers of the stalled were not full")
    memory = resident_bytes(running.process.pid) / 2**20
    return {"p50": reading.p50, "p99": reading.p99, "unread": float(reading.unread), "memory": memory}


def _open_the_gates(running: Running, plan: Plan) -> None:
    running.tell(f"flood {plan.activities} {plan.rate}")
    running.hear()


def _close_the_gates(running: Running) -> dict[str, float]:
    running.tell("stop")
    return running.hear()


def run(plan: Plan) -> list[Round]:
    """All rounds; each is told of on stderr as it is done."""
    done = []
    for measure, suffix, server, protocol, number in plan.steps():
        name = server.name + suffix
        print(f"flood {protocol} {number + 1}/{plan.rounds} {name}", file=sys.stderr)
        try:
            with server.running(protocol) as running:
                values = measure(running, plan)
            done.append(Round(name, protocol, plan.watchers, number, values))
        except (Failed, OSError) as error:
            done.append(Round(name, protocol, plan.watchers, number, error=str(error)))
    return done


def main(arguments: list[str]) -> None:
    options = _parser().parse_args(arguments)
    watchers = options.watchers or (100 if options.quick else 1_000)
    if reason := too_many(watchers):
        sys.exit(f"left out: {reason}")
    servers = [SERVERS[name] for name in options.peers or PEERS]
    skipped = [f"{server.name}: {reason}" for server in servers if (reason := server.missing())]
    plan = Plan(
        [server for server in servers if not server.missing()],
        options.protocol or PROTOCOLS,
        watchers,
        watchers // 10,
        options.activities or (20 if options.quick else 100),
        options.rate or (1_000 if options.quick else 10_000),
        options.rounds or (1 if options.quick else 3),
        options.seconds or (1.0 if options.quick else 4.0),
    )
    rounds = run(plan)
    print(flood_table.printed(rounds, plan.activities, plan.rate, plan.stalled, skipped))
    if options.json:
        load = {"activities": plan.activities, "rate": plan.rate, "stalled": plan.stalled, "seconds": plan.seconds}
        write(options.json, "flood", arguments, rounds, skipped, {**load, **flood_table.summary(rounds)})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench flood", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round with few of everything")
    parser.add_argument("--watchers", type=int, metavar="N", help="how many; a tenth of them stalls (1000)")
    parser.add_argument("--activities", type=int, metavar="N", help="how many report (100)")
    parser.add_argument("--rate", type=float, metavar="N", help="reports per second of each (10000)")
    parser.add_argument("--peers", nargs="+", choices=PEERS, metavar="NAME", help=f"only these of: {', '.join(PEERS)}")
    parser.add_argument("--protocol", nargs="+", choices=PROTOCOLS, help="only this one")
    parser.add_argument("--rounds", type=int, help="of each, for the median (3)")
    parser.add_argument("--seconds", type=float, help="that a round lasts (4)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured")
    return parser
