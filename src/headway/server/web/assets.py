"""The files of the dashboard. They hold nothing private, so they need no token: what they show they ask for.

All of them are read once, when the server starts. Which there are is a dictionary: a path that is not in it is nothing,
however it is written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from headway.server.answers import known_tags

ROOT = "/web/"
INDEX = "index.html"

MEDIA_TYPES: Mapping[str, str] = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",  # RFC 9239
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml; charset=utf-8",
    "png": "image/png",
    "ico": "image/x-icon",
    "json": "application/json",
    "webmanifest": "application/manifest+json; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
}
"""By the end of a file's name. What has another is not served."""

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "font-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "manifest-src 'self'",
    )
)
"""Whatever a title or Context says: nothing runs, and nothing is asked of anyone, but what is in these files."""

_HEADERS: Mapping[str, str] = {
    # Asked for again each time and mostly answered 304: after an update no page is made of old and new files.
    "Cache-Control": "no-cache",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Asset(msgspec.Struct, frozen=True):
    """A file as it is sent."""

    body: bytes
    media_type: str
    tag: str
    """Its ``ETag``: the same for the same bytes."""


class Assets:
    """The endpoint of all files."""

    def __init__(self, files: Mapping[str, Asset]) -> None:
        """``files`` by their path below ``/web/``; one is ``index.html``, which is also ``/web/`` itself."""
        self._files = {**files, "": files[INDEX]}

    @classmethod
    def load(cls) -> Assets:
        """Read the files of the package."""
        folder = resources.files(__package__).joinpath("static")
        return cls({path: _asset(path, file.read_bytes()) for path, file in _walk(folder)})

    def __repr__(self) -> str:
        return f"<Assets: {len(self._files) - 1} files>"

    @property
    def paths(self) -> frozenset[str]:
        """What needs no token: where they are, and the way there."""
        return frozenset({ROOT.rstrip("/"), *(f"{ROOT}{path}" for path in self._files)})

    async def get(self, request: Request) -> Response:
        """``GET /web/`` and ``GET /web/{path}``."""
        asset = self._files.get(request.path_params.get("path", ""))
        if asset is None:
            raise HTTPException(404)
        headers = {**_HEADERS, "ETag": asset.tag}
        if asset.tag in known_tags(request):
            return Response(status_code=304, headers=headers)
        return Response(asset.body, headers={**headers, "Content-Type": asset.media_type})


async def to_dashboard(request: Request) -> Response:
    """``GET /web``, and for browsers ``GET /``: the dashboard."""
    # Relative, since a proxy may have cut the path that we are under: right below whatever the browser asked for.
    return Response(status_code=303, headers={"Location": ROOT.removeprefix("/"), "Vary": "Accept"})


def _asset(path: str, body: bytes) -> Asset:
    tag = hashlib.blake2b(body, digest_size=16).hexdigest()
    return Asset(body, MEDIA_TYPES[_suffix(path)], f'"{tag}"')


def _walk(folder: Traversable, below: str = "") -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        path = f"{below}{entry.name}"
        if entry.is_dir():
            yield from _walk(entry, f"{path}/")
        elif _suffix(path) in MEDIA_TYPES:
            yield path, entry


def _suffix(path: str) -> str:
    return path.rpartition(".")[2]
