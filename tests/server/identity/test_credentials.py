"""Where a request carries its token, and which one counts."""

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers, QueryParams
from starlette.requests import HTTPConnection

from headway.server.identity.credentials import find_token

NONE = Headers({})


def find(headers: list[tuple[str, str]] = [], query: str = "", cookies: dict[str, str] = {}) -> str | None:  # noqa: B006
    raw = [(name.lower().encode(), value.encode()) for name, value in headers]
    return find_token(Headers(raw=raw), QueryParams(query), cookies)


def test_a_request_without_any_has_none() -> None:
    assert find() is None


@pytest.mark.parametrize("name", ["X-Plex-Token", "x-plex-token", "X-PLEX-TOKEN"])
def test_header_and_query_argument_in_any_case(name: str) -> None:
    assert find([(name, "good")]) == "good"
    assert find(query=f"{name}=good") == "good"


@pytest.mark.parametrize("value", ["Bearer good", "bearer good", "BEARER   good "])
def test_a_bearer_token(value: str) -> None:
    assert find([("Authorization", value)]) == "good"


@pytest.mark.parametrize("value", ["Basic Og==", "Basic Z29vZDo=", "Bearer", "Bearer ", "", "good", "Token good"])
def test_any_other_authorization_is_noise(value: str) -> None:
    assert find([("Authorization", value)]) is None
    assert find([("Authorization", value)], "X-Plex-Token=good") == "good"
    assert find([("Authorization", value), ("X-Plex-Token", "good")]) == "good"


def test_a_cookie() -> None:
    assert find(cookies={"headway_token": "good"}) == "good"
    assert find(cookies={"other": "good"}) is None


def test_an_encoded_query_argument() -> None:
    assert find(query="a=b&X%2DPlex%2DToken=go%6Fd&c") == "good"


def test_whitespace_around_a_token_is_not_part_of_it() -> None:
    assert find(query="X-Plex-Token=good%0A") == "good"


def test_what_comes_out_of_a_real_request() -> None:
    scope = {
        "type": "http",
        "headers": [(b"cookie", b""), (b"cookie", b"a=b; headway_token=good"), (b"authorization", b"Basic Og==")],
        "query_string": b"X-Plex-Token=&other=1",
    }
    connection = HTTPConnection(scope)
    assert find_token(connection.headers, connection.query_params, connection.cookies) == "good"


places = st.fixed_dictionaries(
    {},
    optional={
        name: st.lists(st.sampled_from(["", " ", f"{name}-1", f"{name}-2"]), max_size=3)
        for name in ("header", "bearer", "query")
    }
    | {"cookie": st.lists(st.sampled_from(["", "cookie-1"]), max_size=1)},
)


@given(places)
def test_the_first_that_is_present_counts_and_empty_is_absent(places: dict[str, list[str]]) -> None:
    in_order = [
        value.strip()
        for name in ("header", "bearer", "query", "cookie")
        for value in places.get(name, ())
        if value.strip()
    ]
    found = find(
        [("X-Plex-Token", value) for value in places.get("header", ())]
        + [("Authorization", f"Bearer {value}") for value in places.get("bearer", ())]
        + [("Authorization", "Basic Og==")],
        urlencode([("X-Plex-Token", value) for value in places.get("query", ())]),
        dict.fromkeys(["headway_token"], "".join(places.get("cookie", ()))),
    )
    assert found == (in_order[0] if in_order else None)


@given(
    st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=50)), max_size=5),
    st.binary(max_size=100),
    st.binary(max_size=100),
)
def test_garbage_never_raises(headers: list[tuple[bytes, bytes]], query: bytes, cookie: bytes) -> None:
    connection = HTTPConnection({"type": "http", "headers": [*headers, (b"cookie", cookie)], "query_string": query})
    token = find_token(connection.headers, connection.query_params, connection.cookies)
    assert token is None or token == token.strip() != ""
