"""Where a request carries its token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from starlette.datastructures import Headers, QueryParams
from starlette.requests import HTTPConnection

TOKEN = "x-plex-token"
"""Header, in any case as HTTP has it; query argument, in any case as clients have it."""
COOKIE = "headway_token"


def find_token(headers: Headers, query: QueryParams, cookies: Mapping[str, str]) -> str | None:
    """The token of a request: ``X-Plex-Token`` header, ``Authorization: Bearer``, query argument, cookie.

    The first that is present counts, good or bad: a wrong token must not become someone else because a browser sent
    its cookie along. Empty is absent, and so is any other ``Authorization`` (generated clients send ``Basic Og==``).
    """
    # A cookie is sent by the browser, not by the page: what keeps other sites from using it is the Origin guard,
    # which every request passes before it comes here.
    return next(filter(None, map(str.strip, _candidates(headers, query, cookies))), None)


def is_in_header(connection: HTTPConnection, token: str) -> bool:
    """Whether a token stands in the ``X-Plex-Token`` header: no link and no foreign page can have put it there."""
    return token in map(str.strip, connection.headers.getlist(TOKEN))


def cookie_of(connection: HTTPConnection) -> str:
    """What the cookie holds; empty without one."""
    return connection.cookies.get(COOKIE, "").strip()


def _candidates(headers: Headers, query: QueryParams, cookies: Mapping[str, str]) -> Iterator[str]:
    yield from headers.getlist(TOKEN)
    for value in headers.getlist("authorization"):
        scheme, _, token = value.strip().partition(" ")
        if scheme.lower() == "bearer":  # RFC 9110, 11.1: the scheme is case-insensitive
            yield token
    yield from (value for name, value in query.multi_items() if name.lower() == TOKEN)
    yield cookies.get(COOKIE, "")
