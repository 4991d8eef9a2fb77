"""The start bench with one round and a small folder."""

import json
import sys
from pathlib import Path

import pytest

from bench import start, start_table
from bench.rounds import Round
from bench.start_table import EMPTY, FULL, HEADWAY, HELLO, HELP, LIBRARIES, NOTHING, PROGRAM
from bench.talk import Failed


def test_a_quick_run_starts_everything_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "_warm", lambda subjects: None)
    file = tmp_path / "start.json"
    start.main(["--quick", "--modules", "3", "--json", str(file)])
    told = json.loads(file.read_bytes())
    assert [one["error"] for one in told["rounds"]] == [None] * len(told["rounds"])
    assert set(told["medians"]) == {NOTHING, HEADWAY, PROGRAM, LIBRARIES, HELP, HELLO, EMPTY, FULL}
    assert min(told["medians"].values()) > 0 and len(told["targets"]) == 4
    printed = capsys.readouterr().out
    assert "100 ended activities and 20 live" in printed and printed.count(" ms  ") >= 6


def test_targets_are_told_met_and_missed_with_what_stands_beside() -> None:
    def printed(importing: float, answering: float) -> str:
        seconds = {NOTHING: 0.01, HEADWAY: 0.01 + importing, LIBRARIES: 0.11, HELLO: 0.1, EMPTY: answering}
        rounds = [Round(name, "", 0, 0, {"seconds": taken}) for name, taken in seconds.items()]
        return start_table.printed([*rounds, Round(FULL, "", 0, 0, error="no answer")], 10, 1)

    good, bad = printed(0.05, 0.3), printed(0.07, 0.8)
    assert "met     import headway: 50.0 ms, at most 60, 0.50 × starlette and uvicorn" in good
    assert "met     headway serve, empty folder: 300.0 ms, at most 700, 3.00 × bare uvicorn" in good
    assert bad.count("missed") == 2
    assert "does not count: full, round 1: no answer" in bad


def test_a_server_that_ends_instead_of_answering_has_failed() -> None:
    with pytest.raises(Failed, match="ended with 3"):
        start.answered(lambda port: [sys.executable, "-c", "raise SystemExit(3)"])
