"""The growth bench with little of everything."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from bench import growth, growth_table
from bench.fit import fitted
from bench.growth import Plan, measured
from bench.growth_table import DIMENSIONS, Dimension
from bench.load import TICK, Load
from bench.rounds import Round

LITTLE = Load(watchers=2, changed=2, history=3, live=3, owners=2, watched=2, depth=2)
SECONDS = 0.2
TRIES = 10
T = TypeVar("T")


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "WARM", TICK)


def little(name: str) -> Dimension:
    """A dimension of which there is hardly anything."""
    return Dimension(name, "", [1, 2], True, LITTLE)


def at_last(measure: Callable[[], T], counts: Callable[[T], bool]) -> T:
    """What is measured, again where the machine is too busy to keep the pace: that does not count."""
    outcomes = (measure() for _ in range(TRIES))
    return next(outcome for outcome in outcomes if counts(outcome))


def test_users_bring_activities_and_watchers_of_their_own() -> None:
    dimension = little("users")._replace(base=Load(watchers=1, changed=2))
    load = dimension.load(3)
    assert (load.users, load.changed, load.watchers, load.changes, load.frames) == (3, 6, 3, 6, 6)
    one = at_last(lambda: measured(dimension, 3, 0, SECONDS), lambda one: one.error is None)
    assert (one.values["changes"], one.values["frames"]) == (6, 6)


def test_a_load_that_is_not_kept_up_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Load, "changes", 1_000)
    assert "keep the pace" in (measured(little("reports"), 1, 0, SECONDS).error or "")


def test_it_measures_and_draws(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DIMENSIONS, "live", little("live"))
    file, drawing = tmp_path / "growth.json", tmp_path / "growth.svg"
    few = ["--dimensions", "live", "--rounds", "1", "--seconds", str(SECONDS)]

    def run() -> Any:
        growth.main([*few, "--json", str(file), "--svg", str(drawing)])
        return json.loads(file.read_bytes())

    told = at_last(run, lambda told: not any(one["error"] for one in told["rounds"]))
    assert [one["watchers"] for one in told["rounds"]] == [2, 1]
    for one in told["medians"]:
        assert (one["changes"], one["frames"]) == (4, 8)
        assert one["total"] >= one["net"] >= 0 < one["reporting"]
    assert [one["dimension"] for one in told["exponents"]] == ["live"]
    assert "live: |e| ≤ 0.1" in capsys.readouterr().out and drawing.read_text().startswith("<svg")


def test_each_dimension_grows_alone() -> None:
    for name, dimension in DIMENSIONS.items():
        small, large = (dimension.load(dimension.sizes[place]) for place in (0, -1))
        different = {field for field in Load.__struct_fields__ if getattr(small, field) != getattr(large, field)}
        assert different == ({"users", "watchers", "changed"} if name == "users" else {name})
        assert small == msgspec.structs.replace(large, **{field: getattr(small, field) for field in different})


def test_all_sizes_take_turns_and_back_again() -> None:
    plan = Plan([little("live"), little("owners")], None, 2, SECONDS)
    assert [(number, one.name, size) for number, one, size in plan.steps()] == [
        *((0, name, size) for name in ("live", "owners") for size in (2, 1)),
        *((1, name, size) for name in ("live", "owners") for size in (1, 2)),
    ]


def rounds(name: str, exponent: float) -> list[Round]:
    """The costs of a dimension that grows so."""

    def values(size: int) -> dict[str, float]:
        cost = 0.001 * size**exponent
        return {"net": cost, "total": cost, "idle": 0.0, "reporting": 0.0, "changes": 1.0, "frames": 1.0}

    return [Round(name, "sse", size, 0, values(size)) for size in (10, 20, 40)]


def test_exponents_are_told_met_and_missed() -> None:
    table = growth_table.printed(
        [*rounds("watchers", 1.0), *rounds("changed", 1.2), *rounds("owners", -0.05), *rounds("history", 0.3)]
    )
    assert "met     watchers: e ≤ 1.05 (net): net +1.000 ± 0.000" in table
    assert "missed  changed: e ≤ 1.05 (net): net +1.200" in table
    assert "met     owners: |e| ≤ 0.1 (total): net -0.050" in table
    assert "missed  history: |e| ≤ 0.1 (total): net +0.300" in table


def test_one_that_fails_is_told_of() -> None:
    broken = Round("watchers", "sse", 10, 0, error="broken")
    assert "does not count: watchers 10, round 1: broken" in growth_table.printed([broken])


def test_a_power_law_is_found() -> None:
    fit = fitted([(x, 3 * x**1.5) for x in (1, 2, 4, 8)])
    assert fit is not None
    assert fit.exponent == pytest.approx(1.5) and fit.factor == pytest.approx(3) and fit.error < 1e-9


def test_what_does_not_fit_has_an_error() -> None:
    # By hand: the logarithms to base 2 are (0, 0), (1, 1), (2, 0): slope 0, residuals -1/3, 2/3, -1/3, spread 2.
    fit = fitted([(1, 1), (2, 2), (4, 1)])
    assert fit is not None
    assert fit.exponent == pytest.approx(0) and fit.error == pytest.approx(math.sqrt(6 / 9 / 1 / 2))


def test_one_place_is_no_growth() -> None:
    assert fitted([(5, 1), (5, 2)]) is None
