"""``headway ls``: what is running."""

from __future__ import annotations

import click

from headway.cli.completing import complete_type
from headway.cli.connection import Connection, connecting, json_option


@click.command()
@click.option("--type", metavar="TYPE", shell_complete=complete_type, help="Only activities of this type.")
@click.option("--text", metavar="TEXT", help="Only those with this in their title, subtitle, type or context.")
@connecting
@json_option
def ls(connection: Connection, type: str | None, text: str | None, as_json: bool) -> None:
    """List what is running, in order of start; on a terminal parts below what they are parts of.

    \b
    Examples:
      headway ls
      headway ls --type command.rsync
      headway ls --json | jq -r '.[].title'
    """
    from headway.cli import screen, tree
    from headway.cli.output import print_json

    with connection.client() as client:
        rows = client.activities.list(type=type, text=text).rows
    if as_json:
        print_json(rows)
        return
    shown = screen.console()
    if shown.is_terminal:
        rows = tree.ordered(rows)
    if rows or not shown.is_terminal:
        screen.print_rows(shown, rows, screen.live_columns(shown, rows))
    else:
        click.echo("Nothing is running.", err=True)
