"""Error bodies as Plex's clients parse them, and errors read back."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core import errors
from headway.core.errors import HeadwayError
from headway.wire import errors as wire_errors
from headway.wire.errors import CODES, Unreadable, decode_error, encode_error, encode_status
from headway.wire.formats import Format


def tree(kind: type[HeadwayError] = HeadwayError) -> Iterator[type[HeadwayError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from tree(below)


OURS = [kind for kind in tree() if kind.__module__ in (errors.__name__, wire_errors.__name__)]


@pytest.mark.parametrize(
    ("error", "page"),
    [
        (
            errors.NotCancellable(),
            b"<html><head><title>Bad Request</title></head><body><h1>400 Bad Request</h1></body></html>",
        ),
        (
            errors.NotFound("about 7"),
            b"<html><head><title>Not Found</title></head><body><h1>404 Not Found</h1></body></html>",
        ),
        (
            errors.NotAuthenticated(),
            b"<html><head><title>Unauthorized</title></head><body><h1>401 Unauthorized</h1></body></html>",
        ),
    ],
)
def test_html_is_byte_for_byte_what_plex_writes(error: HeadwayError, page: bytes) -> None:
    assert encode_error(error, Format.HTML) == page


def test_json_is_what_the_older_clients_parse_with_a_reason_behind() -> None:
    assert encode_error(errors.NotAuthenticated(), Format.JSON) == (
        b'{"errors":[{"code":1001,"message":"User could not be authenticated","status":401,'
        b'"reason":"not_authenticated"}]}'
    )


def test_errors_that_are_https_alone() -> None:
    assert json.loads(encode_status(405, "use GET", Format.JSON)) == {
        "errors": [{"code": 4050, "message": "use GET", "status": 405, "reason": "method_not_allowed"}]
    }
    assert encode_status(415, "no", Format.HTML) == (
        b"<html><head><title>Unsupported Media Type</title></head>"
        b"<body><h1>415 Unsupported Media Type</h1></body></html>"
    )


@pytest.mark.parametrize(
    ("status", "reason"),
    [(413, "content_too_large"), (414, "uri_too_long"), (422, "unprocessable_content")],
)
def test_reasons_are_the_same_on_every_version_of_python(status: int, reason: str) -> None:
    assert json.loads(encode_status(status, "", Format.JSON))["errors"][0]["reason"] == reason


def test_every_class_has_a_number_of_its_own() -> None:
    assert set(OURS) == set(CODES)
    assert len(set(CODES.values())) == len(CODES)
    assert all(type(code) is int for code in CODES.values())


@pytest.mark.parametrize("kind", OURS)
def test_every_class_is_in_the_table_of_the_documentation(kind: type[HeadwayError]) -> None:
    rows = [line.split() for line in (wire_errors.__doc__ or "").splitlines()]
    assert [str(CODES[kind]), kind.code, str(kind.status)] in [row[:3] for row in rows]


def test_a_class_that_has_no_number_has_that_of_the_one_above() -> None:
    class Special(errors.AlreadyEnded):
        """Special."""

        code = "special"

    told = json.loads(encode_error(Special("so"), Format.JSON))["errors"][0]
    assert told == {"code": 4092, "message": "so", "status": 409, "reason": "special"}


@pytest.mark.parametrize("kind", OURS)
def test_an_error_read_back_is_the_same(kind: type[HeadwayError]) -> None:
    read = decode_error(kind.status, encode_error(kind("what and where"), Format.JSON))
    assert type(read) is kind
    assert read.message == "what and where"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (
            401,
            b'{"errors":[{"code":1001,"message":"User could not be authenticated","status":401}]}',
            "NotAuthenticated",
        ),
        (401, b"<html><head><title>Unauthorized</title></head></html>", "NotAuthenticated"),
        (404, b"", "NotFound"),
        (409, b"{}", "Conflict"),
        (409, b'{"errors":[]}', "Conflict"),
        (409, b'{"errors":[null]}', "Conflict"),
        (409, b'{"errors":[{"reason":["x"],"code":{}}]}', "Conflict"),
        (409, b'{"errors":[{"reason":"not known here"}]}', "Conflict"),
        (502, b"<html>nginx</html>", "Unavailable"),
        (418, b"tea", "HeadwayError"),
        (599, b"[" * 100_000, "HeadwayError"),
    ],
)
def test_an_error_of_another_server_is_told_by_its_status(status: int, body: bytes, kind: str) -> None:
    assert type(decode_error(status, body)).__name__ == kind


def test_an_error_without_a_message_tells_the_status() -> None:
    assert decode_error(404, b"").message == "the server answered 404 Not Found"
    assert decode_error(599, b"").message == "the server answered 599"


def test_a_message_from_outside_is_harmless() -> None:
    body = b'{"errors":[{"message":"\\u001b[31m' + b"x" * 5000 + b'"}]}'
    assert decode_error(400, body).message == "�[31m" + "x" * 1994 + "…"


@given(st.integers(400, 599), st.binary(max_size=100))
def test_any_answer_is_some_error(status: int, body: bytes) -> None:
    assert isinstance(decode_error(status, body), HeadwayError)


def test_what_cannot_be_read_is_an_error_of_the_tree() -> None:
    assert issubclass(Unreadable, HeadwayError)
