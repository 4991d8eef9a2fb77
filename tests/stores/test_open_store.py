"""Which store a URL names, and what is said where it names none."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from headway.stores import StoreError, open_document, open_store

OPENING = [open_store, lambda url: open_document(url, "identity.db")]
"""Records, and what nodes share besides: who mistypes a URL must not be given the tokens of this machine instead."""

opening = pytest.mark.parametrize("opened", OPENING, ids=["records", "document"])


@opening
@pytest.mark.parametrize(
    ("url", "told"),
    [
        (
            "redsi://h",
            "no store is known by the scheme 'redsi'; use memory:, sqlite:FOLDER, redis://HOST or nats://HOST",
        ),
        ("redis+sentinal://h/main", "no store is known by the scheme 'redis"),
        ("localhost:6379", "no store is known by the scheme 'localhost'"),
        ("127.0.0.1:6379", "a URL without a scheme; use memory:"),
        ("", "a URL without a scheme"),
        ("sqlite:", "no store is known by the scheme 'sqlite'"),
        ("redis:/h", "two slashes behind its scheme: redis://HOST"),
        ("redis:h:6379", "two slashes"),
        ("nats:h", "two slashes behind its scheme: nats://HOST"),
    ],
)
def test_a_url_that_names_no_store_is_refused(opened: Callable[[str], object], url: str, told: str) -> None:
    with pytest.raises(StoreError) as error:
        opened(url)
    assert told in str(error.value)


@opening
@pytest.mark.parametrize("url", ["redis://h", "nats://h"])
def test_what_to_install_is_said(opened: Callable[[str], object], url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scheme = url.partition(":")[0]
    for module in ("", "_vault"):
        monkeypatch.setitem(sys.modules, f"headway.stores.{scheme}{module}", None)  # as if its package were missing
    with pytest.raises(StoreError) as error:
        opened(url)
    assert f"pip install 'headway[{scheme}]'" in str(error.value)
