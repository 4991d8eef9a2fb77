"""Reading JSON from strangers: what two parsers could understand differently is refused, with its place.

That is duplicate members, NaN and Infinity, integers that a double cannot hold (RFC 7493, I-JSON) and nesting deep
enough to hurt. Lone surrogates are let through: cleaning makes them harmless.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import msgspec

from headway.core.errors import InvalidInput
from headway.core.text import clean, shortened

MAX_DEPTH = 16
"""Objects and lists within each other."""

MAX_INTEGER = 2**53
"""Beyond it a double, which is what JavaScript has, skips integers."""

_SHOWN = 60


def parse_object(body: bytes) -> dict[str, Any]:
    """The members of the JSON object that the body is. Raises ``InvalidInput``, saying what is wrong and where."""
    text = _decoded(body)
    _refuse_depth(text)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    _refuse_marked(value, "")
    if not isinstance(value, dict):
        raise InvalidInput(f"the body must be a JSON object, not {quoted(value)}")
    return value


def quoted(value: object) -> str:
    """A value as an error message shows it: as JSON, harmless and short."""
    return shortened(clean(json.dumps(value, ensure_ascii=False, default=repr)), _SHOWN)


class _Refused(msgspec.Struct, frozen=True):
    """Stands in the parsed document where something is wrong: only a walk knows the path to it."""

    why: str


def _decoded(body: bytes) -> str:
    if not body.strip():
        raise InvalidInput("the body is empty; a JSON object was expected")
    if body.startswith(b"\xef\xbb\xbf"):
        raise InvalidInput("the body begins with a byte order mark; JSON has none (RFC 8259, section 8.1)")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the body is not UTF-8: {error.reason} at byte {error.start}") from None


# A string that never ends matches up to the end of the text: each character is looked at once.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


def _refuse_depth(text: str) -> None:
    depth = 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
        elif token[0] in "]}":
            depth -= 1
        if depth > MAX_DEPTH:
            line = text.count("\n", 0, token.start()) + 1
            column = token.start() - text.rfind("\n", 0, token.start())
            raise InvalidInput(f"nested more than {MAX_DEPTH} deep at line {line}, column {column}")


def _integer(digits: str) -> int | _Refused:
    # Checked by length first: int() of a long text is slow, and refused beyond 4,300 digits.
    if len(digits) <= len(str(-MAX_INTEGER)) and abs(value := int(digits)) <= MAX_INTEGER:
        return value
    return _Refused(f"the integer {shortened(digits, 24)} is beyond ±2^53")


def _real(digits: str) -> float | _Refused:
    value = float(digits)
    return value if math.isfinite(value) else _Refused(f"the number {shortened(digits, 24)} is too large")


def _constant(name: str) -> _Refused:
    return _Refused(f"{name} is not JSON")


def _object(members: list[tuple[str, Any]]) -> dict[str, Any] | _Refused:
    found: dict[str, Any] = {}
    for name, value in members:
        if name in found:
            return _Refused(f"the member {quoted(name)} is given twice")
        found[name] = value
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_real, parse_constant=_constant)


def _refuse_marked(value: object, path: str) -> None:
    if isinstance(value, _Refused):
        raise InvalidInput(f"{path}: {value.why}" if path else value.why)
    if isinstance(value, dict):
        for name, member in value.items():
            _refuse_marked(member, f"{path}.{_step(name)}" if path else _step(name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _refuse_marked(item, f"{path}[{index}]")


def _step(name: str) -> str:
    return shortened(clean(name), _SHOWN)
