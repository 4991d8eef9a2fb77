"""``headway show``: one activity in full."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from headway.cli.connection import Connection, connecting, json_option

if TYPE_CHECKING:
    from headway.wire.row import Row


@click.command()
@click.argument("uuid")
@connecting
@json_option
def show(connection: Connection, uuid: str, as_json: bool) -> None:
    """Show all there is to know of the activity UUID, running or ended.

    The beginning of a uuid is enough, as long as only one activity has it.

    \b
    Examples:
      headway show 3f2a
      headway show 3f2a --json
    """
    from rich.text import Text

    from headway.cli import screen
    from headway.cli.lookup import find
    from headway.cli.output import print_json

    with connection.client() as client:
        row = find(client, uuid)
    if as_json:
        print_json(row)
        return
    shown = screen.console()
    facts = [("state", screen.state(row, shown)), *((label, Text(value)) for label, value in _facts(row, time.time()))]
    screen.print_facts(shown, facts)


def _facts(row: Row, now: float) -> Iterator[tuple[str, str]]:
    """What is known, in the order in which one would ask."""
    from headway.cli import wording

    facts = {
        "title": row.title,
        "doing": row.subtitle,
        "progress": ", ".join(filter(None, (wording.percent(row), wording.counts(row), wording.speed(row)))),
        "left": wording.remaining(row, now),
        "error": row.error or "",
        "type": row.type,
        "started": "" if row.started_at is None else wording.moment(row.started_at, now),
        "ended": "" if row.ended_at is None else wording.moment(row.ended_at, now),
        "time": wording.elapsed(row, now),
        "last word": _last_word(row, now),
        "asked to stop": _request(row, now),
        "timeout": "" if row.timeout is None else wording.span(row.timeout),
        "cancellable": "yes" if row.cancellable else "no",
        "user": str(row.user),
        "part of": row.parent or "",
        "weight": "" if row.weight is None else wording.amount(row.weight, None),
        "uuid": row.uuid,
    }
    yield from ((label, value) for label, value in facts.items() if value)
    for label, bag in (("context", row.context), ("response", row.response)):
        yield from ((f"{label}.{key}", str(value)) for key, value in (bag or {}).items())


def _last_word(row: Row, now: float) -> str:
    from headway.cli import wording
    from headway.client.rows import has_ended

    if row.last_report_at is None:
        return ""
    ago = "" if has_ended(row) else f", {wording.span(now - row.last_report_at)} ago"
    return f"{wording.moment(row.last_report_at, now)}{ago}"


def _request(row: Row, now: float) -> str:
    from headway.cli import wording

    if not row.cancel_requested:
        return ""
    by = "" if row.cancelled_by is None else f" by user {row.cancelled_by}"
    why = "" if row.cancel_reason is None else f" ({row.cancel_reason})"
    return f"{wording.moment(row.cancel_requested_at, now)}{by}{why}"
