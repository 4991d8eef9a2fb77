"""A program that has Headway built in, runs one command as an activity, and is killed or ends at a bad moment.

    python host.py MOMENT FOLDER COMMAND [ARGUMENT...]

The store is in FOLDER. A line with the uuid is printed when the moment has come; at the moments in `ABRUPT` the program
kills itself instead. The command has to print something when it is ready, or to end.
"""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from typing import Any

from headway.core.activity import State
from headway.hub import Activities
from headway.operations.process.process import Process

GRACE = 300.0
"""Seconds: a command that ignores SIGTERM lives until its host is killed."""


def die(*_: Any, **__: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


ABRUPT = ("starting", "ending")


async def main(moment: str, folder: str, argv: list[str]) -> None:
    activities = Activities(f"sqlite:{folder}")
    if moment == "starting":
        Process.start = die  # type: ignore[method-assign]
    elif moment == "ending":
        activities.finish = die  # type: ignore[method-assign]
    await activities.open()
    ready = threading.Event()
    spawned = await activities.spawn_process(
        "t", argv, stdout=subprocess.DEVNULL, on_line=lambda *_: ready.set(), grace=GRACE
    )
    if moment in ("running", "cancelling", "leaving"):
        await asyncio.to_thread(ready.wait)
    if moment == "cancelling":
        await spawned.cancel()
        assert spawned.activity.state is State.CANCELLING
    if moment in ("ending", "ended"):
        await spawned.wait()
    say(spawned.uuid)
    if moment != "leaving":
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
