"""``headway logs``: what an activity has printed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from headway.cli.completing import complete_uuid
from headway.cli.connection import Connection, connecting

if TYPE_CHECKING:
    from headway.client.client import Client
    from headway.wire.row import Row

LOOK = 1.0
"""Seconds between two looks for more."""

LATE = 2
"""Looks after the end without anything new before it is taken for all: the last lines may come after the end."""


@click.command()
@click.argument("uuid", shell_complete=complete_uuid)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until it has ended.")
@connecting
def logs(connection: Connection, uuid: str, follow: bool) -> None:
    """Print the last that the activity UUID has printed, up to 64 KiB.

    The beginning of a uuid is enough, as long as only one activity has it. With --follow, lines come whole, and those
    of a server that restarts meanwhile are waited for.

    \b
    Examples:
      headway logs 3f2a
      headway logs -f 3f2a | grep -i warning
    """
    from headway.cli.lookup import find

    with connection.client() as client:
        row = find(client, uuid)
        text = output_of(client, row)
        if not follow:
            click.echo(text, nl=bool(text) and not text.endswith("\n"))
            return
        for piece in _followed(client, row, text):
            click.echo(piece, nl=False)


def output_of(client: Client, row: Row) -> str:
    """What it has printed. Raises ``NotFound`` where the server keeps none."""
    from headway.core.errors import NotFound
    from headway.wire.errors import Unreadable

    try:
        return client.activities.output(row.uuid)
    except (NotFound, Unreadable) as error:  # it is there: it was found
        raise NotFound("this server keeps no output: it is no Headway, or an older one") from error


def _followed(client: Client, row: Row, text: str) -> Iterator[str]:
    """What there is and what comes, in whole lines but for the last."""
    from headway.client.rows import has_ended

    shown, quiet, complete = "", 0, has_ended(row)
    while True:
        lines = text[: text.rfind("\n") + 1]
        if more := continued(shown, lines):
            yield more
        shown, quiet = lines, 0 if more or not has_ended(row) else quiet + 1
        if complete or quiet > LATE:
            break
        time.sleep(LOOK)
        row, text = _looked(client, row, text)
    if rest := text[len(lines) :]:
        yield f"{rest}\n"


def _looked(client: Client, row: Row, text: str) -> tuple[Row, str]:
    """Both as they are now, or as they were last seen while nobody can be asked."""
    from headway.client.errors import Unreachable
    from headway.client.rows import has_ended
    from headway.core.errors import Unavailable

    try:
        if not has_ended(row):
            row = client.activities.get(row.uuid)
        return row, client.activities.output(row.uuid)
    except (Unreachable, Unavailable):
        return row, text


def continued(shown: str, text: str) -> str:
    """What of a text comes behind that which was shown: they share the end of the one and the beginning of the other.

    By the prefix function (Knuth, Morris and Pratt, "Fast Pattern Matching in Strings", 1977): in linear time, whatever
    they are.
    """
    if text.startswith(shown):
        return text[len(shown) :]
    joined = f"{text}\0{shown[-len(text) :]}"  # a character that no output has
    shared = [0] * len(joined)
    for place in range(1, len(joined)):
        length = shared[place - 1]
        while length and joined[place] != joined[length]:
            length = shared[length - 1]
        shared[place] = length + (joined[place] == joined[length])
    return text[shared[-1] :]
