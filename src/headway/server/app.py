"""The ASGI application. Its routes are the table of contents of the server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route, WebSocketRoute
from starlette.types import Lifespan, Receive, Scope, Send

from headway.core.errors import HeadwayError
from headway.server.about import About
from headway.server.answers import refusal
from headway.server.authentication import PUBLIC, Authentication
from headway.server.openapi import document
from headway.server.outputs import Outputs
from headway.server.resources import Resources
from headway.server.service import Service
from headway.server.streams import Streams
from headway.server.web.assets import ROOT, Assets, to_dashboard
from headway.server.web.session import Sessions
from headway.server.web.shares import Shares
from headway.server.web.tokens import Tokens


def create_app(service: Service, lifespan: Lifespan[Starlette] | None = None) -> Starlette:
    """The application that serves an open hub; nothing of it is reachable without a token but what says so.

    What guards a server that listens by itself (``server.guard``) is not in it: a host application has its own.
    """
    assets = Assets.load()
    authentication = Middleware(
        Authentication, identify=service.identify, clock=service.activities.clock, public=PUBLIC | assets.paths
    )
    app = Starlette(
        routes=[*routes(service), *pages(assets)],
        middleware=[authentication],
        exception_handlers={HeadwayError: _refuse, HTTPException: _refuse, Exception: _refuse},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


def routes(service: Service) -> list[BaseRoute]:
    """Every path there is, but those of pages."""
    about, resources, streams = About(service), Resources(service), Streams(service)
    outputs = Outputs(service)
    sessions, tokens, shares = Sessions(service), Tokens(service), Shares(service)
    return [
        Route("/", about.root),
        Route("/identity", about.identity),
        Route("/health", about.health),
        Route("/ready", about.ready),
        Route("/openapi.json", document),
        _resource("/activities", GET=resources.list, POST=resources.start, PATCH=resources.change_many),
        _resource("/activities/history", GET=resources.history),
        _resource("/activities/{uuid}", GET=resources.get, PATCH=resources.change, DELETE=resources.cancel),
        _resource("/activities/{uuid}/output", GET=outputs.get, PUT=outputs.put),
        Route("/:/eventsource/notifications", _Application(streams.events), methods=["GET"]),
        WebSocketRoute("/:/websockets/notifications", _Application(streams.socket)),
        WebSocketRoute("/:/websocket/notifications", _Application(streams.socket)),
        _resource("/web/session", GET=sessions.get, POST=sessions.begin, DELETE=sessions.end),
        _resource("/web/sessions", DELETE=sessions.end_all),
        _resource("/web/links", POST=sessions.link),
        _resource("/web/tokens", GET=tokens.list, POST=tokens.create),
        _resource("/web/tokens/{id}", DELETE=tokens.revoke),
        _resource("/web/shares", GET=shares.list, POST=shares.create),
        _resource("/web/shares/{id}", DELETE=shares.revoke),
        _resource("/web/users", GET=tokens.users),
    ]


def pages(assets: Assets) -> list[BaseRoute]:
    """The dashboard. It comes last: what is none of the paths above may be one of its files."""
    return [
        Route("/web", to_dashboard, include_in_schema=False),
        Route(ROOT, assets.get, include_in_schema=False),
        Route(ROOT + "{path:path}", assets.get, include_in_schema=False),
    ]


Endpoint = Callable[[Request], Awaitable[Response]]


def _resource(path: str, **methods: Endpoint) -> Route:
    """One route for all methods of a path, so that 405 names them all in ``Allow``."""
    if "GET" in methods:
        methods["HEAD"] = methods["GET"]

    async def endpoint(request: Request) -> Response:
        return await methods[request.method](request)

    return _Resource(path, endpoint, methods=list(methods), name=path)


class _Resource(Route):
    """A path that is its own, whichever the method: another one is 405 here, not ``{uuid}`` further down."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child = super().matches(scope)
        return Match.FULL if match is Match.PARTIAL else match, child


class _Application:
    """An endpoint that speaks ASGI itself."""

    def __init__(self, call: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._call = call

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._call(scope, receive, send)


async def _refuse(request: Request, error: Exception) -> Response:
    return refusal(request, error)
