"""``Context`` and ``Response``: flat bags of named values, which XML carries as attributes and JSON as an object."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from headway.core.activity import Attributes, Scalar
from headway.core.errors import InvalidInput
from headway.core.text import clean, shortened
from headway.wire.json import MAX_INTEGER, quoted
from headway.wire.rules import broken

# Each is an XML name without a colon. Those that begin with "xml" belong to XML: xmlns would even rename the element.
KEY = re.compile(r"(?![Xx][Mm][Ll])[A-Za-z_][A-Za-z0-9_.-]{0,63}", re.ASCII)


class BagRule(msgspec.Struct, frozen=True):
    """How large a bag may be."""

    size: int
    """Bytes, as JSON."""
    keys: int | None = None
    """How many members; None: as many as fit."""
    texts: frozenset[str] = frozenset()
    """Members that must be text, because clients compare them as such."""

    def __call__(self, where: str, value: object) -> dict[str, Scalar]:
        """The bag with its text cleaned, its members in alphabetical order. Raises ``InvalidInput``."""
        if not isinstance(value, Mapping):
            raise broken(where, "must be an object", value)
        bag = {_key(where, name): self._member(where, name, value[name]) for name in sorted(value, key=str)}
        self.check_size(where, bag)
        return bag

    def check_size(self, where: str, bag: Attributes) -> None:
        """Raise ``InvalidInput`` for a bag that is too large; one that grew by merging has to be checked again."""
        if self.keys is not None and len(bag) > self.keys:
            raise InvalidInput(f"{where}: must have at most {self.keys} members, not {len(bag)}")
        if (size := len(msgspec.json.encode(dict(bag)))) > self.size:
            raise InvalidInput(f"{where}: must take at most {self.size} bytes as JSON, not {size}")

    def _member(self, where: str, name: str, value: object) -> Scalar:
        path = f"{where}.{name}"
        if name in self.texts and not isinstance(value, str):
            raise broken(path, "must be text", value)
        return _scalar(path, value)


CONTEXT = BagRule(4 * 1024, keys=32, texts=frozenset({"librarySectionID"}))
RESPONSE = BagRule(16 * 1024)


def key(where: str, name: str) -> str:
    """A member's name, which must be the name of an XML attribute too. Raises ``InvalidInput``."""
    if not KEY.fullmatch(name):
        rule = "1 to 64 characters out of A-Z a-z 0-9 _ . -, from a letter or _ on, not xml at the beginning"
        raise InvalidInput(f"{where}: a member's name must be {rule}, not {quoted(name)}")
    return name


def _key(where: str, name: object) -> str:
    if not isinstance(name, str):
        raise broken(where, "a member's name must be text", str(name))
    return key(where, name)


def _scalar(path: str, value: object) -> Scalar:
    if isinstance(value, str):
        return clean(str(value))
    if isinstance(value, int | float):
        if not abs(value) <= MAX_INTEGER:  # NaN is not either
            raise InvalidInput(f"{path}: a number must be within ±2^53, not {shortened(str(value), 24)}")
        return _plain(value)
    raise broken(path, "must be text, a number, true or false", value)


def _plain(value: float) -> Scalar:
    """The number itself: other libraries' are subclasses that no encoder knows."""
    if type(value) in (bool, int, float):
        return value
    return int(value) if isinstance(value, int) else float(value)
