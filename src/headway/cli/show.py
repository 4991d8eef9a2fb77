"""``headway show``: one activity in full."""

from __future__ import annotations

import time

import click

from headway.cli.completing import complete_uuid
from headway.cli.connection import Connection, connecting, json_option


@click.command()
@click.argument("uuid", shell_complete=complete_uuid)
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
    from headway.cli.facts import facts
    from headway.cli.lookup import find
    from headway.cli.output import print_json

    with connection.client() as client:
        row = find(client, uuid)
    if as_json:
        print_json(row)
        return
    shown = screen.console()
    known = [("state", screen.state(row, shown)), *((label, Text(value)) for label, value in facts(row, time.time()))]
    screen.print_facts(shown, known)
