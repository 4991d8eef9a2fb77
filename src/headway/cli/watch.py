"""``headway watch``: what is running, live."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import TYPE_CHECKING

import click

from headway.cli.completing import complete_live, complete_type
from headway.cli.connection import Connection, connecting, json_option

if TYPE_CHECKING:
    from headway.cli.views import View
    from headway.client.client import Client
    from headway.client.live.watching import Connected
    from headway.core.errors import HeadwayError
    from headway.wire.row import Row


@click.command()
@click.argument("uuid", required=False, shell_complete=complete_live)
@click.option("--type", metavar="TYPE", shell_complete=complete_type, help="Only activities of this type.")
@click.option("--plain", is_flag=True, help="Lines, as where there is no terminal.")
@connecting
@json_option
def watch(connection: Connection, uuid: str | None, type: str | None, plain: bool, as_json: bool) -> None:
    """Watch all activities live, until q or Ctrl-C; or the activity UUID, until it has ended.

    A lost connection is taken up again where it broke off. On a terminal all activities fill the screen: ? shows the
    keys, c asks the one under the cursor to stop. Elsewhere, and with --plain, there is a line for each start, end and
    larger step; with --json a line for each event: {"event", "uuid", "Activity"}, the first of them {"event":
    "snapshot", "Activity": [...]}. The beginning of a uuid is enough.

    \b
    Examples:
      headway watch
      headway watch 3f2a
      headway watch --plain --type command.rsync
      headway watch --json | jq -r 'select(.event == "ended") | .Activity.title'
    """
    from headway.cli import screen
    from headway.cli.lookup import find
    from headway.cli.views import view_for

    shown = screen.console()
    if uuid is None and not plain and not as_json and screen.fills(shown):
        asyncio.run(_fill_screen(connection, type))
        return
    view = view_for(shown, as_json=as_json, plain=plain)
    with connection.client() as client:
        chosen = None if uuid is None else find(client, uuid)
        try:
            _follow(client, view, chosen, type)
        except KeyboardInterrupt:  # the way to end it
            return


async def _fill_screen(connection: Connection, type: str | None) -> None:
    from headway.cli.tui.app import WatchApp
    from headway.cli.tui.feed import ClientFeed
    from headway.client.async_client import AsyncClient
    from headway.ports import SystemClock

    address = connection.locate()
    # A function, for without a token the client would take HEADWAY_TOKEN, which may be for another server.
    async with AsyncClient(address.url, lambda: address.token) as client:
        await client.identity()  # what is wrong from the beginning is said without filling the screen
        app = WatchApp(ClientFeed(client, type=type), SystemClock(), server=address.url)
        await app.run_async()
    if app.failure is not None:
        raise app.failure


def _follow(client: Client, view: View, chosen: Row | None, type: str | None) -> None:
    from headway.cli.lookup import waited
    from headway.client.rows import has_ended
    from headway.core.view import Kind
    from headway.wire.notifications import ActivityNotification, SnapshotNotification

    uuid = None if chosen is None else chosen.uuid
    told = _unless_it_never_was(view.connection)
    with view, closing(client.activities.watch(type=type, uuid=uuid, on_connection=told)) as notifications:
        for notification in notifications:
            if isinstance(notification, ActivityNotification):
                view.event(notification.kind, notification.row)
                if chosen is not None and notification.kind is Kind.ENDED:
                    return
            elif isinstance(notification, SnapshotNotification):
                view.snapshot(notification.rows)
                if chosen is not None and not notification.rows and has_ended(row := waited(client, chosen, 0.0)):
                    view.event(Kind.ENDED, row)
                    return


def _unless_it_never_was(told: Connected) -> Connected:
    """A server that is not there at first is an error; one that goes away later is waited for."""
    connected = False

    def on_connection(error: HeadwayError | None) -> None:
        nonlocal connected
        if error is not None and not connected:
            raise error
        connected = True
        told(error)

    return on_connection
