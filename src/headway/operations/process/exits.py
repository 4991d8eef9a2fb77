"""How a child ended, learned without reaping it.

A child that has ended but is not yet waited for keeps its process id, and with it the id of its group and session. So
we look first (``WNOWAIT``), signal and search what it left behind, and reap last: no signal of ours can reach a
stranger that was given the same number.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from dataclasses import dataclass

SIGNALLED = 128
"""Shells report death by signal N as 128 + N (POSIX, Shell Command Language 2.8.2, asks for more than 128)."""


@dataclass(frozen=True, slots=True)
class ExitStatus:
    """How a process ended."""

    code: int
    """As a shell tells it: the exit code, or 128 + the number of the signal."""
    signal: int | None = None
    """The signal that killed it, or None if it exited by itself."""

    @classmethod
    def of(cls, returncode: int) -> ExitStatus:
        """From a number as the subprocess module has it: negative for a signal."""
        return cls(returncode) if returncode >= 0 else cls(SIGNALLED - returncode, -returncode)


UNKNOWN = ExitStatus.of(-9)
"""Whoever could have told us was killed; the likeliest guess is that the process shared its fate."""


async def child_exit(pid: int) -> ExitStatus:
    """Wait until the child `pid` has ended. It stays a zombie, but where ``waitid`` is missing (macOS before 3.13)."""
    descriptor = _pidfd(pid)
    if descriptor is None:
        return await _look_in_thread(pid)
    try:
        await readable(descriptor)
    finally:
        os.close(descriptor)
    return look(pid)


async def readable(descriptor: int) -> None:
    """Wait until there is something to read, or nobody left to write it."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(descriptor, tell)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)


def look(pid: int) -> ExitStatus:
    """Block until the child `pid` has ended; UNKNOWN if it is not ours to ask about."""
    try:
        if not hasattr(os, "waitid"):
            return ExitStatus.of(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        result = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    except ChildProcessError:
        return UNKNOWN
    if result is None:  # only with WNOHANG
        return UNKNOWN
    return ExitStatus.of(result.si_status if result.si_code == os.CLD_EXITED else -result.si_status)


def _pidfd(pid: int) -> int | None:
    """A descriptor that becomes readable when the process ends, where the system has them (Linux 5.3)."""
    if hasattr(os, "pidfd_open"):
        with contextlib.suppress(OSError):
            descriptor: int = os.pidfd_open(pid)
            return descriptor
    return None


async def _look_in_thread(pid: int) -> ExitStatus:
    # A thread of its own: the loop's executor is small, and this one may block for days.
    loop = asyncio.get_running_loop()
    found: asyncio.Future[ExitStatus] = loop.create_future()

    def tell(status: ExitStatus) -> None:
        if not found.done():
            found.set_result(status)

    def work() -> None:
        status = look(pid)
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody asks any more
            loop.call_soon_threadsafe(tell, status)

    threading.Thread(target=work, name=f"headway-exit-{pid}", daemon=True).start()
    return await found
