"""How the subreaper looks for what does not want to be seen, with the processes scripted."""

import os
import signal

import pytest

from headway.operations.process import proc
from headway.operations.process import subreaper as module
from headway.operations.process.lineage import Lineage
from headway.operations.process.proc import Entry
from headway.operations.process.subreaper import Findings, Request, Subreaper
from headway.operations.process.world import World

UNUSED = 2**22 + 1  # more than a process id can be


def orphan(pid: int, *, dead: bool = False) -> Entry:
    return Entry(pid, os.getpid(), pid, pid, pid, dead)


class Orphans:
    """Stands in for /proc: at each look our children are the next crowd, and after the last one nobody."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *crowds: list[Entry]) -> None:
        self.crowds = list(crowds)
        self.sent: list[tuple[int, int]] = []
        self._now: dict[int, Entry] = {}
        monkeypatch.setattr(proc, "everything", list[Entry])
        monkeypatch.setattr(proc, "children", self._children)
        monkeypatch.setattr(proc, "read_all", lambda pids: [self._now[pid] for pid in pids])
        monkeypatch.setattr(proc, "send", lambda entry, signum: self.sent.append((entry.pid, signum)))
        monkeypatch.setattr(proc, "reap", lambda pid: None)
        monkeypatch.setattr(module, "marks", lambda entry: [] if entry.dead else ["ours"])

    def _children(self) -> set[int]:
        crowd = self.crowds.pop(0) if self.crowds else []
        self._now = {entry.pid: entry for entry in crowd}
        return set(self._now)


def served(*signals: int) -> Findings:
    """What is found of an operation that we know by nothing but its mark."""
    lineage = Lineage(UNUSED, UNUSED, "ours")
    lineage.release()
    request = Request(lineage, signals, lambda _: None)
    Subreaper()._serve([request])
    return request.findings


async def test_one_that_is_there_for_a_moment_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    Orphans(monkeypatch, [], [], [], [orphan(7)])
    assert served().living == [orphan(7)]


async def test_one_that_is_there_for_a_moment_is_killed_at_once_and_so_is_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    orphans = Orphans(monkeypatch, [], [], [orphan(7)], [], [orphan(7, dead=True), orphan(8)], [])
    findings = served(signal.SIGKILL)
    assert orphans.sent == [(7, signal.SIGKILL), (8, signal.SIGKILL)]
    assert [entry.pid for entry in findings.living] == [7, 8]


async def test_nobody_is_asked_twice_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    # What SIGTERM made an orphan has got it already; a second one means "at once" to many programs.
    orphans = Orphans(monkeypatch, [], [orphan(7)], [orphan(7)])
    served(signal.SIGTERM, signal.SIGCONT)
    assert orphans.sent == []


async def test_who_came_and_died_unseen_leaves_a_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    Orphans(monkeypatch, [], [orphan(7, dead=True)])
    assert served() == Findings([], restless=True)


async def test_no_doubt_without_news(monkeypatch: pytest.MonkeyPatch) -> None:
    Orphans(monkeypatch)
    assert served() == Findings([], restless=False)


async def test_orphans_that_come_for_ever_do_not_hold_up_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    orphans = Orphans(monkeypatch, *([orphan(pid, dead=True)] for pid in range(1, 10_000)))
    assert served().restless
    assert orphans.crowds


async def test_it_looks_before_it_signals() -> None:
    class Watched(Lineage):
        steps: list[str]

        def find(self, world: World) -> list[Entry]:
            self.steps.append("look")
            return [orphan(7)]

        def signal(self, signum: int, living: object) -> None:
            self.steps.append(f"{signal.Signals(signum).name} to {living}")

    lineage = Watched(UNUSED, UNUSED, "ours")
    lineage.steps = []
    Request(lineage, (signal.SIGTERM, signal.SIGCONT), lambda _: None).look(World([], lambda _: []))
    assert lineage.steps == ["look", f"SIGTERM to {[orphan(7)]}", f"SIGCONT to {[orphan(7)]}"]
