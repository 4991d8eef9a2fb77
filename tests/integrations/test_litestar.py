"""What an application mounted in Litestar is told of its address."""

from __future__ import annotations

import json
from typing import Any

import pytest
from litestar import Litestar
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from headway.integrations.litestar import mount
from headway.testing.asgi import asgi_request


async def address(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that answers where it thinks it is asked."""
    path = scope["path"].removeprefix(scope["root_path"])
    await JSONResponse([scope["root_path"], path, str(Request(scope).url.path)])(scope, receive, send)


def host(path: str) -> Any:
    return Litestar([mount(path, address)], openapi_config=None)


@pytest.mark.parametrize("root", ["", "/api"])
@pytest.mark.parametrize("below", ["/", "/activities", "/activities/", "/:/eventsource/notifications", "/a%20b"])
async def test_a_path_below_is_the_applications_own(root: str, below: str) -> None:
    app = host("/headway/")
    path = f"{root}/headway{below}"
    plain = path.replace("%20", " ")
    async with asgi_request(app, path=plain, root_path=root, raw_path=path.encode()) as answer:
        assert (await answer.start()).status == 200
        assert json.loads(await answer.body()) == [f"{root}/headway", below.replace("%20", " "), plain]


async def test_the_mount_itself_is_its_root() -> None:
    app = host("deep/er")
    async with asgi_request(app, path="/deep/er") as answer:
        assert (await answer.start()).status == 200
        assert json.loads(await answer.body())[:2] == ["/deep/er", ""]


async def test_what_is_beside_it_is_the_hosts() -> None:
    app = host("/headway")
    async with asgi_request(app, path="/elsewhere") as answer:
        assert (await answer.start()).status == 404
