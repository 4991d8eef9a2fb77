"""The ``Prefer`` header (RFC 7240): how long a client would wait, and whether it may be answered before the end."""

from __future__ import annotations

import re

import msgspec

MAX_WAIT = 300.0
"""Seconds that a request may wait."""

# Nothing is given back once it matched, so that each character is looked at once, whoever made up the header. A
# quoted string that never ends matches up to the end of it.
_PREFERENCE = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*+"?)++', re.DOTALL)
_NAME_AND_VALUE = re.compile(
    r'\s*+([\w!#$%&\'*+.^`|~-]++)\s*+(?:=\s*+(?:"([^"]*+)"|([^\s";]*+))\s*+)?(?:;.*)?', re.ASCII | re.DOTALL
)
_SECONDS = re.compile(r"\d{1,9}", re.ASCII)


class Preferences(msgspec.Struct, frozen=True):
    """What we understand of the header."""

    wait: float | None = None
    """Seconds; more than we would wait is taken as the most we do."""
    respond_async: bool = False
    minimal: bool = False
    """What the client can work out for itself need not be told (section 4.2)."""


def parse_prefer(header: str | None) -> Preferences:
    """``header``: the value, several header lines joined by commas. What is not understood is ignored (section 2)."""
    given: dict[str, str] = {}
    for part in _PREFERENCE.findall(header or ""):
        match = _NAME_AND_VALUE.fullmatch(part)
        if match is not None:
            # Only the first instance of a preference counts (section 2).
            given.setdefault(match[1].lower(), match[2] or match[3] or "")
    seconds = given.get("wait", "")
    wait = min(float(seconds), MAX_WAIT) if _SECONDS.fullmatch(seconds) else None
    return Preferences(wait, "respond-async" in given, given.get("return", "").lower() == "minimal")
