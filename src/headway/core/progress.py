"""How far an operation is: a fraction, a count of units, or nobody knows.

``rate`` is smoothed exponentially over time; ``eta`` follows from it. Both are absent until there is enough data:
"not enough data" is an answer.
"""

from __future__ import annotations

import math

import msgspec

RATE_WINDOW = 15.0
"""Seconds over which older speed is forgotten (the time constant of the smoothing)."""

RATE_SAMPLE = 1.0
"""Seconds between two samples: shorter spans measure the scheduler, not the work."""

INDETERMINATE = -1

ALMOST = math.nextafter(1.0, 0.0)
"""The most that parts make of the whole: another may begin. That all is done, an operation says, or its success."""


class Children(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the children of an activity add up to."""

    weight: float
    """Of all there have been."""
    done: float | None
    """Each weight times how far that child is; None while of none of them anything is known."""
    ended: float = 0.0
    """The weight of those that have ended: nothing of them is left to do, whatever came of it."""
    revision: int = 0
    """Of the latest of these ends: whoever takes up the sum after a crash has to add those that came later."""


class Progress(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far, in which unit, how fast. A value: advancing gives a new one."""

    fraction: float | None = 0.0
    """0..1, or None while nobody knows (``-1`` on the wire)."""
    completed: float | None = None
    """Units done."""
    total: float | None = None
    """Units in all."""
    unit: str | None = None
    """What is counted: ``bytes``, ``files``, ``s``."""
    rate: float | None = None
    """Units (or, without a count, fractions) per second, smoothed; None without enough data."""
    sampled: float | None = None
    """The count or fraction at the last sample of the rate."""
    sampled_at: float | None = None
    """When that sample was taken (seconds since the epoch)."""
    since: float | None = None
    """When measuring began (seconds since the epoch)."""
    own: float | None = None
    """How far it is by its own words, 0..1; None while it has said nothing of it."""
    children: Children | None = None
    """What its children add up to; the fraction is then the weighted mean of them and of its own, which weighs 1.

    Once it has said anything of its own, that is: until then the children are all there is to go by.
    """

    @property
    def percent(self) -> int:
        """Whole percent, -1 when indeterminate. Rounds down: only what is complete reads 100."""
        if self.fraction is None:
            return INDETERMINATE
        # 0.29 * 100 is a little less than 29: what was said as a whole percent has to read so again.
        return 100 if self.fraction >= 1 else min(99, int(self.fraction * 100 + 1e-9))

    @property
    def is_mixed(self) -> bool:
        """Whether there is a count that tells only of a part of the work, since the children do the rest."""
        return self.completed is not None and self.children is not None

    @property
    def measure(self) -> float | None:
        """What the rate is taken of: the count where there is one that tells of all the work, else the fraction."""
        return self.fraction if self.completed is None or self.children is not None else self.completed

    @property
    def eta(self) -> float | None:
        """Seconds left by the present rate, counted from the last change; None without enough data."""
        if not self.rate or self.rate <= 0 or self.fraction is None:
            return None
        if self.completed is None or self.children is not None:
            return max(0.0, 1.0 - self.fraction) / self.rate
        total = self.total
        if total is None:  # some tools tell how much is done, and its share of the whole, but not the whole
            if self.fraction <= 0:
                return None
            total = self.completed / self.fraction
        return max(0.0, total - self.completed) / self.rate


def begun(progress: Progress, now: float) -> Progress:
    """The same progress with its rate measured from ``now`` on: an older one says nothing about what follows."""
    return msgspec.structs.replace(progress, rate=None, sampled=progress.measure, sampled_at=now, since=now)


def advanced(
    progress: Progress,
    now: float,
    *,
    percent: float | None = None,
    completed: float | None = None,
    total: float | None = None,
    unit: str | None = None,
    children: Children | None = None,
) -> Progress:
    """The progress after a report at ``now`` (seconds since the epoch).

    A stated ``percent`` (-1..100) wins over the ratio of the counts. What is not given stays as it was.
    """
    done = progress.completed if completed is None else completed
    whole = progress.total if total is None else total
    family = progress.children if children is None else children
    fraction, own = progress.fraction, progress.own
    if percent is not None:
        fraction = own = None if percent < 0 else percent / 100
    elif completed is not None or total is not None:
        fraction = own = _ratio(done, whole)
    if family is not None:
        fraction = _combined(own, family)
    # Positional: this runs for every report that reaches a flush, and replace() costs three times as much.
    moved = Progress(
        fraction,
        done,
        whole,
        progress.unit if unit is None else unit,
        progress.rate,
        progress.sampled,
        progress.sampled_at,
        progress.since,
        own,
        family,
    )
    if progress.unit != moved.unit or _kind(progress) != _kind(moved):
        return begun(moved, now)  # something else is measured from here on
    return _sampled(moved, now)


def completed_fully(progress: Progress) -> Progress:
    """The progress of work that succeeded: all of it (a successful end carries 100 on the wire)."""
    done = progress.total if progress.total is not None else progress.completed
    return msgspec.structs.replace(progress, fraction=1.0, completed=done)


def _kind(progress: Progress) -> bool:
    return progress.completed is None or progress.children is not None


def _combined(own: float | None, children: Children) -> float | None:
    if children.done is None:
        return own
    if own is None:
        return min(ALMOST, children.done / children.weight)
    if own >= 1 and children.done >= children.weight:
        return 1.0
    return min(ALMOST, (own + children.done) / (1 + children.weight))


def _ratio(done: float | None, whole: float | None) -> float | None:
    if done is None or not whole:
        return None
    return min(1.0, max(0.0, done / whole))


def _sampled(progress: Progress, now: float) -> Progress:
    measure = progress.measure
    if measure is None or progress.sampled is None or progress.sampled_at is None or measure < progress.sampled:
        return begun(progress, now)  # unknown, known again, or a new phase
    span = now - progress.sampled_at
    since = progress.sampled_at if progress.since is None else progress.since
    if span < 0:  # the clock was set back: how long this took is unknown, how fast it was before is not
        return msgspec.structs.replace(progress, sampled=measure, sampled_at=now, since=since + span)
    if span < RATE_SAMPLE:
        return progress
    speed = (measure - progress.sampled) / span
    if progress.rate is not None:
        # While there is less than a window of it, each second counts alike: the first would weigh most otherwise.
        weight = max(-math.expm1(-span / RATE_WINDOW), span / (now - since))
        speed = progress.rate + (speed - progress.rate) * weight
    return msgspec.structs.replace(progress, rate=speed, sampled=measure, sampled_at=now)
