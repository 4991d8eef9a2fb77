"""The reporting bench: a few jobs for a moment, both ways."""

import json
from pathlib import Path

import pytest

from bench import reporting
from bench.rounds import Round


def test_it_compares_both_ways(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "reporting.json"
    reporting.main(["--jobs", "20", "--rounds", "1", "--seconds", "0.5", "--json", str(file)])
    told = json.loads(file.read_bytes())
    assert [(one["server"], one["error"]) for one in told["rounds"]] == [("together", None), ("alone", None)]
    assert told["ratios"]["requests_each"] > 1
    assert "alone ÷ together" in capsys.readouterr().out


def test_a_round_that_failed_is_shown_and_not_compared() -> None:
    values = {"requests_each": 2.0, "cpu_each": 1.0, "server_cpu_each": 1.0}
    failed = [Round("together", "http", 1, 0, values), Round("alone", "http", 1, 0, error="gone")]
    assert reporting.summary(failed) == {}
    assert "gone" in reporting.printed(failed[1:])
