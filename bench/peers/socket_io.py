"""python-socketio: ``emit`` to everyone. Arguments: BEFORE AFTER, and for one process of several the URL of the Redis
server by which they tell each other.
"""

from __future__ import annotations

import json

import socketio

from bench.frame import UNSTAMPED, Split
from bench.peers.serving import parts, tell, under_uvicorn

before, after, *url = parts()
frame = Split(before, after)
manager = socketio.AsyncRedisManager(url[0].decode()) if url else None
server = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins=[], client_manager=manager)


async def publish(line: str) -> None:
    match line.split():
        case ["burst", count]:
            for _ in range(int(count)):
                await emit(UNSTAMPED)
            tell(messages=int(count))
        case _:
            await emit(line)


async def emit(stamp: str) -> None:
    await server.emit("activity", json.loads(frame.stamped(stamp.encode())))


under_uvicorn(socketio.ASGIApp(server), publish)
