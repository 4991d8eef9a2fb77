"""The fan-out bench with a few watchers: ours and the loop it is held against."""

import json
from pathlib import Path

import pytest

from bench import fanout, fanout_table
from bench.fanout import Plan, measured
from bench.rounds import Round
from bench.servers import SERVERS
from bench.talk import Failed, say


def test_it_measures_ours_beside_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, drawing = tmp_path / "fanout.json", tmp_path / "fanout.svg"
    few = ["--watchers", "3", "--rounds", "1", "--seconds", "0.05", "--protocol", "sse"]
    fanout.main([*few, "--peers", "fast", "portable", "loop", "--json", str(file), "--svg", str(drawing)])
    told = json.loads(file.read_bytes())
    assert [one["error"] for one in told["rounds"]] == [None] * 3
    assert {one["server"] for one in told["medians"]} == {"fast", "portable", "loop"}
    assert all(one["deliveries"] > 0 and one["cpu"] > 0 and one["p50"] <= one["p99"] for one in told["medians"])
    assert [(one["ours"], one["theirs"]) for one in told["ratios"]] == [("fast", "loop")]
    assert told["command"].startswith("python -m bench fanout --watchers 3")
    assert "3 watchers" in capsys.readouterr().out and drawing.read_text().startswith("<svg")


@pytest.mark.parametrize("name", ["fast", "loop"])
def test_websockets_are_measured_too(name: str) -> None:
    assert measured(SERVERS[name], "websocket", 3, 0, 0.05).error is None


def test_a_server_that_fails_has_it_on_its_record() -> None:
    broken = SERVERS["loop"]._replace(command=lambda *_: ["false"])
    assert measured(broken, "sse", 3, 0, 0.05).error == "ended with 1"


def test_more_watchers_than_the_machine_holds_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    fanout.main(["--watchers", "1000000000", "--peers", "loop"])
    assert "left out: 1000000000 connections need" in capsys.readouterr().out


def test_the_rounds_of_all_servers_take_turns() -> None:
    servers = [SERVERS[name] for name in ("fast", "loop", "ws")]
    steps = [(number, server.name) for _, _, number, server in Plan(servers, ["sse"], [3], 2, 0.1).steps()]
    assert steps == [(0, "fast"), (0, "loop"), (1, "loop"), (1, "fast")]


def test_a_target_is_judged_by_enough_watchers_only() -> None:
    def table(watchers: int, ours: float, others: float = 0.0) -> str:
        values = {"cpu": 1.0, "p50": 0.1, "p99": 0.1, "connects": 1.0, "reader_cpu": 1.0, "others": others}
        pair = [("fast", ours), ("loop", 100.0)]
        rounds = [Round(name, "sse", watchers, 0, {**values, "deliveries": rate}) for name, rate in pair]
        return fanout_table.printed(rounds, ["nginx: not here"])

    assert "met     fast ≥ 0.9 × loop: 0.95 ×" in table(1_000, 95.0)
    assert "missed  fast ≥ 0.9 × loop: 0.85 ×" in table(1_000, 85.0)
    assert "(few)   fast ≥ 0.9 × loop: 0.85 ×" in table(10, 85.0)
    assert "left out: nginx: not here" in table(10, 85.0)
    assert "not quiet: other processes took 50%" in table(10, 85.0, others=0.5)
    assert "not quiet" not in table(10, 85.0)


def test_who_has_ended_cannot_be_told_anything() -> None:
    with SERVERS["loop"].running("sse") as running:
        running.process.kill()
        running.process.wait()
        with pytest.raises(Failed):
            say(running.process, "hello")
