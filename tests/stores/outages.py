"""Nodes on a store that goes away, and what a test wants to know of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from headway.core.activity import Activity, State
from headway.core.errors import Unavailable
from headway.hub import Activities
from headway.stores import open_store
from headway.testing.opened import Opened

DEADLINE = 60.0
"""Seconds after which a test does not wait any longer."""


@asynccontextmanager
async def nodes(url: str, count: int = 2) -> AsyncIterator[list[Activities]]:
    async with asyncio.timeout(DEADLINE), AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Activities(url)) for _ in range(count)]


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Opened]:
    async with asyncio.timeout(DEADLINE):
        store = await Opened(open_store(url)).open()
        try:
            yield store
        finally:
            await store.store.close()


async def until(condition: object) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.005)


async def insisted(node: Activities, **attributes: object) -> Activity:
    """Start an activity, again and again until it is acknowledged."""
    while True:
        with suppress(Unavailable):
            activity, _ = await node.create("t", 1, **{"cancellable": True, "lease": 300.0, **attributes})  # type: ignore[arg-type]
            return activity
        await asyncio.sleep(0.01)


def kinds(node: Activities) -> dict[str, list[str]]:
    """What has happened to each activity, as a watcher from the beginning is told."""
    told = node.feed(None).view.since(0)
    assert isinstance(told, list)
    found: dict[str, list[str]] = {}
    for event in told:
        found.setdefault(event.activity.uuid, []).append(event.kind.value)
    return found


async def busy(node: Activities) -> list[str]:
    """Start and end activities until cancelled: those whose end was acknowledged."""
    done: list[str] = []
    try:
        while True:
            activity = await insisted(node)
            while True:
                with suppress(Unavailable):
                    await node.finish(activity.uuid, State.SUCCEEDED)
                    break
                await asyncio.sleep(0.01)
            done.append(activity.uuid)
    except asyncio.CancelledError:
        return done
