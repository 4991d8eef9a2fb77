"""The server on this machine, as its data folder shows it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from headway.cli.checks.findings import Finding, fail, ok, warn
from headway.cli.connection import SERVER, LocalServer, local_server
from headway.core.errors import HeadwayError
from headway.server.data import admin_token
from headway.stores.folder import FolderLock

LOCKS = Path("/proc/locks")
FREE = 0


def folder(place: Path, locks: Path = LOCKS) -> Iterator[Finding]:
    """What is in a data folder, and whether it fits together."""
    if not place.is_dir():
        yield warn("data", f"there is no folder {place}", "no server has run here yet; start one with `headway serve`")
        return
    if not os.access(place, os.R_OK | os.X_OK):
        yield fail("data", f"you may not look into {place}", "run this as the user that runs the server")
        return
    yield ok("data", str(place))
    holder = lock_holder(place, locks)
    yield note(place, local_server(place), holder)
    yield token(place)


def note(place: Path, server: LocalServer | None, holder: int | None) -> Finding:
    """Whether what the server wrote down is true. ``holder``: who holds the folder's lock; see ``lock_holder``."""
    if server is None and holder:
        says = f"process {holder} holds the folder, and does not listen"
        return warn("local server", says, "it is starting or stopping; if that lasts, end it")
    if server is None:
        return warn("local server", "none runs on this folder", "start one with `headway serve`")
    if holder == FREE or not _alive(server.pid):
        advice = "it was killed; start it again with `headway serve`"
        return warn("local server", f"{SERVER} is what process {server.pid} left behind, which is gone", advice)
    if not _ours(server.pid):
        advice = "its token is not used; run this as that user, or set HEADWAY_TOKEN"
        return warn("local server", f"process {server.pid} at {server.url} is another user's", advice)
    if holder not in (None, server.pid):
        says = f"{SERVER} names process {server.pid}, and process {holder} holds the folder"
        return warn("local server", says, "end the one of them that is not wanted")
    return ok("local server", f"process {server.pid} at {server.url}")


def token(place: Path) -> Finding:
    """Whether the token of the first start can be read."""
    try:
        found = admin_token(place)
    except HeadwayError as error:
        return warn("local token", error.message)
    if found is None:
        return warn("local token", "there is no admin.token", "make another: headway token create admin --admin")
    return ok("local token", "admin.token can be read")


def lock_holder(place: Path, locks: Path = LOCKS) -> int | None:
    """The process that holds the folder's lock, as the kernel tells; ``FREE`` when nobody does, None when it tells not.

    Trying the lock would tell, too; but a server that starts at that very moment would find it taken.
    """
    with suppress(OSError, ValueError, IndexError):
        inode = os.stat(FolderLock(place).path).st_ino
        for line in locks.read_text().splitlines():
            fields = line.split()
            if fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == str(inode):
                return int(fields[4])
        return FREE
    return None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return pid > 0


def _ours(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
