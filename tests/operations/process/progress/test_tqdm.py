"""tqdm's bars, drawn by tqdm itself."""

import io

import pytest
from tqdm.std import tqdm

from headway.operations.process.progress import Line, Reading
from headway.operations.process.progress.tqdm import Tqdm
from tests.operations.process.progress.support import last, read, readings


def meter(n: float, total: float | None, **options: object) -> str:
    return str(tqdm.format_meter(n, total, 65.0, ncols=80, **options))


@pytest.mark.parametrize(
    ("options", "unit"),
    [
        *[({}, "it"), ({"prefix": "a desc: 7%"}, "it"), ({"ascii": True, "postfix": "loss=0.1, acc=97%"}, "it")],
        *[({"unit": " rows"}, "rows"), ({"unit": "s"}, "s"), ({"rate": 0.01, "unit": "file"}, "file")],
        *[({"rate": 0.01, "unit": " file"}, "file"), ({"unit": "B"}, "bytes"), ({"colour": "green"}, "it")],
    ],
)
def test_a_bar_is_read(options: dict[str, object], unit: str) -> None:
    expected = Reading(fraction=0.45, completed=45.0, total=100.0, unit=unit)
    assert read(Tqdm(), meter(45, 100, **options)) == expected


@pytest.mark.parametrize("unit", ["it", "B", " rows"])
def test_a_bar_with_prefixes_is_read(unit: str) -> None:
    name = {"B": "bytes"}.get(unit, unit.strip())
    expected = Reading(fraction=0.45, completed=1.53e6, total=3.4e6, unit=name)
    assert read(Tqdm(), meter(1_530_000, 3_400_000, unit=unit, unit_scale=True)) == expected


@pytest.mark.parametrize(
    ("options", "unit"), [({}, "it"), ({"unit": " rows"}, "rows"), ({"prefix": "a", "postfix": "b=1"}, "it")]
)
def test_a_counter_without_a_total_is_read(options: dict[str, object], unit: str) -> None:
    assert read(Tqdm(), meter(45, None, **options)) == Reading(completed=45.0, unit=unit)


def test_a_terminal_too_narrow_for_a_bar_leaves_the_numbers() -> None:
    narrow = str(tqdm.format_meter(45, 100, 65.0, ncols=0))
    assert read(Tqdm(), narrow) == Reading(fraction=0.45, completed=45.0, total=100.0, unit="it")


@pytest.mark.parametrize(
    "text", ["45%| a log of 1/2 [x]", "see [00:01, 5 of them", "5it [00:01]", "GET /s [10:00:00, x"]
)
def test_other_lines_are_not_read(text: str) -> None:
    assert read(Tqdm(), text) is None


def drawn(outer: int, inner: int, leave: bool, names: tuple[str, str]) -> str:
    output = io.StringIO()
    options = {"file": output, "mininterval": 0, "miniters": 1, "ascii": True}
    for _ in tqdm(range(outer), desc=names[0], **options):
        for _ in tqdm(range(inner), desc=names[1], leave=leave, **options):
            pass
    return output.getvalue()


@pytest.mark.parametrize("leave", [True, False])
@pytest.mark.parametrize("inner", [3, 4, 9])
@pytest.mark.parametrize("names", [("outer 1%", "inner 2%"), ("", "")], ids=["named", "alike"])
def test_of_nested_bars_the_outer_one_is_the_progress(inner: int, leave: bool, names: tuple[str, str]) -> None:
    told = readings("tqdm", drawn(4, inner, leave, names))
    assert {reading.total for reading in told} == {4.0}
    amounts = [reading.completed or 0.0 for reading in told]
    assert amounts == sorted(amounts)
    assert {0.0, 1.0, 2.0, 3.0, 4.0} == set(amounts)


def test_inner_bars_alone_are_better_than_none() -> None:
    inner = Line(b" 50%|##| 1/2 [00:01<00:01, 1.00it/s]", raised=True)
    assert Tqdm().read(inner) == Reading(fraction=0.5, completed=1.0, total=2.0, unit="it")


def test_a_bar_that_was_broken_off_gives_way_to_the_next() -> None:
    output = f"\r{meter(45, 100, prefix='one')}\n\r{meter(0, 7, prefix='two')}\r{meter(1, 7, prefix='two')}\n"
    assert last("auto", output) == Reading(fraction=1 / 7, completed=1.0, total=7.0, unit="it")
