"""The last that a command of this process prints, on its way into the hub: now and then, and at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from headway.core.errors import HeadwayError, Unavailable
from headway.operations.process.transcript import Transcript
from headway.wire.fitting import output_pause

Write = Callable[[str], Awaitable[object]]


class Keeper:
    """Belongs to an event loop; the threads of the streams tell it that there is more."""

    def __init__(self, write: Write) -> None:
        """``write``: takes the text in place of what it was given before. May raise ``HeadwayError``."""
        self.transcript: Transcript = Transcript(self._more)
        self._write = write
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._told = False

    async def run(self) -> None:
        """Write what there is when there is more, until cancelled."""
        while True:
            await self._changed.wait()
            await asyncio.sleep(output_pause(await self.tell()))

    async def tell(self) -> str:
        """Write what there is now, if that has not been done."""
        text = ""
        if self._changed.is_set() or self._told:
            self._changed.clear()
            self._told = False  # before the look at the text: see _more()
            text = self.transcript.read()
            try:
                await self._write(text)
            except Unavailable:
                self._changed.set()
            except HeadwayError:
                return text  # it is not to be kept any more
        return text

    def _more(self) -> None:
        # First the text, then the look at the flag; tell() does it the other way round, so nothing is missed.
        if not self._told:
            self._told = True
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._changed.set)
