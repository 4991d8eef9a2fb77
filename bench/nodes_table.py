"""The outcome of ``nodes`` as tables, with the targets it is held against."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any, NamedTuple

from bench.pairs import PAIRS
from bench.record import heading
from bench.rounds import Round, judged, medians, ratio, recorded, uncounted

LATENCY, PROGRESS, MEMORY, WATCHERS, PEERS = "latency", "progress", "memory", "watchers", "peers"
CROSS, EACH, UNCHANGED, TWICE = 3.0, 5.0, 1.1, 1.8
FEWEST = 1_000
"""Watchers: with fewer it is not the sending that takes the time."""
MS, MICRO, KIB = 1e3, 1e6, 1024


def changes(at_once: int) -> str:
    """The name of what is measured with so many at once."""
    return f"changes {at_once}"


class Verdict(NamedTuple):
    """A target, and what came of it."""

    what: str
    found: float
    limit: float
    at_least: bool = False
    enough: bool = True
    """Whether there was enough of everything to judge by."""

    @property
    def met(self) -> bool | None:
        if not self.enough:
            return None
        return self.found >= self.limit if self.at_least else self.found <= self.limit


def printed(rounds: Sequence[Round], skipped: Sequence[str]) -> str:
    """The tables, the targets, and what is not in them."""
    lines = [heading("nodes")]
    parts = (_latencies, _rates, _progress, _memory, _watchers, _peers, _judged)
    for part in parts:
        found = part(rounds)
        lines += ["", *found] if found else []
    return "\n".join([*lines, *uncounted(rounds, skipped, "nodes"), ""])


def summary(rounds: Sequence[Round]) -> dict[str, Any]:
    """The same for the record."""
    return {
        "medians": recorded(rounds),
        "targets": [{**one._asdict(), "met": one.met} for one in verdicts(rounds)],
    }


def verdicts(rounds: Sequence[Round]) -> list[Verdict]:
    """All targets that can be judged by these rounds."""
    return [*_crossing(rounds), *_paced(rounds), *_carrying(rounds)]


def _crossing(rounds: Sequence[Round]) -> Iterable[Verdict]:
    """The p99 of a frame elsewhere, in units of the same here; the store's round trip is that of a write as large."""
    for store, count in _found(rounds, LATENCY):
        several = [one.values for one in rounds if one.key == (store, LATENCY, count) and one.error is None]
        if "report-there-p99" not in several[0]:
            continue
        for what in ("report", "start"):
            found = median((v[f"{what}-there-p99"] - v["write-p50"]) / v[f"{what}-here-p99"] for v in several)
            told = "(p99 elsewhere − a round trip) ÷ p99 here"
            yield Verdict(f"{what} → frame, {store}, {count} nodes: {told}", found, CROSS)


def _paced(rounds: Sequence[Round]) -> Iterable[Verdict]:
    found = medians(rounds)
    for store, count in _found(rounds, PROGRESS):
        each = found[store, PROGRESS, count].get("each")
        if each is not None:
            yield Verdict(f"commits of progress an activity and second, {store}, {count} nodes", each, EACH)


def _carrying(rounds: Sequence[Round]) -> Iterable[Verdict]:
    for store in dict.fromkeys(store for store, _ in _found(rounds, WATCHERS)):
        pair = (store, WATCHERS, 2), (store, WATCHERS, 1)
        cpu = ratio(rounds, *pair, "cpu")
        values = medians(rounds)
        if cpu is not None:
            enough = values[pair[0]]["streams"] >= FEWEST
            yield Verdict(f"CPU a delivery, two nodes ÷ one, {store}", cpu, UNCHANGED, enough=enough)
        if all("most" in values.get(key, ()) for key in pair):
            most = ratio(rounds, *pair, "most")
            yield Verdict(f"deliveries/s, two nodes ÷ one, {store}", most or 0.0, TWICE, at_least=True)


def _latencies(rounds: Sequence[Round]) -> list[str]:
    columns = ["ping", "write", "report-here", "report-there", "start-here", "start-there", "visible-there"]
    lines = [f"  {'p50 / p99, ms':<22}" + "".join(f"{name.replace('-', ' '):>17}" for name in columns)]
    found = medians(rounds)
    for store, count in _found(rounds, LATENCY):
        values = found[store, LATENCY, count]
        lines.append(f"  {store:<13}{count} nodes  " + "".join(f"{_span(values, name):>17}" for name in columns))
    note = "  write: of a record, in a script; visible there: from the answer to a start until it is seen elsewhere"
    return [*lines, note] if len(lines) > 1 else []


def _span(values: dict[str, float], name: str) -> str:
    if f"{name}-p50" not in values:
        return "–"
    return f"{values[f'{name}-p50'] * MS:.2f} / {values[f'{name}-p99'] * MS:.2f}"


