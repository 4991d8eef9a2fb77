"""How much room there is for records, where somebody has limited it: the last of it is for ends.

A server takes a message or refuses it, whatever it says. So the nodes themselves leave the rest alone when they start
something; it lasts for the ends of what is running, which are a little larger than what they replace.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sized

from headway.core.errors import StorageFull
from headway.stores.nats_streams import Streams

RESERVE = 16
"""One part in so many of the room is for changes of what there is."""

GROWTH = 512
"""Bytes by which a record grows until its end, about: so much more for each that is live."""

LOOK = 1.0
"""Seconds between two looks at what is left."""

OVERHEAD = 200
"""Bytes that a message takes beside its text, about."""


class Room:
    """What is left in the stream of records, and to the account that it is in."""

    def __init__(self, streams: Streams, live: Sized) -> None:
        """``live``: what has not ended."""
        self._streams = streams
        self._live = live
        self._left = math.inf
        self._looked = -math.inf

    async def take(self, size: int) -> None:
        """So many bytes are about to be written for a start. Raises ``StorageFull`` where they are for ends."""
        now = time.monotonic()
        if now - self._looked > LOOK:
            self._looked = now  # who else asks meanwhile counts on what was there before
            self._left = min((limit - used - limit / RESERVE for limit, used in await self._limits()), default=math.inf)
        if self._left - len(self._live) * GROWTH < size + OVERHEAD:
            raise StorageFull
        self._left -= size + OVERHEAD

    async def _limits(self) -> list[tuple[int, int]]:
        """Bytes that may be taken, and are: in the stream, and in all of the account. As far as they are limited there;
        when the server itself has no more room, it says so only then.
        """
        stream, account = await asyncio.gather(
            self._streams.ask(f"STREAM.INFO.{self._streams.records}"), self._streams.ask("INFO")
        )
        config, kind = stream["config"], "storage" if stream["config"]["storage"] == "file" else "memory"
        tier = (account.get("tiers") or {}).get(f"R{config.get('num_replicas', 1)}", account)
        limits = (config.get("max_bytes", -1), stream["state"]["bytes"]), (tier["limits"][f"max_{kind}"], tier[kind])
        return [(int(limit), int(used)) for limit, used in limits if limit > 0]
