"""Rows, lists and notifications as bytes.

A row is encoded once, to bytes; lists and frames are put together by joining them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import msgspec

from headway.core.activity import Activity, Scalar
from headway.core.view import Kind
from headway.wire.formats import Format
from headway.wire.row import Row, row_of
from headway.wire.xml import DECLARATION, element

_encode = msgspec.json.Encoder().encode


def encode_row(activity: Activity, format: Format = Format.JSON) -> bytes:
    """An activity as one JSON object, or as one XML element with its line break."""
    row = row_of(activity)
    return _encode(row) if format is Format.JSON else _row_element(row)


def encode_list(rows: Collection[bytes], format: Format = Format.JSON) -> bytes:
    """A whole body from encoded rows. One activity is answered as a list of one, as Plex answers single items."""
    if format is not Format.JSON:
        return DECLARATION + element("MediaContainer", [("size", len(rows))], tuple(rows))
    if not rows:
        return b'{"MediaContainer":{"size":0}}'
    return b'{"MediaContainer":{"size":%d,"Activity":[%b]}}' % (len(rows), b",".join(rows))


def encode_notification(kind: Kind, uuid: str, row: bytes, cursor: str | None = None) -> bytes:
    """What happened to an activity: the JSON object that both transports wrap.

    ``row``: its JSON. ``cursor``: where to resume after this; only for those who asked for it.
    """
    resume = b"" if cursor is None else b',"cursor":' + _encode(cursor)
    return b'{"event":"%b","uuid":"%b","Activity":%b%b}' % (kind.encode(), uuid.encode(), row, resume)


_ATTRIBUTES = tuple(
    (field.name, field.encode_name, field.default)
    for field in msgspec.structs.fields(Row)
    if field.name not in ("context", "response")
)


def _row_element(row: Row) -> bytes:
    bags = (("Context", row.context), ("Response", row.response))
    children = [element(name, bag.items()) for name, bag in bags if bag is not None]
    return element("Activity", _attributes(row), children or None)


def _attributes(row: Row) -> Iterator[tuple[str, Scalar]]:
    for name, attribute, default in _ATTRIBUTES:
        value = getattr(row, name)
        if value is not default:
            yield attribute, value
