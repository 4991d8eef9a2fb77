"""Plots as SVG, drawn here: lines over a logarithmic axis are all that is needed, and no library has to be there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from bench.rounds import Round, medians

WIDTH, HEIGHT = 460, 340
LEFT, RIGHT, TOP, BOTTOM = 64, 112, 40, 46
COLOURS = ("#0b6e4f", "#58a55c", "#222222", "#777777", "#c0392b", "#d98c00", "#7b4fa3", "#2471a3", "#a0522d")
"""One for each line; the first two are ours."""

Lines = Mapping[str, Sequence[tuple[float, float]]]
"""Points by what they are of."""


def fanout(rounds: Sequence[Round]) -> str:
    """Deliveries over watchers, a panel for each protocol."""
    panels: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for (server, protocol, watchers), values in medians(rounds).items():
        points = panels.setdefault(protocol, {}).setdefault(server, [])
        points.append((watchers, values["deliveries"]))
    colours = _colours(dict.fromkeys(one.server for one in rounds))
    drawn = [panel(title, lines, "watchers", "deliveries/s", colours) for title, lines in sorted(panels.items())]
    return page(drawn)


def page(panels: Sequence[str]) -> str:
    """Panels beside each other, as a file."""
    width = WIDTH * max(1, len(panels))
    moved = [f'<g transform="translate({place * WIDTH} 0)">{panel}</g>' for place, panel in enumerate(panels)]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" width="{width}" height="{HEIGHT}"'
    style = 'font-family="system-ui, sans-serif" font-size="12" fill="#222"'
    return "\n".join(
        [f"{head} {style}>", f'<rect width="{width}" height="{HEIGHT}" fill="#fff"/>', *moved, "</svg>", ""]
    )


def panel(title: str, lines: Lines, across: str, up: str, colours: Mapping[str, str] | None = None) -> str:
    """Lines over a logarithmic axis, from 0 up, each with its name at its end."""
    xs = [x for points in lines.values() for x, _ in points]
    top = _round_up(max((y for points in lines.values() for _, y in points), default=1.0))
    colours = colours or _colours(lines)
    scale = _Scale(min(xs, default=1.0), max(xs, default=1.0), top)
    drawn = [
        _text(LEFT, 20, title, weight="bold"),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, across, anchor="middle"),
    ]
    drawn.append(_text(8, TOP - 6, up))
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = scale.up(top * share)
        drawn.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        drawn.append(_text(LEFT - 6, y + 4, _short(top * share), anchor="end"))
    drawn += [_text(scale.across(x), HEIGHT - BOTTOM + 18, f"{x:,.0f}", anchor="middle") for x in sorted(set(xs))]
    for name, place in _label_places(lines, scale).items():
        drawn += _line(sorted(lines[name]), scale, colours[name], name, place)
    return "".join(drawn)


class _Scale:
    def __init__(self, low: float, high: float, top: float) -> None:
        self._low, self._span = math.log(low), math.log(high) - math.log(low)
        self._top = top

    def across(self, x: float) -> float:
        share = (math.log(x) - self._low) / self._span if self._span else 0.5
        return LEFT + 12 + share * (WIDTH - RIGHT - LEFT - 24)

    def up(self, y: float) -> float:
        return HEIGHT - BOTTOM - y / self._top * (HEIGHT - BOTTOM - TOP)


def _line(points: Sequence[tuple[float, float]], scale: _Scale, colour: str, name: str, place: float) -> list[str]:
    at = [(scale.across(x), scale.up(y)) for x, y in points]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in at)
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in at]
    return [
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
        *dots,
        _text(WIDTH - RIGHT + 8, place + 4, name, colour=colour),
    ]


def _label_places(lines: Lines, scale: _Scale) -> dict[str, float]:
    """Heights of the names: beside the ends of their lines, and apart from each other."""
    ends = sorted((scale.up(max(points)[1]), name) for name, points in lines.items())
    places: dict[str, float] = {}
    last = 0.0
    for y, name in ends:
        last = places[name] = max(y, last + 14)
    return places


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal", colour: str = "#222") -> str:
    style = f'text-anchor="{anchor}" font-weight="{weight}" fill="{colour}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'


def _colours(names: Mapping[str, object]) -> dict[str, str]:
    return {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(sorted(names, key=_rank))}


def _rank(name: str) -> tuple[int, str]:
    return (
        ("fast", "portable", "send", "loop").index(name) if name in ("fast", "portable", "send", "loop") else 4,
        name,
    )


def _round_up(value: float) -> float:
    step: float = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next(step * factor for factor in (1, 2, 4, 6, 8, 10) if step * factor >= value)


def _short(value: float) -> str:
    return f"{value / 1000:,.0f} k" if value >= 1000 else f"{value:g}"
