"""``headway web``: into the dashboard, without a token being typed or stored anywhere."""

from __future__ import annotations

import os
import sys
import tempfile
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from headway.cli.connection import Connection, connecting, json_option
from headway.core.errors import NotFound
from headway.wire.errors import Unreadable

if TYPE_CHECKING:
    from headway.client.client import Client

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Headway</title><meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={url}"></head>
<body><p><a href="{url}">To Headway</a></p></body></html>
"""


class Link(msgspec.Struct, frozen=True):
    """What the server answers."""

    code: str
    expires_at: float = msgspec.field(name="expiresAt")


@click.command()
@click.option("--open", "opens", is_flag=True, help="Open it in the browser of this machine, too.")
@connecting
@json_option
def web(connection: Connection, opens: bool, as_json: bool) -> None:
    """Print a link into the dashboard.

    It signs a browser in as the user of this command's token, once and within five minutes. Whoever has the link can
    use it, so send it to nobody. Sign out in the page; `headway token revoke` ends what came of a token, too.

    \b
    Examples:
      headway web
      headway web --open
      headway web --context office
    """
    from headway.cli.output import print_json

    with connection.client() as client:
        link = _link(client)
        # Behind "#": a browser keeps that to itself, so it is in no log of a server or proxy.
        url = f"{client.options.url}/web/#link={link.code}"
    if as_json:
        print_json({"url": url, "expiresAt": link.expires_at})
    else:
        click.echo(url)
    if sys.stderr.isatty():
        click.echo("It works once, within 5 minutes.", err=True)
    if opens and not _open(url):
        raise click.ClickException("no browser could be opened here; the link is good all the same")


def _link(client: Client) -> Link:
    from headway.client.exchange import Request

    asked = Request(method="POST", path="/web/links", headers=(("Content-Type", "application/json"),), body=b"{}")
    try:
        answer = client.request(asked)
        return msgspec.json.decode(answer.body, type=Link)
    except NotFound:
        raise NotFound(
            "this server signs nobody in: it is no Headway, or an older one, or an application around it does that"
        ) from None
    except msgspec.DecodeError as error:
        raise Unreadable("the server's answer is no link") from error


def _open(url: str) -> bool:
    """Have a browser open it, by way of a file: all users of a machine can read what its programs are called with."""
    import webbrowser

    return webbrowser.open(_write(_PAGE.format(url=escape(url))).as_uri())


def _write(page: str) -> Path:
    """A file that is ours alone. It stays, for nobody says when it was read; its link is worthless by then."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    file, name = tempfile.mkstemp(".html", "headway-web-", runtime if runtime and os.path.isdir(runtime) else None)
    with open(file, "w", encoding="utf-8") as out:
        out.write(page)
    return Path(name)
