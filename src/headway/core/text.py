"""Text from outside, made harmless once, on the way in.

Cleaned text is valid JSON, valid XML 1.0, stays inside one SSE line and does nothing to a terminal; only escaping is
left for the way out.
"""

from __future__ import annotations

import re
import unicodedata

# Direction overrides, embeddings, isolates and marks: they reorder the text around them (CVE-2021-42574).
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_BREAKS = re.compile("[\t\n\r\x0b\x0c\x85\u2028\u2029]+")
_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
# C0, DEL, C1, lone surrogates, and the 66 code points Unicode calls non-characters.
_BEYOND = "\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef" + "".join(
    f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
)
_ILLEGAL = re.compile(f"[\x00-\x1f{_BEYOND}]")
_ILLEGAL_IN_LINES = re.compile(f"[\x00-\x08\x0b-\x1f{_BEYOND}]")
REPLACEMENT = "\ufffd"


def clean(text: str) -> str:
    """The text in NFC; line breaks become spaces, other control characters, lone surrogates and non-characters
    become U+FFFD, direction controls vanish.
    """
    text = str(text)  # of a subclass, such as the text types of templates and arrays, nothing else is wanted
    if text.isascii() and text.isprintable():
        return text
    text = _BREAKS.sub(" ", _BIDI.sub("", text))
    return unicodedata.normalize("NFC", _ILLEGAL.sub(REPLACEMENT, text))


def clean_lines(text: str) -> str:
    """The same of a text of many lines, in which newlines and tabs stay and other line ends become newlines.

    It is not composed: of a long text, made for the purpose, that would take seconds.
    """
    text = str(text)
    if text.replace("\n", "").replace("\t", "").isprintable():  # most are, and this is soon seen
        return text
    return _ILLEGAL_IN_LINES.sub(REPLACEMENT, _LINE_ENDS.sub("\n", _BIDI.sub("", text)))


def last_of(text: str, size: int) -> str:
    """The end of a cleaned text in at most ``size`` bytes of UTF-8, whole lines unless they are very long."""
    data = text.encode()
    if len(data) <= size:
        return text
    cut = data.find(b"\n", len(data) - size - 1, len(data) - size // 2) + 1
    return data[cut or len(data) - size :].decode(errors="ignore")


def shortened(text: str, limit: int) -> str:
    """The text in at most ``limit`` characters, an ellipsis telling that something is missing."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
