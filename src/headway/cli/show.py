"""``headway show``: one activity in full."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from headway.cli.completing import complete_uuid
from headway.cli.connection import Connection, connecting, json_option
from headway.core.errors import HeadwayError

if TYPE_CHECKING:
    from headway.client.client import Client
    from headway.wire.row import Row

LINES = 10
"""The most that is shown of what it has printed; ``headway logs`` shows all."""


@click.command()
@click.argument("uuid", shell_complete=complete_uuid)
@connecting
@json_option
def show(connection: Connection, uuid: str, as_json: bool) -> None:
    """Show all there is to know of the activity UUID, running or ended, and the last lines that it has printed.

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
        printed = _last_lines(client, row)
    shown = screen.console()
    known = [("state", screen.state(row, shown)), *((label, Text(value)) for label, value in facts(row, time.time()))]
    screen.print_facts(shown, known)
    if printed:
        click.echo("\n" + "\n".join(printed))


def _last_lines(client: Client, row: Row) -> Sequence[str]:
    from headway.cli.logs import output_of

    with suppress(HeadwayError):  # most of what there is to know is known
        return [line for line in output_of(client, row).splitlines() if line.strip()][-LINES:]
    return ()
