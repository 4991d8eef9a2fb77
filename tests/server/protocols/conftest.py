"""One server for all tests that are content with its limits, on either event loop: uvloop is what is served with,
asyncio's own is what there always is.
"""

import logging
from collections.abc import AsyncIterator, Iterator

import pytest

from headway.server.guard import Guard
from tests.server.harness import App, running


@pytest.fixture(scope="session", params=[True, False], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(scope="session")
async def served(anyio_backend: object) -> AsyncIterator[tuple[App, int]]:
    app = App()
    async with running(Guard(app)) as (_, port):
        yield app, port


@pytest.fixture
def app(served: tuple[App, int]) -> App:
    """The application behind ``port``, fresh."""
    served[0].forget()
    return served[0]


@pytest.fixture
def port(app: App, served: tuple[App, int]) -> int:
    return served[1]


@pytest.fixture(autouse=True)
def nothing_went_wrong(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever a client does, the server takes it for the client's fault."""
    yield
    records = [*caplog.get_records("setup"), *caplog.get_records("call")]
    assert [record.getMessage() for record in records if record.exc_info or record.levelno >= logging.ERROR] == []
