"""Headway itself as a server of the bench, in the two ways it can be had. Arguments, in hex: which one, a data folder,
and for a node among several the URL of their store.

``portable`` is what a host gets that mounts the application under plain uvicorn, ``fast`` what ``headway serve`` runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import uvloop
from starlette.requests import HTTPConnection

from bench.peers.serving import lines, parts, served, tell
from headway import Activities, Limits, Principal, Role
from headway.server.app import create_app
from headway.server.data import admin_token
from headway.server.serve import run
from headway.server.service import Service, StreamLimits
from headway.server.standalone import Settings, serve

WIDE = 1_000_000
STREAMS = StreamLimits(per_user=WIDE, total=WIDE)
LIMITS = Limits(live_per_owner=WIDE, live=WIDE)
LEASE = 3600.0


class Hosted(Protocol):
    """What goes on in the server."""

    async def told(self, line: str) -> None:
        """Do what the bench says."""


def host(hosted: Callable[[Activities], Hosted], prepare: Callable[[Path], Mapping[str, Any]] | None = None) -> None:
    """Serve until the bench says no more. ``prepare``: called with the folder before ``headway serve`` takes it over,
    and what it returns is told to the bench with the port.
    """
    stack, place, *store = (part.decode() for part in parts())
    if stack == "fast":
        run(_fast(Path(place), store[0] if store else None, hosted, {} if prepare is None else prepare(Path(place))))
    else:
        uvloop.run(_portable(Path(place), hosted))


async def _portable(folder: Path, hosted: Callable[[Activities], Hosted]) -> None:
    async with Activities(f"sqlite:{folder}", limits=LIMITS) as activities:
        service = Service(activities, _anyone, streams=STREAMS)
        await served(create_app(service), hosted(activities).told)


def _anyone(_: HTTPConnection) -> Principal:
    return Principal(1, Role.ADMIN)


async def _fast(
    folder: Path, store: str | None, hosted: Callable[[Activities], Hosted], prepared: Mapping[str, Any]
) -> int:
    async def job(activities: Activities) -> None:
        told = hosted(activities).told
        async for line in lines():
            await told(line)

    def ready(urls: list[str]) -> None:
        tell(port=int(urls[0].rpartition(":")[2]), token=admin_token(folder), **prepared)

    return await serve(Settings(data=folder, store=store, port=0, limits=LIMITS, streams=STREAMS), ready, job)
