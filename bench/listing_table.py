"""The outcome of ``list`` as a table, with the target it is held against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from bench.record import heading
from bench.rounds import Round, judged, medians, ratio, uncounted

LIST, CHANGING, UNCHANGED, OWN, UNKNOWN, SMALLEST = "list", "changing", "unchanged", "own", "unknown", "smallest"
STATIC = "static "
"""What is put before the name of a case whose answer is sent as static bytes."""

FACTOR = 0.8
TARGET_SIZE = 1_000
"""The target: so many times the rate of the static bytes, with so many activities."""

_WHAT = {
    LIST: "GET /activities",
    CHANGING: "… while they change 20 times a second",
    UNCHANGED: "… with If-None-Match: 304",
    OWN: "… as a user who sees a tenth of them",
    UNKNOWN: "… in words not heard before",
    SMALLEST: "GET /health",
    **{STATIC + name: f"static bytes, as {name}" for name in (LIST, UNCHANGED, OWN)},
}


class Verdict(NamedTuple):
    """Our rate as a multiple of that of the static bytes."""

    name: str
    format: str
    activities: int
    found: float

    @property
    def counts(self) -> bool:
        """Whether there is a target for it."""
        return self.activities == TARGET_SIZE and self.name == LIST

    @property
    def met(self) -> bool:
        return self.found >= FACTOR


def printed(rounds: Sequence[Round]) -> str:
    """A table for each number of activities."""
    lines = [heading("list")]
    for size in dict.fromkeys(one.watchers for one in rounds):
        lines += ["", *_table(rounds, size)]
    lines += ["", *(_told(verdict) for verdict in verdicts(rounds) if verdict.counts)]
    return "\n".join([*lines, *uncounted(rounds, [], "activities"), ""])


def summary(rounds: Sequence[Round]) -> dict[str, Any]:
    """The same for the record."""
    return {
        "medians": [
            {"case": name, "format": format, "activities": size, **values}
            for (name, format, size), values in medians(rounds).items()
        ],
        "ratios": [
            {**verdict._asdict(), "factor": FACTOR if verdict.counts else None, "met": verdict.met}
            for verdict in verdicts(rounds)
        ],
    }


def verdicts(rounds: Sequence[Round]) -> list[Verdict]:
    """Each case against its static bytes."""
    found = []
    for name, format, size in medians(rounds):
        theirs = STATIC + (LIST if name in (CHANGING, UNKNOWN) else name)
        times = ratio(rounds, (name, format, size), (theirs, format, size), "rate")
        if times is not None:
            found.append(Verdict(name, format, size, times))
    return found


def _told(verdict: Verdict) -> str:
    return judged(
        verdict.met,
        f"list ≥ {FACTOR} × static bytes: {verdict.found:.2f} × ({verdict.format}, {verdict.activities:,} activities)",
    )


def _table(rounds: Sequence[Round], size: int) -> list[str]:
    head = ("bytes", "requests/s", "× static", "CPU µs", "p50 ms", "p99 ms", "asker busy")
    lines = [f"  {f'{size:,} activities':<50}" + "".join(f"{name:>12}" for name in head)]
    times = {(one.name, one.format): f"{one.found:.2f}" for one in verdicts(rounds) if one.activities == size}
    found = {key: values for key, values in medians(rounds).items() if key[2] == size}
    for name, format, _ in sorted(found, key=lambda key: (key[1], list(_WHAT).index(key[0]))):
        values = found[name, format, size]
        cells = (
            f"{values['bytes']:,.0f}",
            f"{values['rate']:,.0f}",
            times.get((name, format), "–"),
            f"{values['cpu'] * 1e6:.0f}",
            f"{values['p50'] * 1e3:.2f}",
            f"{values['p99'] * 1e3:.2f}",
            f"{values['asker']:.0%}",
        )
        lines.append(f"  {format:<6}{_WHAT[name]:<44}" + "".join(f"{cell:>12}" for cell in cells))
    return lines
