"""What activities have printed, in a stream of its own: the nodes see to it that it stays within its room."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Mapping

from headway.stores.nats_archive import Archive
from headway.stores.nats_streams import Streams, untoken

PAGE = 100_000
"""Subjects that a server lists at once."""


class Outputs:
    """The last text of each activity."""

    def __init__(self, streams: Streams, archive: Archive, live: Container[str], room: int) -> None:
        """``live``: the uuids that have not ended. ``room``: bytes for all of it."""
        self._streams = streams
        self._archive = archive
        self._live = live
        self._room = room
        self._ended: deque[str] = deque()
        """Of which there was output when it was looked at last: the oldest end first."""

    async def output(self, uuid: str) -> str:
        """What is kept of one."""
        entry = await self._streams.last(self._streams.outputs, self._subject(uuid))
        return "" if entry is None else entry.data.decode(errors="replace")

    async def keep(self, outputs: Mapping[str, str]) -> None:
        """Keep texts, each in place of what was kept before. What has no record is dropped, and what there is no room
        for any more: the oldest of what has ended first.
        """
        known = {uuid: text for uuid, text in outputs.items() if uuid in self._live or uuid in self._archive}
        for uuid, text in known.items():
            await self._streams.put(self._streams.outputs, self._subject(uuid), text.encode())
        while known:
            messages, size = await self._streams.used(self._streams.outputs)
            if not messages or size <= self._room:
                break
            # How much each takes is not known: half of what may be too much, then another look.
            await self._drop(max(1, (size - self._room) * messages // size // 2), messages)

    async def give_up(self) -> bool:
        """Leave all room to the records; whether there was anything to leave."""
        return await self._streams.purge(self._streams.outputs, f"{self._streams.subject(self._streams.outputs)}.>") > 0

    async def _drop(self, count: int, messages: int) -> None:
        if not self._ended:
            uuids = [uuid for uuid in await self._listed() if uuid not in self._live]
            self._ended.extend(sorted(uuids, key=self._archive.revision))
        doomed = [self._ended.popleft() for _ in range(min(count, len(self._ended)))]
        if doomed:
            await self._streams.forget_outputs(doomed)
        else:  # of what is live the one that was saved first
            await self._streams.ask(f"STREAM.PURGE.{self._streams.outputs}", {"keep": messages - 1})

    async def _listed(self) -> list[str]:
        """The uuids of which there is output."""
        uuids: list[str] = []
        while True:
            said = {"subjects_filter": f"{self._streams.subject(self._streams.outputs)}.>", "offset": len(uuids)}
            told = await self._streams.ask(f"STREAM.INFO.{self._streams.outputs}", said)
            found = told["state"].get("subjects") or {}
            uuids += [untoken(subject.rpartition(".")[2]) for subject in found]
            if len(found) < PAGE:
                return uuids

    def _subject(self, uuid: str) -> str:
        return self._streams.subject(self._streams.outputs, uuid)
