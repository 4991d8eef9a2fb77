"""A connection whose answer is written by someone else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from headway.server.ending import Ending
from headway.server.protocols import outlet as module
from headway.server.protocols.outlet import HIGH_WATER, Outlet
from tests.server.harness import eventually


class FakeTransport(asyncio.Transport):
    """Remembers what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Any] = []
        self.closing = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.told.append(("limit", high))

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self

    def setsockopt(self, *option: int) -> None:
        raise OSError("not a socket of TCP")

    def write(self, data: Any) -> None:
        self.told.append(bytes(data))

    def close(self) -> None:
        self.closing = True
        self.told.append("close")

    def abort(self) -> None:
        self.closing = True
        self.told.append("abort")

    def is_closing(self) -> bool:
        return self.closing


class FakeReader:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def paused(self) -> None:
        self.told.append("paused")

    def resumed(self) -> None:
        self.told.append("resumed")

    def gone(self) -> None:
        self.told.append("gone")


def last_words(ending: Ending, last: bytes) -> bytes:
    return last + b"<%b>" % ending.name.encode()


@pytest.fixture
def transport() -> FakeTransport:
    return FakeTransport()


@pytest.fixture
def reader() -> FakeReader:
    return FakeReader()


@pytest.fixture
async def outlet(transport: FakeTransport, reader: FakeReader) -> Outlet:
    made = Outlet(transport, reader, last_words)
    assert transport.told.pop(0) == ("limit", HIGH_WATER)
    return made


async def test_what_is_written_goes_straight_to_the_transport(outlet: Outlet, transport: FakeTransport) -> None:
    outlet.write(b"a")
    outlet.write(b"b")
    assert transport.told == [b"a", b"b"]


async def test_it_ends_with_the_last_word_and_closes(outlet: Outlet, transport: FakeTransport) -> None:
    outlet.finish(Ending.STOPPING, b"retry")
    assert transport.told == [b"retry<STOPPING>", "close"]


async def test_it_ends_once(outlet: Outlet, transport: FakeTransport) -> None:
    for ending in (Ending.REVOKED, Ending.REVOKED, Ending.STOPPING, Ending.STALLED):
        outlet.finish(ending, b"")
    assert transport.told == [b"<REVOKED>", "close"]


async def test_who_does_not_read_the_last_word_is_cut_off(
    outlet: Outlet, transport: FakeTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PARTING", 0.01)
    outlet.finish(Ending.REVOKED, b"")
    await eventually(lambda: transport.told[-1] == "abort")


async def test_one_that_is_closing_already_gets_no_more_words_and_is_cut_off_as_well(
    outlet: Outlet, transport: FakeTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PARTING", 0.01)
    transport.closing = True  # its client has closed its half, and does not drain what was written before
    outlet.finish(Ending.STOPPING, b"retry")
    assert transport.told == []
    await eventually(lambda: transport.told == ["abort"])


async def test_a_stalled_one_is_cut_off_without_a_word(outlet: Outlet, transport: FakeTransport) -> None:
    outlet.finish(Ending.STALLED, b"")
    assert transport.told == ["abort"]


async def test_the_reader_is_told_when_to_pause_and_to_go_on_and_once_that_it_is_over(
    outlet: Outlet, reader: FakeReader
) -> None:
    outlet.paused()
    outlet.resumed()
    outlet.lost()
    outlet.lost()
    outlet.paused()
    outlet.resumed()
    assert reader.told == ["paused", "resumed", "gone"]


async def test_one_that_drains_after_its_end_is_not_written_to(outlet: Outlet, reader: FakeReader) -> None:
    outlet.finish(Ending.REVOKED, b"")
    outlet.resumed()
    outlet.lost()
    assert reader.told == ["gone"]


async def test_a_detached_reader_is_told_nothing_more_and_the_connection_lasts(
    outlet: Outlet, reader: FakeReader, transport: FakeTransport
) -> None:
    outlet.detach()
    outlet.paused()
    outlet.resumed()
    outlet.lost()
    assert (reader.told, transport.told) == (["gone"], [])


async def test_waiting_lasts_until_the_connection_is_over(outlet: Outlet, transport: FakeTransport) -> None:
    waiting = asyncio.create_task(outlet.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    outlet.lost()
    await waiting


async def test_a_server_that_is_done_waiting_cuts_it_off(outlet: Outlet, transport: FakeTransport) -> None:
    waiting = asyncio.create_task(outlet.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert transport.told == ["abort"]
