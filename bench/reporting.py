"""What it costs that 1,000 jobs of one process report 10 times a second each, to a server as ``headway serve`` runs it.

Together: as our client does it, whatever several jobs have to say in one request, and one request held for all cancels.
Alone: the same client with a server that knows of one activity at a time, so a request for each job whenever it has
news, and one held for each. Either way a job's reports within 0.2 seconds are conflated. Counted are requests, and the
processor time of the process that reports and of the server, a second; the two ways take turns on one server.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from statistics import median

from bench.machine import cpu_seconds
from bench.record import heading, write
from bench.rounds import Round
from bench.servers import SERVERS, python
from bench.talk import Failed, heard, say, started

WAYS = ("together", "alone")
SETTLING = 1.0
"""Seconds before it is counted."""


def measured(way: str, jobs: int, number: int, seconds: float) -> Round:
    """One round, on a server of its own; one that fails has that on its record."""
    try:
        with SERVERS["fast"].running("sse") as server:
            command = python("working", way.encode(), b"%d" % server.port, (server.token or "").encode(), b"%d" % jobs)
            with started(command, "reader") as process:
                heard(process)
                say(process, str(min(SETTLING, seconds)))
                heard(process, SETTLING)
                before = cpu_seconds(server.process.pid)
                say(process, str(seconds))
                told = heard(process, seconds)
                used = cpu_seconds(server.process.pid) - before
    except (Failed, OSError) as error:
        return Round(way, "http", jobs, number, error=str(error))
    values = {name: told[name] for name in ("requests", "changes", "cpu", "reports")}
    values["server_cpu"] = used / told["seconds"]
    for name in ("requests", "cpu", "server_cpu"):
        values[f"{name}_each"] = values[name] / max(1.0, values["changes"])
    return Round(way, "http", jobs, number, values)


def summary(rounds: list[Round]) -> dict[str, float]:
    """How many times as much a change costs alone: the median of the rounds that were next to each other."""
    found: dict[str, float] = {}
    for name in ("requests_each", "cpu_each", "server_cpu_each"):
        ratios = []
        for number in {one.number for one in rounds}:
            pair = {one.server: one.values for one in rounds if one.number == number and one.error is None}
            if len(pair) == len(WAYS) and pair["together"][name]:
                ratios.append(pair["alone"][name] / pair["together"][name])
        if ratios:
            found[name] = median(ratios)
    return found


def printed(rounds: list[Round]) -> str:
    """A table."""
    columns = (
        ("jobs", 8),
        ("requests/s", 12),
        ("changes/s", 11),
        ("process", 10),
        ("server", 10),
        ("reports/s a job", 18),
    )
    lines = [heading("reporting"), " " * 12 + "".join(f"{name:>{width}}" for name, width in columns)]
    for one in rounds:
        if one.error is not None:
            lines.append(f"  {one.server:<10}{one.watchers:>8}  {one.error}")
            continue
        v = one.values
        told = f"{v['requests']:>12,.0f}{v['changes']:>11,.0f}"
        cpu = f"{v['cpu']:>10.0%}{v['server_cpu']:>10.0%}"
        lines.append(f"  {one.server:<10}{one.watchers:>8}{told}{cpu}{v['reports']:>18.1f}")
    ratios = ", ".join(f"{name.removesuffix('_each')} {value:,.1f}" for name, value in summary(rounds).items())
    return "\n".join([*lines, f"  for a change, alone ÷ together: {ratios or 'nothing to compare'}", ""])


def main(arguments: list[str]) -> None:
    options = _parser().parse_args(arguments)
    rounds = []
    for number in range(options.rounds):
        for way in WAYS if number % 2 == 0 else WAYS[::-1]:
            rounds.append(measured(way, options.jobs, number, options.seconds))
            print(f"reporting {number + 1}/{options.rounds} {way}: {rounds[-1].error or 'done'}", file=sys.stderr)
    print(printed(rounds))
    if options.json:
        write(options.json, "reporting", arguments, rounds, [], {"ratios": summary(rounds)})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench reporting", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each round")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the record of the run there")
    return parser
