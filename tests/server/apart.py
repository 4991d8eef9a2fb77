"""A server in a process of its own, whose inside can be asked for: what it holds, and how much memory it takes.

Run as a program it is that process; its arguments are ``Options`` as JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from starlette.types import Receive, Scope, Send

from headway.admission import Limits
from headway.core.lifecycle import Report
from headway.hub import Activities
from headway.server.app import create_app
from headway.server.extension import EXTENSION
from headway.server.guard import Guard
from headway.server.replies import Reply
from headway.server.serve import Server, run
from headway.server.service import Service, StreamLimits
from tests.server.harness import connected
from tests.server.whole import Whole, by_name, read_answer

ROOT = Path(__file__).parents[2]


class Options(msgspec.Struct, frozen=True):
    """What the server is to be."""

    fast: bool = True
    activities: int = 0
    """Of alice's, of about 500 bytes each."""
    stall: float = 1_000.0
    ping: float = 10.0


class Inside(msgspec.Struct, frozen=True):
    """What the server holds."""

    places: int
    channels: int
    watchers: int
    tasks: int
    files: int
    memory: int
    """Bytes that are the process's alone."""


class Apart:
    """The server, from outside."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port = process, port
        self.whole = Whole(port, None, None, {}, Path())  # type: ignore[arg-type]

    async def inside(self) -> Inside:
        async with connected(self.port) as client:
            client.send(b"GET /inside HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return msgspec.json.decode((await read_answer(client)).body, type=Inside)


@asynccontextmanager
async def apart(**options: object) -> AsyncIterator[Apart]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.server.apart", json.dumps(options)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"},
    )
    try:
        assert process.stdout is not None
        yield Apart(process, int(await asyncio.to_thread(process.stdout.readline)))
    finally:
        process.terminate()
        code = await asyncio.to_thread(process.wait, 60)
        process.communicate()
    assert code == 0


def _memory() -> int:
    gc.collect()
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) * 1024


async def _main(options: Options) -> int:
    async with Activities(limits=Limits(live_per_owner=100_000)) as activities:
        limits = StreamLimits(per_user=1_000_000, total=1_000_000, ping=options.ping, stall=options.stall)
        service = Service(activities, by_name, streams=limits)
        app = Guard(create_app(service))
        for _ in range(options.activities):
            await activities.create("test.large", 2, report=Report(context={"text": "x" * 300}))

        async def outermost(scope: Scope, receive: Receive, send: Send) -> None:
            if not options.fast:
                scope.get("extensions", {}).pop(EXTENSION, None)
            if scope.get("path") != "/inside":
                await app(scope, receive, send)
                return
            inside = Inside(
                places=len(service.places),
                channels=len(service.channels),
                watchers=len(service.broadcaster),
                tasks=len(asyncio.all_tasks()),
                files=len(os.listdir("/proc/self/fd")),
                memory=_memory(),
            )
            body = msgspec.json.encode(inside)
            await Reply(200, ((b"content-length", b"%d" % len(body)),), body).give(send)

        def ready(urls: list[str]) -> None:
            sys.stdout.write(urls[0].rpartition(":")[2] + "\n")
            sys.stdout.flush()

        return await Server(outermost, port=0, on_ready=ready, on_stop=service.stop).serve()


if __name__ == "__main__":
    sys.exit(run(_main(msgspec.json.decode(sys.argv[1], type=Options))))
