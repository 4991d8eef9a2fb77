"""What makes a number on a line look like progress, before anyone has said that it is.

A percentage or an `n/m` is in many lines that are not about progress: disk usage, test coverage, dates, patches.
`auto` must not be fooled, for a wrong bar is worse than none. A number is a *claim* if it has a plausible form, and a
claim is believed once others of the same key have grown, each larger than the last.
"""

from __future__ import annotations

import re

import msgspec

from headway.operations.process.progress.reading import Reading


class Claim(msgspec.Struct, frozen=True):
    """A number that may be progress.

    key: what it is about; only claims with the same key support each other.
    rises: how often it must have grown to be believed.
    early: it stands where progress begins.
    on_status_line: it was drawn over something, so that a new one replaces what was there.
    slack: how far it may fall and still be the same progress (parallel jobs print out of order).
    """

    reading: Reading
    key: tuple[object, ...]
    rises: int
    early: bool
    on_status_line: bool
    slack: float = 0.0


# A number next to one of these tells how high something stands, not how far it has come.
_LEVEL = (
    r"cpu|mem|memory|ram|swap|usage|use|used|free|full|load|idle|util\w*|battery|charged?|humidity|brightness|quality|chance"
    r"|acc|accuracy|precision|recall|loss|coverage|covered|confidence|ratio|rates?|hits?|similar\w*|deflated|stored|compression"
    r"|rating|score|rename"
)
# dpkg counts to 100 % while it reads its database, before it begins to work
_LEVEL_BEFORE = re.compile(rf"(?i)\b(?:{_LEVEL}|reading database)\b")
_LEVEL_AFTER = re.compile(rf"(?i)\b(?:{_LEVEL})\b")
_COMPARES = re.compile(r"(?i)\s*(?:of|off|more|less|faster|slower|larger|smaller|higher|lower|chance|discount)\b")
_BESIDE = 32  # characters that count as beside a number
# A line of a log that speaks of progress usually has one of these.
_PROGRESS = re.compile(
    r"(?i)\b(?:progress|done|complete[d]?|finished|processe[ds]|processing|step|epoch|batch"
    r"|(?:download|upload|transferr?|cop[yi]|install|extract|unpack|load|import|export|index|scann?|build|compil|encod|decod|convert"
    r"|render|pull|push|receiv|fetch|writ|verify|check|sync|synchroniz|restor|migrat|test|train|generat|analyz)(?:ing|e?d|ied))\b"
)
_BAR = re.compile(r"[=#█━░▒▓]{3}|\[[=#> .-]{3,}\]")
_NO_LETTER = re.compile(r"[\W\d_]+")
_KEY_LENGTH = 60  # characters: of a longer beginning the end tells the lines apart


def letters(text: str) -> str:
    """`text` without numbers, bars and spinners: what stays the same while a status line is redrawn."""
    return _NO_LETTER.sub(" ", text)[-_KEY_LENGTH:].strip()


def is_text(text: str) -> bool:
    """Whether all of a line can be read: in binary data, too, there are digits beside a percent sign."""
    return text.replace("\t", " ").isprintable() and "\ufffd" not in text


def is_level(before: str, after: str) -> bool:
    """Whether the words around a number say that it is a level: `CPU 97%`, `similarity index 62%`, `50% of`."""
    if _COMPARES.match(after):
        return True
    return bool(_LEVEL_BEFORE.search(before[-_BESIDE:]) or _LEVEL_AFTER.search(after[: _BESIDE // 2]))


def speaks_of_progress(text: str) -> bool:
    """Whether a line has a bar or a word of progress."""
    return bool(_BAR.search(text) or _PROGRESS.search(text))
