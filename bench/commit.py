"""What a durable start costs, against the disk itself: an append and an fsync."""

import asyncio
import os
import tempfile
import time
from pathlib import Path

from bench.table import Result
from headway import Activities, Limits

COUNT = 400
PARALLEL = 4_000


async def run() -> list[Result]:
    with tempfile.TemporaryDirectory() as folder:
        alone = appended(Path(folder, "append"))
        limits = Limits(live_per_owner=COUNT + PARALLEL, live=COUNT + PARALLEL)
        async with Activities(f"sqlite:{folder}/data", limits=limits) as activities:
            begun = time.perf_counter()
            for _ in range(COUNT):
                await activities.create("bench.start", 1, lease=300.0)
            one_by_one = (time.perf_counter() - begun) / COUNT
            begun = time.perf_counter()
            await asyncio.gather(*[activities.create("bench.start", 1, lease=300.0) for _ in range(PARALLEL)])
            together = (time.perf_counter() - begun) / PARALLEL
    return [
        Result(what="append 512 bytes and fsync", seconds=alone),
        Result(what="a start, one after the other", seconds=one_by_one),
        Result(what=f"a start, {PARALLEL} at once (group commit)", seconds=together),
    ]


def appended(path: Path) -> float:
    """Seconds for one."""
    record = b"x" * 512
    with path.open("wb", buffering=0) as file:
        begun = time.perf_counter()
        for _ in range(COUNT):
            file.write(record)
            os.fsync(file.fileno())
        return (time.perf_counter() - begun) / COUNT
