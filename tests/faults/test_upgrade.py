"""Nodes that become those of the next release one by one, and back again, while they work and are watched."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from tests.cli.invoking import PROGRAM, environment
from tests.e2e import next_release
from tests.faults.cluster import SERVERS, Cluster, cluster

MUCH = 30
"""Activities that are to begin and end in each state of affairs."""


@pytest.mark.parametrize("scheme", SERVERS)
async def test_nodes_are_upgraded_one_by_one_and_nobody_notices(tmp_path: Path, scheme: str) -> None:
    async with asyncio.timeout(120), cluster(tmp_path, scheme) as all_of_it:
        await all_of_it.through(_upgrade(all_of_it))


async def _upgrade(cluster: Cluster) -> None:
    first, second = cluster.nodes
    for node, program in (
        (first, next_release.PROGRAM),
        (second, PROGRAM),  # which is old, and starts among what is newer
        (second, next_release.PROGRAM),
        (first, PROGRAM),
    ):
        await node.become(program)
        before = len(cluster.ended)
        while len(cluster.ended) < before + MUCH:
            await asyncio.sleep(0.02)
        for known in (PROGRAM, next_release.PROGRAM):
            await asyncio.to_thread(_make_token, cluster, known)


def _make_token(cluster: Cluster, program: tuple[str, ...]) -> None:
    data = cluster.nodes[0].serving.data
    command = [*program, "token", "create", "anna", "--store", cluster.store.url, "--data", str(data)]
    made = subprocess.run(command, env=environment(data), capture_output=True, text=True, timeout=60, check=True)
    assert made.stdout.startswith("hw")
