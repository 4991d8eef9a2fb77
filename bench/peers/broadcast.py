"""``websockets.broadcast``. Arguments: BEFORE AFTER."""

from __future__ import annotations

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

from bench.frame import Split
from bench.peers.serving import BACKLOG, lines, listener, parts, tell

connections: set[ServerConnection] = set()


async def handle(connection: ServerConnection) -> None:
    connections.add(connection)
    try:
        await connection.wait_closed()
    finally:
        connections.discard(connection)


async def main() -> None:
    frame, listening = Split(*parts()), listener()
    async with serve(handle, sock=listening, backlog=BACKLOG, compression=None, ping_interval=None):
        tell(port=listening.getsockname()[1])
        async for stamp in lines():
            broadcast(connections, frame.stamped(stamp.encode()).decode())


uvloop.run(main())
