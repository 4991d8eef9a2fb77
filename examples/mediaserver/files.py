"""Which media files lie beneath a folder, whatever else does: links in circles, folders that cannot be read, names that
are no text.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from headway.core.text import clean

_log = logging.getLogger("mediaserver")


class MediaFile(NamedTuple):
    """A file as a scan finds it; another size or time means that it has changed."""

    path: Path
    size: int
    modified: int
    """Nanoseconds since the epoch."""


class Walk:
    """One walk through a folder, in order of names. What cannot be read is logged, remembered and passed over."""

    def __init__(self, root: Path, suffixes: Collection[str]) -> None:
        self._root, self._suffixes = root, suffixes
        self._seen: set[tuple[int, int]] = set()
        self.unreadable: list[Path] = []
        """The folders and files of which nothing is known."""

    def __iter__(self) -> Iterator[MediaFile]:
        """The media files. Raises ``OSError`` if the root cannot be read: an unmounted disk is no empty one."""
        pending = [self._root]
        while pending:
            folders = []
            for path, status in self._entries(pending.pop()):
                if stat.S_ISDIR(status.st_mode):
                    folders.append(path)
                elif stat.S_ISREG(status.st_mode) and path.suffix.lower() in self._suffixes:
                    yield MediaFile(path, status.st_size, status.st_mtime_ns)
            pending += reversed(folders)

    def _entries(self, folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
        try:
            status = folder.stat()
            names = sorted(os.listdir(folder))
        except OSError as error:
            if folder == self._root:
                raise
            self._pass_over(folder, error)
            return
        place = (status.st_dev, status.st_ino)
        if place in self._seen:  # a link to where we have been
            return
        self._seen.add(place)
        for name in names:
            if name.startswith("."):
                continue
            path = folder / name
            try:
                yield path, path.stat()
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ELOOP):  # gone again, and links to nowhere or to themselves
                    self._pass_over(path, error)

    def _pass_over(self, path: Path, error: OSError) -> None:
        _log.warning("cannot read %s: %s", shown(path), error.strerror)
        self.unreadable.append(path)


def shown(path: Path | str) -> str:
    """A path as text: file names may hold any byte but two."""
    return clean(os.fsencode(path).decode(errors="replace"))
