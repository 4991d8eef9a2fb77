"""What each known client, and each odd one, is answered in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.wire.formats import Format, negotiate, negotiate_error, wants_page

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"

J, X, H = Format.JSON, Format.XML, Format.HTML

ACCEPTS: list[tuple[str | None, Format, Format]] = [
    # header, answer, error
    (None, J, J),
    ("", J, J),
    ("   ", J, J),
    ("application/json", J, J),
    ("APPLICATION/JSON", J, J),
    ("application/json; charset=utf-8", J, J),
    ("*/*", X, H),
    ("text/xml", X, H),
    ("application/xml", X, H),
    ("application/json;q=1.0, text/xml;q=0.5", J, J),
    ("application/json;q=0.5, text/xml", X, J),
    ("application/json, text/plain, */*", J, J),
    ("application/json, */*;q=0.8", J, J),
    ("application/json;q=0.5, */*", X, J),
    ("application/json, text/xml", J, J),
    ("text/xml, application/json", X, J),
    ("text/xml;q=0.9, application/json;q=0.9", X, J),
    ("application/json;q=0", X, H),
    ("*/*, application/json;q=0", X, H),
    ("*/*, text/xml;q=0, application/xml;q=0", J, H),
    ("text/xml;q=0, application/json", J, J),
    ("text/*", X, H),
    ("application/*", X, H),
    ("application/*;q=0.5, application/json;q=0.4", X, J),
    (BROWSER, X, H),
    (CHROME, X, H),
    ("text/html", X, H),
    ("text/plain", X, H),
    ("text/event-stream", X, H),
    ("application/octet-stream", X, H),
    ("application/xhtml+xml", X, H),
    ("json", J, J),
    (";;;,,,", J, J),
    ("application/json;q=banana", J, J),
    ("application/json;q=2", J, J),
    ("text/xml;q=0.1;x=y, application/json;Q=0.2", J, J),
]


@pytest.mark.parametrize(("accept", "answer", "error"), ACCEPTS)
def test_the_form_follows_accept(accept: str | None, answer: Format, error: Format) -> None:
    assert negotiate(accept) is answer
    assert negotiate_error(accept) is error


@pytest.mark.parametrize("accept", [BROWSER, CHROME, "text/html", "text/html, */*;q=0.1"])
def test_a_browser_gets_the_page(accept: str) -> None:
    assert wants_page(accept)


@pytest.mark.parametrize(
    "accept",
    [None, "", "*/*", "text/*", "application/json", "text/xml", "application/json, text/html;q=0.9", "text/html;q=0"],
)
def test_a_program_gets_no_page(accept: str | None) -> None:
    assert not wants_page(accept)


def test_content_types_are_what_clients_compare_with() -> None:
    assert [form.content_type for form in Format] == ["application/json", "text/xml;charset=utf-8", "text/html"]


@given(st.text() | st.text('aplictonjsxmehql/*+;,=.01 "', max_size=60))
def test_anything_gets_some_answer(accept: str) -> None:
    assert negotiate(accept) in (J, X)
    assert negotiate_error(accept) in (J, H)
    assert wants_page(accept) in (True, False)
