"""A count of what lives, made without the code under test."""

import os
import threading
from pathlib import Path

TAG = "CENSUS_TAG"


def states(pid: int) -> tuple[str, int] | None:
    """State and parent of a process, None if there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return fields[0], int(fields[1])


def name(pid: int) -> str:
    """The name of the program that a process runs; empty if there is none."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def runs(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    state = states(pid)
    return state is not None and state[0] not in "ZX"


def tagged(tag: str) -> list[int]:
    """Running processes that were started with the tag in their environment."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                environment = (folder / "environ").read_bytes()
            except OSError:
                continue
            if f"{TAG}={tag}".encode() in environment.split(b"\0") and runs(int(folder.name)):
                found.append(int(folder.name))
    return found


def children() -> set[int]:
    """All children of this process, zombies too."""
    me = os.getpid()
    pids = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]
    return {pid for pid in pids if (state := states(pid)) is not None and state[1] == me}


def descriptors() -> dict[int, str]:
    """Open descriptors and what they are."""
    found = {}
    for number in os.listdir("/proc/self/fd"):
        try:
            found[int(number)] = os.readlink(f"/proc/self/fd/{number}")
        except OSError:  # the one that listed them
            continue
    return found


def threads() -> set[str]:
    """Names of the threads that the code under test has started."""
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("headway-")}
