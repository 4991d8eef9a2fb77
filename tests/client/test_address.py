"""Where a server is: URLs in one way of writing, tokens that show nowhere."""

import pytest

from headway.client.address import Address, parse_url
from headway.core.errors import InvalidInput


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://127.0.0.1:4590", "http://127.0.0.1:4590"),
        ("http://127.0.0.1:4590/", "http://127.0.0.1:4590"),
        ("127.0.0.1:4590", "http://127.0.0.1:4590"),
        ("media.example", "http://media.example"),
        ("HTTP://Media.Example:80/x/", "http://media.example/x"),
        ("https://media.example:443", "https://media.example"),
        ("https://media.example:8443/headway", "https://media.example:8443/headway"),
        ("http://[::1]:4590", "http://[::1]:4590"),
        (" http://localhost:1 ", "http://localhost:1"),
    ],
)
def test_a_url_is_written_in_one_way(given: str, url: str) -> None:
    assert parse_url(given) == url
    assert parse_url(url) == url


@pytest.mark.parametrize(
    "given",
    [
        *("", "http://", "ftp://media.example", "http://host:99999", "http://host:x", "file:///etc/passwd"),
        *("http://host/?token=x", "http://host/#x", "http://ho\nst", "http://[::1", "javascript:alert(1)"),
        *("http://a b", "http://a..b", "http://" + "a" * 64, "http://a/b@c?d", "http://a<b>", "http://a'b"),
    ],
)
def test_anything_else_is_refused(given: str) -> None:
    with pytest.raises(InvalidInput, match="not a server's URL"):
        parse_url(given)


def test_a_password_in_a_url_is_refused_without_repeating_it() -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_url("http://me:hunter2@host/")
    assert "hunter2" not in str(refusal.value)


def test_the_token_does_not_show() -> None:
    assert repr(Address("http://host", "hw_secret")) == "<Address http://host with a token>"


@pytest.mark.parametrize("token", ["a b", "a\r\nX: y", "tökén", "\x00"])
def test_a_token_that_no_header_can_carry_is_refused(token: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Address("http://host", token)
    assert token not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:4590", True),
        ("http://127.8.8.8", True),
        ("http://[::1]:4590", True),
        ("http://localhost", True),
        ("http://a.localhost", True),
        ("http://10.0.0.1", False),
        ("http://localhost.example", False),
        ("http://127.0.0.1.example", False),
    ],
)
def test_only_this_machine_is_loopback(url: str, loopback: bool) -> None:
    assert Address(url).loopback is loopback
