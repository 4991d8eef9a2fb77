"""A count, of any tool: `[3/120]`, `12/340 files`, `1.2/3.4 MB`, `Step 3 of 10`."""

from __future__ import annotations

import re

from headway.operations.process.progress.evidence import Claim, is_level, is_text, letters, speaks_of_progress
from headway.operations.process.progress.reading import Reading, share, size
from headway.operations.process.progress.terminal import Line

# no part of a path, a date, a version, another number
_BEFORE, _AFTER = r"(?<![\w./:,+%-])", r"(?![\w/%]|[.:,-]\d)"
_COUNT = re.compile(rf"{_BEFORE}(\d{{1,15}})(?:/| / | of )(\d{{1,15}}){_AFTER}")
_DECIMAL, _BYTE = r"(\d{1,12}(?:\.\d{1,3})?)", r"([kKMGTPE]?i?B)"
_BYTES = re.compile(rf"{_BEFORE}{_DECIMAL} ?{_BYTE}? ?/ ?{_DECIMAL} ?{_BYTE}{_AFTER}")
# Paths abound, so look at the bytes first. A colour may stand between the number and the slash.
_MAYBE = re.compile(rb"\d[ kKMGTPEiB]{0,5}(?:\x1b\[[0-9;]*m)?/|\d of \d")
_BRACKETED = re.compile(r"\s*[\[(] *\Z")
_UNIT = re.compile(
    r"(?i) (files?|items?|bytes|tests?|packages?|objects?|frames?|pages?|rows?|lines?|records?|images?|steps?|chunks?"
    r"|blocks?|tasks?|jobs?|modules?|samples?|documents?|messages?|folders?|directories|examples?)\b"
)


class Count:
    """Reads `n/m` of each line; sizes as bytes.

    Not a count: more than its total, a total of 0, a part of a path, date, version or longer row of numbers.
    `read` believes every line, for the user has said that the counts are progress. `claim` is for lines that nobody
    vouches for:
    - in brackets at the beginning of the line (ninja): believed after 2 rises
    - on a redrawn status line: after 2 rises
    - on a line of its own: after 3 rises, and only if the count is followed by a unit, the line speaks of progress, or
      the count begins the line and is no date (11/22); `n of m` only if the line speaks of progress
    - never if the words before it speak of a level (`load 1/512`), or on a line that is not text
    To begin at 0 or 1 counts as a rise. Lines count together if the total and the words before it are the same.
    """

    hints: tuple[bytes, ...] = (b"/", b" of ")

    def read(self, line: Line) -> Reading | None:
        """The count of this line."""
        found = _find(line)
        return _reading(found) if found else None

    def claim(self, line: Line) -> Claim | None:
        """The count of this line, if it has a plausible form."""
        found = _find(line)
        if found is None or not is_text(line.text):
            return None
        text = line.text
        before, after = text[: found.start()], text[found.end() :]
        bracketed = bool(_BRACKETED.match(before)) and after[:1] in ("]", ")")
        if not bracketed and not _is_plausible(found, line, before, after):
            return None
        reading = _reading(found)
        early = (reading.completed or 0.0) <= 1
        rises = 2 if bracketed or line.redrawn else 3
        return Claim(reading, ("count", letters(before), reading.total), rises, early, on_status_line=line.redrawn)


def _is_plausible(found: re.Match[str], line: Line, before: str, after: str) -> bool:
    if is_level(before, ""):
        return False
    if " of " in found[0]:
        return speaks_of_progress(line.text)
    if line.redrawn or found.re is _BYTES:
        return True
    may_be_date = int(found[1]) <= 12 and int(found[2]) <= 31
    return bool(_UNIT.match(after)) or speaks_of_progress(line.text) or not (before.strip() or may_be_date)


def _find(line: Line) -> re.Match[str] | None:
    if not _MAYBE.search(line.raw):
        return None
    for pattern in (_BYTES, _COUNT):
        for found in pattern.finditer(line.text):
            reading = _reading(found)
            if reading.total and reading.completed is not None and reading.completed <= reading.total:
                return found
    return None


def _reading(found: re.Match[str]) -> Reading:
    if found.re is _BYTES:
        unit = found[4].rstrip("B")
        completed, total = size(found[1] + (found[2] or unit).rstrip("B"), 1000), size(found[3] + unit, 1000)
        return Reading(fraction=share(completed, total), completed=completed, total=total, unit="bytes")
    completed, total = float(found[1]), float(found[2])
    noun = _UNIT.match(found.string, found.end())
    fraction = share(completed, total)
    return Reading(fraction=fraction, completed=completed, total=total, unit=noun[1].lower() if noun else None)
