"""The real server answers what the OpenAPI document says, whatever it is sent: schemathesis tries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import (
    negative_data_rejection,
    positive_data_acceptance,
    unsupported_method,
)

from headway.core.policy import Role
from headway.core.text import clean
from headway.server.openapi import describe
from headway.server.openapi.parameters import SECURITY_SCHEMES
from tests.server.running import Running, running_server, token_for

DOCUMENT = describe()
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
# A key that was used for another request is no fault of the request's form.
SCHEMA.config.checks.positive_data_acceptance.expected_statuses.append("422")
BOUNDED = settings(max_examples=20, derandomize=True, suppress_health_check=list(HealthCheck))
PATIENCE = 20.0
STREAM = "getNotifications"


class Caller(NamedTuple):
    """Who asks, and for what form of answer."""

    role: Role
    accept: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_server(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def tokens(server: Running) -> dict[Role, str]:
    return {Role.ADMIN: server.token, Role.USER: token_for(server, "ann", Role.USER)}


def callers(*callers: Caller) -> pytest.MarkDecorator:
    names = [f"{caller.role.value} {caller.accept.partition('/')[2]}" for caller in callers]
    return pytest.mark.parametrize("caller", callers, ids=names)


@callers(Caller(Role.ADMIN, "application/json"), Caller(Role.USER, "*/*"))
@SCHEMA.exclude(operation_id=STREAM).parametrize()
@BOUNDED
def test_each_answer_is_as_described(case: Any, server: Running, tokens: dict[Role, str], caller: Caller) -> None:
    case.call_and_validate(
        base_url=server.url,
        headers={"X-Plex-Token": tokens[caller.role], "Accept": caller.accept},
        timeout=PATIENCE,
        excluded_checks=not_applicable(case),
    )


def not_applicable(case: Any) -> list[Any]:
    """Checks to which a request is an exception."""
    query = case.query or {}
    ignored = "x-schemathesis-unknown-property" in query  # as Plex does with what it does not know
    exceptions = {
        # What looks like a cursor is none: only the server makes them.
        # Of a list of changes, the rules for all of it (its bytes, none twice) cannot be said by a schema.
        positive_data_acceptance: "before" in query or (isinstance(case.body, dict) and "Activity" in case.body),
        negative_data_rejection: ignored or any(map(may_vanish, query.values())) or shrinks([query, case.body]),
        # A path that is only a WebSocket's has nothing for HTTP.
        unsupported_method: "/websocket" in case.path,
    }
    return [check for check, applies in exceptions.items() if applies]


def may_vanish(value: Any) -> bool:
    """Of lists and objects, nothing may be left in a URL; an empty argument counts as absent."""
    return value is None or value == "" or isinstance(value, list | dict)


def shrinks(value: Any) -> bool:
    """A text in it is shorter once it is cleaned, and only then it is measured."""
    if isinstance(value, list | dict):
        return any(map(shrinks, value.values() if isinstance(value, dict) else value))
    return isinstance(value, str) and len(clean(value)) < len(value)


@SCHEMA.include(path_regex="/{uuid}(/output)?$", method_regex="GET|PUT|PATCH|DELETE").parametrize()
@BOUNDED
def test_each_answer_about_a_live_activity_is_as_described(case: Any, server: Running) -> None:
    headers = {"X-Plex-Token": server.token, "Accept": "application/json"}
    with live_activity(server) as uuid:
        case.path_parameters["uuid"] = uuid
        if "wait" in (case.query or {}):
            case.query["wait"] = "0.01"
        case.call_and_validate(
            base_url=server.url,
            headers=headers,
            timeout=PATIENCE,
            # What was wrong with the request may be what was just replaced.
            excluded_checks=[negative_data_rejection],
        )


@callers(Caller(Role.ADMIN, "application/json"), Caller(Role.USER, "*/*"))
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_list_that_is_known_is_answered_as_described(
    server: Running, tokens: dict[Role, str], caller: Caller, method: str
) -> None:
    def ask(**more: str) -> requests.Response:
        headers = {"X-Plex-Token": tokens[caller.role], "Accept": caller.accept, **more}
        response = requests.request(method, f"{server.url}/activities", headers=headers, timeout=PATIENCE)
        SCHEMA["/activities"][method].validate_response(response)
        return response

    known = ask().headers["ETag"]
    again = ask(**{"If-None-Match": f'"another", {known}'})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", known)


def test_rows_in_xml_are_as_described(server: Running) -> None:
    """schemathesis looks no further than the content type of XML."""
    described = DOCUMENT["components"]["schemas"]["Activity"]
    with live_activity(server) as uuid:
        url, headers = f"{server.url}/activities/{uuid}", {"X-Plex-Token": server.token, "Accept": "*/*"}
        container = ElementTree.fromstring(requests.get(url, headers=headers, timeout=PATIENCE).content)
    (row,) = container.findall(described["xml"]["name"])
    attributes = {name for name, member in described["properties"].items() if member.get("xml", {}).get("attribute")}
    assert set(described["required"]) <= set(row.keys()) <= attributes
    assert [child.tag for child in row] == ["Context"]
    assert set(described["properties"]) - attributes == {"Context", "Response"}


@contextmanager
def live_activity(server: Running) -> Iterator[str]:
    """The id of one that is new, and has ended after the block: only so many may be live."""
    url, headers = f"{server.url}/activities", {"X-Plex-Token": server.token}
    new: Any = {"type": "test.work", "cancellable": True, "title": "<&>", "Context": {"a": "b"}, "total": 3}
    uuid = requests.post(url, json=new, headers=headers, timeout=PATIENCE).headers["X-Plex-Activity"]
    try:
        yield uuid
    finally:
        requests.delete(f"{url}/{uuid}?force=1", headers=headers, timeout=PATIENCE)


@callers(Caller(Role.ADMIN, "text/event-stream"), Caller(Role.ADMIN, "application/octet-stream"))
@SCHEMA.include(operation_id=STREAM).parametrize()
@BOUNDED
def test_each_stream_begins_as_described(case: Any, server: Running, caller: Caller) -> None:
    """Read up to the first bytes: it has no end."""
    headers = {"X-Plex-Token": server.token, "Accept": caller.accept}
    request = case.as_transport_kwargs(base_url=server.url, headers=headers)
    with requests.Session() as session, session.request(**request, stream=True, timeout=PATIENCE) as response:
        response._content = next(response.iter_content(None), b"")
        case.validate_response(response, excluded_checks=not_applicable(case))
        if response.status_code == 200:
            assert response.content.startswith(b"event: ping\ndata: {}\n")


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_history_is_no_activity(server: Running, method: str) -> None:
    url, headers = f"{server.url}/activities/history", {"X-Plex-Token": server.token}
    response = requests.request(method, url, headers=headers, timeout=PATIENCE)
    assert response.status_code == 405
    assert {name.strip() for name in response.headers["Allow"].split(",")} == {"GET", "HEAD"}


# Who asks.


def carrying(scheme: str, token: str) -> dict[str, Any]:
    """A request with its token where a security scheme has it."""
    described = SECURITY_SCHEMES[scheme]
    if described["type"] == "http":
        return {"headers": {"Authorization": f"{described['scheme'].title()} {token}"}}
    place = {"header": "headers", "query": "params", "cookie": "cookies"}[described["in"]]
    return {place: {described["name"]: token}}


@pytest.mark.parametrize("scheme", SECURITY_SCHEMES)
def test_each_security_scheme_opens_the_server(server: Running, scheme: str) -> None:
    url = f"{server.url}/activities"
    assert requests.get(url, **carrying(scheme, server.token), timeout=PATIENCE).status_code == 200
    assert requests.get(url, **carrying(scheme, f"{server.token}x"), timeout=PATIENCE).status_code == 401


@pytest.mark.parametrize(
    ("path", "method"), [(path, method) for path, item in DOCUMENT["paths"].items() for method in item]
)
def test_without_a_token_only_what_is_described_as_open_is(server: Running, path: str, method: str) -> None:
    is_open = DOCUMENT["paths"][path][method].get("security") == []
    with requests.request(method, server.url + path, stream=True, timeout=PATIENCE) as response:
        # Who logs in without a body is told what to send.
        assert response.status_code == ((415 if method == "post" else 200) if is_open else 401)


def test_the_document_that_is_served_is_this_one(server: Running) -> None:
    assert requests.get(f"{server.url}/openapi.json", timeout=PATIENCE).json() == DOCUMENT
