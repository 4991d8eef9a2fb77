"""The outcome of ``fanout`` as a table and as ratios, with the targets that they are held against."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any, NamedTuple

from bench import frame
from bench.record import heading
from bench.rounds import Round, judged, medians, ratio, recorded, uncounted
from bench.servers import SERVERS

LIMIT = "loop"
"""What the others are compared with."""


class Target(NamedTuple):
    """Our deliveries are to be at least ``factor`` times theirs."""

    ours: str
    theirs: str
    factor: float


FEWEST = 1_000
"""Watchers that the targets are for: with fewer it is not the sending that takes the time."""
DISTURBED = 0.1
"""Processors that others may take without being told of."""
TARGETS = (
    Target("fast", "loop", 0.9),
    Target("fast", "nchan", 1.25),
    Target("fast", "queues", 7.0),
    Target("portable", "queues", 1.5),
)


def printed(rounds: Sequence[Round], skipped: Sequence[str]) -> str:
    """A table for each protocol and size."""
    lines = [heading("fanout")]
    for protocol, watchers in dict.fromkeys((one.protocol, one.watchers) for one in rounds):
        lines += ["", *_table(rounds, protocol, watchers)]
    lines += ["", *_verdicts(rounds)]
    lines += _disturbance(rounds)
    return "\n".join([*lines, *uncounted(rounds, skipped), ""])


def summary(rounds: Sequence[Round]) -> dict[str, Any]:
    """The same for the record."""
    return {
        "medians": recorded(rounds),
        "ratios": [
            {
                "protocol": protocol,
                "watchers": watchers,
                **target._asdict(),
                "ratio": found,
                "met": found >= target.factor,
            }
            for protocol, watchers, target, found in _against(rounds)
        ],
    }


def _table(rounds: Sequence[Round], protocol: str, watchers: int) -> list[str]:
    size = frame.framed("sse" if protocol == "sse" else "websocket").size
    found = medians(rounds)
    lines = [
        f"{protocol}, {watchers:,} watchers, frames of {size} bytes",
        f"  {'':<60}{'deliveries/s':>13}{'× ' + LIMIT:>8}{'CPU s/M':>9}{'p50 ms':>9}{'p99 ms':>9}{'connects/s':>12}"
        f"{'reader s/M':>12}",
    ]
    for name, server in SERVERS.items():
        key = (name, protocol, watchers)
        if key not in found:
            continue
        values = found[key]
        times = ratio(rounds, key, (LIMIT, protocol, watchers), "deliveries")
        lines.append(
            f"  {name:<10}{server.what:<50}{values['deliveries']:>13,.0f}{_times(times):>8}{values['cpu']:>9.2f}"
            f"{values['p50'] * 1e3:>9.2f}{values['p99'] * 1e3:>9.2f}{values['connects']:>12,.0f}"
            f"{values['reader_cpu']:>12.2f}"
        )
    return lines


def _times(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:.2f}"


def _verdicts(rounds: Sequence[Round]) -> list[str]:
    return [
        judged(
            found >= target.factor if watchers >= FEWEST else None,
            f"{target.ours} ≥ {target.factor} × {target.theirs}: {found:.2f} × ({protocol}, {watchers:,} watchers)",
        )
        for protocol, watchers, target, found in _against(rounds)
    ]


def _disturbance(rounds: Sequence[Round]) -> list[str]:
    others = [one.values["others"] for one in rounds if one.values]
    if not others or median(others) < DISTURBED:
        return []
    return [
        f"not quiet: other processes took {median(others):.0%} of a processor in the median round, "
        f"{max(others):.0%} at most"
    ]


def _against(rounds: Sequence[Round]) -> list[tuple[str, int, Target, float]]:
    found = []
    for protocol, watchers in dict.fromkeys((one.protocol, one.watchers) for one in rounds):
        for target in TARGETS:
            ours, theirs = ((name, protocol, watchers) for name in (target.ours, target.theirs))
            times = ratio(rounds, ours, theirs, "deliveries")
            if times is not None:
                found.append((protocol, watchers, target, times))
    return found
