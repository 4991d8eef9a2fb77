"""The measurement of estimates runs, on few runs as on many; how good they are is for its table to say."""

import json
import random
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bench import eta

ROOT = Path(eta.__file__).parent.parent


def steady(seconds: float) -> eta.Run:
    """A run that says every tenth of a second how far it is."""
    return eta.Run(seconds, [(at / 10, at / 10 / seconds) for at in range(1, int(seconds * 10))])


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    runs = {
        "steady": [steady(seconds) for seconds in (20.0, 24.0, 22.0, 21.0, 23.0, 22.0, 20.0)],
        "silent": [eta.Run(seconds, [(0.0, None)]) for seconds in (5.0, 6.0, 7.0, 8.0, 9.0, 7.0)],
        "too.few": [steady(3.0)],
    }
    for kind, recorded in runs.items():
        (tmp_path / f"{kind}.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, recorded)))
    return tmp_path


def test_a_row_is_printed_for_each_type_and_one_for_all(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    eta.main(["--runs", str(recordings)])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[:2] for row in rows if row][3:] == [["silent", "6"], ["steady", "7"], ["too.few", "1"], ["all", "14"]]


def test_the_results_can_be_had_as_json(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    eta.main(["--json", "--runs", str(recordings)])
    results = {result["kind"]: result for result in json.loads(capsys.readouterr().out)["results"]}
    assert results["silent"]["rate_answers"] == 0 and results["silent"]["ratio"] is None
    assert results["steady"]["rate_answers"] == 1 and results["steady"]["covered"] is not None


def test_a_run_is_only_measured_against_those_before_it() -> None:
    runs = [steady(seconds) for seconds in (20.0, 24.0, 22.0, 21.0, 23.0, 500.0)]
    asked = list(eta.replayed(runs))
    assert [one.share for one in asked] == list(eta.MOMENTS)
    assert [one.left for one in asked] == [450.0, 375.0, 250.0, 125.0]
    assert [one.history for one in asked] == [None] * 4


def test_a_watcher_sees_the_past_only_and_counts_down_between_reports() -> None:
    run = eta.Run(10.0, [(2.0, 0.2), (4.0, 0.4), (9.0, 0.9)])
    assert eta.seen(run, 1.0) == (0.0, None)
    fraction, left = eta.seen(run, 5.0)
    assert fraction == 0.4 and left == pytest.approx(5.0)


def test_a_recording_is_what_the_job_said_and_when(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def job(chance: random.Random, folder: Path, number: int) -> eta.Steps:
        yield 0.0
        yield number / 10
        yield 1.0

    monkeypatch.setitem(eta.JOBS, "quick", job)
    run = eta.recorded("quick", 5, tmp_path)
    assert 0.5 in [fraction for _, fraction in run.reports]
    assert all(0 <= at <= run.seconds + 0.001 for at, _ in run.reports)


def test_the_recordings_that_come_along_are_many_and_small() -> None:
    paths = list(eta.RUNS.glob("*.jsonl"))
    assert len(paths) >= 6
    assert all(len(path.read_bytes().splitlines()) >= 15 for path in paths)
    assert sum(path.stat().st_size for path in paths) < 300 * 1024


def test_it_is_one_of_the_benches() -> None:
    command = [sys.executable, "-m", "bench", "eta", "--help"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert told.returncode == 0 and "--record" in told.stdout
