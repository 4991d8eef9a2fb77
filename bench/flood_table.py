"""The outcome of ``flood`` as a table, with the targets it is held against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from bench.record import heading
from bench.rounds import Round, judged, medians, ratio, recorded, uncounted
from bench.servers import SERVERS

CALM, STALLED = " calm", " stalled"
"""What is added to a server's name where readers are few, and where others have stalled beside them."""

FRAMES = 20.0
"""Updates that a watcher may get of an activity in a second; starts and ends are not counted."""
EDGE = 1.0
"""One flush more may fall into the time."""
ENDED = 0.1
"""Seconds."""
OTHERS = 1.1
"""As often as long may it take the others."""


class Verdict(NamedTuple):
    """One target, and what was found."""

    what: str
    found: float
    limit: float

    @property
    def met(self) -> bool:
        return self.found <= self.limit


def printed(rounds: Sequence[Round], activities: int, rate: float, stalled: int, skipped: Sequence[str]) -> str:
    """A table for each protocol."""
    lines = [heading("flood")]
    for protocol, watchers in dict.fromkeys((one.protocol, one.watchers) for one in rounds):
        lines += ["", f"{protocol}, {watchers:,} watchers, {activities} activities with {rate:,.0f} reports/s each"]
        lines += _floods(rounds, protocol, watchers)
        if stalled:
            lines += [
                "",
                f"{protocol}, 20 frames/s to {watchers - stalled:,} watchers, and {stalled} that read nothing",
            ]
            lines += _stalls(rounds, protocol, watchers)
    lines += ["", *(_told(verdict) for verdict in verdicts(rounds))]
    return "\n".join([*lines, *uncounted(rounds, skipped), ""])


def summary(rounds: Sequence[Round]) -> dict[str, Any]:
    """The same for the record."""
    return {
        "medians": recorded(rounds),
        "targets": [{**verdict._asdict(), "met": verdict.met} for verdict in verdicts(rounds)],
    }


def verdicts(rounds: Sequence[Round]) -> list[Verdict]:
    """Ours against the targets."""
    found = []
    for (server, protocol, watchers), values in medians(rounds).items():
        where = f"{server}, {protocol}"
        if server in ("fast", "portable"):
            found.append(Verdict(f"updates/s of an activity to a watcher ({where})", values["updates"], FRAMES + EDGE))
            found.append(Verdict(f"seconds until `ended`, p99 ({where})", values["ended_p99"], ENDED))
            found.append(Verdict(f"share of `ended` that never came ({where})", values["ended_missing"], 0.0))
        elif server.endswith(STALLED):
            alone = (server.removesuffix(STALLED) + CALM, protocol, watchers)
            times = ratio(rounds, (server, protocol, watchers), alone, "p99")
            if times is not None:
                found.append(Verdict(f"× p99 of the others beside stalled readers ({where})", times, OTHERS))
    return found


def _told(verdict: Verdict) -> str:
    return judged(verdict.met, f"{verdict.what}: {verdict.found:.3g}, at most {verdict.limit:.3g}")


def _floods(rounds: Sequence[Round], protocol: str, watchers: int) -> list[str]:
    head = ("reports/s", "updates/s", "deliveries/s", "CPU", "MiB", "ended p50", "p99 ms", "missing")
    lines = [f"  {'each activity; to each watcher':<44}" + "".join(f"{name:>13}" for name in head)]
    found = medians(rounds)
    for name, server in SERVERS.items():
        values = found.get((name, protocol, watchers))
        if values is None:
            continue
        cells = (
            f"{values['reports']:,.0f}",
            f"{values['updates']:.2f}",
            f"{values['deliveries']:,.0f}",
            f"{values['cpu']:.0%}",
            f"{values['memory']:.0f}",
            f"{values['ended_p50'] * 1e3:.1f}",
            f"{values['ended_p99'] * 1e3:.1f}",
            f"{values['ended_missing']:.1%}",
        )
        lines.append(f"  {name:<10}{server.what:<34.34}" + "".join(f"{cell:>13}" for cell in cells))
    return lines


def _stalls(rounds: Sequence[Round], protocol: str, watchers: int) -> list[str]:
    lines = [f"  {'':<44}{'p50 ms':>13}{'p99 ms':>13}{'MiB':>13}"]
    found = medians(rounds)
    for name in SERVERS:
        for suffix, what in ((CALM, "nobody stalled"), (STALLED, "some stalled")):
            values = found.get((name + suffix, protocol, watchers))
            if values is not None:
                cells = (f"{values['p50'] * 1e3:.2f}", f"{values['p99'] * 1e3:.2f}", f"{values['memory']:.0f}")
                lines.append(f"  {name:<10}{what:<34}" + "".join(f"{cell:>13}" for cell in cells))
    return lines
