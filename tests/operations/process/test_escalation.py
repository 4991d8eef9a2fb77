"""The steps of a stop, with the looks scripted."""

import signal

import pytest

from headway.operations.process import escalation
from headway.operations.process.escalation import Escalation, Stopped
from headway.operations.process.lineage import Lineage
from headway.operations.process.proc import Entry
from headway.operations.process.subreaper import Findings


class Script:
    """Answers each look with the next of its crowds, and with nobody after the last. "?" is a restless look."""

    def __init__(self, *crowds: str) -> None:
        self._crowds = list(crowds)
        self.asked: list[str] = []

    async def ask(self, _: Lineage, *signals: int) -> Findings:
        self.asked.append("+".join(signal.Signals(signum).name for signum in signals) or "look")
        crowd = self._crowds.pop(0) if self._crowds else ""
        living = [Entry(int(pid), 1, 1, 1, 1, False) for pid in crowd if pid.isdigit()]
        return Findings(living, restless="?" in crowd)

    async def stop(self, grace: float, *, ended: bool = False) -> Stopped:
        lineage = Lineage(1, 1, "mark")
        return await Escalation(lineage, self.ask, grace, ended=ended).run()


async def test_it_asks_and_continues_what_is_stopped() -> None:
    script = Script("1")
    assert (await script.stop(60)).outcome == "terminated"
    assert script.asked == ["SIGTERM+SIGCONT", "look", "look"]


async def test_one_empty_look_is_not_enough() -> None:
    script = Script("1", "", "2", "", "")
    await script.stop(60)
    assert script.asked[1:] == ["look"] * 4


async def test_no_look_counts_while_orphans_come_and_go() -> None:
    script = Script("1", "?", "?", "?", "", "")
    await script.stop(60)
    assert script.asked[1:] == ["look"] * 5


async def test_orphans_that_come_and_go_for_ever_are_somebody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(escalation, "RESTLESS", 0.1)
    assert (await Script("1", *["?"] * 10_000).stop(60)).outcome == "terminated"


async def test_killing_goes_on_until_nobody_is_left() -> None:
    script = Script("1", "1", "12", "", "3", "3", "")
    stopped = await script.stop(0)
    assert script.asked[1:] == ["SIGKILL"] * 7
    assert (stopped.outcome, stopped.survivors) == ("killed", (1, 2, 3))


async def test_nobody_there_after_the_end_means_there_was_nothing_to_stop() -> None:
    assert (await Script().stop(60, ended=True)).outcome == "exited"
    assert (await Script("1").stop(60, ended=True)).outcome == "terminated"
