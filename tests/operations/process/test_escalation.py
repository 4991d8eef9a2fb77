"""The steps of a stop, against a lineage that obeys as told."""

import signal

from headway.operations.process.escalation import Escalation
from headway.operations.process.lineage import Lineage
from headway.operations.process.proc import Entry


def entry(pid: int) -> Entry:
    return Entry(pid, 1, pid, pid, pid, False)


class Scripted(Lineage):
    """Answers each look with the next of its crowds, and with nobody after the last."""

    def __init__(self, *crowds: list[int], restless: int = 0) -> None:
        self._crowds = list(crowds)
        self._restless = restless
        self.asked: list[str] = []

    def living(self) -> list[Entry]:
        crowd = self._crowds.pop(0) if self._crowds else []
        self.restless = self._restless > 0
        self._restless -= 1
        self.asked.append("look")
        return [entry(pid) for pid in crowd]

    def signal(self, signum: int) -> list[Entry]:
        found = self.living()
        self.asked[-1] = signal.Signals(signum).name
        return found

    def kill(self) -> list[Entry]:
        return self.signal(signal.SIGKILL)


async def test_it_asks_first_and_continues_what_is_stopped() -> None:
    lineage = Scripted([1], [1])
    stopped = await Escalation(lineage, 60, ended=False).run()
    assert stopped.outcome == "terminated"
    assert lineage.asked == ["SIGTERM", "SIGCONT", "look", "look"]


async def test_one_empty_look_is_not_enough() -> None:
    lineage = Scripted([1], [1], [], [2], [])
    await Escalation(lineage, 60, ended=False).run()
    assert lineage.asked[2:] == ["look"] * 4


async def test_no_look_counts_while_orphans_come_and_go() -> None:
    lineage = Scripted([1], [1], restless=6)
    await Escalation(lineage, 60, ended=False).run()
    assert lineage.asked[2:] == ["look"] * 6


async def test_killing_goes_on_until_nobody_is_left() -> None:
    lineage = Scripted([1], [1], [1], [1, 2], [], [3], [3], [])
    stopped = await Escalation(lineage, 0, ended=False).run()
    assert lineage.asked[2:] == ["look", *["SIGKILL"] * 6]
    assert (stopped.outcome, stopped.survivors) == ("killed", (1, 2, 3))


async def test_nobody_there_after_the_end_means_there_was_nothing_to_stop() -> None:
    assert (await Escalation(Scripted(), 60, ended=True).run()).outcome == "exited"
    assert (await Escalation(Scripted([1]), 60, ended=True).run()).outcome == "terminated"
