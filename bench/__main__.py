"""``python -m bench [NAME…]``: run measurements and print their ratios. Without a name, all of them."""

import argparse
import asyncio
import json
import sys

from bench import commit, eta, report
from bench.table import Result, printed

BENCHES = {"report": report.run, "commit": commit.run}


def main() -> None:
    if sys.argv[1:2] == ["eta"]:  # measures errors, not times: with a table and options of its own
        return eta.main(sys.argv[2:])
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHES, []], metavar="NAME", help=", ".join([*BENCHES, "eta"]))
    parser.add_argument("--json", action="store_true", help="print JSON lines instead of tables")
    options = parser.parse_args()
    for name in options.names or BENCHES:
        results: list[Result] = asyncio.run(BENCHES[name]())
        print(json.dumps({"bench": name, "results": results}) if options.json else printed(name, results))
    if not options.names:
        eta.main(["--json"] if options.json else [])


main()
