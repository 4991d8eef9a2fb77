"""`auto`: finds out by itself which tool is talking, and stays with it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, TypeVar

from headway.operations.process.progress.evidence import Claim
from headway.operations.process.progress.reading import Reading, Rule
from headway.operations.process.progress.terminal import Line

_TRAILS = 64  # keys followed at a time; the one not seen for longest is forgotten
_FINISHED = 0.995
_RESTART_FROM, _RESTART_TO = 0.5, 0.1  # a fall from above the one to below the other is a new beginning


_R = TypeVar("_R", bound=Rule)


def _by_hint(rules: Sequence[_R]) -> dict[bytes, list[_R]]:
    hints = {hint for rule in rules for hint in rule.hints}
    return {hint: [rule for rule in rules if hint in rule.hints] for hint in hints}


def _hinted(rules: dict[bytes, list[_R]], line: Line) -> Iterable[_R]:
    """The rules that a line gives a hint to, each once."""
    return dict.fromkeys(rule for hint in line.hints if hint in rules for rule in rules[hint])


class Claimant(Rule, Protocol):
    """A rule for numbers of any tool, which can also say how plausible they are."""

    def claim(self, line: Line) -> Claim | None:
        """The number of this line, if it has a plausible form."""


class _Trail:
    """How the claims of one key have moved so far; `birth` orders trails by their first claim."""

    def __init__(self, claim: Claim, birth: int) -> None:
        self.birth = birth
        self.rises = 1 if claim.early else 0
        self.broken = False
        self.value = claim.reading.fraction or 0.0

    def follow(self, claim: Claim) -> bool:
        """Takes the next claim; false if it is to be passed over.

        A fall that is no new beginning breaks the trail for good.
        """
        value = claim.reading.fraction or 0.0
        if self.broken or self.value - claim.slack <= value < self.value:
            return False
        if value < self.value and not (self.value >= _RESTART_FROM and value <= _RESTART_TO):
            self.broken = True
        self.rises += value > self.value
        self.value = value
        return True


class _Holder(NamedTuple):
    """Who is believed, since when it has been heard, and what it said last."""

    who: object
    birth: int
    reading: Reading
    on_status_line: bool

    def gives_way_to(self, other: _Holder) -> bool:
        if self.reading.final or other.birth < self.birth:
            return True
        if self.reading.fraction is None:
            return other.reading.fraction is not None
        return self.reading.fraction >= _FINISHED or (self.on_status_line and other.on_status_line)


class Auto:
    """Tries every rule, locks on to the first with plausible evidence.

    - A line that only one tool writes is evidence by itself; a percentage or an `n/m` has to grow first, as its
      rule says.
    - While the one it is locked on to (the holder) is unfinished, all others are passed over, so that numbers of an
      inner step do not replace those of the outer. The holder gives way once it has reached its end; to one with a
      fraction if it has none; to one heard of before it, which is the outer one, though believed later; or, on a
      status line, to the next one drawn there.
    - A holder may start again near 0. A percentage or count that falls otherwise was a level, not progress: what was
      told is taken back by an empty reading, and it is not believed again.
    """

    def __init__(self, tools: Sequence[Rule], claimants: Sequence[Claimant]) -> None:
        self._tools, self._claimants = _by_hint(tools), _by_hint(claimants)
        self._births: dict[object, int] = {}  # of tools
        self._trails: OrderedDict[object, _Trail] = OrderedDict()
        self._heard = 0
        self._holder: _Holder | None = None
        self.hints: tuple[bytes, ...] = tuple(
            dict.fromkeys(hint for rule in (*tools, *claimants) for hint in rule.hints)
        )

    def __repr__(self) -> str:
        return f"Auto({self._holder})"

    def read(self, line: Line) -> Reading | None:
        """The reading of this line, if it is the holder's or there is reason to change the holder."""
        for tool in _hinted(self._tools, line):
            reading = tool.read(line)
            if reading is not None:
                self._heard += 1
                birth = self._births.setdefault(tool, self._heard)
                return self._take(_Holder(tool, birth, reading, on_status_line=False))
        for claimant in _hinted(self._claimants, line):
            claim = claimant.claim(line)
            if claim is not None:
                self._heard += 1
                return self._weigh(claim)
        return None

    def _weigh(self, claim: Claim) -> Reading | None:
        trail = self._trails.get(claim.key)
        if trail is None:
            trail = self._trails[claim.key] = _Trail(claim, self._heard)
        elif not trail.follow(claim):
            return None
        self._trails.move_to_end(claim.key)
        if len(self._trails) > _TRAILS:
            self._trails.popitem(last=False)
        if trail.broken:
            return self._retract(claim.key)
        if trail.rises < claim.rises:
            return None
        return self._take(_Holder(claim.key, trail.birth, claim.reading, claim.on_status_line))

    def _take(self, holder: _Holder) -> Reading | None:
        before = self._holder
        if before is not None and before.who != holder.who:
            if not before.gives_way_to(holder):
                return None
            # Heard again it is a new one: what has given way is not the outer one of what follows.
            self._births.pop(before.who, None)
            self._trails.pop(before.who, None)
        self._holder = holder
        return holder.reading

    def _retract(self, who: object) -> Reading | None:
        if self._holder is None or self._holder.who != who:
            return None
        self._holder = None
        return Reading()
