"""python-socketio: ``emit`` to everyone. Arguments: BEFORE AFTER."""

from __future__ import annotations

import json

import socketio

from bench.frame import Split
from bench.peers.serving import parts, under_uvicorn

frame = Split(*parts())
server = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins=[])


async def publish(stamp: str) -> None:
    await server.emit("activity", json.loads(frame.stamped(stamp.encode())))


under_uvicorn(socketio.ASGIApp(server), publish)
