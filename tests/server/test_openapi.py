"""The OpenAPI document is valid, and says what the code says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import msgspec
import pytest
import schemathesis
from starlette.routing import Route, WebSocketRoute

from headway.core import errors
from headway.core.errors import HeadwayError, InvalidInput
from headway.hub import Activities
from headway.server.app import create_app
from headway.server.authentication import LOGIN, PUBLIC
from headway.server.openapi import bodies, describe, parameters, refusals, schemas
from headway.server.service import Service
from headway.wire import bags, query, requests
from headway.wire.errors import CODES, Unreadable
from headway.wire.filters import NAMES
from headway.wire.row import Row
from headway.wire.rules import Rule

DOCUMENT = describe()
COMPONENTS = DOCUMENT["components"]
UUID = "6f7c9a1b-5f56-4009-b7c2-374cd148b67f"


def validator(schema: Any) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({**schema, "components": COMPONENTS})


def nodes(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of the document, with the path to it."""
    if isinstance(node, dict):
        yield path, node
        for name, member in node.items():
            yield from nodes(member, f"{path}/{name}")
    elif isinstance(node, list):
        for index, member in enumerate(node):
            yield from nodes(member, f"{path}/{index}")


def events(stream: str) -> Iterator[dict[str, str]]:
    for block in stream.removesuffix("\n\n").split("\n\n"):
        yield dict(re.findall("^(.*?): (.*)$", block, re.MULTILINE))


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


# The document by itself.


def test_it_is_valid_openapi() -> None:
    schemathesis.openapi.from_dict(DOCUMENT).validate()


@pytest.mark.parametrize("name", COMPONENTS["schemas"])
def test_each_schema_is_valid_json_schema(name: str) -> None:
    jsonschema_rs.meta.validate(COMPONENTS["schemas"][name])


def test_each_reference_leads_somewhere() -> None:
    wanted = {node["$ref"] for _, node in nodes(DOCUMENT) if "$ref" in node}
    there = {f"#/components/{section}/{name}" for section, names in COMPONENTS.items() for name in names}
    assert wanted <= there
    # No operation can be answered 405.
    assert {ref.rpartition("/")[2] for ref in there - wanted} == {"MethodNotAllowed", *COMPONENTS["securitySchemes"]}


def test_each_operation_has_a_name_of_its_own() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(names)) == len(names)


def test_each_example_is_what_its_schema_says() -> None:
    shown = [
        (path, node["schema"], example["value"])
        for path, node in nodes(DOCUMENT)
        if "examples" in node and path.endswith("json")
        for example in node["examples"].values()
    ]
    assert len(shown) > 20
    for path, schema, value in shown:
        assert [error.message for error in validator(schema).iter_errors(value)] == [], path


def test_the_events_of_its_streams_are_what_their_schemas_say() -> None:
    content = DOCUMENT["paths"]["/:/eventsource/notifications"]["get"]["responses"]["200"]["content"]
    schemas = {event["properties"]["event"]["const"]: event for event in COMPONENTS["schemas"]["Event"]["oneOf"]}
    seen = set()
    for example in content["text/event-stream"]["examples"].values():
        for event in events(example["value"]):
            described = schemas[event["event"]]
            seen.add(event["event"])
            assert validator(described).is_valid(event)
            assert validator(described["properties"]["data"]["contentSchema"]).is_valid(json.loads(event["data"]))
    assert seen == set(schemas)


# Paths.


@pytest.mark.anyio
async def test_its_paths_and_methods_are_those_of_the_application() -> None:
    async with Activities("memory:") as activities:
        routes = create_app(Service(activities, lambda connection: None)).routes
    served = set()
    for route in routes:
        assert isinstance(route, Route | WebSocketRoute)
        if isinstance(route, Route) and not route.include_in_schema:
            continue  # pages are for browsers
        methods = {"GET"} if isinstance(route, WebSocketRoute) else route.methods
        served |= {(route.path, method.lower()) for method in methods or ()}
    assert served == {(path, method) for path, method, _ in operations()}


