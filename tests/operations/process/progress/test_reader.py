"""Bytes in, progress out: any bytes, cut anywhere, at a bounded cost."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import headway.operations.process.progress as progress
from headway.operations.process.progress import RULES, Line, ProgressReader, Reading, reader
from headway.operations.process.progress.terminal import MAX_LINE
from tests.operations.process.progress.support import RECORDINGS, all_of

_constants: Any = importlib.import_module("re._constants")
_parser: Any = importlib.import_module("re._parser")

LINES = [line for path in sorted(RECORDINGS.iterdir()) for line in path.read_bytes().splitlines()[:40]]
SEPARATORS = [b"\n", b"\r", b"\r\n", b"\b", b"\x1b[A", b"\n\r", b"\x1b[2K", b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b]0;"]
LONG = [b"x" * MAX_LINE, b"% " * (MAX_LINE // 2), b" " * 1030]
PIECES = st.sampled_from(LINES) | st.sampled_from(SEPARATORS) | st.binary(max_size=12) | st.sampled_from(LONG)
OUTPUTS = st.lists(PIECES, max_size=30).map(b"".join)


class Spy:
    """Counts the lines it is asked to read."""

    hints = (b"%",)

    def __init__(self) -> None:
        self.lines: list[str] = []

    def read(self, line: Line) -> Reading | None:
        self.lines.append(line.text)
        return Reading(completed=float(len(self.lines)))


def chunks_of(output: bytes, cuts: list[int]) -> Iterator[bytes]:
    places = sorted({0, len(output), *(cut % (len(output) + 1) for cut in cuts)})
    return (output[start:end] for start, end in pairwise(places))


@pytest.mark.parametrize("rule", RULES)
@given(output=OUTPUTS, cuts=st.lists(st.integers(min_value=0), max_size=20))
def test_how_the_output_is_cut_makes_no_difference(rule: str, output: bytes, cuts: list[int]) -> None:
    whole, cut, small = reader(rule), reader(rule), reader(rule)
    size = 1 if len(output) < MAX_LINE else 99
    newest_of_small = newest(small, (output[at : at + size] for at in range(0, len(output), size)))
    assert whole.feed(output) == newest(cut, chunks_of(output, cuts)) == newest_of_small
    assert whole.flush() == cut.flush() == small.flush()


def newest(told: ProgressReader, chunks: Iterator[bytes]) -> Reading | None:
    reading = None
    for chunk in chunks:
        reading = told.feed(chunk) or reading
    return reading


@pytest.mark.parametrize("rule", RULES)
@given(output=OUTPUTS)
def test_a_reading_is_within_bounds(rule: str, output: bytes) -> None:
    for reading in all_of(rule, [output[at : at + 60] for at in range(0, len(output), 60)]):
        assert reading.fraction is None or 0 <= reading.fraction <= 1
        assert reading.completed is None or reading.completed >= 0
        assert reading.total is None or reading.total > 0
        assert reading.subtitle is None or 0 < len(reading.subtitle) <= MAX_LINE


@pytest.mark.parametrize("rule", RULES)
@given(lines=st.lists(st.sampled_from(LINES) | st.binary(max_size=12), max_size=30), data=st.data())
def test_a_line_read_before_it_ends_is_no_more_than_one_line(
    rule: str, lines: list[bytes], data: st.DataObject
) -> None:
    calm, hasty = reader(rule), reader(rule)
    for line in lines:
        separator = data.draw(st.sampled_from([b"\n", b"\r", b"\r\n"]))
        expected = calm.feed(line + separator)
        fed, early, late = hasty.feed(line), hasty.flush(), hasty.feed(separator)
        assert (late or early or fed) == expected


def test_the_newest_reading_of_a_chunk_counts() -> None:
    told = reader("percent")
    assert told.feed(b"5%\n6%\nnothing\n7") == Reading(fraction=0.06)
    assert told.feed(b"%") is None
    assert told.flush() == Reading(fraction=0.07)
    assert told.feed(b"\nnothing\n") == Reading(fraction=0.07)
    assert told.flush() is None


def test_a_rule_is_asked_only_about_lines_with_a_hint() -> None:
    spy = Spy()
    told = ProgressReader(spy)
    told.feed(b"a log line like any other\n" * 5_000 + b"45%\n" + b"and so on and on\r\n" * 5_000)
    assert spy.lines == ["45%"]


def test_each_reader_begins_afresh() -> None:
    first, second = reader("pip"), reader("pip")
    first.feed(b"  Downloading a.whl (3.0 MB)\nProgress 1 of 2\n")
    assert second.feed(b"Progress 1 of 2\n") is None


def test_an_unknown_rule_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no progress rule 'scp'; there are auto, percent, .*, none"):
        reader("scp")


def test_a_reader_shows_its_state() -> None:
    told = reader("auto")
    told.feed(b"1048576 bytes (1.0 MB, 1.0 MiB) copied, 1 s, 1.0 MB/s\n")
    assert re.search(r"Auto\(.*Dd.*completed=1048576.*LineSplitter\(holding=", repr(told))


PATTERNS = {
    f"{module}.{name}": pattern
    for module in (found.name for found in pkgutil.iter_modules(progress.__path__))
    for name, pattern in vars(importlib.import_module(f"{progress.__name__}.{module}")).items()
    if isinstance(pattern, re.Pattern)
}


def repeats(nodes: Any, around: int = 1) -> Iterator[int]:
    """For each repetition in a parsed pattern, how often it and those around it can repeat together."""
    for operation, value in nodes:
        times = around
        if operation in (_constants.MAX_REPEAT, _constants.MIN_REPEAT):
            most = int(value[1])
            times = around * most
            yield times if around > 1 else most and 1
        inner = value if isinstance(value, tuple | list) else [value]
        for part in inner:
            for deeper in part if isinstance(part, list) else [part]:
                if isinstance(deeper, _parser.SubPattern):
                    yield from repeats(deeper, times)


@pytest.mark.parametrize("name", PATTERNS)
def test_no_pattern_can_explode(name: str) -> None:
    """A repetition within a repetition can take exponential time, unless both are short."""
    assert all(times <= 1024 for times in repeats(_parser.parse(PATTERNS[name].pattern, PATTERNS[name].flags)))


def test_the_check_of_patterns_finds_one_that_can_explode() -> None:
    assert max(repeats(_parser.parse(r"(?:a+|b)*c"))) > 1024
    assert max(repeats(_parser.parse(r"(x{0,9}){0,9}"))) == 81
    assert max(repeats(_parser.parse(r"a+b*(?:c|d)?"))) == 1
