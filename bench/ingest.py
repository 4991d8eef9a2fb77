"""What it costs to say how far the work is: in the job's own process, and over the network.

In process: a job calls as often as it can, in bursts, and does nothing else; each way in a process of its own, on one
processor. Counted are the seconds in the call, and the processor time of the whole process from the first call to the
last. So the hub's flushes count, 20 a second to a SQLite store, and so do the bars that tqdm and rich draw 10 times a
second, to a terminal that is a file in memory. Celery's ``update_state`` is called in a task that is run on the spot,
and does to a Valkey on this machine what it would from a worker: asks for the former state, sets and publishes the new.

Over the network: requests written by hand to a server as ``headway serve`` runs it, one by one on a connection that
stays open, on ten, and 32 at once on one (HTTP/1.1 pipelining; what several activities say in one request: reporting);
beside the smallest answer of the same server asked for likewise, and beside SET and XADD on Valkey from redis-py, one
by one and in a pipeline. Our own client conflates what is said within 0.2 seconds: its calls are counted, not its
requests.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from bench import ingest_table
from bench.ingest_table import REPORTERS, Reporter
from bench.machine import cpu_seconds
from bench.peers import valkey
from bench.record import write
from bench.rounds import Round
from bench.servers import SERVERS, python
from bench.talk import Failed, heard, say, started


class Served(NamedTuple):
    """A server that is reported to; 0 where there is none."""

    pid: int = 0
    port: int = 0
    token: str = ""


class Plan(NamedTuple):
    """What to measure."""

    reporters: Sequence[Reporter]
    rounds: int
    seconds: float

    def steps(self) -> Iterator[tuple[int, Reporter]]:
        """The rounds in their order; each time another begins."""
        for number in range(self.rounds):
            shift = number % max(1, len(self.reporters))
            for reporter in [*self.reporters[shift:], *self.reporters[:shift]]:
                yield number, reporter


@contextmanager
def serving(reporter: Reporter) -> Iterator[Served]:
    """What it reports to, started for it."""
    with ExitStack() as stack:
        if reporter.server == "valkey":
            one = stack.enter_context(valkey.running())
            yield Served(one.pid, one.port)
        elif reporter.server == "headway":
            ours = stack.enter_context(SERVERS["fast"].running("sse"))
            yield Served(ours.process.pid, ours.port, ours.token or "")
        else:
            yield Served()


def measured(reporter: Reporter, number: int, seconds: float) -> Round:
    """One round; one that fails has that on its record."""
    try:
        with serving(reporter) as served, started(_command(reporter, served), "reader") as process:
            heard(process)
            before = cpu_seconds(served.pid) if served.pid else 0.0
            say(process, str(seconds))
            told = heard(process, seconds)
            used = cpu_seconds(served.pid) - before if served.pid else 0.0
    except (Failed, OSError) as error:
        return Round(reporter.name, reporter.place, 0, number, error=str(error))
    values = {"rate": told["rate"], "call": told["call"], "cpu": told["cpu"], "server_cpu": used / told["calls"]}
    return Round(reporter.name, reporter.place, 0, number, values)


def _command(reporter: Reporter, served: Served) -> list[str]:
    name, port = reporter.name.encode(), str(served.port).encode()
    if reporter.place == "network":
        return python("sending", name, port, served.token.encode())
    return python("jobs", name, b"redis://127.0.0.1:%b/0" % port)


def run(plan: Plan) -> list[Round]:
    """All rounds; each is told of on stderr as it is done."""
    done = []
    for number, reporter in plan.steps():
        one = measured(reporter, number, plan.seconds)
        rate = f"{one.values['rate']:,.0f}/s" if one.values else ""
        print(f"ingest {number + 1}/{plan.rounds} {reporter.name}: {rate} {one.error or ''}", file=sys.stderr)
        done.append(one)
    return done


def main(arguments: list[str]) -> None:
    options = _parser().parse_args(arguments)
    chosen = [REPORTERS[name] for name in options.peers or REPORTERS]
    skipped = [f"{reporter.name}: {reason}" for reporter in chosen if (reason := reporter.missing())]
    plan = Plan(
        [reporter for reporter in chosen if not reporter.missing()],
        options.rounds or (1 if options.quick else 5),
        options.seconds or (0.2 if options.quick else 1.0),
    )
    for reason in skipped:
        print(f"left out: {reason}", file=sys.stderr)
    rounds = run(plan)
    print(ingest_table.printed(rounds, skipped))
    if options.json:
        write(options.json, "ingest", arguments, rounds, skipped, ingest_table.summary(rounds))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench ingest", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it works")
    parser.add_argument(
        "--peers", nargs="+", choices=REPORTERS, metavar="NAME", help=f"only these of: {', '.join(REPORTERS)}"
    )
    parser.add_argument("--rounds", type=int, help="of each, for the median (5)")
    parser.add_argument("--seconds", type=float, help="that a round lasts (1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured")
    return parser
