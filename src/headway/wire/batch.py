"""What came of many changes told at once: rows, and beside them an error for each that was refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from headway.core.errors import HeadwayError
from headway.wire.decode import decode_document, rows_of
from headway.wire.errors import Unreadable, error_from, error_members
from headway.wire.formats import Format
from headway.wire.plex import encode_list
from headway.wire.row import Row
from headway.wire.xml import DECLARATION, element


class Outcomes(msgspec.Struct, frozen=True):
    """What came of each, by uuid. What is in neither was taken in, where the answer may leave such out."""

    rows: Mapping[str, Row]
    errors: Mapping[str, HeadwayError]


def encode_outcomes(rows: Collection[bytes], errors: Mapping[str, HeadwayError], format: Format = Format.JSON) -> bytes:
    """The body, from encoded rows and the errors by uuid."""
    refused = [{"uuid": uuid, **error_members(error)} for uuid, error in errors.items()]
    if format is not Format.JSON:
        told = (*rows, *(element("Error", members.items()) for members in refused))
        return DECLARATION + element("MediaContainer", [("size", len(rows))], told)
    listed = encode_list(rows)
    return listed if not refused else b'%b,"errors":%b}' % (listed[:-1], msgspec.json.encode(refused))


def decode_outcomes(body: bytes) -> Outcomes:
    """What a JSON body tells. Raises ``Unreadable``."""
    document = decode_document(body)
    container, refused = document.get("MediaContainer"), document.get("errors", [])
    if not isinstance(container, dict) or not isinstance(refused, list):
        raise Unreadable("a MediaContainer was expected, and errors beside it")
    errors = {
        uuid: error_from(members, status if isinstance(status := members.get("status"), int) else 500)
        for members in refused
        if isinstance(members, dict) and isinstance(uuid := members.get("uuid"), str)
    }
    return Outcomes({row.uuid: row for row in rows_of(container)}, errors)
