"""The server of ``headway serve`` with an application that only gives answers it was given.

Argument, in hex: a file with the answers as JSON.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from bench.peers.serving import lines, parts, tell
from headway.server.serve import Server, run


class Answer(msgspec.Struct):
    """What is sent for a path."""

    path: str
    status: int
    headers: list[tuple[str, str]]
    body: bytes


def application(answers: Sequence[Answer]) -> ASGIApp:
    """An ASGI application that has been reduced to two messages."""
    messages = {
        answer.path: (
            {"type": "http.response.start", "status": answer.status, "headers": _encoded(answer.headers)},
            {"type": "http.response.body", "body": answer.body},
        )
        for answer in answers
    }

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for phase in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{phase}.complete"})
            return
        start, body = messages[scope["path"]]
        await send(start)
        await send(body)

    return app


def _encoded(headers: Sequence[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


async def main(answers: Sequence[Answer]) -> int:
    def ready(urls: list[str]) -> None:
        tell(port=int(urls[0].rpartition(":")[2]))

    serving = asyncio.create_task(Server(application(answers), port=0, on_ready=ready).serve())
    async for _ in lines():
        pass
    return await serving


if __name__ == "__main__":
    run(main(msgspec.json.decode(Path(parts()[0].decode()).read_bytes(), type=list[Answer])))
