"""WebSocket clients that send rubbish, vanish or come in crowds: nobody else notices, and nothing of them is left."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest

from headway.core.lifecycle import Report
from headway.server.service import StreamLimits
from tests.server.harness import CLOSE, PING, TEXT, Client, connected, frame
from tests.server.whole import SOCKETS, Whole, eventually, in_memory

SEEDS = range(12)
SOCKETS_EACH = 12
OUR_CODES = {1000, 1002, 1003, 1007, 1009}


@pytest.fixture(scope="module")
async def crowd() -> AsyncIterator[Whole]:
    """A server that lets in as many as come."""
    async with in_memory(streams=StreamLimits(per_user=1_000)) as whole:
        yield whole


@asynccontextmanager
async def nobody_notices(whole: Whole, caplog: pytest.LogCaptureFixture) -> AsyncIterator[None]:
    """While the block runs others are served as ever; afterwards nothing is left, nor anything in the log."""
    caplog.set_level(logging.WARNING)
    await eventually(lambda: len(whole.service.places) == 0)
    before = len(asyncio.all_tasks())
    async with whole.socket("bob") as socket, whole.events("bob") as stream:
        await stream.event()
        yield
        for _ in range(3):
            uuid = (await whole.start("bob"))["uuid"]
            assert (await socket.next())["uuid"] == (await stream.next()).told[1] == uuid
            await whole.change(uuid, "bob", state="succeeded")
            assert (await socket.next())["event"] == (await stream.next()).told[0] == "ended"
        await eventually(lambda: len(whole.service.places) == 2)
    await eventually(lambda: (len(whole.service.places), len(whole.service.channels)) == (0, 0))
    await eventually(lambda: len(asyncio.all_tasks()) <= before)
    assert [
        record.getMessage() for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR
    ] == []


@asynccontextmanager
async def hostile(whole: Whole, query: str = "") -> AsyncIterator[Client]:
    async with connected(whole.port) as client:
        assert (await client.handshake(SOCKETS + query, "X-Plex-Token: alice"))[0] == 101
        yield client


def abort(client: Client) -> None:
    """Go without a word: the other side sees a reset."""
    linger = struct.pack("ii", 1, 0)
    client.writer.get_extra_info("socket").setsockopt(1, 13, linger)  # SOL_SOCKET, SO_LINGER
    cast(asyncio.Transport, client.writer.transport).abort()


async def last_words(client: Client) -> int | None:
    """The code that the server closes with; None when it just closes."""
    code = None
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            opcode, payload = await client.frame()
            if opcode == CLOSE:
                code = int.from_bytes(payload[:2], "big") if payload else 1005
    return code


def some_frame(chance: random.Random) -> bytes:
    """A frame, mostly a lawful one."""
    if chance.random() < 0.7:
        opcode = chance.choice([0, TEXT, TEXT, 2, PING, 10])
        return frame(opcode, chance.randbytes(chance.choice([0, 1, 5, 125])), fin=chance.random() < 0.8)
    head = chance.randbytes(1)
    length = chance.choice([b"\x7e\x00\x00", b"\xfe\xff\xff", b"\xff" + chance.randbytes(8), chance.randbytes(1)])
    return head + length + chance.randbytes(chance.choice([0, 4, 200]))


def code_of_close(chance: random.Random) -> bytes:
    """The payload of a close, lawful or not."""
    return chance.choice(
        [b"", b"\x03", struct.pack("!H", chance.randrange(65_536)), b"\x03\xe8\xff\xfe", b"\x03\xe8bye"]
    )


@pytest.mark.parametrize("seed", SEEDS)
async def test_random_frames(crowd: Whole, caplog: pytest.LogCaptureFixture, seed: int) -> None:
    chance = random.Random(seed)

    async def one() -> int | None:
        async with hostile(crowd, chance.choice(["", "?snapshot=1", "?since=x", "?filters=log"])) as client:
            for _ in range(chance.randrange(40)):
                client.send(some_frame(chance))
            client.send(frame(CLOSE, code_of_close(chance)))
            client.send(chance.randbytes(chance.randrange(100)))
            client.writer.write_eof()  # a frame may have begun that would be waited for
            return await last_words(client)

    async with nobody_notices(crowd, caplog):
        codes = await asyncio.gather(*[one() for _ in range(SOCKETS_EACH)])
    # Ours when the client broke a rule, else its own, if that was a lawful one.
    assert set(codes) <= {None, 1005, *OUR_CODES, *range(1_000, 5_000)}
    assert set(codes) & OUR_CODES


@pytest.mark.parametrize("seed", SEEDS)
async def test_random_bytes_in_the_middle_of_a_stream(
    crowd: Whole, caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    chance = random.Random(seed)

    async def one() -> int | None:
        async with hostile(crowd) as client:
            client.send(frame(TEXT, b"hello"))
            data = chance.randbytes(chance.randrange(1, 3_000))
            while data:
                cut = chance.randrange(1, len(data) + 1)
                client.send(data[:cut])
                data = data[cut:]
                await asyncio.sleep(0)
            client.writer.write_eof()
            return await last_words(client)

    async with nobody_notices(crowd, caplog):
        uuid = (await crowd.start())["uuid"]
        codes = await asyncio.gather(*[one() for _ in range(SOCKETS_EACH)])
        await crowd.change(uuid, state="succeeded")
    assert set(codes) <= {None, 1005, *OUR_CODES, *range(3_000, 5_000)}


async def test_one_that_sent_rubbish_and_stays_keeps_nothing_from_the_others(
    crowd: Whole, caplog: pytest.LogCaptureFixture
) -> None:
    async with nobody_notices(crowd, caplog), hostile(crowd, "?snapshot=1") as client:
        await client.frame()
        client.send(b"\xff\xff\xff\xff")
        assert await client.close_code() == 1002
        uuid = (await crowd.start())["uuid"]  # goes to whom it concerns, in the time that the client has to read why
        await crowd.change(uuid, state="succeeded")
        assert await last_words(client) is None


async def test_half_closed_connections_are_closed(crowd: Whole, caplog: pytest.LogCaptureFixture) -> None:
    async with nobody_notices(crowd, caplog):
        for said in (b"", frame(TEXT, b"x"), frame(TEXT, b"x")[:3], frame(CLOSE)):
            async with hostile(crowd) as client:
                client.send(said)
                client.writer.write_eof()
                await last_words(client)


async def test_clients_that_vanish_while_they_are_written_to(crowd: Whole, caplog: pytest.LogCaptureFixture) -> None:
    async with nobody_notices(crowd, caplog):
        uuids = [(await crowd.activities.create("test.flood", 2))[0].uuid for _ in range(200)]

        async def flood() -> None:
            for number in range(10_000):
                for uuid in uuids:
                    crowd.activities.report(uuid, Report(progress=number % 100, title="x" * 200))
                await asyncio.sleep(0.01)

        flooding = asyncio.create_task(flood())
        chance = random.Random(0)
        for _ in range(10):
            async with contextlib.AsyncExitStack() as stack:
                clients = [await stack.enter_async_context(hostile(crowd, "?snapshot=1")) for _ in range(8)]
                for client in clients[:-1]:
                    if chance.random() < 0.5:
                        client.pause_reading()
                await clients[-1].frame()
                for client in clients:
                    abort(client) if chance.random() < 0.7 else client.writer.close()
        flooding.cancel()
        for uuid in uuids:
            await crowd.activities.give_up(uuid, "abandoned")


async def test_crowds_that_come_and_go(crowd: Whole, caplog: pytest.LogCaptureFixture) -> None:
    chance = random.Random(0)
    handshake = crowd.request(
        "GET",
        SOCKETS,
        "alice",
        [
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", "13"),
        ],
    )

    async def one() -> None:
        async with connected(crowd.port) as client:
            # Nothing, a part, the whole, or the whole and more before the answer.
            client.send(handshake[: chance.choice([0, 10, len(handshake) - 2, len(handshake)])])
            if chance.random() < 0.3:
                client.send(chance.randbytes(50))
            if chance.random() < 0.5:
                await asyncio.sleep(chance.random() / 50)
            if chance.random() < 0.5:
                abort(client)

    async with nobody_notices(crowd, caplog):
        for _ in range(5):
            await asyncio.gather(*[one() for _ in range(60)])
