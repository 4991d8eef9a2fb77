"""What holds in any host: whose activities are whose where there are several, how they open, and where they are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.routing import Mount

from headway import Activities, Principal
from headway.integrations.lifespan import lifespan
from headway.server.correlation import ActivityHeader
from headway.server.embedded import ActivitiesApp
from headway.server.respond_async import RespondAsync
from tests.integrations.serving import serving

JSON = {"Accept": "application/json"}


def identify(_: HTTPConnection) -> Principal:
    return Principal(2)


def rows(url: str, path: str = "/activities") -> list[dict[str, Any]]:
    answer = httpx2.get(url + path, headers=JSON)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["MediaContainer"].get("Activity", [])
    return found


def host(activities: Activities, **options: Any) -> FastAPI:
    """An application with an endpoint that works in a coroutine, and one that works in a thread."""
    app = FastAPI(**options)
    app.mount("/headway", ActivitiesApp(activities, identify))
    app.add_middleware(ActivityHeader)

    @app.post("/coroutine")
    async def coroutine() -> None:
        async with activities.start("a.coroutine", owner=2):
            pass

    @app.post("/thread")
    def thread() -> None:
        with activities.start("a.thread", owner=2):
            pass

    return app


@pytest.mark.parametrize("stores", [("memory:", "memory:"), ("sqlite:{}/films", "sqlite:{}/music")])
def test_several_activities_in_one_process_do_not_mix(tmp_path: Path, stores: tuple[str, str]) -> None:
    hubs = {kind: Activities(store.format(tmp_path)) for kind, store in zip(("films", "music"), stores, strict=True)}
    served = {kind: ActivitiesApp(activities, identify) for kind, activities in hubs.items()}

    @asynccontextmanager
    async def both(app: FastAPI) -> AsyncIterator[None]:
        async with lifespan(hubs["films"], served["films"])(app), lifespan(hubs["music"], served["music"])(app):
            yield

    app = FastAPI(lifespan=both)
    app.add_middleware(ActivityHeader)
    for kind, activities_app in served.items():
        app.mount(f"/{kind}", activities_app)

    @app.post("/scans")
    def scan() -> None:
        with hubs["films"].start("films.scan", owner=2), hubs["music"].start("music.scan", owner=2):
            pass

    with serving(app) as url:
        first = httpx2.post(f"{url}/scans").headers["X-Plex-Activity"]
        ended = {kind: rows(f"{url}/{kind}", "/activities/history") for kind in hubs}
        assert {kind: [row["type"] for row in some] for kind, some in ended.items()} == {
            "films": ["films.scan"],
            "music": ["music.scan"],
        }
        assert first == ended["films"][0]["uuid"]
        for kind, other in (("films", "music"), ("music", "films")):
            made = httpx2.post(f"{url}/{kind}/activities", json={"type": "a.job", "cancellable": True})
            uuid = made.headers["X-Plex-Activity"]
            assert made.headers["Location"] == f"/{kind}/activities/{uuid}"
            assert uuid not in [row["uuid"] for row in rows(f"{url}/{other}")]
            for method in ("GET", "DELETE"):
                assert httpx2.request(method, f"{url}/{other}/activities/{uuid}").status_code == 404
        machines = {httpx2.get(f"{url}/{kind}/identity", headers=JSON).text for kind in hubs}
        assert len(machines) == 2


@pytest.mark.parametrize("first", ["/coroutine", "/headway/activities", "/thread"])
def test_without_a_lifespan_the_first_use_opens_them(first: str) -> None:
    activities = Activities("memory:")
    with serving(host(activities)) as url:
        assert "open=False" in repr(activities)
        httpx2.request("GET" if "headway" in first else "POST", url + first)
        assert "open=True" in repr(activities)
        for path in ("/coroutine", "/thread"):
            assert httpx2.post(url + path).headers["X-Plex-Activity"]
        assert {row["type"] for row in rows(f"{url}/headway", "/activities/history")} >= {"a.coroutine", "a.thread"}


def test_with_a_lifespan_the_first_use_may_come_from_a_thread() -> None:
    activities = Activities("memory:")
    with serving(host(activities, lifespan=lifespan(activities))) as url:
        assert httpx2.post(f"{url}/thread").headers["X-Plex-Activity"]
        assert [row["type"] for row in rows(f"{url}/headway", "/activities/history")] == ["a.thread"]


def behind_a_proxy(app: FastAPI) -> tuple[FastAPI | Starlette, dict[str, Any], str]:
    """A proxy takes the prefix off and tells the server of it."""
    return app, {"root_path": "/api"}, ""


def within_another(app: FastAPI) -> tuple[FastAPI | Starlette, dict[str, Any], str]:
    """The whole host is mounted in another application."""
    return Starlette(routes=[Mount("/api", app)]), {}, "/api"


@pytest.mark.parametrize("placed", [behind_a_proxy, within_another])
def test_a_location_is_the_address_outside(
    placed: Callable[[FastAPI], tuple[FastAPI | Starlette, dict[str, Any], str]],
) -> None:
    app, options, prefix = placed(host(Activities("memory:")))
    with serving(app, **options) as url:
        made = httpx2.post(f"{url}{prefix}/headway/activities", json={"type": "a.job"})
        assert made.headers["Location"] == f"/api/headway/activities/{made.headers['X-Plex-Activity']}"
        assert httpx2.get(f"{url}{prefix}/headway/identity").status_code == 200
        assert len(rows(f"{url}{prefix}/headway")) == 1


def test_so_is_that_of_an_endpoint_which_does_not_keep_its_client_waiting() -> None:
    activities = Activities("memory:")
    app = host(activities)
    app.add_middleware(
        RespondAsync, activities=activities, identify=identify, type="a.request", location="/headway/activities"
    )
    with serving(app, root_path="/api") as url:
        answer = httpx2.post(f"{url}/coroutine", headers={"Prefer": "respond-async, wait=0"})
        assert answer.status_code == 202
        assert answer.headers["Location"] == f"/api/headway/activities/{answer.headers['X-Plex-Activity']}"
