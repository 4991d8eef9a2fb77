"""What an operator reads when a server that several nodes share has no room: once, and once more when it has again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from headway.core.errors import StorageFull

_log = logging.getLogger("headway")


class Fullness:
    """Whether starts are refused for want of room, as the last of them has shown."""

    def __init__(self, name: str) -> None:
        """``name``: of the server, without what nobody may read."""
        self._name = name
        self._full = False

    @contextmanager
    def told(self, *, starts: bool) -> Iterator[None]:
        """Something is written in the block; whether it ``starts`` anything."""
        try:
            yield
        except StorageFull as error:
            if starts and not self._full:
                self._full = True
                why = error.__cause__ or "what room is left is kept for ends"
                _log.warning("the store at %s has no room, and starts are refused: %s", self._name, why)
            raise
        if starts and self._full:
            self._full = False
            _log.warning("the store at %s has room again", self._name)
