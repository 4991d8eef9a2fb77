"""A broker, a server and a worker of each kind, for all tests here: it is they that take the time to start."""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from headway import Activities, Principal, Role
from headway.client import Client
from headway.integrations.lifespan import lifespan
from headway.server import ActivitiesApp
from tests.integrations.celery.workers import SHOP, Shop, Worker, started
from tests.integrations.serving import serving
from tests.stores.redis_servers import redis_server

Pools = Callable[..., list[Worker]]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    activities = Activities("memory:")
    served = ActivitiesApp(activities, lambda _: Principal(1, Role.ADMIN))
    app = Starlette(routes=[Mount("/headway", served)], lifespan=lifespan(activities, served))
    with ExitStack() as resources:
        broker = resources.enter_context(redis_server(tmp_path_factory.mktemp("broker") / "data"))
        url = resources.enter_context(serving(app)) + "/headway"
        environment = {"SHOP_BROKER": f"{broker.url}/0", "HEADWAY_URL": url}
        patch = resources.enter_context(pytest.MonkeyPatch.context())
        for name, value in environment.items():
            patch.setenv(name, value)
        client = resources.enter_context(Client(url))
        sys.modules.pop(SHOP, None)  # which has read the environment of the files before
        module = importlib.import_module(SHOP)
        yield Shop(module, client, environment["SHOP_BROKER"], environment)
        module.untrack()
        gc.collect()  # results say goodbye to their backend
        module.app.backend.client.close()
        module.app.close()


@pytest.fixture(scope="module")
def pools(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pools]:
    """Workers with pools of these kinds, whose queues have the names of the kinds."""
    folder, known = tmp_path_factory.mktemp("workers"), dict[str, Worker]()

    def of(*kinds: str) -> list[Worker]:
        for kind in kinds:
            if kind not in known:
                environment = {**shop.environment, "SHOP_QUEUE": kind}
                known[kind] = started(folder, environment, "-P", kind, "-c", "2")
        for kind in kinds:
            known[kind].wait_ready()
        return [known[kind] for kind in kinds]

    yield of
    for each in known.values():
        each.ask_to_stop()
    for each in known.values():
        each.stop()


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder
