"""Plots as SVG, drawn here: lines over a logarithmic axis are all that is needed, and no library has to be there.

On white whatever is behind the page; the colours are those that the colour-blind tell apart (Okabe and Ito), and the
names are written in black beside their lines.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from bench.growth_table import Growth, growths
from bench.rounds import Round, medians

WIDTH, HEIGHT = 460, 340
LEFT, RIGHT, TOP, BOTTOM = 56, 118, 42, 46
LINE = 14
"""Between two names."""
COLOURS = ("#0072b2", "#56b4e9", "#222222", "#888888", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#7b4f2a")
"""One for each line; the first two are ours."""

Lines = Mapping[str, Sequence[tuple[float, float]]]
"""Points by what they are of."""


def fanout(rounds: Sequence[Round]) -> str:
    """Deliveries over watchers, a panel for each protocol."""
    panels: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for (server, protocol, watchers), values in medians(rounds).items():
        points = panels.setdefault(protocol, {}).setdefault(server, [])
        points.append((watchers, values["deliveries"]))
    colours = _colours(sorted({one.server for one in rounds}, key=_rank))
    drawn = [
        panel(title, lines, "watchers", "deliveries/s", _Linear(lines), colours)
        for title, lines in sorted(panels.items())
    ]
    return page(drawn)


def growth(rounds: Sequence[Round]) -> str:
    """How often as much a flush costs when there is so often as much of something: what grows, and what shall not."""
    found = growths(rounds)
    relative = {_named(one): _relative(one) for one in found}
    up = "times the cost (dashed: proportional; numbers: exponents)"
    drawn = []
    for flat, title in ((False, "A flush costs more with more"), (True, "A flush costs no more with more")):
        lines = {_named(one): relative[_named(one)] for one in found if one.dimension.flat is flat}
        if lines:
            drawn.append(panel(title, lines, "times as many", up, _Doubling(relative), _colours(lines)))
    return page(drawn)


def _named(one: Growth) -> str:
    return f"{one.dimension.name} {round(one.judged.exponent, 2) + 0.0:.2f}"  # no minus before nothing


def _relative(one: Growth) -> list[tuple[float, float]]:
    costs = [(size, values[one.dimension.cost]) for size, values in one.points if values[one.dimension.cost] > 0]
    first, least = costs[0]
    return [(size / first, cost / least) for size, cost in costs]


def page(panels: Sequence[str]) -> str:
    """Panels beside each other, as a file."""
    width = WIDTH * max(1, len(panels))
    moved = [f'<g transform="translate({place * WIDTH} 0)">{panel}</g>' for place, panel in enumerate(panels)]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" width="{width}" height="{HEIGHT}"'
    style = 'font-family="system-ui, sans-serif" font-size="12" fill="#222"'
    return "\n".join(
        [f"{head} {style}>", f'<rect width="{width}" height="{HEIGHT}" fill="#fff"/>', *moved, "</svg>", ""]
    )


def panel(title: str, lines: Lines, across: str, up: str, heights: _Heights, colours: Mapping[str, str]) -> str:
    """Lines over a logarithmic axis, each with its name at its end."""
    xs = sorted({x for points in lines.values() for x, _ in points})
    widths = _Widths(xs[0], xs[-1])
    drawn = [
        _text(LEFT, 16, title, weight="bold"),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, across, anchor="middle"),
        _text(LEFT, TOP - 4, up),
    ]
    for value in heights.ticks():
        y = heights.place(value)
        drawn.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        drawn.append(_text(LEFT - 6, y + 4, heights.told(value), anchor="end"))
    drawn += [_text(widths.place(x), HEIGHT - BOTTOM + 18, f"{x:,.0f}", anchor="middle") for x in xs]
    drawn += heights.limit(widths)
    for name, place in _label_places(lines, heights).items():
        at = [(widths.place(x), heights.place(y)) for x, y in sorted(lines[name])]
        drawn += _line(at, colours[name], name, place)
    return "".join(drawn)


class _Widths:
    """Logarithmic, to the right."""

    def __init__(self, low: float, high: float) -> None:
        self.high = high
        self._low, self._span = math.log(low), math.log(high) - math.log(low)

    def place(self, x: float) -> float:
        share = (math.log(x) - self._low) / self._span if self._span else 0.5
        return LEFT + 12 + share * (WIDTH - RIGHT - LEFT - 24)


class _Linear:
    """From 0 up."""

    def __init__(self, lines: Lines) -> None:
        self._top = _round_up(max((y for points in lines.values() for _, y in points), default=1.0))

    def place(self, y: float) -> float:
        return HEIGHT - BOTTOM - y / self._top * (HEIGHT - BOTTOM - TOP)

    def ticks(self) -> list[float]:
        return [self._top * share for share in (0, 0.25, 0.5, 0.75, 1)]

    def told(self, y: float) -> str:
        return f"{y / 1000:,.0f} k" if y >= 1000 else f"{y:g}"

    def limit(self, widths: _Widths) -> list[str]:
        """Nothing else to draw."""
        return []


class _Doubling:
    """Logarithmic, in powers of two around 1; a line shows what would be proportional."""

    def __init__(self, lines: Lines) -> None:
        values = [y for points in lines.values() for _, y in points]
        self._low = min(-1, math.floor(math.log2(min(values, default=1.0))))
        self._high = max(4, math.ceil(math.log2(max(values, default=1.0))))

    def place(self, y: float) -> float:
        share = (math.log2(y) - self._low) / (self._high - self._low)
        return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)

    def ticks(self) -> list[float]:
        return [2.0**power for power in range(self._low, self._high + 1)]

    def told(self, y: float) -> str:
        return f"{y:g}"

    def limit(self, widths: _Widths) -> list[str]:
        end = min(widths.high, 2.0**self._high)
        begin, end_x = (widths.place(x) for x in (1.0, end))
        path = f"M{begin:.1f} {self.place(1.0):.1f}L{end_x:.1f} {self.place(end):.1f}"
        return [f'<path d="{path}" stroke="#888" stroke-dasharray="3 4" fill="none"/>']


_Heights = _Linear | _Doubling


def _line(at: Sequence[tuple[float, float]], colour: str, name: str, place: float) -> list[str]:
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in at)
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in at]
    return [
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
        *dots,
        f'<rect x="{WIDTH - RIGHT + 6}" y="{place - 3:.1f}" width="10" height="6" fill="{colour}"/>',
        _text(WIDTH - RIGHT + 20, place + 4, name),
    ]


def _label_places(lines: Lines, heights: _Heights) -> dict[str, float]:
    """Heights of the names: beside the ends of their lines, and apart from each other."""
    ends = sorted((heights.place(max(points)[1]), name) for name, points in lines.items())
    places: dict[str, float] = {}
    last = 0.0
    for y, name in ends:
        last = places[name] = max(y, last + LINE)
    lowest = float(HEIGHT - BOTTOM)
    for _, name in reversed(ends):  # those that came out too low push the others up again
        lowest = places[name] = min(places[name], lowest)
        lowest -= LINE
    return places


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal") -> str:
    style = f'text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'


def _colours(names: Sequence[str] | Lines) -> dict[str, str]:
    return {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}


def _rank(name: str) -> tuple[int, str]:
    ours = ("fast", "portable", "send", "loop")
    return (ours.index(name) if name in ours else len(ours), name)


def _round_up(value: float) -> float:
    step: float = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next(step * factor for factor in (1, 2, 3, 4, 6, 8, 10) if step * factor >= value)
