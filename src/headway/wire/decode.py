"""Reading what a server answers, ours or a real Plex: tolerant of what is unknown, missing or oddly typed.

JSON and XML give the same rows, except that XML has no types within ``Context`` and ``Response``: there every
value is text, as ``shown`` writes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec

from headway.core.activity import Scalar
from headway.core.scalars import shown
from headway.core.text import clean
from headway.wire import xml
from headway.wire.errors import Unreadable
from headway.wire.row import Row
from headway.wire.server import Server


def decode_list(body: bytes, content_type: str | None) -> list[Row]:
    """The rows of a list. ``content_type``: the header of the answer. Raises ``Unreadable``."""
    return rows_of(_container(body, content_type))


def decode_one(body: bytes, content_type: str | None) -> Row:
    """The row of an answer about one activity. Raises ``Unreadable``."""
    rows = decode_list(body, content_type)
    if len(rows) != 1:
        raise Unreadable(f"one activity was expected, {len(rows)} came")
    return rows[0]


def decode_identity(body: bytes, content_type: str | None) -> Server:
    """The answer to ``GET /identity`` or ``GET /``. Raises ``Unreadable``."""
    members = _container(body, content_type)
    updated = _whole(members.get("updatedAt"))
    return Server(
        machine_identifier=_text(members.get("machineIdentifier")) or "",
        version=_text(members.get("version")) or "",
        friendly_name=_text(members.get("friendlyName")) or "",
        platform=_text(members.get("platform")) or "",
        platform_version=_text(members.get("platformVersion")) or "",
        updated_at=updated or 0,
        claimed=_flag(members.get("claimed")) is not False,
    )


def decode_document(text: bytes | str) -> dict[str, Any]:
    """The members of a JSON object. Raises ``Unreadable``."""
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"not JSON: {error}") from None
    if not isinstance(document, dict):
        raise Unreadable("JSON, but not an object")
    return document


def rows_of(container: dict[str, Any]) -> list[Row]:
    """The rows of a ``MediaContainer``. Raises ``Unreadable``."""
    listed = container.get("Activity")
    if not isinstance(listed, list):
        return []
    return [row_from(members) for members in listed]


def row_from(members: object) -> Row:
    """A row from its members, as JSON has them or as text. A member that makes no sense counts as absent.

    Raises ``Unreadable`` for a row without a uuid: nothing could be done with it.
    """
    if not isinstance(members, dict):
        raise Unreadable("an activity that is not an object")
    found = {
        field: value for name, field, read in _MEMBERS if name in members and (value := read(members[name])) is not None
    }
    if not found.get("uuid"):
        raise Unreadable("an activity without a uuid")
    return Row(**{**_MISSING, **found})


def _container(body: bytes, content_type: str | None) -> dict[str, Any]:
    media_type = (content_type or "application/json").partition(";")[0].strip().lower()
    if media_type == "application/json":
        document = decode_document(body)
        container = document.get("MediaContainer")
    elif media_type in ("text/xml", "application/xml"):
        name, container = xml.parse(body)
        if name != "MediaContainer":
            raise Unreadable(f"a MediaContainer was expected, {clean(name)[:64]} came")
    else:
        raise Unreadable(f"JSON or XML was expected, {clean(media_type)[:64]} came; is this a media server?")
    if not isinstance(container, dict):
        raise Unreadable("a MediaContainer was expected")
    return container


_MISSING: dict[str, Any] = {
    "type": "",
    "cancellable": False,
    "user": 0,
    "title": "",
    "subtitle": "",
    "progress": -1,
}
"""What stands for members that each row should have: nobody's, about nothing, and nobody knows how far."""


def _text(value: object) -> str | None:
    """Cleaned: not every server does it, and clients print to terminals."""
    if isinstance(value, str):
        return clean(value)
    return None if value is None or isinstance(value, list | dict) else shown(_scalar(value))


def _whole(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    real = _real(value)
    return None if real is None else int(real)


def _real(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _flag(value: object) -> bool | None:
    return {True: True, False: False, "1": True, "0": False, "true": True, "false": False}.get(_scalar(value))


def _scalar(value: object) -> Scalar:
    return value if isinstance(value, str | int | float) else ""


def _bag(value: object) -> dict[str, Scalar] | None:
    """From JSON an object, from XML the elements of that name, of which there is one."""
    if isinstance(value, list):
        value = value[0] if value else None
    if not isinstance(value, dict):
        return None
    bag = {clean(key): _member(value[key]) for key in value if isinstance(value[key], str | int | float)}
    return bag or None


def _member(value: Scalar) -> Scalar:
    return clean(value) if isinstance(value, str) else value


_READERS: dict[Any, Callable[[object], Any]] = {str: _text, int: _whole, float: _real, bool: _flag}


def _reader(type: Any) -> Callable[[object], Any]:
    """How members of a type are read; the bags are the types that are none of the simple ones."""
    return next((read for simple, read in _READERS.items() if type in (simple, simple | None)), _bag)


_MEMBERS = [(field.encode_name, field.name, _reader(field.type)) for field in msgspec.structs.fields(Row)]
