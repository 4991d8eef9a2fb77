"""The paths that are about the server itself."""

from __future__ import annotations

from collections.abc import Mapping

from headway.server.openapi import samples
from headway.server.openapi.parts import (
    JSON,
    XML,
    Node,
    header,
    media,
    operation,
    response,
    schema,
    without_body,
)
from headway.server.openapi.refusals import bodies, refusals
from headway.server.probe import INTERVAL
from headway.wire.formats import Format

_TAG = "Server"
_PUBLIC: Node = {"security": []}


def paths() -> Mapping[str, Node]:
    """What clients ask before anything else."""
    operations = {
        "/": _root(),
        "/identity": _identity(),
        "/health": _health(),
        "/ready": _ready(),
        "/openapi.json": _document(),
    }
    return {path: {"get": each, "head": without_body(each)} for path, each in operations.items()}


def _root() -> Node:
    content = {JSON: media("Root"), XML: {"schema": schema("Root")}}
    location = header("Where the dashboard is, relative to this path.", {"type": "string", "format": "uri-reference"})
    return operation(
        "getRoot",
        _TAG,
        "What clients open a connection with",
        "A browser, which prefers `text/html`, is sent to the dashboard and needs no token for that.",
        {
            200: response("What the server is.", content),
            303: response("The dashboard is elsewhere.", headers={"Location": location}),
        },
        refusals(401),
    )


def _identity() -> Node:
    xml = {"schema": schema("Identity"), "examples": {"server": {"value": samples.identity(Format.XML).decode()}}}
    content = {JSON: media("Identity", server=samples.identity()), XML: xml}
    return operation(
        "getIdentity", _TAG, "Which server this is", "", {200: response("The server.", content)}, refusals(), **_PUBLIC
    )


def _health() -> Node:
    return operation(
        "getHealth",
        _TAG,
        "Whether it lives",
        "The process answers.",
        {200: response("It does.", {JSON: media("Health")})},
        refusals(),
        **_PUBLIC,
    )


def _ready() -> Node:
    not_ready = {"oneOf": [schema("Readiness"), schema("Errors")]}
    return operation(
        "getReady",
        _TAG,
        "Whether it can work",
        f"Tried for real, at most every {INTERVAL:g} s: a start goes to the store and its event comes back.",
        {200: response("It can.", {JSON: media("Readiness")})},
        {
            **refusals(),
            "503": response("It cannot, or it is stopping.", {**bodies(503), JSON: {"schema": not_ready}}),
        },
        **_PUBLIC,
    )


def _document() -> Node:
    return operation(
        "getOpenapi",
        _TAG,
        "This document",
        "",
        {200: response("OpenAPI 3.1.", {JSON: {"schema": {"type": "object"}}})},
        refusals(),
        **_PUBLIC,
    )
