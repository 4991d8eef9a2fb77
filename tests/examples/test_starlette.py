"""The Starlette example."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.examples.hosting import TokenHosting
from tests.examples.site import Site, running

APP = "examples.starlette_app:app"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(APP, tmp_path_factory.mktemp("starlette")) as site:
        yield site


class TestStarlette(TokenHosting):
    app = APP
