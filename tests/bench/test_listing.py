"""The list bench with few activities."""

import json
from pathlib import Path

import pytest

from bench import listing, listing_table
from bench.listing_table import CHANGING, LIST, OWN, SMALLEST, STATIC, UNCHANGED, UNKNOWN
from bench.rounds import Round

VALUES = {"bytes": 1.0, "cpu": 0.1, "asker": 0.1, "others": 0.0, "p50": 0.1, "p99": 0.1}


def test_it_measures_every_case_against_its_static_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "list.json"
    few = ["--activities", "20", "--format", "xml", "--rounds", "1", "--seconds", "0.05", "--connections", "2"]
    listing.main([*few, "--json", str(file)])
    told = json.loads(file.read_bytes())
    assert [one["error"] for one in told["rounds"]] == [None] * len(told["rounds"])
    bytes_ = {one["case"]: one["bytes"] for one in told["medians"]}
    assert set(bytes_) == {
        SMALLEST,
        LIST,
        CHANGING,
        UNCHANGED,
        OWN,
        UNKNOWN,
        *(STATIC + n for n in (LIST, UNCHANGED, OWN)),
    }
    assert bytes_[LIST] > bytes_[OWN] > bytes_[UNCHANGED]
    # The very same answer, but that changes may have come before one of them.
    assert bytes_[STATIC + UNCHANGED] == bytes_[UNCHANGED]
    assert abs(bytes_[STATIC + LIST] - bytes_[LIST]) < bytes_[LIST] / 4
    assert {one["name"] for one in told["ratios"]} == {LIST, CHANGING, UNCHANGED, OWN, UNKNOWN}
    assert "× static" in capsys.readouterr().out


def test_the_target_is_for_a_thousand_activities() -> None:
    def printed(size: int, rate: float) -> str:
        pair = ((LIST, rate), (STATIC + LIST, 100.0))
        rounds = [Round(name, "json", size, 0, {**VALUES, "rate": found}) for name, found in pair]
        return listing_table.printed([*rounds, Round(OWN, "json", size, 0, error="answered [401]")])

    assert "met     list ≥ 0.8 × static bytes: 0.85 × (json, 1,000 activities)" in printed(1_000, 85.0)
    assert "missed  list ≥ 0.8 × static bytes: 0.75 × (json, 1,000 activities)" in printed(1_000, 75.0)
    assert "≥" not in printed(10, 75.0)
    assert "does not count: own, json, 10 activities, round 1: answered [401]" in printed(10, 75.0)
