"""A server on real sockets, an application for it, and clients that send exactly the bytes they are told to."""

import asyncio
import contextlib
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

from starlette.types import ASGIApp, Receive, Scope, Send

from headway.server.serve import Server

DEADLINE = 60.0
"""Seconds that anything is waited for. Only a hang takes that long."""


class App:
    """``/events`` and every WebSocket are streams that last until their client leaves or ``tell`` is called; anything
    else answers with the size of the body.
    """

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.received: list[Any] = []
        self.streams: set[asyncio.Queue[bytes | None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        self.scopes.append(scope)
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await self._stream(receive, lambda data: send({"type": "websocket.send", "text": data.decode()}))
        elif scope["path"] == "/events":
            headers = [(b"content-type", b"text/event-stream")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await self._stream(
                receive, lambda data: send({"type": "http.response.body", "body": data, "more_body": True})
            )
            await send({"type": "http.response.body", "body": b""})
        else:
            await self._echo_size(receive, send)

    def forget(self) -> None:
        """Begin anew, for another test."""
        self.scopes.clear()
        self.received.clear()
        self.streams.clear()

    async def tell(self, data: bytes) -> None:
        for stream in self.streams:
            stream.put_nowait(data)

    async def end_streams(self) -> None:
        for stream in self.streams:
            stream.put_nowait(None)
        while self.streams:
            await asyncio.sleep(0.001)

    async def _echo_size(self, receive: Receive, send: Send) -> None:
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            size += len(message["body"])
            more = message["more_body"]
        body = b"%d" % size
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _stream(self, receive: Receive, write: Callable[[bytes], Any]) -> None:
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.streams.add(queue)

        async def read() -> None:
            while not (message := await receive())["type"].endswith("disconnect"):
                self.received.append(message)
            queue.put_nowait(None)

        reading = asyncio.get_running_loop().create_task(read())
        try:
            while (data := await queue.get()) is not None:
                await write(data)
        except OSError:
            pass  # the client has gone
        finally:
            self.streams.discard(queue)
            reading.cancel()


async def lifespan(receive: Receive, send: Send) -> None:
    """Nothing to start or stop."""
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


@asynccontextmanager
async def running(
    app: ASGIApp, on_urls: Callable[[list[str]], None] = lambda urls: None, **options: Any
) -> AsyncIterator[tuple[Server, int]]:
    """A server and its port, while the block runs."""
    urls: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
    server = Server(app, port=0, on_ready=urls.set_result, **options)
    serving = asyncio.get_running_loop().create_task(server.serve())
    serving.add_done_callback(lambda _: urls.cancel())
    try:
        async with asyncio.timeout(DEADLINE):
            port = int((await urls)[0].rpartition(":")[2])
        on_urls(urls.result())
    except asyncio.CancelledError:
        await serving  # raises why it could not
        raise
    try:
        yield server, port
    finally:
        if server.ready:
            server.stop()
        async with asyncio.timeout(DEADLINE):
            await serving


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def pause_reading(self) -> None:
        """Let what the server sends pile up."""
        cast(asyncio.Transport, self.writer.transport).pause_reading()

    async def head(self) -> tuple[int, dict[str, str]]:
        """Status and headers of the next answer."""
        async with asyncio.timeout(DEADLINE):
            status, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
        headers = dict(line.lower().split(": ", 1) for line in lines)
        return int(status.split()[1]), headers

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """The next answer, whose length is told."""
        status, headers = await self.head()
        async with asyncio.timeout(DEADLINE):
            return status, headers, await self.reader.readexactly(int(headers.get("content-length", "0")))

    async def until(self, data: bytes) -> bytes:
        async with asyncio.timeout(DEADLINE):
            return await self.reader.readuntil(data)

    async def rest(self) -> bytes:
        """All that comes until the server closes; resets count as that."""
        async with asyncio.timeout(DEADLINE):
            pieces = []
            with contextlib.suppress(ConnectionError):
                while piece := await self.reader.read(65_536):
                    pieces.append(piece)
            return b"".join(pieces)

    # WebSocket

    async def handshake(self, path: str = "/socket", *more: str) -> tuple[int, dict[str, str]]:
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Connection: Upgrade", "Upgrade: websocket"]
        lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", *more, "", ""]
        self.send("\r\n".join(lines).encode("latin-1"))
        return await self.head()

    def send_frame(self, opcode: int, payload: bytes = b"", *, fin: bool = True) -> None:
        self.send(frame(opcode, payload, fin=fin))

    async def frame(self) -> tuple[int, bytes]:
        """Opcode and payload of the next frame."""
        async with asyncio.timeout(DEADLINE):
            first, length = await self.reader.readexactly(2)
            if length == 126:
                (length,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", await self.reader.readexactly(8))
            return first & 15, await self.reader.readexactly(length)

    async def close_code(self) -> int:
        """The code of the next frame, which closes."""
        opcode, payload = await self.frame()
        assert opcode == CLOSE, (opcode, payload)
        return int.from_bytes(payload[:2], "big")


CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """A client's frame, masked with zeros."""
    length = len(payload)
    if length < 126:
        size = struct.pack("!B", 128 | length)
    elif length < 65_536:
        size = struct.pack("!BH", 128 | 126, length)
    else:
        size = struct.pack("!BQ", 128 | 127, length)
    return bytes([fin << 7 | opcode]) + size + bytes(4) + payload


@asynccontextmanager
async def connected(port: int, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> AsyncIterator[Client]:
    name = None if tls is None else "localhost"
    reader, writer = await asyncio.open_connection(host, port, ssl=tls, server_hostname=name)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.001)
