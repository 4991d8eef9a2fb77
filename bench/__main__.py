"""``python -m bench [NAME…]``: run measurements and print their ratios. Without a name, all of them."""

import argparse
import asyncio
import json

from bench import commit, report
from bench.table import Result, printed

BENCHES = {"report": report.run, "commit": commit.run}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHES, []], metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--json", action="store_true", help="print JSON lines instead of tables")
    options = parser.parse_args()
    for name in options.names or BENCHES:
        results: list[Result] = asyncio.run(BENCHES[name]())
        print(json.dumps({"bench": name, "results": results}) if options.json else printed(name, results))


main()
