"""Every request of the client, and what comes of it: the protocol in one place, without I/O."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

import msgspec

from headway.client.errors import refusal
from headway.client.exchange import Answer, Call, Request
from headway.client.live.narrowing import Narrowing
from headway.core.activity import State
from headway.core.errors import NotCancellable
from headway.core.lifecycle import Report
from headway.core.text import clean_lines
from headway.wire.decode import decode_identity, decode_list, decode_one
from headway.wire.errors import Unreadable
from headway.wire.row import Row
from headway.wire.server import Server
from headway.wire.xml import MAX_ANSWER

ACTIVITIES = "/activities"
POLL = 25.0
"""Seconds that one request waits for a change: less than the 30 after which proxies lose patience."""

CURSOR = "x-headway-cursor"
STATE = "x-headway-state"
_JSON = ("Content-Type", "application/json")
_TEXT = ("Content-Type", "text/plain; charset=utf-8")


class Page(msgspec.Struct, frozen=True):
    """A list, and where to go on from it."""

    rows: list[Row]
    cursor: str | None
    """Of a list: what a stream resumes from. Of history: what the next page begins before; None on the last."""


class Cancelled(msgspec.Struct, frozen=True):
    """The answer to a cancel: it is on record."""

    state: str | None
    """Where the activity stood when the answer was sent; None from a server that does not say."""


def identity() -> Call[Server]:
    """Which server it is; needs no token."""
    return Call(Request(path="/identity"), _server)


def list_activities(
    *,
    type: str | None = None,
    state: State | None = None,
    parent: str | None = None,
    owner: int | None = None,
    text: str | None = None,
    context: Mapping[str, str] | None = None,
) -> Call[Page]:
    """What is live. ``owner``: a user id, for admins. ``text``: part of title, subtitle, type or a value of the
    context. ``context``: members it must have.
    """
    query = _query(type=type, state=state, parentUUID=parent, userID=owner, q=text) + _context(context)
    wanted = Narrowing(type=type, state=state, parent=parent, owner=owner, text=text, context=context)
    return Call(Request(path=ACTIVITIES, query=query, largest=MAX_ANSWER), partial(_list, wanted))


def get(uuid: str, *, wait: float | None = None, known: str | None = None) -> Call[Row]:
    """One activity, live or ended.

    ``wait``: seconds to wait for its next change of state. ``known``: the state we know it in; if it is in another
    one already, the answer comes at once.
    """
    query = _query(wait=_seconds(wait), state=known)
    return Call(Request(path=_path(uuid), query=query, patience=wait or 0.0), _row)


def history(
    *,
    type: str | None = None,
    state: State | None = None,
    parent: str | None = None,
    owner: int | None = None,
    text: str | None = None,
    context: Mapping[str, str] | None = None,
    limit: int | None = None,
    before: str | None = None,
) -> Call[Page]:
    """What has ended, newest first. ``before``: the cursor of the page before. The rest as of ``list_activities``."""
    query = _query(type=type, state=state, parentUUID=parent, userID=owner, q=text, limit=limit, before=before)
    query += _context(context)
    return Call(Request(path=f"{ACTIVITIES}/history", query=query, largest=MAX_ANSWER), _page)


def cancel(uuid: str, *, wait: float | None = None, force: bool = False) -> Call[Cancelled]:
    """Ask an activity to stop. ``wait``: seconds to wait until it has. ``force``: give it up as lost (admins)."""
    query = _query(wait=_seconds(wait), force="1" if force else None)
    return Call(Request(method="DELETE", path=_path(uuid), query=query, patience=wait or 0.0), _cancelled)


def start(
    type: str,
    report: Report = Report(),  # noqa: B008 - frozen
    *,
    cancellable: bool = False,
    parent: str | None = None,
    owner: int | None = None,
    lease: float | None = None,
    grace: float | None = None,
    weight: float | None = None,
    timeout: float | None = None,
    stall: float | None = None,
    key: str | None = None,
) -> Call[Row]:
    """Record that work has begun. ``lease``, ``grace``, ``timeout``, ``stall``: seconds. ``weight``: its share in the
    progress of the parent. ``key``: makes a repetition the same start.
    """
    asked = {
        "cancellable": cancellable,
        "parentUUID": parent,
        "userID": owner,
        "lease": lease,
        "grace": grace,
        "weight": weight,
        "timeout": timeout,
        "stall": stall,
    }
    body = {"type": type, **_told(report), **_present(asked)}
    headers = (_JSON,) if key is None else (_JSON, ("Idempotency-Key", key))
    return Call(Request(method="POST", path=ACTIVITIES, headers=headers, body=msgspec.json.encode(body)), _row)


def change(
    uuid: str,
    report: Report = Report(),  # noqa: B008 - frozen
    *,
    state: State | None = None,
    error: str | None = None,
) -> Call[Row]:
    """Report, end (with a terminal ``state``), or with neither give a sign of life."""
    body = {**_told(report), **_present({"state": state, "error": error})}
    return Call(
        Request(method="PATCH", path=_path(uuid), headers=(_JSON,), body=msgspec.json.encode(body)),
        _row,
    )


def output(uuid: str) -> Call[str]:
    """The last that an activity has printed."""
    return Call(Request(path=f"{_path(uuid)}/output"), _text)


def write_output(uuid: str, text: str) -> Call[Answer]:
    """Tell what an activity has printed: all that is to be kept, at most 64 KiB."""
    request = Request(method="PUT", path=f"{_path(uuid)}/output", headers=(_TEXT,), body=text.encode(errors="replace"))
    return Call(request, _answered)


def stream_query(
    *,
    type: str | None = None,
    uuid: str | None = None,
    context: Mapping[str, str] | None = None,
    since: str | None = None,
) -> tuple[tuple[str, str], ...]:
    """Of a stream: events of activities, after the cursor ``since``, or else from a snapshot on."""
    position = _query(since=since) if since else _query(snapshot="1")
    return _query(filters="activity", type=type, uuid=uuid) + _context(context) + position


def raw(request: Request) -> Call[Answer]:
    """Any request; its answer as it came."""
    return Call(request, _answered)


def refresh_section(section: str) -> Call[Answer]:
    """Let a Plex server scan a section of its library."""
    return Call(Request(path=f"/library/sections/{quote(section, safe='')}/refresh"), _answered)


def _server(answer: Answer) -> Server:
    answer.require_success()
    return decode_identity(answer.body, answer.headers.get("content-type"))


def _answered(answer: Answer) -> Answer:
    answer.require_success()
    return answer


def _list(wanted: Narrowing, answer: Answer) -> Page:
    page = _page(answer)
    if page.cursor is not None:
        return page
    return Page([row for row in page.rows if wanted.admits(row)], None)  # a Plex server gives all, whatever was asked


def _page(answer: Answer) -> Page:
    answer.require_success()
    return Page(decode_list(answer.body, answer.headers.get("content-type")), answer.headers.get(CURSOR))


def _row(answer: Answer) -> Row:
    answer.require_success()
    return decode_one(answer.body, answer.headers.get("content-type"))


def _text(answer: Answer) -> str:
    answer.require_success()
    if answer.content_type != "text/plain":
        raise Unreadable(f"text was expected, {answer.content_type[:64]} came; is this a media server?")
    return clean_lines(answer.body.decode(errors="replace"))


def _cancelled(answer: Answer) -> Cancelled:
    if answer.status == 400:  # a Plex server says no more than that, and it means one thing here
        raise refusal(answer, NotCancellable)
    answer.require_success()
    return Cancelled(answer.headers.get(STATE))


def _path(uuid: str) -> str:
    return f"{ACTIVITIES}/{quote(uuid, safe='')}"


def _query(**arguments: object) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in arguments.items() if value is not None)


def _context(context: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    return tuple((f"Context.{key}", value) for key, value in (context or {}).items())


def _seconds(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}".rstrip("0").rstrip(".")


def _told(report: Report) -> dict[str, Any]:
    members = {"Context": report.context, "Response": report.response}
    plain = ("progress", "completed", "total", "unit", "title", "subtitle")
    return _present({**{name: getattr(report, name) for name in plain}, **members})


def _present(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
