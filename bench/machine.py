"""This machine: what it is, what it lets us do, and what a process has used of it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Literal

from headway.server.sockets import raise_open_files

Role = Literal["server", "reader", "any"]

NATIVE = Path(__file__).parent / "native"
SPARE_FILES = 200
"""Of those that a server may have open, what it needs beside its connections."""


def described() -> dict[str, Any]:
    """For the record of a run."""
    return {
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "cpu": _cpu_model(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
        "open_files": raise_open_files(),
    }


def too_many(connections: int) -> str | None:
    """Why one process cannot hold so many connections here; None if it can."""
    limit = raise_open_files()
    if connections + SPARE_FILES <= limit:
        return None
    return (
        f"{connections} connections need {connections + SPARE_FILES} open files, and the limit is {limit} (ulimit -Hn)"
    )


@contextmanager
def apart(role: Role) -> Iterator[None]:
    """What is started in the block gets processors of its own: the reader one, the server the others; ``any``: all.

    Left to the scheduler, the two now and then share one for a whole round, and everything is half as fast.
    """
    allowed = os.sched_getaffinity(0)
    own = {max(allowed)}
    chosen = {"reader": own, "server": allowed - own, "any": allowed}[role]
    os.sched_setaffinity(0, chosen or allowed)
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def cpu_seconds(pid: int) -> float:
    """What a process and its children have used so far, in user and kernel mode."""
    ticks = 0.0
    for process in _tree(pid):
        try:
            ticks += _on_cpu(process)
        except OSError:  # it has ended
            continue
    return ticks


def busy_seconds() -> float:
    """What all processors together have been busy so far, for whomever; what a hypervisor took from us counts."""
    user, nice, system, _, _, *interrupts = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    return sum(map(int, (user, nice, system, *interrupts))) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """Memory that a process and its children hold now."""
    pages = 0
    for process in _tree(pid):
        pages += int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@cache
def compiled(name: str) -> Path | None:
    """A program of ``native``; None without a C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    folder = cache_folder() / "native"
    folder.mkdir(parents=True, exist_ok=True)
    program, source = folder / name, NATIVE / f"{name}.c"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        with tempfile.TemporaryDirectory(dir=folder) as fresh:  # two benches may do this at once
            command = [compiler, "-O2", "-Wall", "-Wextra", "-Werror", "-o", f"{fresh}/{name}", str(source)]
            subprocess.run(command, check=True)
            Path(fresh, name).replace(program)
    return program


def cache_folder() -> Path:
    """Where what was compiled and installed for a bench stays until the next."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "headway-bench")


def _tree(pid: int) -> list[int]:
    found = [pid]
    for process in found:  # grows while it is gone through
        for children in Path(f"/proc/{process}/task").glob("*/children"):
            found += map(int, children.read_text().split())
    return found


def _on_cpu(pid: int) -> float:
    """By the scheduler's own account where it keeps one, which is finer than the tick of ``stat``."""
    accounts = list(Path(f"/proc/{pid}/task").glob("*/schedstat"))
    if accounts:
        return sum(int(account.read_text().split()[0]) for account in accounts) / 1e9
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
