"""The folder an embedded store lives in: one server at a time, and a reserve for the day the disk is full."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path

from headway.stores import StoreError

RESERVE = 4 * 1024 * 1024
"""Bytes set aside so that cancels and ends can still be recorded on a full disk."""


class FolderLock:
    """An advisory lock that the kernel drops when its process dies, however it dies."""

    def __init__(self, folder: Path) -> None:
        self.path: Path = folder / "headway.lock"
        self._file = -1

    def acquire(self) -> None:
        """Take the lock; raises ``StoreError`` naming the holder."""
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 20, 0).decode("ascii", "replace").strip() or "unknown"
            self.release()
            raise StoreError(
                f"another Headway server (pid {holder}) is using {self.path.parent}; "
                "stop it, or choose another folder with --data"
            ) from None
        except OSError:
            self.release()
            raise
        with suppress(OSError):  # the name is a courtesy: on a full disk the lock holds without it
            os.ftruncate(self._file, os.pwrite(self._file, str(os.getpid()).encode(), 0))

    def release(self) -> None:
        """Give the lock back. The file stays: removing it would let two holders lock two different files."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class Reserve:
    """A file of real blocks that is given up when the disk is full, and taken again when there is room."""

    def __init__(self, folder: Path, size: int = RESERVE) -> None:
        self.path: Path = folder / "headway.reserve"
        self._size = size

    @property
    def held(self) -> bool:
        """True while the blocks are set aside."""
        try:
            return self.path.stat().st_size >= self._size
        except FileNotFoundError:
            return False

    def take(self) -> bool:
        """Set the blocks aside if the disk has twice their room; True when they are held."""
        if self.held:
            return True
        room = os.statvfs(self.path.parent)
        if room.f_bavail * room.f_frsize < 2 * self._size:
            return False
        try:
            with open(self.path, "wb", opener=_private) as file:
                file.write(os.urandom(self._size))  # some file systems store neither zeros nor a promise
                os.fsync(file.fileno())
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            self.give_up()
            return False
        return self.held

    def give_up(self) -> bool:
        """Free the blocks; True when there were any."""
        held = self.held
        self.path.unlink(missing_ok=True)
        return held


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
