"""``headway history``: what has ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from headway.cli.completing import complete_type
from headway.cli.connection import Connection, connecting, json_option
from headway.core.activity import State
from headway.wire.rules import MAX_USER

if TYPE_CHECKING:
    from headway.client.client import Client
    from headway.wire.row import Row

PAGE = 500
"""The most that a server gives at once."""

_ENDS = [state.value for state in State if state.ended]


def _members(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    pairs = [each.partition("=") for each in given]
    for each, (key, sign, _) in zip(given, pairs, strict=True):
        if not key or not sign:
            raise click.BadParameter(f"must be KEY=VALUE, not {each!r}", context, parameter)
    return {key: value for key, _, value in pairs}


@click.command()
@click.option("--type", metavar="TYPE", shell_complete=complete_type, help="Only activities of this type.")
@click.option("--state", type=click.Choice(_ENDS), help="Only those that ended so.")
@click.option("--text", metavar="TEXT", help="Only those with this in their title, subtitle, type or context.")
@click.option("--owner", metavar="ID", type=click.IntRange(1, MAX_USER), help="Only those of a user (for admins).")
@click.option(
    "--about", metavar="KEY=VALUE", multiple=True, callback=_members, help="Only those whose context says so."
)
@click.option(
    "--limit", metavar="N", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many."
)
@connecting
@json_option
def history(connection: Connection, limit: int, as_json: bool, about: Mapping[str, str], **narrowed: Any) -> None:
    """List what has ended, newest first. A Plex Media Server does not remember it.

    \b
    Examples:
      headway history
      headway history --state failed --limit 100
      headway history --type command.rsync --json
      headway history --text photos --about librarySectionID=3
    """
    from headway.cli import screen
    from headway.cli.output import print_json
    from headway.client.live.waiting import shows_lists_only
    from headway.core.errors import NotFound

    with connection.client() as client:
        try:
            rows = _rows(client, limit, {**narrowed, "context": about})
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


def _rows(client: Client, limit: int, narrowed: Mapping[str, Any]) -> list[Row]:
    rows: list[Row] = []
    before: str | None = None
    while len(rows) < limit:
        page = client.activities.history(limit=min(PAGE, limit - len(rows)), before=before, **narrowed)
        rows += page.rows
        before = page.cursor
        if before is None or not page.rows:
            break
    return rows
