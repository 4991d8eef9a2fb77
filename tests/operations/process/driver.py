"""A program that runs one command on its terminal, as `headway run` does, and writes down how that went.

    python driver.py REPORT COMMAND [ARGUMENT...]

SIGUSR1 stops the command. The report is a JSON object, written in one go when all is over.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import sys

from headway.operations.process import FORWARDED, Process, Tee, Terminal


async def main(report: str, command: list[str]) -> int:
    seen = {1: hashlib.sha256(), 2: hashlib.sha256()}
    sizes = {1: 0, 2: 0}

    def tee(stream: int) -> Tee:
        def look(data: bytes) -> None:
            seen[stream].update(data)
            sizes[stream] += len(data)

        return Tee(stream, look)

    before = descriptors()
    terminal = Terminal.find()
    process = await Process.start(
        command, stdout=tee(1), stderr=tee(2), terminal=terminal, forward=FORWARDED, exclusive=True
    )
    stopping: list[asyncio.Task[object]] = []
    asyncio.get_running_loop().add_signal_handler(
        signal.SIGUSR1, lambda: stopping.append(asyncio.ensure_future(process.stop(0.5)))
    )
    with open(f"{report}.pid", "w") as file:
        file.write(f"{os.getpid()} {process.pid}")
    os.rename(f"{report}.pid", f"{report}.running")
    status = await process.wait()
    if terminal is not None:
        terminal.close()
    outcome = {
        "code": status.code,
        "signal": status.signal,
        "digests": {stream: digest.hexdigest() for stream, digest in seen.items()},
        "sizes": sizes,
        "stopped": [repr(await stop) for stop in stopping],
        "descriptors": sorted(descriptors() - before),
    }
    with open(f"{report}.new", "w") as file:
        json.dump(outcome, file)
    os.rename(f"{report}.new", report)
    return status.code


def descriptors() -> set[str]:
    found = set()
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.add(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")
    return found


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1], sys.argv[2:])))
