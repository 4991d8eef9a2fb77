"""Signals to this process reach its job, and nothing else changes."""

import asyncio
import os
import signal

from headway.operations.process.signals import Relay, handling
from tests.operations.process.waiting import until


async def test_signals_that_come_too_early_wait_for_the_job() -> None:
    relay, sent = Relay(), list[int]()
    relay(signal.SIGTERM)
    relay(signal.SIGINT)
    relay.connect(sent.append)
    relay(signal.SIGHUP)
    assert sent == [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]


async def test_handlers_are_put_back() -> None:
    def handler(*_: object) -> None: ...

    before = signal.signal(signal.SIGUSR1, handler)
    got: list[int] = []
    try:
        with handling({signal.SIGUSR1: got.append}):
            os.kill(os.getpid(), signal.SIGUSR1)
            await until(lambda: got, "it is handled")
        assert signal.getsignal(signal.SIGUSR1) is handler
    finally:
        signal.signal(signal.SIGUSR1, before)


async def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    got: list[int] = []
    try:
        with handling({signal.SIGUSR1: got.append}):
            os.kill(os.getpid(), signal.SIGUSR1)
            await asyncio.sleep(0)
            assert signal.getsignal(signal.SIGUSR1) == signal.SIG_IGN
        assert got == []
    finally:
        signal.signal(signal.SIGUSR1, before)
