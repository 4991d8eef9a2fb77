"""What the fake Plex Media Server writes: JSON and XML of one tree, errors in HTML.

On purpose it shares nothing with ``headway.wire``, which is tried on it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import quoteattr

Tree = Mapping[str, Any]
"""Scalars are members, or attributes; a mapping is one child element, a list of them is several."""

JSON, XML, HTML = "application/json", "text/xml;charset=utf-8", "text/html"
REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}
ORDER = ("uuid", "type", "cancellable", "userID", "title", "subtitle", "progress", "Context", "Response")


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int = 200
    body: bytes = b""
    content_type: str = HTML
    headers: Mapping[str, str] = field(default_factory=dict)


def refusal(status: int) -> Answer:
    """An error. Plex has no others than these."""
    reason = REASONS[status]
    page = f"<html><head><title>{reason}</title></head><body><h1>{status} {reason}</h1></body></html>"
    return Answer(status, page.encode())


def document(container: Tree, accept: str | None) -> Answer:
    """A ``MediaContainer`` as the client wants it."""
    if wants_json(accept):
        return Answer(200, compact({"MediaContainer": container}), JSON)
    text = "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', *_element("MediaContainer", container), ""])
    return Answer(200, text.encode(), XML)


def wants_json(accept: str | None) -> bool:
    """XML unless JSON is named first; so also without an ``Accept``."""
    for part in (accept or "").lower().split(","):
        match part.split(";")[0].strip():
            case "application/json":
                return True
            case "text/xml" | "application/xml" | "*/*":
                return False
    return False


def compact(value: Any) -> bytes:
    """JSON without spaces, text as it is."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def in_order(row: Tree) -> dict[str, Any]:
    """An activity with its members in the order of Plex, those of its bags in alphabetical order."""
    unknown = row.keys() - set(ORDER)
    assert not unknown, f"Plex has no {unknown} in an activity"
    members = {name: row[name] for name in ORDER if name in row}
    return {name: dict(sorted(one.items())) if isinstance(one, Mapping) else one for name, one in members.items()}


def _element(name: str, tree: Tree) -> Iterator[str]:
    children: list[tuple[str, Tree]] = []
    attributes = ""
    for member, value in tree.items():
        if isinstance(value, Mapping):
            children.append((member, value))
        elif isinstance(value, list):
            children += [(member, one) for one in value]
        else:
            attributes += f" {member}={quoteattr(_shown(value))}"
    if not children:
        yield f"<{name}{attributes} />" if name != "MediaContainer" else f"<{name}{attributes}>\n</{name}>"
        return
    yield f"<{name}{attributes}>"
    for child, members in children:
        yield from _element(child, members)
    yield f"</{name}>"


def _shown(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)
