"""The application. Its routes are what a media server has of its own; the activities are Headway's, at the root."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from examples.mediaserver.catalogue import Catalogue, Item
from examples.mediaserver.config import Config, Section
from examples.mediaserver.containers import container, done, item_row, section_row
from examples.mediaserver.jobs import Jobs
from headway import Activities, HeadwayError, Principal, Role
from headway.server import ActivitiesApp, ActivityHeader, refusal

ALL = "all"
"""The name of all sections at once."""


class MediaServer:
    """One server: its database, its activities, and the application that serves both."""

    def __init__(self, config: Config) -> None:
        config.data.mkdir(parents=True, exist_ok=True)
        self.config = config
        self.activities = Activities(f"sqlite:{config.data / 'activities'}")
        self.catalogue = Catalogue(config.data / "library.db")
        self.jobs = Jobs(self.activities, self.catalogue, config.sections)
        self.mounted = ActivitiesApp(self.activities, config.identify)
        self.app = Starlette(
            routes=[*self._routes(), Mount("/", self.mounted)],
            middleware=[Middleware(ActivityHeader)],
            exception_handlers={HTTPException: _refuse, HeadwayError: _refuse},
            lifespan=self._lifespan,
        )

    def _routes(self) -> list[Route]:
        return [
            Route("/library", self.library),
            *(Route(f"/library/sections{end}", self.sections) for end in ("", "/", f"/{ALL}")),
            Route("/library/sections/{section}/all", self.section_items),
            Route("/library/sections/{section}/refresh", self.refresh_section, methods=["GET", "POST"]),
            Route("/library/sections/{section}/refresh", self.cancel_refresh, methods=["DELETE"]),
            Route("/library/metadata/{items}", self.items),
            Route("/library/metadata/{items}/refresh", self.refresh_items, methods=["PUT"]),
            Route("/library/optimize", self.optimize, methods=["PUT"]),
            Route("/media/subscriptions/process", self.process_subscriptions, methods=["POST"]),
            Route("/status/sessions", self.sessions),
        ]

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        with closing(self.catalogue):
            async with self.activities:
                yield

    # What anybody with a token may read. Plain functions run in threads, where the database may take its time.

    def library(self, request: Request) -> Response:
        self._user(request)
        return container(request, identifier="com.plexapp.plugins.library", title1="Plex Library")

    async def sections(self, request: Request) -> Response:
        self._user(request)
        rows = [section_row(one, refreshing=self.jobs.refreshing(one) is not None) for one in self.config.sections]
        return container(request, title1="Plex Library", Directory=rows)

    def section_items(self, request: Request) -> Response:
        self._user(request)
        section, asked = self._section(request), request.query_params
        if asked.get("type", section.kind.code) != section.kind.code:  # artists and albums are not rows of their own
            return container(request, totalSize=0)
        title, start = asked.get("title", ""), _page(request, "Start", 0)
        total = self.catalogue.count(section.id, title)
        found = self.catalogue.items(section.id, title, start, _page(request, "Size", total))
        rows = [item_row(item, section) for item in found]
        return container(request, offset=start, totalSize=total, librarySectionID=section.id, Metadata=rows)

    def items(self, request: Request) -> Response:
        self._user(request)
        rows = [
            item_row(item, section) for item in self._items(request) if (section := self.config.section(item.section))
        ]
        return container(request, Metadata=rows)

    def sessions(self, request: Request) -> Response:
        self._user(request)
        return container(request)

    # What starts an activity. ``ActivityHeader`` names it in the reply.

    async def refresh_section(self, request: Request) -> Response:
        owner, force = self._owner(request), request.query_params.get("force") == "1"
        for section in self._sections(request):
            await self.jobs.refresh_section(section, owner, force=force)
        return done(request)

    async def cancel_refresh(self, request: Request) -> Response:
        owner = self._owner(request)
        for section in self._sections(request):
            await self.jobs.cancel_refresh(section, owner)
        return done(request)

    async def refresh_items(self, request: Request) -> Response:
        user, items = self._user(request), await asyncio.to_thread(self._items, request)
        await self.jobs.refresh_items(items, user.user)
        return done(request)

    async def optimize(self, request: Request) -> Response:
        await self.jobs.optimize(self._owner(request), wait=request.query_params.get("async") != "1")
        return done(request)

    async def process_subscriptions(self, request: Request) -> Response:
        await self.jobs.process_subscriptions(self._owner(request))
        return Response(media_type="text/html")

    # Who asks, and for what

    def _user(self, request: Request) -> Principal:
        user = self.config.identify(request)
        if user is None:
            raise HTTPException(401)
        return user

    def _owner(self, request: Request) -> int:
        user = self._user(request)
        if user.role is not Role.ADMIN:
            raise HTTPException(403)
        return user.user

    def _section(self, request: Request) -> Section:
        number = _number(request.path_params["section"])
        section = None if number is None else self.config.section(number)
        if section is None:
            raise HTTPException(404)
        return section

    def _sections(self, request: Request) -> tuple[Section, ...]:
        return self.config.sections if request.path_params["section"] == ALL else (self._section(request),)

    def _items(self, request: Request) -> list[Item]:
        asked = request.path_params["items"].split(",")
        found = self.catalogue.find([id for name in asked if (id := _number(name)) is not None])
        if not found:
            raise HTTPException(404)
        return found


def _page(request: Request, name: str, default: int) -> int:
    name = f"X-Plex-Container-{name}"
    asked = _number(request.headers.get(name) or request.query_params.get(name, ""))
    return default if asked is None else asked


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


async def _refuse(request: Request, error: Exception) -> Response:
    return refusal(request, error)
