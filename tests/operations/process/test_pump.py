"""Output on its way, piece by piece."""

import asyncio
import os
from collections.abc import Iterator

import pytest

from headway.operations.process.pump import Pump, Tee, write_all
from tests.operations.process.waiting import until, within


class Pipes:
    """A pipe to pump from and one to pump to."""

    def __init__(self) -> None:
        self.source, self.job = os.pipe()
        self.reader, self.destination = os.pipe()

    def fill(self) -> int:
        """Leave no room in the destination; how much that took."""
        os.set_blocking(self.destination, False)
        size = 0
        try:
            while True:
                size += os.write(self.destination, bytes(1024))
        except BlockingIOError:
            os.set_blocking(self.destination, True)
            return size

    def close(self) -> None:
        for descriptor in (self.job, self.reader, self.destination):
            os.close(descriptor)


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    opened = Pipes()
    yield opened
    opened.close()


async def finished(pump: Pump) -> None:
    pump.drain()
    await within(pump.drained())


async def test_what_the_source_holds_is_written_before_it_is_settled(pipes: Pipes) -> None:
    size = pipes.fill()
    pump = Pump(pipes.source, Tee(pipes.destination))
    os.write(pipes.job, b"last words")
    settling = asyncio.ensure_future(pump.settle())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await asyncio.shield(settling)
    os.read(pipes.reader, size)
    await within(settling)
    assert os.read(pipes.reader, 100) == b"last words"
    await finished(pump)


async def test_one_that_has_ended_is_settled(pipes: Pipes) -> None:
    pump = Pump(pipes.source, Tee())
    await finished(pump)
    await within(pump.settle())


async def test_what_is_still_being_settled_at_the_end_is_settled(pipes: Pipes) -> None:
    pump = Pump(pipes.source, Tee())
    settling = asyncio.ensure_future(pump.settle())
    await asyncio.sleep(0)
    await finished(pump)
    await within(settling)


async def test_without_a_destination_it_can_read_on(pipes: Pipes) -> None:
    seen: list[bytes] = []
    reader, destination = os.pipe()
    os.close(reader)
    pump = Pump(pipes.source, Tee(destination, seen.append, outlive_destination=True))
    os.write(pipes.job, b"one")
    await until(lambda: seen == [b"one"], "it is seen")
    os.write(pipes.job, b"two")
    await until(lambda: seen == [b"one", b"two"], "it is seen")
    await finished(pump)
    os.close(destination)


async def test_after_the_end_of_the_loop_it_ends_quietly(pipes: Pipes) -> None:
    async def begin() -> None:
        Pump(pipes.source, Tee(pipes.destination)).drain()

    await asyncio.to_thread(asyncio.run, begin())
    os.write(pipes.job, b"late")


async def test_everything_is_written_however_little_is_taken_at_a_time(
    monkeypatch: pytest.MonkeyPatch, pipes: Pipes
) -> None:
    original = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: original(descriptor, data[:3]))
    write_all(pipes.destination, b"0123456789")
    assert os.read(pipes.reader, 100) == b"0123456789"
    os.close(pipes.source)
