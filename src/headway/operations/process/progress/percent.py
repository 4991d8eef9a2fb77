"""A percentage, of any tool: `45%`, `45.3 %`, `[ 45%]`."""

from __future__ import annotations

import re

from headway.operations.process.progress.evidence import Claim, is_level, is_text, letters, speaks_of_progress
from headway.operations.process.progress.reading import Reading
from headway.operations.process.progress.terminal import Line

_PERCENT = re.compile(r"(?<![\w.,%/+-])(\d{1,3}(?:[.,]\d{1,4})?) ?%(?![\w%])")
_BRACKETED = re.compile(r"^\s*\[ *(\d{1,3}(?:\.\d{1,4})?)%\]|\[ *(\d{1,3}(?:\.\d{1,4})?)%\]\s*$")
_COUNTED = re.compile(r" \((\d{1,15})/(\d{1,15})\)")
_EARLY = 0.02


class Percent:
    """Reads the percentage of each line: the one in brackets at its beginning or end (cmake, pytest), else the first.

    `read` believes every line, for the user has said that the percentages are progress. `claim` is for lines that
    nobody vouches for:
    - in brackets at the beginning or the end: believed after 2 rises, small falls forgiven
    - on a redrawn status line: after 2 rises
    - on a line of its own: after 3 rises, and only if it is the only percentage of a line that has a bar or a word
      of progress (`Progress: 45%`), or that is nothing but the percentage
    - never if the words beside it speak of a level (`CPU 45%`, `45% of`), or on a line that is not text
    To begin at 0–2 % counts as a rise. Lines count together if their words before the percentage are the same.
    """

    hints: tuple[bytes, ...] = (b"%",)

    def read(self, line: Line) -> Reading | None:
        """The percentage of this line; with `(450/1000)` behind it (git) also the counts."""
        found = _BRACKETED.search(line.text) or _first(line.text)
        return _reading(found) if found else None

    def claim(self, line: Line) -> Claim | None:
        """The percentage of this line, if it has a plausible form."""
        text = line.text
        if not is_text(text):
            return None
        if bracketed := _BRACKETED.search(text):
            reading = _reading(bracketed)
            side = "beginning" if bracketed[1] else "end"
            return _claim(reading, ("percent", side), 2, line, slack=0.05) if reading else None
        found = _first(text)
        reading = _reading(found) if found else None
        if not found or not reading or is_level(text[: found.start()], text[found.end() :]):
            return None
        if not line.redrawn and not _stands_alone(text, found):
            return None
        return _claim(reading, ("percent", letters(text[: found.start()])), 2 if line.redrawn else 3, line)


def _claim(reading: Reading, key: tuple[object, ...], rises: int, line: Line, slack: float = 0.0) -> Claim:
    early = (reading.fraction or 0.0) <= _EARLY
    return Claim(reading, key, rises, early, on_status_line=line.redrawn, slack=slack)


def _first(text: str) -> re.Match[str] | None:
    for found in _PERCENT.finditer(text):
        if float(found[1].replace(",", ".")) <= 100:
            return found
    return None


def _stands_alone(text: str, found: re.Match[str]) -> bool:
    if text.count("%") > 1:
        return False
    return text.strip() == found[0].strip() or speaks_of_progress(text)


def _reading(found: re.Match[str]) -> Reading | None:
    fraction = float((found[1] or found[2]).replace(",", ".")) / 100
    if fraction > 1:
        return None
    counted = _COUNTED.match(found.string, found.end())
    if counted and int(counted[2]) > 0 and abs(int(counted[1]) / int(counted[2]) - fraction) < 0.011:
        completed, total = int(counted[1]), int(counted[2])
        return Reading(fraction=completed / total, completed=float(completed), total=float(total))
    return Reading(fraction=fraction)
