"""``headway context``: names for servers."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from headway.cli.completing import complete_context
from headway.cli.connection import json_option

if TYPE_CHECKING:
    from headway.cli.contexts import Contexts

_MAX_TOKEN = 4096
_FOUND = "found by itself"


@click.group()
def context() -> None:
    """Name servers, and choose among them.

    A context is a server's URL and its token under a name: `--context NAME` uses it for one command, HEADWAY_CONTEXT in
    one shell, `headway context use NAME` from now on. The name local is the server on this machine, which needs none.

    Contexts are kept in ~/.config/headway/contexts.json, or below XDG_CONFIG_HOME, for you alone. The token of a
    context is sent to its own server, and to no other.

    \b
    Examples:
      headway context add plex http://10.0.0.5:32400
      headway context use plex
      headway --context local ls
    """


@context.command()
@click.argument("name")
@click.argument("server", metavar="URL")
@click.option("--token-file", metavar="FILE", help="The token is in this file, which is read each time.")
@click.option("--token-env", metavar="VAR", help="The token is in this variable, which is read each time.")
@click.option("--no-token", is_flag=True, help="It needs none.")
def add(name: str, server: str, token_file: str | None, token_env: str | None, no_token: bool) -> None:
    """Give the server at URL a name.

    A name that there is already stands for the new server from then on.

    Without an option the token is asked for, and not shown; where input is no terminal, its first line is the token. It
    is kept beside the URL, in a file that only you can open.

    \b
    Examples:
      headway context add plex http://10.0.0.5:32400
      headway context add nas https://nas.example:4590 --token-file ~/.nas-token
      headway context add ci https://ci.example --token-env CI_TOKEN
      headway token create ci | headway context add mine http://127.0.0.1:4590
    """
    from headway.cli.contexts import Context, changed_contexts, checked_name
    from headway.client.address import parse_url

    if (token_file is not None) + (token_env is not None) + no_token > 1:
        raise click.UsageError("give one of --token-file, --token-env and --no-token")
    checked_name(name)
    url = parse_url(server)
    asked = token_file is None and token_env is None and not no_token
    file = None if token_file is None else os.path.abspath(os.path.expanduser(token_file))
    added = Context(url, _asked_token(name) if asked else None, file, token_env)
    with changed_contexts() as known:
        known.contexts[name] = added
    click.echo(f"{name} is {url}; its token: {added.token_source}.", err=True)


@context.command("list")
@json_option
def list_contexts(as_json: bool) -> None:
    """List all contexts, and which one is used.

    An asterisk stands before that one. Tokens are never shown.

    \b
    Examples:
      headway context list
      headway context list --json | jq -r '.[].name'
    """
    from headway.cli.contexts import LOCAL, read_contexts
    from headway.cli.output import print_json

    known = read_contexts()
    rows = [_described(known, name) for name in (LOCAL, *sorted(known.contexts))]
    if as_json:
        print_json(rows)
        return
    table = [["", "NAME", "URL", "TOKEN"]]
    table += [["*" if row["current"] else "", *(str(row[key]) for key in ("name", "url", "token"))] for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        click.echo("  ".join(map(str.ljust, line, widths)).rstrip())


@context.command()
@click.argument("name", shell_complete=complete_context)
def use(name: str) -> None:
    """Use the context NAME from now on.

    The command line and the environment still count more. The name local is the server on this machine.

    \b
    Examples:
      headway context use plex
      headway context use local
    """
    from headway.cli.contexts import LOCAL, changed_contexts

    with changed_contexts() as known:
        if name != LOCAL:
            known.find(name)
        known.current = None if name == LOCAL else name
    for variable in ("HEADWAY_URL", "HEADWAY_CONTEXT"):
        if os.environ.get(variable):
            click.echo(f"{variable} is set in this shell, and counts more.", err=True)


@context.command()
@click.argument("name", required=False, shell_complete=complete_context)
@json_option
def show(name: str | None, as_json: bool) -> None:
    """Show the context NAME, or the one that is used.

    Its URL and where its token is; never the token.

    \b
    Examples:
      headway context show
      headway context show plex --json
    """
    from headway.cli.contexts import read_contexts
    from headway.cli.output import print_json

    known = read_contexts()
    shown = _described(known, name or _used(known))
    if as_json:
        print_json(shown)
        return
    for label in ("name", "url", "token"):
        click.echo(f"{label:<5}  {shown[label]}")


@context.command()
@click.argument("name", shell_complete=complete_context)
@click.argument("new")
def rename(name: str, new: str) -> None:
    """Give the context NAME the name NEW.

    \b
    Examples:
      headway context rename plex den
    """
    from headway.cli.contexts import changed_contexts, checked_name

    checked_name(new)
    with changed_contexts() as known:
        known.find(name)
        if new in known.contexts:
            raise click.ClickException(f"there is a context {new} already")
        known.contexts[new] = known.contexts.pop(name)
        known.current = new if known.current == name else known.current


@context.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=complete_context)
def remove(names: tuple[str, ...]) -> None:
    """Forget contexts.

    Where one of them was used, the server on this machine is used instead.

    \b
    Examples:
      headway context remove plex
      headway context remove nas ci
    """
    from headway.cli.contexts import changed_contexts

    with changed_contexts() as known:
        for name in names:
            known.find(name)
            del known.contexts[name]
            known.current = None if known.current == name else known.current


def _described(known: Contexts, name: str) -> dict[str, object]:
    from headway.cli.contexts import LOCAL

    described: dict[str, object] = {"name": name, "current": name == _used(known)}
    if name == LOCAL:
        return {**described, "url": _FOUND, "token": _FOUND}
    found = known.find(name)
    return {**described, "url": found.url, "token": found.token_source}


def _used(known: Contexts) -> str:
    from headway.cli.contexts import LOCAL

    return os.environ.get("HEADWAY_CONTEXT") or known.current or LOCAL


def _asked_token(name: str) -> str | None:
    if sys.stdin is None:  # it is closed
        return None
    if sys.stdin.isatty():
        prompt = f"Token of {name} (not shown; empty for none)"
        given = click.prompt(prompt, hide_input=True, default="", show_default=False, err=True)
    else:
        given = sys.stdin.readline(_MAX_TOKEN)
    return str(given).strip() or None
