"""The nodes bench: a little of everything on two nodes, and its tables."""

import json
from pathlib import Path

import pytest

from bench import nodes, nodes_table
from bench.cluster import cluster
from bench.pairs import PAIRS
from bench.rounds import Round
from bench.stores import STORES
from bench.talk import Failed


def test_it_measures_nodes_that_share_a_store_beside_one_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if reason := STORES["redis"].missing():
        pytest.skip(reason)
    file = tmp_path / "nodes.json"
    nodes.main(["--quick", "--stores", "memory", "redis", "--nodes", "2", "--peers", "--json", str(file)])
    told = json.loads(file.read_bytes())
    assert [one["error"] for one in told["rounds"] if one["error"]] == []
    found = {(one["server"], one["protocol"], one["watchers"]): one["values"] for one in told["rounds"]}
    assert found["memory", "changes 8", 1]["rate"] > 0
    shared = found["redis", "changes 8", 2]
    assert shared["first"] > 0 and shared["follower"] > 0 and shared["store"] > 0 and shared["bytes"] > 0
    assert found["redis", "latency", 2]["report-there-p50"] > 0
    assert found["redis", "memory", 2]["store"] > 0
    assert {one["what"].partition(",")[0] for one in told["targets"]} == {
        *("report → frame", "start → frame", "commits of progress an activity and second", "CPU a delivery")
    }
    printed = capsys.readouterr().out
    assert "redis        2 nodes  changes 8" in printed and "(few)   CPU a delivery, two nodes ÷ one" in printed


@pytest.mark.parametrize("name", PAIRS)
def test_messages_of_one_process_are_received_by_way_of_another(name: str) -> None:
    if reason := PAIRS[name].missing():
        pytest.skip(reason)
    with PAIRS[name].running() as pair:
        assert pair.receiver.latency(0.2).p50 > 0
        assert pair.burst(20) > 0
        assert all(seconds > 0 for seconds in pair.used())


@pytest.mark.parametrize("name", ["nats", "redis-always"])
def test_a_store_tells_what_it_has_been_given(name: str) -> None:
    if reason := STORES[name].missing():
        pytest.skip(reason)
    with cluster(STORES[name], 1) as whole:
        values = nodes._latency(whole, nodes.Size(trials=1))
        assert values["write-p50"] > 0 and values["ping-p50"] > 0
        tally = whole.store.tally
        assert tally is not None and tally().changes in (4, 5)  # two starts, a report, an end; and what begins a stream


def test_what_fails_has_it_on_its_record() -> None:
    def broken() -> None:
        raise Failed("no such store")

    (one,) = nodes._working(STORES["redis"]._replace(running=broken), 2, nodes.QUICK, 0)  # type: ignore[arg-type]
    assert one.error == "no such store"
    assert "does not count: redis, 2 nodes, round 1: no such store" in nodes_table.printed([one], [])


def _latency(there: float) -> Round:
    here = {f"{what}-{where}-{q}": 0.002 for what in ("report", "start") for where in ("here", "there") for q in Q}
    return Round("redis", "latency", 2, 0, {**here, "report-there-p99": there, "write-p50": 0.001, "write-p99": 0.001})


Q = ("p50", "p99")


def test_a_round_trip_to_the_store_does_not_count_as_slow() -> None:
    def table(there: float) -> str:
        return nodes_table.printed([_latency(there)], ["nats: not here"])

    assert "met     report → frame, redis, 2 nodes: (p99 elsewhere − a round trip) ÷ p99 here: 3.00" in table(0.007)
    assert "missed  report → frame, redis, 2 nodes: (p99 elsewhere − a round trip) ÷ p99 here: 3.50" in table(0.008)
    assert "left out: nats: not here" in table(0.007)


def test_deliveries_of_two_nodes_are_held_against_those_of_one() -> None:
    def table(cpu: float, **more: float) -> str:
        values = {"streams": 4_000, "rate": 1.0, "p50": 0.1, "p99": 0.1}
        one = Round("redis", "watchers", 1, 0, {**values, "cpu": 1e-5, **({"most": 100.0} if more else {})})
        return nodes_table.printed([one, Round("redis", "watchers", 2, 0, {**values, "cpu": cpu, **more})], [])

    assert "met     CPU a delivery, two nodes ÷ one, redis: 1.05 (≤ 1.1)" in table(1.05e-5)
    assert "missed  CPU a delivery, two nodes ÷ one, redis: 1.20 (≤ 1.1)" in table(1.2e-5)
    assert "met     deliveries/s, two nodes ÷ one, redis: 1.90 (≥ 1.8)" in table(1e-5, most=190.0)
    assert "missed  deliveries/s, two nodes ÷ one, redis: 1.70 (≥ 1.8)" in table(1e-5, most=170.0)


def test_the_rounds_of_all_take_turns() -> None:
    plan = nodes.Plan([STORES["memory"], STORES["redis"]], [PAIRS["ours"]], [1, 2], 2, nodes.QUICK)
    steps = [(number, step.func.__name__, *step.args[:2]) for number, step in plan.steps()]  # type: ignore[attr-defined]
    assert [number for number, *_ in steps] == [0] * 7 + [1] * 7
    assert [(name, kind.name, count) for _, name, kind, count in steps[:3]] == [
        *(("_working", "memory", 1), ("_working", "redis", 1), ("_working", "redis", 2))
    ]
