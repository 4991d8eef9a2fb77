"""What operations print: the last of it, beside their records, and for those alone who ask for it.

Written to memory, where it shows at once, and saved each second in one go, as progress is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from headway.core.activity import Activity
from headway.core.errors import AlreadyEnded, Unavailable
from headway.core.policy import Scope
from headway.ports import Clock, Store
from headway.wire import fitting

AFTERWARDS = 60.0
"""Seconds after its end for which an activity's output is still taken: its last lines may be on their way."""

PACE = 1.0
"""Seconds between two saves: what a crash may cost."""

ROOM = 32 * 1024 * 1024
"""Characters that may wait to be saved, all together."""

_log = logging.getLogger("headway")


class Outputs:
    """The outputs of one hub."""

    def __init__(self, store: Store, clock: Clock, find: Callable[[str, Scope], Awaitable[Activity]]) -> None:
        """``find``: an activity within a scope; raises ``NotFound``."""
        self._store = store
        self._clock = clock
        self._find = find
        self._unsaved: dict[str, str] = {}
        self._saving: dict[str, str] = {}
        self._waiting = 0
        self._written = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Outputs unsaved={len(self._unsaved)} saving={len(self._saving)} waiting={self._waiting}>"

    def start(self) -> None:
        """Save what is written from now on."""
        self._written = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run(), name="headway-outputs")

    async def stop(self) -> None:
        """Save what is left and take no more care."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
            await self._save()

    async def write(self, uuid: str, text: str, scope: Scope) -> None:
        """Take the text in place of what was there. Raises ``NotFound``, ``AlreadyEnded``, and ``Unavailable`` while
        more comes in than can be saved.
        """
        activity = await self._find(uuid, scope)
        if activity.ended_at is not None and self._clock.now() - activity.ended_at > AFTERWARDS:
            raise AlreadyEnded
        kept = fitting.output(text)
        before = self._unsaved.pop(uuid, "")
        self._waiting -= len(before)
        if self._waiting + len(kept) > ROOM:
            self._hold(uuid, before)
            raise Unavailable("more output comes in than can be saved; try again later")
        self._hold(uuid, kept)

    async def read(self, uuid: str, scope: Scope) -> str:
        """The last that was written; empty where nothing was. Raises ``NotFound``."""
        await self._find(uuid, scope)
        for held in (self._unsaved, self._saving):
            if (text := held.get(uuid)) is not None:
                return text
        return await self._store.output(uuid)

    def _hold(self, uuid: str, text: str) -> None:
        self._unsaved[uuid] = text
        self._waiting += len(text)
        self._written.set()

    async def _run(self) -> None:
        while True:
            await self._written.wait()
            await asyncio.sleep(PACE)
            await self._save()

    async def _save(self) -> None:
        self._written.clear()
        if not self._unsaved:
            return
        self._saving, self._unsaved = self._unsaved, {}
        left = self._saving
        try:
            await self._store.save_outputs(self._saving)
            left = {}
        except Unavailable:
            pass  # tried again with what is written meanwhile
        except Exception:  # a fault of the store: these are given up, or all that follows would be lost with them
            _log.exception("output could not be saved")
            left = {}
        finally:
            self._waiting -= sum(map(len, self._saving.values()))
            self._saving = {}
            for uuid, text in left.items():
                if uuid not in self._unsaved:
                    self._hold(uuid, text)
