"""All there is to know of an activity, as names and words, in the order in which one would ask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from headway.cli import wording
from headway.client.rows import has_ended
from headway.core.activity import Scalar
from headway.wire.row import Row

Fact = tuple[str, str]
"""What it is called, and what it is."""


def facts(row: Row, now: float) -> Iterator[Fact]:
    """Everything; ``now``: seconds since the epoch."""
    yield from work(row, now)
    yield from times(row, now)
    yield from nature(row)
    yield from bag(row.context, "context.")
    yield from bag(row.response, "response.")


def work(row: Row, now: float) -> Iterator[Fact]:
    """What it does, and how far it is."""
    yield from _known(
        {
            "title": row.title,
            "doing": row.subtitle,
            "progress": ", ".join(filter(None, (wording.percent(row), wording.counts(row), wording.speed(row)))),
            "left": wording.remaining(row, now),
            "error": row.error or "",
            "type": row.type,
        }
    )


def times(row: Row, now: float) -> Iterator[Fact]:
    """What happened when, as it came about, and how long all took."""
    moments: list[tuple[float | None, str, str]] = [
        (row.started_at, "started", ""),
        (row.cancel_requested_at, "asked to stop", _request(row)),
        (row.last_report_at, "last word", _ago(row, now)),
        (row.ended_at, "ended", ""),
    ]
    known = [(at, label, more) for at, label, more in moments if at is not None]
    known.sort(key=lambda moment: moment[0])  # of one moment the order above is the order of things
    yield from ((label, f"{wording.moment(at, now)}{more}") for at, label, more in known)
    if row.cancel_requested and row.cancel_requested_at is None:
        yield "asked to stop", f"{wording.NOTHING}{_request(row)}"
    yield from _known({"time": wording.elapsed(row, now)})


def nature(row: Row) -> Iterator[Fact]:
    """What it is, all its life."""
    yield from _known(
        {
            "timeout": "" if row.timeout is None else wording.span(row.timeout),
            "cancellable": "yes" if row.cancellable else "no",
            "user": str(row.user),
            "part of": row.parent or "",
            "weight": "" if row.weight is None else wording.amount(row.weight, None),
            "uuid": row.uuid,
        }
    )


def bag(values: Mapping[str, Scalar] | None, before: str = "") -> Iterator[Fact]:
    """The members of a Context or Response."""
    yield from ((f"{before}{key}", str(value)) for key, value in (values or {}).items())


def _known(found: Mapping[str, str]) -> Iterator[Fact]:
    yield from ((label, value) for label, value in found.items() if value)


def _ago(row: Row, now: float) -> str:
    return "" if has_ended(row) or row.last_report_at is None else f", {wording.span(now - row.last_report_at)} ago"


def _request(row: Row) -> str:
    by = "" if row.cancelled_by is None else f" by user {row.cancelled_by}"
    return f"{by}{'' if row.cancel_reason is None else f' ({row.cancel_reason})'}"
