"""``headway token``: make, list and revoke tokens, whether a server runs or not."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime

import click

from headway.core.errors import HeadwayError, InvalidInput
from headway.core.policy import TOKEN_ROLES, Role
from headway.ports import SystemClock
from headway.server.data import IDENTITY, data_dir
from headway.server.identity.store import TokenRecord, TokenStore
from headway.server.identity.tokens import checked_label, checked_name, lifetime
from headway.stores import open_document

_now = SystemClock().now
_COLUMNS = ("ID", "USER", "USERID", "ROLE", "STATE", "CREATED", "EXPIRES", "LABEL")


def _checked(check: Callable[[str], object]) -> Callable[[click.Context, click.Parameter, str | None], object]:
    """A parameter's callback: what a function refuses is wrong usage, and names the parameter."""

    def callback(context: click.Context, parameter: click.Parameter, value: str | None) -> object:
        try:
            return None if value is None else check(value)
        except InvalidInput as error:
            raise click.BadParameter(error.message, context, parameter) from error

    return callback


_store = click.option(
    "--store",
    metavar="URL",
    envvar="HEADWAY_STORE",
    show_envvar=True,
    help="The store that several servers share, where they keep their tokens.",
)
_data = click.option(
    "--data",
    metavar="DIR",
    help="The data folder [env: HEADWAY_DATA; default: ~/.local/share/headway].",
)


@click.group()
def token() -> None:
    """Make, list and revoke the tokens that open the server.

    A running server takes notice within a second. The first token is made at the first start and kept in the file
    admin.token of the data folder; if that is lost, make another as in the first example.

    \b
    Examples:
      headway token create admin --admin
      headway token create anna --expires 30d --label "Her laptop"
      headway token list
    """


@token.command()
@click.argument("user", callback=_checked(checked_name))
@click.option("--admin", is_flag=True, help="The same as --role admin.")
@click.option("--role", type=click.Choice([role.value for role in TOKEN_ROLES]), help="What it may do [default: user].")
@click.option("--expires", metavar="TIME", callback=_checked(lifetime), help="Such as 12h, 30d or 2w [default: never].")
@click.option("--label", callback=_checked(checked_label), default="", help="What it is for.")
@_store
@_data
def create(
    user: str, admin: bool, role: str | None, expires: float | None, label: str, store: str | None, data: str | None
) -> None:
    """Make a token for USER and print it; it is not shown again.

    USER is made too if there is none of that name: upper and lower case are different users. A reader looks, a reporter
    reports too, a user also stops what is theirs, and an admin sees and stops everything.

    \b
    Examples:
      headway token create anna --expires 30d --label "Her laptop"
      headway token create backup --role reporter > ~/.backup-token
      headway token create admin --admin
    """
    if admin and role not in (None, Role.ADMIN.value):
        raise click.UsageError(f"--admin and --role {role} exclude each other")
    now = _now()
    with _opened(store, data, create=True) as tokens:
        secret, record = tokens.create(
            user,
            Role.ADMIN if admin else Role(role or Role.USER),
            now=now,
            label=label,
            expires_at=now + (expires or math.inf),
        )
    click.echo(secret)
    if sys.stderr.isatty():
        click.echo(
            f"Token {record.id} of {record.user} (userID {record.user_id}), role {record.role.value}, "
            f"expires: {_shown(record.expires_at)}. It is not shown again.",
            err=True,
        )


@token.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array; times are seconds since the epoch.")
@_store
@_data
def list_tokens(as_json: bool, store: str | None, data: str | None) -> None:
    """List what is known of all tokens, and never themselves.

    Those that are expired or revoked are listed, too.

    \b
    Examples:
      headway token list
      headway token list --json | jq -r '.[] | select(.state == "active") | .user'
    """
    now = _now()
    with _opened(store, data, create=False) as tokens:
        records = tokens.tokens()
    if as_json:
        click.echo(json.dumps([_as_object(record, now) for record in records], indent=2))
    else:
        click.echo(_table([_COLUMNS, *(_as_row(record, now) for record in records)]))


@token.command()
@click.argument("id", required=False)
@click.option("--user", metavar="NAME", callback=_checked(checked_name), help="Revoke all tokens of a user.")
@_store
@_data
def revoke(id: str | None, user: str | None, store: str | None, data: str | None) -> None:
    """Revoke the token with that ID, or all of a user.

    `headway token list` shows IDs. Open streams are cut within a second. Revoking again is no error; the exit code is 1
    when there is no such token or user.

    \b
    Examples:
      headway token revoke 7f3c9a
      headway token revoke --user anna
    """
    if (id is None) == (user is None):
        raise click.UsageError("name either the ID of a token or --user NAME")
    with _opened(store, data, create=False) as tokens:
        count = tokens.revoke(now=_now(), id=id, user=user)
    if count == 0:
        raise click.ClickException("there is no token with that ID" if user is None else f"there is no user {user!r}")
    click.echo(f"Revoked {f'token {id}' if user is None else f'all tokens of {user}: {count}'}.")


@contextmanager
def _opened(store: str | None, data: str | None, *, create: bool) -> Iterator[TokenStore]:
    """The tokens of the data folder, or of a store; what goes wrong becomes one line and exit code 1."""
    try:
        shared = None if store is None else open_document(store, IDENTITY)
        with closing(TokenStore.open(data_dir(data), now=_now(), create=create, shared=shared)) as tokens:
            yield tokens
    except HeadwayError as error:
        raise click.ClickException(error.message) from error


def _as_object(record: TokenRecord, now: float) -> dict[str, object]:
    members: dict[str, object] = {
        "id": record.id,
        "user": record.user,
        "userID": record.user_id,
        "role": record.role.value,
        "label": record.label,
        "created": record.created_at,
        "expires": record.expires_at,
        "state": record.state(now),
    }
    if record.expires_at == math.inf:
        del members["expires"]
    return members


def _as_row(record: TokenRecord, now: float) -> Sequence[str]:
    return (
        record.id,
        record.user,
        str(record.user_id),
        record.role.value,
        record.state(now),
        _shown(record.created_at),
        _shown(record.expires_at),
        record.label,
    )


def _shown(moment: float) -> str:
    return "never" if moment == math.inf else datetime.fromtimestamp(moment).strftime("%Y-%m-%d %H:%M")


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
