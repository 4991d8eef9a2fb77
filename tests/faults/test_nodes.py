"""Nodes and their store, cut off from each other, killed and started again, many times.

``HEADWAY_FAULTS`` says how many faults there are to be.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from pathlib import Path

import pytest

from tests.faults.cluster import SERVERS, Cluster, cluster

FAULTS = int(os.environ.get("HEADWAY_FAULTS", "60"))
DEADLINE = 60.0 + FAULTS
"""Seconds after which the test does not wait any longer."""

PAUSE = 0.05
"""Seconds between two faults, on the average."""

KINDS = {"cut": 80, "refuse": 8, "store killed": 4, "store hangs": 3, "node killed": 3, "node hangs": 2}
"""And how many of a hundred are of each."""


@pytest.mark.skipif(FAULTS < 1, reason="HEADWAY_FAULTS is 0")
@pytest.mark.parametrize("scheme", SERVERS)
async def test_no_lifecycle_event_is_lost_or_told_twice_whatever_breaks(tmp_path: Path, scheme: str) -> None:
    async with asyncio.timeout(DEADLINE), cluster(tmp_path, scheme) as all_of_it:
        await all_of_it.through(_faults(all_of_it))
        assert len(all_of_it.ended) > FAULTS / 10


async def _faults(cluster: Cluster) -> None:
    for _ in range(FAULTS):
        await asyncio.sleep(random.expovariate(1 / PAUSE))
        await _fault(cluster, random.choices([*KINDS], [*KINDS.values()])[0])


async def _fault(cluster: Cluster, kind: str) -> None:
    node = random.choice(cluster.nodes)
    if kind == "cut":
        node.proxy.cut()
    elif kind == "refuse":
        node.proxy.refuse(True)
        await asyncio.sleep(random.uniform(0, 0.5))
        node.proxy.refuse(False)
    elif kind == "store killed":
        await asyncio.to_thread(cluster.store.kill)
        await asyncio.to_thread(cluster.store.start)
    elif kind == "node killed":
        await node.restart()
    else:
        hangs = cluster.store if kind == "store hangs" else node.serving
        hangs.signal(signal.SIGSTOP)
        await asyncio.sleep(random.uniform(0, 0.5))
        hangs.signal(signal.SIGCONT)
