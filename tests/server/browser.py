"""A browser, as far as the server can tell: it keeps the cookie it is given, and says where its requests come from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookies import Morsel, SimpleCookie
from typing import Any

from tests.server.whole import EVENTS, JSON, Answer, Events, Headers, Whole

COOKIE = "headway_token"


def cookie_in(answer: Answer) -> Morsel[str] | None:
    """The cookie that an answer sets."""
    return SimpleCookie(answer.headers.get("set-cookie", "")).get(COOKIE)


class Browser:
    """One page of a server's own, and the cookie of its browser."""

    def __init__(self, whole: Whole, scheme: str = "http") -> None:
        self.whole = whole
        self.origin = f"{scheme}://localhost"
        self.secret = ""

    @property
    def headers(self) -> list[tuple[str, str]]:
        own = [JSON, ("Origin", self.origin), ("Sec-Fetch-Site", "same-origin")]
        return [*own, ("Cookie", f"a=b; {COOKIE}={self.secret}")] if self.secret else own

    async def ask(self, method: str, path: str, body: Any = None, more: Headers = ()) -> Answer:
        """One request, and what the browser does with its answer."""
        answer = await self.whole.ask(method, path, None, [*self.headers, *more], body)
        cookie = cookie_in(answer)
        if cookie is not None:
            self.secret = "" if cookie["max-age"] == "0" else cookie.value
        return answer

    async def log_in(self, token: str = "alice") -> Answer:
        """``token``: a user's name, or a token."""
        return await self.ask("POST", "/web/session", {"token": self.whole.tokens.get(token, token)})

    async def is_in(self) -> bool:
        """Whether its cookie opens the server."""
        status = (await self.ask("GET", "/activities")).status
        assert status in (200, 401)
        return status == 200

    @asynccontextmanager
    async def events(self) -> AsyncIterator[Events]:
        """An event stream that has begun."""
        async with self.whole._events(self.whole.request("GET", EVENTS, None, self.headers)) as stream:
            assert stream.status == 200
            await stream.event()
            yield stream


async def cut(stream: Events) -> None:
    """Wait until the server has ended a stream."""
    while await stream.block():
        pass
    assert stream.ended


async def logged_in(whole: Whole, token: str = "alice") -> Browser:
    """A browser with a session."""
    browser = Browser(whole)
    answer = await browser.log_in(token)
    assert answer.status == 200, answer
    return browser
