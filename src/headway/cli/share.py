"""``headway share``: one activity for somebody who has no account, by a link that expires."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click
import msgspec

from headway.cli.completing import complete_uuid
from headway.cli.connection import Connection, connecting, json_option
from headway.core.errors import InvalidInput, NotFound
from headway.wire.errors import Unreadable

if TYPE_CHECKING:
    from headway.client.client import Client


class Share(msgspec.Struct, frozen=True):
    """What the server answers."""

    id: str
    secret: str
    uuid: str
    expires_at: float = msgspec.field(name="expiresAt")


def _seconds(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    from headway.server.identity.tokens import lifetime

    try:
        return None if value is None else lifetime(value)
    except InvalidInput as error:
        raise click.BadParameter(error.message, context, parameter) from error


@click.command()
@click.argument("uuid", shell_complete=complete_uuid)
@click.option(
    "--for", "lasting", metavar="TIME", callback=_seconds, help="Such as 2h or 7d, at most 30d [default: 1d]."
)
@connecting
@json_option
def share(connection: Connection, uuid: str, lasting: float | None, as_json: bool) -> None:
    """Print a link that shows the activity UUID to whoever has it.

    They need no account and see this one activity, live, and nothing else, until the link expires. It ends earlier with
    the token it was made with, or when it is revoked in the dashboard. The beginning of a uuid is enough, as long as
    only one activity has it.

    \b
    Examples:
      headway share 3f2a
      headway share 3f2a --for 7d
    """
    from headway.cli.lookup import find
    from headway.cli.output import print_json
    from headway.cli.wording import moment

    with connection.client() as client:
        made = _share(client, find(client, uuid).uuid, lasting)
        # Behind "#": a browser keeps that to itself, so it is in no log of a server or proxy.
        url = f"{client.options.url}/web/#shared={made.secret}&uuid={made.uuid}"
    if as_json:
        print_json({"url": url, "id": made.id, "uuid": made.uuid, "expiresAt": made.expires_at})
    else:
        click.echo(url)
    if sys.stderr.isatty():
        click.echo(f"Whoever has it can see this activity until {moment(made.expires_at, time.time())}.", err=True)


def _share(client: Client, uuid: str, lasting: float | None) -> Share:
    from headway.client.exchange import Request

    body = msgspec.json.encode({"uuid": uuid} if lasting is None else {"uuid": uuid, "expiresIn": lasting})
    asked = Request(method="POST", path="/web/shares", headers=(("Content-Type", "application/json"),), body=body)
    try:
        return msgspec.json.decode(client.request(asked).body, type=Share)
    except NotFound:  # not the activity: that was found
        raise NotFound(
            "this server shares nothing: it is no Headway, or an older one, or an application around it has the users"
        ) from None
    except msgspec.DecodeError as error:
        raise Unreadable("the server's answer is no share") from error
