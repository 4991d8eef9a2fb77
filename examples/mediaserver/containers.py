"""The answers of a media server: a ``MediaContainer`` of rows, in XML or JSON, as the client asked for it.

A row is a dictionary; its lists are the rows within it.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from examples.mediaserver.catalogue import Item
from examples.mediaserver.config import Kind, Section
from examples.mediaserver.files import shown
from headway.wire.formats import Format, negotiate
from headway.wire.xml import DECLARATION, element

Row = dict[str, Any]
_ELEMENTS = {"movie": "Video", "track": "Track"}
"""What the XML calls the rows that the JSON calls ``Metadata``."""


def container(request: Request, **members: Any) -> Response:
    """The answer with these attributes and lists of rows."""
    members = {"size": sum(len(rows) for rows in members.values() if isinstance(rows, list)), **members}
    format = negotiate(request.headers.get("accept"))
    json = format is Format.JSON
    body = msgspec.json.encode({"MediaContainer": members}) if json else DECLARATION + _xml("MediaContainer", members)
    return Response(body, headers={"Content-Type": format.content_type, "X-Plex-Protocol": "1.0"})


def done(request: Request) -> Response:
    """The answer to a request that has nothing to tell: python-plexapi would read any other text as XML, and the
    generated SDKs want JSON.
    """
    if negotiate(request.headers.get("accept")) is Format.JSON:
        return Response(b'{"success":true}', headers={"Content-Type": Format.JSON.content_type})
    return Response(b"", headers={"Content-Type": Format.HTML.content_type})


def section_row(section: Section, *, refreshing: bool) -> Row:
    """A section among others."""
    return {
        "key": str(section.id),
        "type": section.kind.value,
        "title": section.title,
        "agent": "headway.mediaserver",
        "scanner": "headway.mediaserver",
        "language": "xn",
        "uuid": f"00000000-0000-4000-8000-{section.id:012}",
        "refreshing": refreshing,
        "Location": [{"id": section.id, "path": shown(section.folder)}],
    }


def item_row(item: Item, section: Section) -> Row:
    """A film or track among others."""
    tags = item.tags
    row: Row = {
        "ratingKey": str(item.id),
        "key": item.key,
        "type": section.kind.item,
        "title": tags.title,
        "librarySectionID": section.id,
        "librarySectionTitle": section.title,
        "addedAt": item.added,
        "updatedAt": item.updated,
    }
    if section.kind is Kind.MUSIC:
        row |= {"grandparentTitle": tags.artist, "parentTitle": tags.album, "index": tags.index}
    if tags.year:
        row["year"] = tags.year
    if item.analysis is not None:
        row["duration"] = item.analysis.duration
    return row | {"Media": [_media(item)]}


def _media(item: Item) -> Row:
    container = item.file.path.suffix.lower().lstrip(".")
    part: Row = {
        "id": item.id,
        "key": f"/library/parts/{item.id}/file",
        "file": shown(item.file.path),
        "size": item.file.size,
        "container": container,
    }
    media: Row = {"id": item.id, "container": container}
    if item.problem:
        part |= {"accessible": False, "problem": item.problem}
    if (known := item.analysis) is not None:
        part |= {"duration": known.duration, "hash": known.hash}
        media |= {"duration": known.duration, "bitrate": known.bitrate}
        media |= {"audioCodec": known.codec, "audioChannels": known.channels}
    return media | {"Part": [part]}


def _xml(name: str, row: Row) -> bytes:
    attributes = [(key, value) for key, value in row.items() if not isinstance(value, list)]
    rows = [(key, inner) for key, value in row.items() if isinstance(value, list) for inner in value]
    children = [_xml(_ELEMENTS[inner["type"]] if key == "Metadata" else key, inner) for key, inner in rows]
    return element(name, attributes, children or None)
