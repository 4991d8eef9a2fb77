"""The outcome of ``memory`` as a table, with the targets it is held against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from bench.record import heading
from bench.rounds import Round, judged, medians, ratio, uncounted
from bench.servers import SERVERS

OURS = ("fast", "portable")
PROMISED = "fast"
"""What there are targets for."""
BESIDE = "queues"
"""What ours are compared with."""
IDLE, STALLED, SNAPSHOT, SNAPSHOTS, ACTIVITIES, HELD = "idle", "stalled", "snapshot", "snapshots", "activities", "held"
_WHAT = {
    IDLE: "a watcher that idles",
    STALLED: "a watcher that has stopped reading",
    SNAPSHOT: "… at the snapshot of 1,000 activities it asked for",
    SNAPSHOTS: "… each at a snapshot of another moment",
    ACTIVITIES: "a live activity",
}
KIB = 1024
LIMITS = {(IDLE, "sse"): 16 * KIB, (IDLE, "websocket"): 24 * KIB}
"""Bytes in the process,"""
STALLED_LIMIT = 256 * KIB
"""and with those in the kernel."""


class Verdict(NamedTuple):
    """One target in bytes, and what was found."""

    what: str
    server: str
    protocol: str
    found: float
    limit: float
    times: float | None
    """As many as with a queue per client."""

    @property
    def met(self) -> bool:
        return self.found <= self.limit


def printed(rounds: Sequence[Round], hold: int, skipped: Sequence[str]) -> str:
    """A table, the targets, and whether many watchers held."""
    head = ("process", "kernel", "both", f"× {BESIDE}")
    lines = [heading("memory"), "", f"  {'KiB for one':<72}" + "".join(f"{name:>10}" for name in head)]
    found = medians(rounds)
    for what, label in _WHAT.items():
        keys = [key for key in found if key[0].endswith(f" {what}")]
        lines += [_line(rounds, label, key, what) for key in keys]
    lines += ["", *(_told(verdict) for verdict in verdicts(rounds))]
    lines += [_holding(rounds, key, hold) for key in found if key[0].endswith(f" {HELD}")]
    return "\n".join([*lines, *uncounted(rounds, skipped), ""])


def summary(rounds: Sequence[Round]) -> dict[str, Any]:
    """The same for the record."""
    return {
        "medians": [
            {"server": key[0].split()[0], "what": key[0].split()[1], "protocol": key[1], **values}
            for key, values in medians(rounds).items()
        ],
        "targets": [{**verdict._asdict(), "met": verdict.met} for verdict in verdicts(rounds)],
    }


def verdicts(rounds: Sequence[Round]) -> list[Verdict]:
    """`headway serve` against the targets: under other servers the sockets, and what they may hold, are theirs."""
    found = []
    for (name, protocol, _), values in medians(rounds).items():
        server, what = name.split()
        times = _times(rounds, (name, protocol, 0), what)
        if server != PROMISED:
            continue
        if (what, protocol) in LIMITS:
            found.append(Verdict(what, server, protocol, values["process"], LIMITS[what, protocol], times))
        elif what in (STALLED, SNAPSHOT, SNAPSHOTS):
            found.append(Verdict(what, server, protocol, _both(values), STALLED_LIMIT, times))
    return found


def _both(values: dict[str, float]) -> float:
    return values["process"] + values.get("kernel", 0.0)


def _times(rounds: Sequence[Round], key: tuple[str, str, int], what: str) -> float | None:
    return ratio(rounds, key, (f"{BESIDE} {what}", key[1], 0), "process")


def _line(rounds: Sequence[Round], label: str, key: tuple[str, str, int], what: str) -> str:
    values, server = medians(rounds)[key], key[0].split()[0]
    times = _times(rounds, key, what)
    cells = (
        f"{values['process'] / KIB:.1f}",
        f"{values['kernel'] / KIB:.1f}" if "kernel" in values and what != ACTIVITIES else "–",
        f"{_both(values) / KIB:.1f}" if "kernel" in values else "–",
        "–" if times is None else f"{times:.2f}",
    )
    protocol = "" if what == ACTIVITIES else key[1]
    return f"  {label:<52}{server:<10}{protocol:<10}" + "".join(f"{cell:>10}" for cell in cells)


def _told(verdict: Verdict) -> str:
    where = "in the process" if verdict.what == IDLE else "in process and kernel"
    return judged(
        verdict.met,
        f"{_WHAT[verdict.what].removeprefix('… ')} ({verdict.server}, "
        f"{verdict.protocol}): {verdict.found / KIB:.1f} KiB {where}, at most {verdict.limit / KIB:.0f}",
    )


def _holding(rounds: Sequence[Round], key: tuple[str, str, int], hold: int) -> str:
    values = medians(rounds)[key]
    what = SERVERS[key[0].split()[0]].what
    return (
        f"held    {hold:,} watchers ({key[1]}, {what}): each got {values['frames'] / hold:,.0f} frames "
        f"and missed none; {values['process'] / KIB**2:.0f} MiB in all"
    )
