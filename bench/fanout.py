"""How many frames a second reach how many watchers, and what that costs: ours beside what one would use instead.

Each round starts a server, opens the watchers, and publishes a frame each time that the last one has reached everyone.
The rounds of all servers take turns, so that what else the machine does strikes all alike; what is shown are medians,
and ratios are medians of the ratios within a round. The reader has a processor of its own, and its time is shown too:
no server can be faster than it, and where there are only two processors, nothing else should run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bench import fanout_table, plot
from bench.frame import PROTOCOLS, Protocol
from bench.machine import busy_seconds, cpu_seconds, too_many
from bench.reader import Reading, watching
from bench.record import write
from bench.rounds import Round
from bench.servers import SERVERS, Server
from bench.talk import Failed

SIZES = [1_000, 5_000, 15_000]
QUICK_SIZES = [200]


class Plan(NamedTuple):
    """What to measure."""

    servers: Sequence[Server]
    protocols: Sequence[Protocol]
    sizes: Sequence[int]
    rounds: int
    seconds: float
    """That a round lasts, once everyone is connected."""

    def steps(self) -> Iterator[tuple[int, Protocol, int, Server]]:
        """The rounds in their order; each time another server begins."""
        for size in self.sizes:
            for protocol in self.protocols:
                able = [server for server in self.servers if protocol in server.protocols]
                for number in range(self.rounds):
                    shift = number % max(1, len(able))
                    for server in able[shift:] + able[:shift]:
                        yield size, protocol, number, server


def measured(server: Server, protocol: Protocol, watchers: int, number: int, seconds: float) -> Round:
    """One round; a server that fails has that on its record."""
    try:
        with server.running(protocol) as running, watching(running, watchers) as reader:
            reader.warm()
            pids = running.process.pid, reader.process.pid
            before = [busy_seconds(), *map(cpu_seconds, pids)]
            reading = reader.go(seconds)
            after = [busy_seconds(), *map(cpu_seconds, pids)]
            used = [later - earlier for earlier, later in zip(before, after, strict=True)]
            values = _values(reading, watchers / max(reader.connect_seconds, 1e-6), *used)
            return Round(server.name, protocol, watchers, number, values, _fault(reading))
    except (Failed, OSError) as error:
        return Round(server.name, protocol, watchers, number, error=str(error))


def _values(reading: Reading, connects: float, busy: float, cpu: float, reader_cpu: float) -> dict[str, float]:
    million = max(1, reading.frames) / 1e6
    return {
        "deliveries": reading.frames / reading.seconds,
        "cpu": cpu / million,
        "p50": reading.p50,
        "p99": reading.p99,
        "connects": connects,
        "reader_cpu": reader_cpu / million,
        "others": max(0.0, busy - cpu - reader_cpu) / reading.seconds,
    }


def _fault(reading: Reading) -> str | None:
    if reading.sound:
        return None
    return f"{reading.lost} frames lost, {reading.cut} cut or doubled, {reading.closed} connections closed"


def run(plan: Plan) -> list[Round]:
    """All rounds; each is told of on stderr as it is done."""
    done = []
    for size, protocol, number, server in plan.steps():
        one = measured(server, protocol, size, number, plan.seconds)
        rate = f"{one.values['deliveries']:,.0f}/s" if one.values else ""
        print(
            f"fanout {size} {protocol} {number + 1}/{plan.rounds} {server.name}: {rate} {one.error or ''}",
            file=sys.stderr,
        )
        done.append(one)
    return done


def main(arguments: list[str]) -> None:
    options = _parser().parse_args(arguments)
    sizes = options.watchers or (QUICK_SIZES if options.quick else SIZES)
    skipped = [reason for size in sizes if (reason := too_many(size))]
    servers = [SERVERS[name] for name in options.peers or SERVERS]
    skipped += [f"{server.name}: {reason}" for server in servers if (reason := server.missing())]
    plan = Plan(
        [server for server in servers if not server.missing()],
        options.protocol or PROTOCOLS,
        [size for size in sizes if not too_many(size)],
        options.rounds or (1 if options.quick else 5),
        options.seconds or (0.5 if options.quick else 2.0),
    )
    for reason in skipped:
        print(f"left out: {reason}", file=sys.stderr)
    rounds = run(plan)
    print(fanout_table.printed(rounds, skipped))
    if options.json:
        write(options.json, "fanout", arguments, rounds, skipped, fanout_table.summary(rounds))
    if options.svg:
        options.svg.write_text(plot.fanout(rounds))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench fanout", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round with few watchers, to see that it works")
    parser.add_argument("--watchers", type=int, nargs="+", metavar="N", help=f"how many ({SIZES})")
    parser.add_argument(
        "--peers", nargs="+", choices=SERVERS, metavar="NAME", help=f"only these of: {', '.join(SERVERS)}"
    )
    parser.add_argument("--protocol", nargs="+", choices=PROTOCOLS, help="only this one")
    parser.add_argument("--rounds", type=int, help="of each server, for the median (5)")
    parser.add_argument("--seconds", type=float, help="that a round publishes (2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw deliveries over watchers")
    return parser
