"""tqdm's bars.

`desc:  45%|████▌     | 45/100 [00:01<00:02, 30.1it/s, postfix]`, and without a total `123it [00:01, 100.0it/s]`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from headway.operations.process.progress.evidence import letters
from headway.operations.process.progress.reading import SIZE, Reading, share, size
from headway.operations.process.progress.terminal import Line

_END = r"\[\d{1,4}:\d\d(?::\d\d)?"  # the elapsed time
_MAYBE = re.compile(rb" \[\d{1,4}:\d\d")
_BAR = re.compile(
    rf"(?:^|\s)(\d{{1,3}})%(?:\|[^|]{{0,1000}}\|)? +({SIZE})/({SIZE}) {_END}<[^,\]]{{1,30}}, *([^,\]]{{1,40}})"
)
_COUNTER = re.compile(
    rf"(?:^|: )(\d[\d.]{{0,20}}[kMGTPE]?)( ?[^\d\s\[\]]{{0,20}}) {_END}, *(?:[\d.]+|\?)[^,\]]{{0,30}}/"
)
_RATE = re.compile(r"(?:[\d.]+|\?)(?:s/)?([^/]*)")  # 49.7it/s, ?it/s, 1.20s/it, 300.1 rows/s, 1.99MB/s


class _Bar(NamedTuple):
    """key: what a bar keeps while it grows: its description, without numbers, and its total."""

    reading: Reading
    key: tuple[str, float | None]


class Tqdm:
    """Reads tqdm's bars. (tqdm/std.py: `format_meter`, `moveto`, `close`)

    Of nested bars the outermost is the progress. tqdm moves the cursor up again after it has drawn an inner one, so
    that is known by what follows it; but when an inner bar closes, it is drawn once more, in the place of the outer.
    tqdm does not say whether its `k` is 1000 or 1024; it is read as 1000, tqdm's default.
    """

    hints: tuple[bytes, ...] = (b" [",)

    def __init__(self) -> None:
        self._outer: _Bar | None = None
        self._inner: _Bar | None = None

    def read(self, line: Line) -> Reading | None:
        """The reading of a bar, or of a counter without total, that is not an inner one."""
        bar = (_bar(line.text) or _counter(line.text)) if _MAYBE.search(line.raw) else None
        if bar is None:
            return None
        if line.raised:
            self._inner = bar
            return bar.reading if self._outer is None else None
        if self._is_closing_inner(bar):
            return None
        self._outer = bar
        return bar.reading

    def _is_closing_inner(self, bar: _Bar) -> bool:
        if self._inner is None or self._outer is None or bar.key != self._inner.key:
            return False
        if bar.key != self._outer.key:
            return True
        completed, before = bar.reading.completed or 0.0, self._outer.reading.completed or 0.0
        return completed == bar.reading.total and before + 1 < completed


def _bar(text: str) -> _Bar | None:
    bar = _BAR.search(text)
    if bar is None:
        return None
    percent, completed, total = int(bar[1]), size(bar[2], 1000), size(bar[3], 1000)
    if completed > total or percent > 100:
        return None
    plain = bar[2].isdigit() and bar[3].isdigit()  # else rounded, and the percentage is the more exact
    fraction = share(completed, total) if plain else percent / 100
    reading = Reading(fraction=fraction, completed=completed, total=total, unit=_unit(bar[4], scaled=not plain))
    return _Bar(reading, (letters(text[: bar.start()]), total))


def _counter(text: str) -> _Bar | None:
    counter = _COUNTER.search(text)
    if counter is None:
        return None
    reading = Reading(completed=size(counter[1], 1000), unit=_named(counter[2]))
    return _Bar(reading, (letters(text[: counter.start()]), None))


def _unit(rate: str, scaled: bool) -> str:
    found = _RATE.match(rate)
    unit = found[1] if found else ""
    return _named(unit[1:] if scaled and unit[:1] in tuple("kMGTPE") else unit)


def _named(unit: str) -> str:
    return "bytes" if unit.strip() == "B" else unit.strip() or "it"
