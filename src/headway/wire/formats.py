"""Which form an answer takes, from the ``Accept`` header (RFC 9110, section 12.5.1).

An absent header means JSON and ``*/*`` means XML, because that is what the clients that send them can read.
Nothing is ever 406: a client whose wishes cannot be met gets what a media server gives it, XML.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Format(enum.Enum):
    """A form of a body; the value is its ``Content-Type``, exactly."""

    JSON = "application/json"
    XML = "text/xml;charset=utf-8"
    HTML = "text/html"

    @property
    def content_type(self) -> str:
        """The ``Content-Type`` header. JSON comes without a charset: one client compares the whole string."""
        return self.value


_JSON = ("application/json",)
_XML = ("text/xml", "application/xml")
_HTML = ("text/html",)

_MEDIA_RANGE = re.compile(r"\s*([\w!#$&^.+*-]+/[\w!#$&^.+*-]+)\s*(?:;(.*))?", re.ASCII | re.DOTALL)
_QUALITY = re.compile(r"(?:^|;)\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*(?:;|$)", re.ASCII | re.IGNORECASE)


class _Range(NamedTuple):
    name: str
    quality: float


class _Rank(NamedTuple):
    """How welcome a form is; compared from left to right."""

    quality: float
    specificity: int
    earliness: int


_UNWELCOME = _Rank(0.0, 0, 0)


def stated(method: str, accept: str | None) -> str | None:
    """The ``Accept`` header as it counts for a method: None when it says nothing.

    POST and PATCH are not Plex's. Who sends them sends JSON and so reads it: a mere ``*/*``, which tools such as curl
    send of their own accord, is no wish for XML there.
    """
    return None if accept is not None and accept.strip() == "*/*" and method in ("POST", "PATCH") else accept


def negotiate(accept: str | None) -> Format:
    """JSON or XML, by the value of ``Accept`` (several header lines joined by commas).

    The higher quality wins, then the form that is named over one that a wildcard covers, then the one named first.
    A header without any media range says nothing and counts as absent.
    """
    ranges = list(_ranges(accept or ""))
    if not ranges:
        return Format.JSON
    return Format.JSON if _rank(_JSON, ranges) > _rank(_XML, ranges) else Format.XML


def negotiate_error(accept: str | None) -> Format:
    """JSON for a client that names it or sends no ``Accept``, else HTML, which is what Plex's errors are."""
    ranges = list(_ranges(accept or ""))
    named = any(name in _JSON and quality > 0 for name, quality in ranges)
    return Format.JSON if named or not ranges else Format.HTML


def wants_page(accept: str | None) -> bool:
    """True for a browser on its way to a page: ``text/html`` is named and nothing is more welcome."""
    ranges = list(_ranges(accept or ""))
    page = _rank(_HTML, ranges)
    return page.specificity == _NAMED and page.quality >= max(_rank(_JSON, ranges).quality, _rank(_XML, ranges).quality)


def _ranges(accept: str) -> Iterator[_Range]:
    for part in accept.split(","):
        match = _MEDIA_RANGE.fullmatch(part)
        if match is None:
            continue
        quality = _QUALITY.search(match[2] or "")
        yield _Range(match[1].lower(), float(quality[1]) if quality else 1.0)


_NAMED = 3


def _rank(names: Iterable[str], ranges: list[_Range]) -> _Rank:
    return max(_rank_of_type(name, ranges) for name in names)


def _rank_of_type(name: str, ranges: list[_Range]) -> _Rank:
    """The most specific range decides about a type, whatever the others say of it."""
    covering = {name: _NAMED, name.partition("/")[0] + "/*": 2, "*/*": 1}
    matches = [
        _Rank(quality, covering[range_], -place) for place, (range_, quality) in enumerate(ranges) if range_ in covering
    ]
    decisive = max(matches, key=lambda rank: (rank.specificity, rank.earliness), default=_UNWELCOME)
    return decisive if decisive.quality else _UNWELCOME
