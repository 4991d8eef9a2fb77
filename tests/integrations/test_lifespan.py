"""The lifespan of a host: when activities open and close, and what a signal does."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from headway import Activities, State
from headway.core.errors import Unavailable
from headway.integrations.lifespan import lifespan


class Streams:
    """What a host serves, as far as a lifespan knows it."""

    def __init__(self) -> None:
        self.stopped = asyncio.Event()

    async def stop(self) -> None:
        self.stopped.set()


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """The signals that the server's own handler hears."""
    numbers: list[int] = []

    def handler(number: int, _: FrameType | None) -> None:
        numbers.append(number)

    before = signal.signal(signal.SIGTERM, handler)
    yield numbers
    signal.signal(signal.SIGTERM, before)


async def test_the_activities_are_open_within_and_closed_after() -> None:
    activities, streams = Activities("memory:"), Streams()
    async with lifespan(activities, streams)(None):
        spawned = await activities.spawn("a.job", asyncio.sleep, 60)
        assert not streams.stopped.is_set()
    assert streams.stopped.is_set()
    assert (await spawned.wait()).state is State.CANCELLED
    with pytest.raises(Unavailable):
        await activities.spawn("a.job", asyncio.sleep, 60)


async def test_they_are_closed_when_the_host_fails() -> None:
    activities = Activities("memory:")
    with pytest.raises(ValueError, match="the host"):
        async with lifespan(activities)(None):
            raise ValueError("the host")
    assert "open=False" in repr(activities)


async def test_a_signal_ends_the_streams_at_once_and_reaches_the_server(heard: list[int]) -> None:
    activities, first, second = Activities("memory:"), Streams(), Streams()
    async with lifespan(activities, first, second)(None):
        signal.raise_signal(signal.SIGTERM)
        assert heard == [signal.SIGTERM]
        async with asyncio.timeout(10):
            await first.stopped.wait()
            await second.stopped.wait()
        assert "open=True" in repr(activities)  # what runs may go on until the server has let go of its requests


async def test_the_handlers_are_the_servers_again_afterwards(heard: list[int]) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with lifespan(Activities("memory:"), Streams())(None):
        assert signal.getsignal(signal.SIGTERM) is not before[1]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


async def test_a_handler_that_came_later_stays(heard: list[int]) -> None:
    later: list[int] = []
    async with lifespan(Activities("memory:"), Streams())(None):
        signal.signal(signal.SIGTERM, lambda number, _: later.append(number))
    signal.raise_signal(signal.SIGTERM)
    assert (heard, later) == ([], [signal.SIGTERM])


async def test_what_nobody_handles_is_left_alone() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        async with lifespan(Activities("memory:"), Streams())(None):
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


async def test_two_hosts_in_one_process_both_hear(heard: list[int]) -> None:
    first, second = Streams(), Streams()
    async with lifespan(Activities("memory:"), first)(None), lifespan(Activities("memory:"), second)(None):
        signal.raise_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            await first.stopped.wait()
            await second.stopped.wait()
    assert heard == [signal.SIGTERM]


def test_in_a_thread_it_does_without_signals(heard: list[int]) -> None:
    handler, told = signal.getsignal(signal.SIGTERM), []

    async def host() -> None:
        async with lifespan(Activities("memory:"), streams := Streams())(None):
            assert signal.getsignal(signal.SIGTERM) is handler
        told.append(streams.stopped.is_set())

    thread = threading.Thread(target=lambda: asyncio.run(host()))
    thread.start()
    thread.join(30)
    assert told == [True]
