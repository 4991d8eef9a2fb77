"""Records as encoded rows, each encoded once for everyone who is sent it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from headway.core.activity import Activity
from headway.wire.formats import Format
from headway.wire.plex import encode_list, encode_row

CAPACITY = 20_000
"""Rows kept; when there are more, all are forgotten and encoded again as they are asked for."""


class Rows:
    """The latest encoding of each activity, by format."""

    def __init__(self, encode: Callable[[Activity, Format], bytes] = encode_row) -> None:
        self._encode = encode
        self._kept: dict[Format, dict[str, tuple[Activity, bytes]]] = {format: {} for format in Format}

    def row(self, activity: Activity, format: Format = Format.JSON) -> bytes:
        """An activity as JSON or XML."""
        kept = self._kept[format]
        known = kept.get(activity.uuid)
        # By identity: a record is never modified, and one rewound to its start has the same uuid and revision.
        if known is not None and known[0] is activity:
            return known[1]
        if len(kept) >= CAPACITY:
            kept.clear()
        row = self._encode(activity, format)
        kept[activity.uuid] = (activity, row)
        return row

    def list(self, activities: Iterable[Activity], format: Format = Format.JSON) -> bytes:
        """A whole list."""
        return encode_list([self.row(activity, format) for activity in activities], format)