def test_what_needs_no_token_is_what_it_says_needs_none() -> None:
    is_open = {(method, path) for path, method, operation in operations() if operation.get("security") == []}
    login, path = LOGIN
    assert is_open == {(method, path) for path in PUBLIC for method in ("get", "head")} | {(login.lower(), path)}


# Parameters.


class Watched(str):
    """The name of a query argument that tells which names it was compared with."""

    asked: set[str]

    def __eq__(self, other: object) -> bool:
        self.asked.add(str(other))
        return False

    def startswith(self, prefix: Any, *bounds: Any) -> bool:
        self.asked.add(prefix)
        return False

    __hash__ = str.__hash__


def names_read(*readers: Any) -> set[str]:
    name = Watched("?")
    name.asked = set()
    for read in readers:
        read([(name, "x")])
    return name.asked


def names_declared(path: str, method: str) -> set[str]:
    operation = DOCUMENT["paths"][path][method]
    named = (each["name"] for each in operation["parameters"] if each["in"] == "query")
    return {query.CONTEXT if name.startswith(query.CONTEXT) else name for name in named}


def flag(name: str) -> Any:
    return lambda arguments: query.flag(arguments, name)


STREAM = (query.stream_narrowing, query.filters, flag("snapshot"))


@pytest.mark.parametrize(
    ("path", "method", "readers", "more"),
    [
        ("/activities", "get", (query.list_narrowing,), set()),
        ("/activities/history", "get", (query.history_page,), set()),
        ("/activities/{uuid}", "get", (query.wait, query.known_state), set()),
        ("/activities/{uuid}", "delete", (query.wait, flag("force")), set()),
        ("/:/eventsource/notifications", "get", STREAM, {"since"}),
        ("/:/websockets/notifications", "get", STREAM, {"since"}),
        ("/:/websocket/notifications", "get", STREAM, {"since"}),
    ],
)
def test_its_query_arguments_are_those_that_are_read(path: str, method: str, readers: Any, more: set[str]) -> None:
    assert names_declared(path, method) == names_read(*readers) | more


def test_the_two_names_of_filters_are_there() -> None:
    assert {parameters.FILTERS["name"], parameters.FILTER["name"]} == set(NAMES)


def test_its_patterns_match_what_ours_match() -> None:
    for parameter, good, bad in (
        (parameters.TYPE, "a.b-c_9", "a b"),
        (parameters.ONE, UUID.upper(), f"{UUID}0"),
        (parameters.BEFORE, "a-_=", "a b"),
    ):
        assert validator(parameter["schema"]).is_valid(good)
        assert not validator(parameter["schema"]).is_valid(bad)
        assert not validator(parameter["schema"]).is_valid(f"{good}\n")


# Bodies.

NEW = {**requests._ASKED, **requests._TOLD}
CHANGE = {**requests._TOLD, **requests._TOLD_LATER, **requests._ENDED}


@pytest.mark.parametrize(("name", "members"), [("NewActivity", NEW), ("Change", CHANGE)])
def test_the_members_of_a_body_are_those_that_are_understood(name: str, members: dict[str, Any]) -> None:
    schema = COMPONENTS["schemas"][name]
    assert set(schema["properties"]) == set(members)
    assert schema["additionalProperties"] is False


NUMBERS = [
    -(2**53) - 1,
    -2,
    -1,
    -0.5,
    0,
    0.5,
    1,
    2.0,
    9.9,
    10,
    50,
    100,
    100.5,
    300,
    300.5,
    86_400,
    86_401,
    2**53,
    2**53 + 1,
]
TEXTS = ["", "a", "a.b", "a b", "ä", "a\n", UUID, UUID.upper(), f"{UUID}0", "running", "failed", "lost"]
LONG = ["x" * length for length in (32, 33, 128, 129, 256, 257, 512, 513, 2_000, 2_001)]
BAGS = [
    {},
    {"k": "v", "_a.b-c": 1.5, "flag": True},
    {"librarySectionID": "3"},
    {"librarySectionID": 3},
    {"1a": "x"},
    {"xmlns": "x"},
    {"a" * 65: "x"},
    {"k": None},
    {"k": []},
    {"k": {}},
    {"k": 2**53},
    {"k": 2**53 + 1},
    {"k": -1e300},
    {f"k{n}": n for n in range(32)},
    {f"k{n}": n for n in range(33)},
]
VALUES: list[Any] = [None, True, False, [], [1], 1e300, *NUMBERS, *TEXTS, *LONG, *BAGS]


