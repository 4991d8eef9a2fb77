"""How a child ended is learned without reaping it."""

import errno
import os
import subprocess

import pytest

from headway.operations.process import exits
from headway.operations.process.exits import ExitStatus, child_exit


async def test_a_child_that_has_ended_stays_a_zombie() -> None:
    with subprocess.Popen(["sh", "-c", "exit 3"]) as child:
        assert await child_exit(child.pid) == ExitStatus(3)
        assert await child_exit(child.pid) == ExitStatus(3)
        assert child.wait() == 3


async def test_without_pidfds_a_thread_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int) -> int:
        raise OSError(errno.ENOSYS, "no such system call")

    monkeypatch.setattr(os, "pidfd_open", refuse)
    with subprocess.Popen(["sh", "-c", "sleep 0.1; kill -9 $$"]) as child:
        assert await child_exit(child.pid) == ExitStatus(137, 9)
        assert child.wait() == -9


async def test_without_waitid_the_child_is_reaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "waitid")
    with subprocess.Popen(["sh", "-c", "exit 3"]) as child:
        assert await child_exit(child.pid) == ExitStatus(3)
        assert await child_exit(child.pid) == exits.UNKNOWN
        assert child.wait() == 0  # what the standard library makes of that
