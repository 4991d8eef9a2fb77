"""The sizing page: what it reckons, and that it says what was measured."""

import json

import pytest

from bench import scale, scale_page
from bench.scale import ROOM, Costs, Load, Prices
from headway.stores.redis_records import JOURNAL

CHANGE = Costs(taking=300e-6, following=30e-6, keeping=20e-6, telling=10e-6, size=800.0)
PRICES = Prices(CHANGE, CHANGE, CHANGE, delivery=8e-6, watcher=14_000.0, live=2_000.0, base=5e7)
FEW = Load(watchers=100, live=10, lifecycle=1.0, progress=50.0, audience=2.0)


def test_the_page_is_what_the_script_makes_of_the_run() -> None:
    page = scale.PAGE.read_text()
    assert page == scale_page.rewritten(page, json.loads(scale.RUN.read_bytes())), "run `python -m bench.scale`"
    assert page.count("<!-- made by bench.scale: ") == 6


def test_the_page_assumes_what_is_reckoned_with() -> None:
    page = scale.PAGE.read_text()
    assert f"Of a processor {ROOM.busy:.0%}".replace("%", " %") in page
    assert f"{ROOM.network * 8 / 1e9:.0f} Gbit/s" in page
    assert f"{ROOM.memory / scale.GIB:.0f} GiB, and at most {ROOM.connections:,} connections" in page
    assert f"`--max-streams {ROOM.connections}`" in page and f"{ROOM.live:,} live activities" in page
    assert f"{JOURNAL:,} changes back" in page


def test_a_small_load_takes_one_node() -> None:
    plan = scale.planned(FEW, PRICES)
    assert plan is not None and (plan.shards, plan.nodes) == (1, 1)


def test_each_limit_grows_with_what_it_is_of() -> None:
    before = scale.used(FEW, PRICES, 2)
    more = {
        "processor of a node": FEW._replace(audience=20.0),
        "processor of the store": FEW._replace(progress=100.0),
        "network of the store": FEW._replace(lifecycle=50.0),
        "memory of a node": FEW._replace(live=10_000),
        "connections of a node": FEW._replace(watchers=1_000),
        "activities of the store": FEW._replace(live=20),
    }
    assert more.keys() == before.keys()
    for name, load in more.items():
        assert scale.used(load, PRICES, 2)[name] > before[name]


def test_nodes_are_added_for_watchers_and_shards_for_changes() -> None:
    watched = scale.planned(FEW._replace(watchers=100_000), PRICES)
    assert watched is not None and watched.shards == 1 and watched.nodes == 7
    changing = scale.planned(FEW._replace(progress=100_000.0), PRICES)
    assert changing is not None and changing.shards > 1


def test_half_as_many_nodes_would_not_do() -> None:
    load = Load(500_000, 50_000, 100.0, 20_000.0, 2.0)
    plan = scale.planned(load, PRICES)
    assert plan is not None and max(plan.used.values()) <= 1
    assert max(scale.used(load.part(plan.shards), PRICES, plan.nodes - 1).values()) > 1
    assert plan.used[plan.first] == max(plan.used.values())


def test_what_no_number_of_nodes_carries_is_said() -> None:
    impossible = Load(10**6, 1, 0.0, 1e6, 1e6)
    assert scale.planned(impossible, PRICES, 1) is None
    assert scale_page.told(None) == "no number of shards and nodes carries that"


def test_the_more_nodes_read_a_store_the_fewer_changes_it_carries() -> None:
    allowed = [scale.limits(PRICES, nodes)["processor of the store"] for nodes in (1, 8, 64)]
    assert allowed == sorted(allowed, reverse=True)
    assert allowed[0] == pytest.approx(ROOM.busy / 30e-6)


def test_the_costs_of_a_store_are_parted_into_its_own_and_those_for_each_node() -> None:
    rows = [
        {"server": "redis", "protocol": what, "watchers": nodes, "first": 0.3, "follower": 0.03, "bytes": 800.0 * nodes}
        | {"store": 0.02 + 0.01 * nodes}
        for what in ("changes 64", "changes 1", "progress")
        for nodes in (1, 2, 4)
    ]
    rows.append({"server": "redis", "protocol": "watchers", "watchers": 1, "cpu": 8e-6})
    sizes = {"watcher": 14_000.0, "first": 2_000.0, "follower": 1_900.0, "at-0": 5e7}
    rows.append({"server": "redis", "protocol": "memory", "watchers": 2, **sizes})
    found = scale.stores({"medians": rows})
    for part, expected in zip(found["redis"].progress, CHANGE, strict=True):
        assert part == pytest.approx(expected)
    assert found["redis"]._replace(lifecycle=CHANGE, alone=CHANGE, progress=CHANGE) == PRICES


def test_a_plan_is_told_in_words(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["scale", "--watchers", "10", "--progress", "10"])
    scale.main()
    assert capsys.readouterr().out.startswith("1 node, of what there is room for: processor of a node ")
