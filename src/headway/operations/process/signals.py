"""Signals to this process that are meant for its job."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator, Mapping

FORWARDED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
"""What a person, a shell or a service manager sends to end a program."""


class Relay:
    """Passes signals on to a job; those that come before it has been started wait for it."""

    def __init__(self) -> None:
        self._waiting: list[int] = []
        self._send: Callable[[int], None] = self._waiting.append

    def __call__(self, signum: int) -> None:
        self._send(signum)

    def connect(self, send: Callable[[int], None]) -> None:
        """The job has been started; `send` signals it."""
        self._send = send
        for signum in self._waiting:
            send(signum)


@contextlib.contextmanager
def handling(handlers: Mapping[signal.Signals, Callable[[int], object]]) -> Iterator[None]:
    """Handle signals in the running loop, which must be the main thread's; afterwards, as before.

    What is ignored stays so, for us and for the job: ``nohup`` means both.
    """
    loop = asyncio.get_running_loop()
    before = {signum: signal.getsignal(signum) for signum in handlers}
    taken = {signum: handler for signum, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    try:
        for signum in taken:
            loop.add_signal_handler(signum, handlers[signum], signum)
        yield
    finally:
        for signum, handler in taken.items():
            if loop.remove_signal_handler(signum):
                signal.signal(signum, handler)
