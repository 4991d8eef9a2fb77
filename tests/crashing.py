"""A store that loses, when its process dies, what a disk would lose."""

from collections.abc import Sequence

from headway.core.activity import Activity
from headway.core.lifecycle import stamped
from headway.ports import Write
from headway.stores.memory import MemoryStore


class CrashingStore(MemoryStore):
    """Keeps durable changes, and of progress what was saved last."""

    def __init__(self) -> None:
        super().__init__()
        self._on_disk: dict[str, Activity] = {}

    async def commit(self, writes: Sequence[Write]) -> list[int | None]:
        revisions = await super().commit(writes)
        for write, revision in zip(writes, revisions, strict=True):
            if write.durable and revision is not None:
                self.save(write.activity.uuid)
        return revisions

    def save(self, *uuids: str) -> None:
        """Write down how these stand."""
        for uuid in uuids:
            self._on_disk[uuid] = self._records[uuid]

    def crash(self) -> None:
        """What was not on disk is forgotten. Who is live gets a new revision: watchers have to hear what stands now."""
        known = {uuid: self._on_disk[uuid] for uuid in self._records}
        for activity in sorted(known.values(), key=lambda activity: activity.revision):
            if not activity.ended:
                self._revision += 1
                known[activity.uuid] = stamped(activity, self._revision)
        self._records, self._on_disk = known, dict(known)
