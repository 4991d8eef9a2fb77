"""What one would write with Starlette and sse-starlette: a queue per client. Arguments: BEFORE AFTER."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from bench.frame import CURSOR, UNSTAMPED, Split
from bench.peers.flooding import Flood
from bench.peers.serving import parts, tell, under_uvicorn

MOST = 10_000
"""Frames that may wait for one client, so that a flood does not take all memory."""

frame = Split(*parts())
queues: set[asyncio.Queue[str]] = set()
flood: Flood | None = None
dropped = 0


async def events(request: Request) -> EventSourceResponse:
    async def stream() -> AsyncIterator[ServerSentEvent]:
        queue: asyncio.Queue[str] = asyncio.Queue(MOST)
        queues.add(queue)
        try:
            while True:
                yield ServerSentEvent(data=await queue.get(), event="activity", id=CURSOR, sep="\n")
        finally:
            queues.discard(queue)

    return EventSourceResponse(stream())


async def socket(websocket: WebSocket) -> None:
    queue: asyncio.Queue[str] = asyncio.Queue(MOST)
    await websocket.accept()
    queues.add(queue)
    try:
        while True:
            await websocket.send_text(await queue.get())
    finally:
        queues.discard(queue)


def publish(stamp: str) -> None:
    global dropped
    data = frame.stamped(stamp.encode()).decode()
    for queue in queues:
        try:
            queue.put_nowait(data)
        except asyncio.QueueFull:
            dropped += 1


async def told(line: str) -> None:
    global flood
    match line.split():
        case ["flood", activities, rate]:
            flood = Flood(int(activities), float(rate), _reports, _end)
            flood.begin()
            tell(activities=activities)
        case ["stop"] if flood is not None:
            await flood.stop()
            tell(**flood.counted(), dropped=dropped)
        case _:
            publish(line)


def _reports(number: int, count: int) -> None:
    for _ in range(count):
        publish(UNSTAMPED)


async def _end(number: int, stamp: str) -> None:
    publish(stamp)


under_uvicorn(Starlette(routes=[Route("/events", events), WebSocketRoute("/socket", socket)]), told)
