"""What was acknowledged and told over all lives of a server, and the laws it must keep."""

from headway.core.policy import EVERYTHING, Scope
from tests.faults.life import Line

SCOPES: tuple[Scope, ...] = (EVERYTHING, 1, 2)


class Replica:
    """What one watcher has been told, over all lives."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.cursor = 0
        self.newest: dict[str, Line] = {}
        self.running_before: set[str] = set()
        """What it held for running when this life began."""

    def take(self, line: Line) -> None:
        """One event."""
        before = self.newest.get(line.uuid)
        assert line.revision > self.cursor, f"not after {self.cursor}: {line}"
        assert self.scope in (EVERYTHING, line.owner), f"told of somebody else's: {line}"
        assert (line.what == "started") is (before is None), f"a start is told once, and first: {line} after {before}"
        assert before is None or before.what != "ended", f"after its end: {line} after {before}"
        assert before is None or line.asked or not before.asked, f"a cancel was taken back: {line} after {before}"
        assert (line.what == "ended") is line.state.ended
        self.cursor = line.revision
        self.newest[line.uuid] = line


class Ledger:
    """The memory of somebody who believes what he is told."""

    def __init__(self) -> None:
        self.replicas = {scope: Replica(scope) for scope in SCOPES}
        self.facts: dict[str, Line] = {}
        """The newest that was acknowledged of each activity, in lives that are over."""
        self.keys: dict[str, str] = {}
        self.told = self.boots = self.closings = 0
        self._said: list[Line] = []
        self._live: set[str] = set()
        self._revisions: dict[int, str] = {}

    def take(self, line: Line) -> None:
        """One line of a life."""
        if line.what in ("started", "updated", "ended"):
            self._take_event(line)
        elif line.what == "start acknowledged" and line.key:
            self._take_key(line)
            self._said.append(line)
        elif line.what.endswith("acknowledged"):
            self._said.append(line)
        elif line.what == "live":
            self._take_live(line)
        elif line.what == "caught up":
            self._check(self.replicas[line.scope])
        elif line.what == "open":
            self.boots += 1
        elif line.what == "closed":
            self.closings += 1
        else:
            raise AssertionError(f"nothing was missed, all the same: {line}")

    def end_of_life(self) -> None:
        """The process is dead: what it acknowledged are facts now."""
        for line in self._said:
            known = self.facts.get(line.uuid)
            if known is None or line.revision >= known.revision:
                self.facts[line.uuid] = line
        self._said.clear()
        self._live.clear()
        for replica in self.replicas.values():
            replica.running_before = {uuid for uuid, line in replica.newest.items() if line.what != "ended"}

    def _take_event(self, line: Line) -> None:
        self.told += 1
        self.replicas[line.scope].take(line)
        uuid = self._revisions.setdefault(line.revision, line.uuid)
        assert uuid == line.uuid, f"a revision was given out twice: {line}, before to {uuid}"

    def _take_key(self, line: Line) -> None:
        known = self.keys.get(line.key)
        assert known in (None, line.uuid), f"another activity for the same key: {line}, before {known}"
        assert known is None or not line.new, f"started twice: {line}"
        self.keys[line.key] = line.uuid

    def _take_live(self, line: Line) -> None:
        self._live.add(line.uuid)
        fact = self.facts.get(line.uuid)
        assert fact is None or not fact.state.ended, f"alive after its acknowledged end: {line}, before {fact}"
        for replica in self.replicas.values():
            told = replica.newest.get(line.uuid)
            assert told is None or told.what != "ended", f"alive after the end that was told: {line}, before {told}"

    def _check(self, replica: Replica) -> None:
        """A watcher that has caught up after a boot knows every fact of former lives within its scope."""
        for fact in self.facts.values():
            if replica.scope not in (EVERYTHING, fact.owner):
                continue
            told = replica.newest.get(fact.uuid)
            assert told is not None, f"acknowledged and gone: {fact}"
            assert told.asked or not fact.asked, f"its cancel is gone: {fact}, now {told}"
            assert not fact.state.ended or told.state is fact.state, f"its end is gone: {fact}, now {told}"
            assert not fact.local or told.what == "ended", f"dead and not given up: {fact}, now {told}"
        for uuid in replica.running_before - self._live:
            assert replica.newest[uuid].what == "ended", f"told as running, and gone: {replica.newest[uuid]}"
