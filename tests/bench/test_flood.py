"""The flood bench with a trickle."""

import asyncio
import json
from pathlib import Path

import pytest

from bench import flood, flood_table
from bench.frame import UNSTAMPED
from bench.peers.flooding import END_EVERY, Flood
from bench.rounds import Round

VALUES = {"reports": 1.0, "deliveries": 1.0, "cpu": 0.1, "memory": 1.0, "ended": 1.0, "ended_p50": 0.01}


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flood, "TAIL", 0.3)
    monkeypatch.setattr(flood, "FILL", 0.6)
    monkeypatch.setattr(flood, "LONGER", 1)
    monkeypatch.setattr(flood, "SETTLED", 0.1)


def test_it_measures_a_flood_and_stalled_readers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "flood.json"
    few = ["--watchers", "10", "--activities", "10", "--rate", "400", "--rounds", "1", "--seconds", "0.4"]
    flood.main([*few, "--peers", "fast", "--protocol", "sse", "--json", str(file)])
    told = json.loads(file.read_bytes())
    assert [one["error"] for one in told["rounds"]] == [None] * 3
    values = {one["server"]: one for one in told["medians"]}
    assert set(values) == {"fast", "fast calm", "fast stalled"}
    # Updates are far fewer than reports: what was said in between is not sent.
    assert 0 < values["fast"]["updates"] < values["fast"]["reports"] / 4
    assert values["fast"]["ended"] > 0 and values["fast"]["ended_missing"] == 0
    assert values["fast stalled"]["unread"] > 0 and values["fast calm"]["unread"] == -1
    assert "and 1 that read nothing" in capsys.readouterr().out


def test_targets_are_told_met_and_missed() -> None:
    def rounds(updates: float, late: float, others: float) -> list[Round]:
        fast = {**VALUES, "updates": updates, "ended_p99": late, "ended_missing": 0.0}
        stalls = {" calm": 0.01, " stalled": 0.01 * others}
        calm = [
            Round(f"fast{suffix}", "sse", 10, 0, {"p50": 0.01, "p99": p99, "memory": 1.0, "unread": 1.0})
            for suffix, p99 in stalls.items()
        ]
        return [Round("fast", "sse", 10, 0, fast), *calm]

    assert [one.met for one in flood_table.verdicts(rounds(19.9, 0.05, 1.05))] == [True] * 4
    assert [one.met for one in flood_table.verdicts(rounds(40.0, 0.2, 1.5))] == [False, False, True, False]
    assert flood_table.printed(rounds(40.0, 0.2, 1.5), 1, 1.0, 1, []).count("missed  ") == 3


async def test_a_flood_reports_on_all_and_ends_one_after_the_other() -> None:
    reports, ends = {0: 0, 1: 0}, []
    enough = asyncio.Event()

    def report(number: int, count: int) -> None:
        reports[number] += count

    async def end(number: int, stamp: str) -> None:
        ends.append((number, len(stamp)))
        if len(ends) == 3:
            enough.set()

    one = Flood(2, 1_000.0, report, end)
    one.begin()
    async with asyncio.timeout(20):
        await enough.wait()
    await one.stop()
    assert ends == [(0, len(UNSTAMPED)), (1, len(UNSTAMPED)), (0, len(UNSTAMPED))]
    counted = one.counted()
    assert counted["reports"] == sum(reports.values()) and reports[0] == reports[1] > 0
    assert counted["lasted"] >= 3 * END_EVERY
