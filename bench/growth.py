"""What a flush costs as one thing grows and all others stay: how the cost grows, as the exponent of a power law.

A server on a SQLite store is under a load that is always paced the same: ten times a second some activities report, the
flush after it changes them, and those who watch get a frame of each. Counted is the processor time of the server, all
its threads, for one flush. The calls to ``report`` are taken off, by the clock of the thread that makes them (what they
cost is in ``ingest``). ``total`` is what is left; ``net`` is without what the same server used in the same time before,
when nothing changed.

The fit is by least squares of the logarithms of the medians over rounds; each exponent comes with its standard error.
What shall not grow is judged by the total, so that nothing hides in what was taken off. But live activities are looked
at once a second whether anything changes or not: there it is the net cost.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench import growth_table, plot
from bench.growth_table import DIMENSIONS, Dimension
from bench.load import TICK, Load
from bench.machine import too_many
from bench.reader import Reader, watching
from bench.record import write
from bench.rounds import Round
from bench.servers import Running, Server, python
from bench.talk import Failed

SERVER = Server(
    "growing",
    "Headway on its fast path",
    ("sse", "websocket"),
    lambda: None,
    lambda _, folder: python("growing", str(folder).encode()),
    ("/:/eventsource/notifications", "/:/websockets/notifications"),
)
WARM = 5 * TICK
"""Seconds of the load that do not count."""
MISSING = 0.05
"""Share of the changes or frames that may not have come when the time is over."""


class Plan(NamedTuple):
    """What to measure."""

    dimensions: Sequence[Dimension]
    sizes: int | None
    """How many of the sizes of each, from the smallest; None for all."""
    rounds: int
    seconds: float

    def steps(self) -> Iterator[tuple[int, Dimension, int]]:
        """The rounds in their order; each time another size."""
        for number in range(self.rounds):
            for dimension in self.dimensions:
                sizes = dimension.sizes[: self.sizes]
                for size in sizes if number % 2 else reversed(sizes):
                    yield number, dimension, size


def measured(dimension: Dimension, size: int, number: int, seconds: float) -> Round:
    """One round; one that fails has that on its record."""
    load = dimension.load(size)
    try:
        with SERVER.running("sse") as running:
            running.tell(f"prepare {msgspec.json.encode(load).decode()}")
            running.hear()
            with watching(running, load.connections) as reader:
                values = _paced(running, reader, load, seconds)
        return Round(dimension.name, "sse", size, number, values)
    except (Failed, OSError) as error:
        return Round(dimension.name, "sse", size, number, error=str(error))


def _paced(running: Running, reader: Reader, load: Load, seconds: float) -> dict[str, float]:
    _pace(running, reader, WARM, load.reports)
    idle, _ = _pace(running, reader, seconds, 0)
    busy, frames = _pace(running, reader, seconds, load.reports)
    flushes = round(seconds / TICK)
    changes = busy["changes"] / flushes
    if not 1 - MISSING <= changes / load.changes <= 1 + MISSING:
        raise Failed(f"{changes:.1f} changes a flush, not {load.changes}: it does not keep the pace")
    if frames < (1 - MISSING) * load.frames * flushes:
        raise Failed(f"{frames / flushes:.1f} frames a flush, not {load.frames}: it does not keep the pace")
    return {
        "total": busy["cpu"] / flushes,
        "net": max(busy["cpu"] - idle["cpu"], 0.0) / flushes,
        "idle": idle["cpu"] / seconds,
        "reporting": busy["reporting"] / flushes,
        "changes": changes,
        "frames": frames / flushes,
    }


def _pace(running: Running, reader: Reader, seconds: float, reports: int) -> tuple[dict[str, float], int]:
    running.tell(f"pace {seconds} {reports}")
    reading = reader.count(seconds + TICK)
    return running.hear(), reading.frames


def run(plan: Plan) -> list[Round]:
    """All rounds; each is told of on stderr as it is done."""
    done = []
    for number, dimension, size in plan.steps():
        one = measured(dimension, size, number, plan.seconds)
        cost = f"{one.values['net'] * 1e3:.2f} ms" if one.values else ""
        print(f"growth {number + 1}/{plan.rounds} {dimension.name} {size}: {cost} {one.error or ''}", file=sys.stderr)
        done.append(one)
    return done


def main(arguments: list[str]) -> None:
    options = _parser().parse_args(arguments)
    dimensions = [DIMENSIONS[name] for name in options.dimensions or DIMENSIONS]
    most = max(one.load(size).connections for one in dimensions for size in one.sizes)
    if reason := too_many(most):
        sys.exit(f"left out: {reason}")
    plan = Plan(
        dimensions,
        options.sizes or (3 if options.quick else None),
        options.rounds or (1 if options.quick else 3),
        options.seconds or (0.5 if options.quick else 2.0),
    )
    rounds = run(plan)
    print(growth_table.printed(rounds))
    if options.json:
        write(options.json, "growth", arguments, rounds, [], growth_table.summary(rounds))
    if options.svg:
        options.svg.write_text(plot.growth(rounds))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench growth", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round of the smallest sizes")
    parser.add_argument(
        "--dimensions", nargs="+", choices=DIMENSIONS, metavar="NAME", help=f"only these of: {', '.join(DIMENSIONS)}"
    )
    parser.add_argument("--sizes", type=int, metavar="N", help="only the N smallest of each")
    parser.add_argument("--rounds", type=int, help="of each, for the median (3)")
    parser.add_argument("--seconds", type=float, help="that a round is under load (2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw how the cost grows")
    return parser
