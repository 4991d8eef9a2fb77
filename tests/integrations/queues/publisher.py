"""A program that publishes tasks of one library, as it is told: ``python -m tests.integrations.queues.publisher NAME``.

A line of its input, JSON, is ``{"task", "args", "owner", "stop"}``, the last the
id of a task to be stopped by the library's own means; one of its output the id of the task, and how many seconds
publishing took.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import time

from tests.integrations.queues import work


def main(library: str) -> None:
    """Until its input ends."""
    with asyncio.Runner() as runner:
        shop = importlib.import_module(f"tests.integrations.queues.{library}_shop")
        for line in sys.stdin:
            told = json.loads(line)
            work.owner = told["owner"]
            began, id = time.monotonic(), told["stop"]
            if id is None:
                id = runner.run(shop.publish(told["task"], *told["args"]))
            else:
                runner.run(shop.stop(id))
            sys.stdout.write(json.dumps({"id": id, "seconds": time.monotonic() - began}) + "\n")
            sys.stdout.flush()
        runner.run(shop.close())


if __name__ == "__main__":
    main(sys.argv[1])
