"""What tokens, names, labels and lifetimes look like."""

import hashlib
import re
import shlex
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.errors import InvalidInput
from headway.server.identity.tokens import (
    checked_label,
    checked_name,
    digest,
    id_of,
    lifetime,
    new_id,
    new_token,
)


def test_a_token_is_safe_in_urls_and_shells_and_is_no_option() -> None:
    for _ in range(200):
        token = new_token(new_id())
        assert quote(token, safe="") == token == shlex.quote(token)
        assert token.startswith("hw_")


def test_a_token_has_32_random_bytes_beside_its_id() -> None:
    tokens = {new_token("0123abcd") for _ in range(200)}
    assert len(tokens) == 200
    assert all(re.fullmatch(r"hw_0123abcd_[A-Za-z0-9_-]{43}", token) for token in tokens)


def test_a_token_tells_its_id() -> None:
    assert id_of(new_token("0123abcd")) == "0123abcd"


@given(st.text() | st.from_regex(r"hw_[0-9a-f]{8}_[A-Za-z0-9_-]{40,50}\n?"))
def test_nothing_but_a_whole_token_has_an_id(text: str) -> None:
    whole = re.search(r"\Ahw_[0-9a-f]{8}_[A-Za-z0-9_-]{43}\Z", text)
    assert (id_of(text) is not None) == (whole is not None)


def test_the_digest_is_sha_256() -> None:
    assert digest("hw_x") == hashlib.sha256(b"hw_x").digest()


@pytest.mark.parametrize("name", ["a", "anna", "Anna.B", "anna@example.org", "_", "7", "x-1", "n" * 64])
def test_good_user_names_stay_as_they_are(name: str) -> None:
    assert checked_name(name) == name


@pytest.mark.parametrize("name", ["", "n" * 65, "a b", "-a", ".", "..", "@a", "a/b", "änna", "a\n", "a\x1b[0m"])
def test_bad_user_names_are_refused_harmlessly(name: str) -> None:
    with pytest.raises(InvalidInput, match="1 to 64") as caught:
        checked_name(name)
    assert caught.value.message.isprintable()


def test_labels_are_cleaned_and_limited() -> None:
    assert checked_label("my\tphone \x1b[31m") == "my phone \ufffd[31m"
    assert checked_label("x" * 256) == "x" * 256
    with pytest.raises(InvalidInput, match="256"):
        checked_label("x" * 257)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("12h", 43_200), ("30d", 2_592_000), ("2w", 1_209_600), ("36500d", 3_153_600_000)],
)
def test_lifetimes(text: str, seconds: float) -> None:
    assert lifetime(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "30", "d", "0d", "-1d", "1.5d", "30D", "30 d", "1d2h", "36501d", "9" * 30 + "s", "٣d"]
)
def test_anything_else_is_no_lifetime(text: str) -> None:
    with pytest.raises(InvalidInput, match="such as 30d"):
        lifetime(text)
