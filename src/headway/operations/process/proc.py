"""Processes as ``/proc`` shows them (Linux, proc(5)); elsewhere it shows none."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass

AVAILABLE = os.path.exists("/proc/self/stat")


@dataclass(frozen=True, slots=True)
class Entry:
    """One process. `pid` and `started` together name it for ever; a pid alone may be given to another one later."""

    pid: int
    parent: int
    group: int
    session: int
    started: int
    """Clock ticks since boot."""
    dead: bool
    """A zombie: it runs no more, and waits for its parent to reap it."""


def read(pid: int) -> Entry | None:
    """One process, or None if there is no such process."""
    text = _read(f"/proc/{pid}/stat")
    if not text:
        return None
    # The name stands in brackets and may hold brackets and blanks itself: count from the last one.
    fields = text[text.rindex(b")") + 2 :].split()
    # A process whose first thread has left looks like a zombie while its other threads run.
    dead = fields[0] in (b"Z", b"X") and int(fields[17]) <= 1
    return Entry(pid, int(fields[1]), int(fields[2]), int(fields[3]), int(fields[19]), dead)


def read_all(pids: Iterable[int]) -> list[Entry]:
    """Those of the processes that exist, read one after the other: no snapshot."""
    return [entry for entry in map(read, pids) if entry is not None]


def everything() -> list[Entry]:
    """Every process there is."""
    return read_all(int(name) for name in os.listdir("/proc") if name.isdigit()) if AVAILABLE else []


def children() -> set[int]:
    """Process ids of our children; all that we adopted are among them, as orphans go to the oldest thread."""
    me = os.getpid()
    text = _read(f"/proc/{me}/task/{me}/children")
    if text is None:  # a kernel without CONFIG_PROC_CHILDREN
        return {entry.pid for entry in everything() if entry.parent == me}
    return {int(pid) for pid in text.split()}


def variable(pid: int, name: str) -> str:
    """A variable of the environment that the process was started with; empty if it cannot be read (gone, not ours)."""
    prefix = os.fsencode(name) + b"="
    for setting in (_read(f"/proc/{pid}/environ") or b"").split(b"\0"):
        if setting.startswith(prefix):
            return os.fsdecode(setting[len(prefix) :])
    return ""


def send(entry: Entry, signum: int) -> None:
    """Signal that very process, never one that was given its number since. What cannot be signalled is let be."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(signal, "pidfd_send_signal") and (descriptor := _pidfd(entry.pid)) is not None:
            try:
                if _same(entry):
                    signal.pidfd_send_signal(descriptor, signum)
            finally:
                os.close(descriptor)
        elif _same(entry):
            os.kill(entry.pid, signum)


def reap(pid: int) -> None:
    """Take a dead child's status, so that it is a zombie no more."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _same(entry: Entry) -> bool:
    now = read(entry.pid)
    return now is not None and now.started == entry.started


def _pidfd(pid: int) -> int | None:
    if hasattr(os, "pidfd_open"):
        try:
            descriptor: int = os.pidfd_open(pid)
            return descriptor
        except ProcessLookupError:
            raise
        except OSError:  # not here after all: a sandbox, Linux before 5.3
            return None
    return None


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except OSError:
        return None
