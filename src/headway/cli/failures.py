"""What an error means for whoever called the program: one line and an exit code."""

from __future__ import annotations

import click

from headway.client.errors import NoConnection
from headway.core.errors import HeadwayError, InvalidInput, NotAllowed, NotAuthenticated, Unavailable
from headway.core.text import clean
from headway.wire.errors import Unreadable

FAILED = 1
USAGE = 2
UNREACHABLE = 3
NOT_AUTHORISED = 4
TIMED_OUT = 124

_CODES: tuple[tuple[type[HeadwayError], int], ...] = (
    (InvalidInput, USAGE),
    (NotAuthenticated, NOT_AUTHORISED),
    (NotAllowed, NOT_AUTHORISED),
    (Unavailable, UNREACHABLE),
    (Unreadable, UNREACHABLE),
)

_HINTS: tuple[tuple[type[HeadwayError], str], ...] = (
    (NoConnection, "Is it running? Start one with `headway serve`, or name another with --url or HEADWAY_URL."),
    (NotAuthenticated, "Give a token that this server knows, with HEADWAY_TOKEN or --token."),
)


def exit_code(error: HeadwayError) -> int:
    """The exit code for an error."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAILED)


def tell(error: HeadwayError) -> int:
    """Say what is wrong, and what to do about it; the exit code."""
    click.echo(f"Error: {clean(error.message)}", err=True)
    for hint in getattr(error, "__notes__", None) or _hints(error):
        click.echo(clean(hint), err=True)
    return exit_code(error)


def _hints(error: HeadwayError) -> list[str]:
    return [hint for kind, hint in _HINTS if isinstance(error, kind)]
