"""The FastAPI example."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.examples.hosting import TokenHosting
from tests.examples.site import Site, running

APP = "examples.fastapi_app:app"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(APP, tmp_path_factory.mktemp("fastapi")) as site:
        yield site


class TestFastAPI(TokenHosting):
    app = APP

    def test_its_documentation_knows_the_endpoints_and_the_scheme(self, site: Site) -> None:
        document = site.ask("GET", "/openapi.json").json()
        assert {"/exports", "/scans", "/checks", "/reports"} <= document["paths"].keys()
        assert document["paths"]["/exports"]["post"]["security"] == [{"HTTPBearer": []}]
