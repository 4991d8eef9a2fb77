"""``python -m bench [NAME…]``: run measurements and print their ratios. Without a name, all of them."""

import argparse
import asyncio
import json
import sys

from bench import commit, eta, fanout, flood, growth, ingest, listing, memory, nodes, reporting, start
from bench.table import Result, printed

BENCHES = {"commit": commit.run}
ALONE = {
    "eta": eta.main,
    "fanout": fanout.main,
    "flood": flood.main,
    "growth": growth.main,
    "ingest": ingest.main,
    "list": listing.main,
    "memory": memory.main,
    "nodes": nodes.main,
    "reporting": reporting.main,
    "start": start.main,
}
"""With tables and options of their own."""


def main() -> None:
    if sys.argv[1:] and sys.argv[1] in ALONE:
        return ALONE[sys.argv[1]](sys.argv[2:])
    names = ", ".join([*BENCHES, *ALONE])
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        epilog=f"{', '.join(ALONE)} have options of their own: python -m bench NAME --help",
    )
    parser.add_argument("names", nargs="*", choices=[*BENCHES, []], metavar="NAME", help=names)
    parser.add_argument("--json", action="store_true", help="print JSON lines instead of tables")
    options = parser.parse_args()
    for name in options.names or BENCHES:
        results: list[Result] = asyncio.run(BENCHES[name]())
        print(json.dumps({"bench": name, "results": results}) if options.json else printed(name, results))
    if not options.names:
        for name, run in ALONE.items():
            run(["--json"] if options.json and name == "eta" else [])


main()
