"""XML as a media server uses it: elements with attributes, one to a line, and no text between them.

Reading refuses document types and the entities they declare, and with them every known attack on XML parsers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn
from xml.parsers import expat

from headway.core.activity import Scalar
from headway.core.scalars import shown
from headway.wire.errors import Unreadable

MAX_ANSWER = 64 * 1024 * 1024
"""Bytes of the largest answer that is read."""

MAX_DEPTH = 16
"""Elements within each other."""

DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'

_SPECIAL = re.compile('[&<>"\t\n\r]')
# A parser turns a bare tab or line break within an attribute into a space.
_REFERENCES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
)


def escaped(text: str) -> str:
    """The text as it stands between the quotes of an attribute. Characters that XML forbids must be gone by now."""
    return text.translate(_REFERENCES) if _SPECIAL.search(text) else text


def element(name: str, attributes: Iterable[tuple[str, Scalar]], children: Sequence[bytes] | None = None) -> bytes:
    """One element with its line break. ``children``: elements; None: it closes itself."""
    bag = "".join([f' {key}="{escaped(shown(value))}"' for key, value in attributes])
    if children is None:
        return f"<{name}{bag} />\n".encode()
    return b"".join((f"<{name}{bag}>\n".encode(), *children, f"</{name}>\n".encode()))


def parse(body: bytes) -> tuple[str, dict[str, Any]]:
    """The outermost element: its name and its members, which are its attributes as text and, by name, lists of the
    elements within it, likewise.

    Raises ``Unreadable`` for anything but a well-formed document without a document type.
    """
    if len(body) > MAX_ANSWER:
        raise Unreadable(f"an XML document of {len(body)} bytes; {MAX_ANSWER} are read at most")
    reader = _Reader()
    try:
        reader.expat.Parse(body, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise Unreadable(f"not well-formed XML: {error}") from None
    name, members = reader.root
    return name, members


class _Reader:
    """Builds the tree from what the parser calls back."""

    def __init__(self) -> None:
        self.root: tuple[str, dict[str, Any]] = ("", {})
        self._open: list[dict[str, Any]] = []
        self.expat = expat.ParserCreate()
        self.expat.StartElementHandler = self._start
        self.expat.EndElementHandler = self._end
        self.expat.StartDoctypeDeclHandler = self._refuse

    def _start(self, name: str, members: dict[str, Any]) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise Unreadable(f"XML nested more than {MAX_DEPTH} deep")
        if self._open:
            siblings = self._open[-1].setdefault(name, [])
            # An attribute of the same name came first, and stays.
            if isinstance(siblings, list):
                siblings.append(members)
        else:
            self.root = (name, members)
        self._open.append(members)

    def _end(self, name: str) -> None:
        self._open.pop()

    def _refuse(self, *declared: object) -> NoReturn:
        raise Unreadable("XML with a document type")
