"""The building blocks of an OpenAPI document (https://spec.openapis.org/oas/v3.1.1.html), as plain dictionaries."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from headway.wire.formats import Format

Node = dict[str, Any]

JSON, XML, HTML = (format.content_type.partition(";")[0] for format in (Format.JSON, Format.XML, Format.HTML))
"""Media types, without their parameters."""

TEXT = "text/plain"


def ref(section: str, name: str) -> Node:
    """A reference to ``components``."""
    return {"$ref": f"#/components/{section}/{name}"}


def schema(name: str) -> Node:
    """A reference to a schema."""
    return ref("schemas", name)


def matching(expression: re.Pattern[str]) -> Node:
    """Text that a pattern of ours matches as a whole."""
    return {"type": "string", "pattern": f"^(?:{expression.pattern})$"}


def record(properties: Mapping[str, Node], required: Sequence[str] = (), *, closed: bool = False) -> Node:
    """An object. ``closed``: it has no other members."""
    node: Node = {"type": "object", "properties": dict(properties)}
    if required:
        node["required"] = list(required)
    if closed:
        node["additionalProperties"] = False
    return node


def parameter(place: str, name: str, description: str, values: Node, **more: Any) -> Node:
    """A parameter in ``query``, ``header`` or ``path``."""
    return {"name": name, "in": place, "description": description, "schema": values, **more}


def header(description: str, values: Node, *, always: bool = True) -> Node:
    """A header of a response."""
    return {"description": description, "schema": values, "required": always}


def response(description: str, content: Node | None = None, headers: Mapping[str, Node] | None = None) -> Node:
    """An answer; without content its body is empty."""
    node: Node = {"description": description}
    if headers:
        node["headers"] = dict(headers)
    if content is not None:
        node["content"] = content
    return node


def media(name: str, **examples: bytes) -> Node:
    """A body that is described by a schema. ``examples``: bodies, as they are sent."""
    node: Node = {"schema": schema(name)}
    if examples:
        node["examples"] = {title: {"value": msgspec.json.decode(body)} for title, body in examples.items()}
    return node


def text(media_type: str, **examples: bytes) -> Node:
    """Bodies that are text to a JSON schema."""
    node: Node = {"schema": {"type": "string"}}
    if examples:
        node["examples"] = {title: {"value": body.decode()} for title, body in examples.items()}
    return {media_type: node}


def operation(
    name: str, tag: str, summary: str, description: str, answers: Mapping[int, Node], refused: Node, **more: Any
) -> Node:
    """One method of one path. ``refused``: the answers that are errors, by status."""
    responses = {**{str(status): answer for status, answer in answers.items()}, **refused}
    return {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "description": description,
        **more,
        "responses": dict(sorted(responses.items())),
    }


def without_body(operation: Node) -> Node:
    """``HEAD``, which is answered wherever ``GET`` is (RFC 9110, section 9.3.2)."""
    name: str = operation["operationId"]
    answers = {
        status: {"description": answer["description"], "headers": answer.get("headers", {})}
        if "$ref" not in answer
        else answer
        for status, answer in operation["responses"].items()
    }
    return {
        **operation,
        "operationId": f"head{name[0].upper()}{name[1:]}",
        "summary": f"{operation['summary']}: the headers alone",
        "description": f"As `GET`, without the body: see `{name}`.",
        "responses": answers,
    }