def accepts(rule: Rule[Any], value: Any) -> bool:
    try:
        rule("here", value)
    except InvalidInput:
        return False
    return True


@pytest.mark.parametrize(
    ("schema", "rule"),
    [
        pytest.param(COMPONENTS["schemas"][body]["properties"][name], member.rule, id=f"{body}.{name}")
        for body, members in (("NewActivity", NEW), ("Change", CHANGE))
        for name, member in members.items()
    ],
)
def test_a_member_may_be_exactly_what_its_schema_says(schema: Any, rule: Rule[Any]) -> None:
    described = validator(schema)
    judged = {str(value)[:40]: (accepts(rule, value), described.is_valid(value)) for value in VALUES}
    assert [value for value, (ours, theirs) in judged.items() if ours != theirs] == []
    assert {ours for ours, _ in judged.values()} == {True, False}


def test_an_error_goes_only_with_an_end_that_is_no_success() -> None:
    described = validator(COMPONENTS["schemas"]["Change"])
    for change in ({}, *({"state": state} for state in ("succeeded", "failed", "cancelled", "lost"))):
        body = {**change, "error": "why"}
        assert described.is_valid(body) is not isinstance(parsed(body), InvalidInput)


def parsed(body: dict[str, Any]) -> object:
    try:
        return requests.parse_change(json.dumps(body).encode())
    except InvalidInput as error:
        return error


def test_the_sizes_of_bags_are_told() -> None:
    for name, rule in (("Context", bags.CONTEXT), ("Response", bags.RESPONSE)):
        assert f"at most {rule.size} bytes" in COMPONENTS["schemas"][name]["description"]


# Rows.

TYPES = {str: "string", bool: "boolean", int: "integer", float: "number"}


def test_the_members_of_a_row_are_those_of_the_wire_in_its_order() -> None:
    fields = msgspec.structs.fields(Row)
    assert list(schemas.ROW) == [field.encode_name for field in fields]
    assert list(schemas.PLEX) == [field.encode_name for field in fields if field.required]


@pytest.mark.parametrize("field", msgspec.structs.fields(Row), ids=lambda field: field.encode_name)
def test_a_member_of_a_row_has_the_type_of_the_wire(field: msgspec.structs.FieldInfo) -> None:
    described = schemas.ROW[field.encode_name]
    simple = [type for type in TYPES if field.type in (type, type | None)]
    if simple:
        assert described["type"] == TYPES[simple[0]]
    else:
        assert described["$ref"] == f"#/components/schemas/{field.encode_name}"
    assert described["description"]


# Errors.


def kinds(kind: type[HeadwayError] = HeadwayError) -> Iterator[type[HeadwayError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from kinds(below)


@pytest.mark.parametrize("kind", [kind for kind in kinds() if kind.__module__ == errors.__name__])
def test_each_error_is_in_the_answer_of_its_status(kind: type[HeadwayError]) -> None:
    name = refusals.refusals(kind.status)[str(kind.status)]["$ref"].rpartition("/")[2]
    example = COMPONENTS["responses"][name]["content"]["application/json"]["examples"][kind.code]["value"]
    (error,) = example["errors"]
    assert (error["code"], error["status"], error["reason"]) == (CODES[kind], kind.status, kind.code)
    table = COMPONENTS["schemas"]["Errors"]["description"]
    assert f"| {CODES[kind]} | `{kind.code}` | {kind.status} |" in table


def test_no_answer_has_the_error_of_a_client() -> None:
    assert Unreadable.code not in json.dumps(COMPONENTS)


def test_what_a_body_may_hold_is_described() -> None:
    for table in (bodies.TOLD, bodies.ASKED, bodies.TOLD_LATER, bodies.ENDED):
        assert all(member["description"] for member in table.values())
