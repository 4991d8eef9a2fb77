"""``headway history``: what has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from headway.cli.completing import complete_type
from headway.cli.connection import Connection, connecting, json_option
from headway.core.activity import State

if TYPE_CHECKING:
    from headway.client.client import Client
    from headway.wire.row import Row

PAGE = 500
"""The most that a server gives at once."""

_ENDS = [state.value for state in State if state.ended]


@click.command()
@click.option("--type", metavar="TYPE", shell_complete=complete_type, help="Only activities of this type.")
@click.option("--state", type=click.Choice(_ENDS), help="Only those that ended so.")
@click.option(
    "--limit", metavar="N", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many."
)
@connecting
@json_option
def history(connection: Connection, type: str | None, state: str | None, limit: int, as_json: bool) -> None:
    """List what has ended, newest first. A Plex Media Server does not remember it.

    \b
    Examples:
      headway history
      headway history --state failed --limit 100
      headway history --type command.rsync --json
    """
    from headway.cli import screen
    from headway.cli.output import print_json
    from headway.client.live.waiting import shows_lists_only
    from headway.core.errors import NotFound

    with connection.client() as client:
        try:
            rows = _rows(client, type, None if state is None else State(state), limit)
        except NotFound as error:
            if shows_lists_only(error):
                raise click.ClickException("this server keeps no history: it is a Plex Media Server") from error
            raise
    if as_json:
        print_json(rows)
        return
    shown = screen.console()
    if rows or not shown.is_terminal:
        screen.print_rows(shown, rows, screen.history_columns(shown, rows))
    else:
        click.echo("Nothing has ended yet.", err=True)


def _rows(client: Client, type: str | None, state: State | None, limit: int) -> list[Row]:
    rows: list[Row] = []
    before = None
    while len(rows) < limit:
        page = client.activities.history(type=type, state=state, limit=min(PAGE, limit - len(rows)), before=before)
        rows += page.rows
        before = page.cursor
        if before is None or not page.rows:
            break
    return rows
