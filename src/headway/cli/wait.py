"""``headway wait``: until activities have ended."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from headway.cli.completing import complete_live, complete_type
from headway.cli.connection import Connection, connecting, json_option

if TYPE_CHECKING:
    from headway.client.client import Client
    from headway.wire.row import Row

DONE = 100


@click.command()
@click.argument("uuid", required=False, shell_complete=complete_live)
@click.option(
    "--type", metavar="TYPE", shell_complete=complete_type, help="Wait for all activities of this type that run now."
)
@click.option(
    "--timeout", metavar="S", type=click.FloatRange(min=0), help="Give up after S seconds, with exit code 124."
)
@click.option("--exit-status", is_flag=True, help="Exit with 1 unless all of them succeeded.")
@connecting
@json_option
def wait(
    connection: Connection, uuid: str | None, type: str | None, timeout: float | None, exit_status: bool, as_json: bool
) -> None:
    """Wait until the activity UUID has ended, and say how. The beginning of a uuid is enough.

    A server that restarts meanwhile is waited for, too. With --type, when nothing of that type runs, there is nothing
    to wait for, which is no error.

    The exit code is 124 when the time is over. A Plex Media Server does not say how an activity ended; there, one whose
    progress has reached 100 counts as succeeded.

    \b
    Examples:
      headway wait 3f2a && echo over
      headway wait --type library.update.section --timeout 600
      headway wait 3f2a --exit-status || mail -s failed me
    """
    from headway.cli.failures import FAILED, TIMED_OUT
    from headway.cli.output import print_json
    from headway.client.rows import has_ended

    if (uuid is None) == (type is None):
        raise click.UsageError("name either an activity or a --type")
    deadline = None if timeout is None else time.monotonic() + timeout
    with connection.client() as client:
        rows = []
        for row in _ended(client, uuid, type, deadline):
            rows.append(row)
            if not as_json:
                _tell(row)
    if as_json:
        print_json(rows)
    elif not rows:
        click.echo("There is nothing to wait for.", err=True)
    if not all(map(has_ended, rows)):
        sys.exit(TIMED_OUT)
    if exit_status and not all(map(_succeeded, rows)):
        sys.exit(FAILED)


def _ended(client: Client, uuid: str | None, type: str | None, deadline: float | None) -> Iterator[Row]:
    """Each activity that is waited for, once it has ended or the time is over."""
    from headway.cli.lookup import find, waited

    found = client.activities.list(type=type).rows if uuid is None else [find(client, uuid)]
    for row in found:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        yield waited(client, row, left)


def _succeeded(row: Row) -> bool:
    """A Plex server does not say how an activity ended; one that did its work has reached 100."""
    return row.state == "succeeded" or (row.state is None and row.progress == DONE)


def _tell(row: Row) -> None:
    from headway.cli import screen

    shown = screen.console()
    shown.print(screen.ended_line(row, shown), soft_wrap=True)
