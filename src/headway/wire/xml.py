"""Writing XML: elements with attributes, one to a line, as a media server does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from headway.core.activity import Scalar

DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'

_SPECIAL = re.compile('[&<>"\t\n\r]')
# A parser turns a bare tab or line break within an attribute into a space.
_REFERENCES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
)


def escaped(text: str) -> str:
    """The text as it stands between the quotes of an attribute. Characters that XML forbids must be gone by now."""
    return text.translate(_REFERENCES) if _SPECIAL.search(text) else text


def shown(value: Scalar) -> str:
    """A value as an attribute shows it: booleans as 0 and 1, numbers as JSON writes them."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    return msgspec.json.encode(value).decode()


def element(name: str, attributes: Iterable[tuple[str, Scalar]], children: Sequence[bytes] | None = None) -> bytes:
    """One element with its line break. ``children``: elements; None: it closes itself."""
    bag = "".join([f' {key}="{escaped(shown(value))}"' for key, value in attributes])
    if children is None:
        return f"<{name}{bag} />\n".encode()
    return b"".join((f"<{name}{bag}>\n".encode(), *children, f"</{name}>\n".encode()))