def _rates(rounds: Sequence[Round]) -> list[str]:
    return _costs(rounds, [name for name in dict.fromkeys(one.protocol for one in rounds) if name[:7] == "changes"])


def _progress(rounds: Sequence[Round]) -> list[str]:
    return _costs(rounds, [PROGRESS])


def _costs(rounds: Sequence[Round], names: Sequence[str]) -> list[str]:
    found = medians(rounds)
    last = "each/s" if names == [PROGRESS] else ""
    columns = f"{'changes/s':>11}{'first':>8}{'follower':>10}{'store':>8}{'bytes':>8}{last:>8}"
    lines = [f"  {'CPU s per 1,000 changes':<34}{columns}"]
    for store, count in dict.fromkeys(key for name in names for key in _found(rounds, name)):
        for name in names:
            values = found.get((store, name, count))
            if values is None:
                continue
            rate = values["rate"] if name != PROGRESS else values["committed"] / values["seconds"]
            cells = [f"{rate:>11,.0f}", f"{values['first']:>8.3f}", _cell(values, "follower", count > 1, 10)]
            cells += [
                _cell(values, "store", True, 8),
                f"{values['bytes']:>8,.0f}" if "bytes" in values else f"{'–':>8}",
            ]
            cells += [f"{values['each']:>8.2f}"] if "each" in values else []
            lines.append(f"  {store:<13}{count} nodes  {name:<13}" + "".join(cells))
    if last:
        lines.append(
            "  where the store does not say how many changes there were, it is reports; the follower has no watchers"
        )
    return lines if len(lines) > 1 + bool(last) else []


def _cell(values: dict[str, float], name: str, shown: bool, width: int) -> str:
    return f"{values[name]:>{width}.3f}" if shown and name in values else f"{'–':>{width}}"


def _memory(rounds: Sequence[Round]) -> list[str]:
    lines = []
    for store, count in _found(rounds, MEMORY):
        values = medians(rounds)[store, MEMORY, count]
        sizes = [f"{values[name] / KIB:.2f} KiB on {where}" for name, where in _PLACES]
        whole = [f"{v / KIB**2:.0f} MiB with {name[3:]}" for name, v in values.items() if name.startswith("at-")]
        lines.append(f"  {store:<13}a live activity is {', '.join(sizes)}; the first node is {', '.join(whole)}")
        lines.append(f"  {'':<13}an idle watcher is {values['watcher'] / KIB:.1f} KiB")
    return lines


_PLACES = (("first", "the node that is told"), ("follower", "one that follows"), ("store", "the store"))


def _watchers(rounds: Sequence[Round]) -> list[str]:
    lines = []
    for store, count in _found(rounds, WATCHERS):
        v = medians(rounds)[store, WATCHERS, count]
        most = f", at most {v['most']:,.0f}/s" if "most" in v else ""
        told = f"{v['cpu'] * MICRO:.2f} µs CPU a delivery at {v['rate']:,.0f}/s{most}"
        lines.append(f"  {store:<13}watchers on {count} nodes: {told}, p99 {v['p99'] * MS:.1f} ms")
    return lines


def _peers(rounds: Sequence[Round]) -> list[str]:
    columns = ("p50", "p99", "messages/s", "CPU µs", "sender", "receiver", "between")
    lines = [f"  {'by way of two processes, ms and µs':<66}" + "".join(f"{name:>11}" for name in columns)]
    for name, _ in _found(rounds, PEERS):
        v = medians(rounds)[name, PEERS, 2]
        cells = [f"{v['p50'] * MS:>11.2f}", f"{v['p99'] * MS:>11.2f}", f"{v['rate']:>11,.0f}"]
        cells += [f"{v[part] * MICRO:>11.0f}" for part in ("cpu", "sender", "receiver", "between")]
        lines.append(f"  {name:<10}{PAIRS[name].what:<56}" + "".join(cells))
        if name != "ours" and (times := _times(rounds, name)):
            lines.append(f"  {'':<10}ours ÷ {name}: {times}")
    return lines if len(lines) > 1 else []


def _times(rounds: Sequence[Round], name: str) -> str:
    found = {
        value: ratio(rounds, ("ours", PEERS, 2), (name, PEERS, 2), value) for value in ("p50", "p99", "rate", "cpu")
    }
    return ", ".join(f"{value} {times:.2f}" for value, times in found.items() if times is not None)


def _judged(rounds: Sequence[Round]) -> list[str]:
    return [
        judged(one.met, f"{one.what}: {one.found:.2f} ({'≥' if one.at_least else '≤'} {one.limit:g})")
        for one in verdicts(rounds)
    ]


def _found(rounds: Sequence[Round], what: str) -> list[tuple[str, int]]:
    """Of which store (or peer) and with how many nodes there are rounds that count."""
    return [(server, count) for server, protocol, count in medians(rounds) if protocol == what]
