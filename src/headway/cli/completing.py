"""What a shell may put in for an argument: asked of the server, quickly, and in silence when there is trouble.

A shell puts what it is given on the command line, and what stands there is run at the next Enter. So nothing that a
server says gets there but what no shell takes for anything else.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from headway.cli.connection import Connection
    from headway.wire.row import Row

PATIENCE = 1.0
"""Seconds that somebody who pressed a key waits."""

LOOKED_BACK = 50
"""Ended activities that are offered, too."""

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_MAX_HELP = 80

Suggestion = tuple[str, str]
"""A word, and what it stands for."""


def complete_context(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of contexts."""

    def known() -> Iterator[Suggestion]:
        from headway.cli.contexts import LOCAL, read_contexts

        yield LOCAL, "the server on this machine"
        yield from ((name, known.url) for name, known in read_contexts().contexts.items())

    return _suggested(known, incomplete)


def complete_live(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Uuids of what is running."""
    return _suggested(lambda: _named(_rows(context, ended=False)), incomplete.lower())


def complete_uuid(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Uuids of what is running, and of what has ended lately."""
    return _suggested(lambda: _named(_rows(context, ended=True)), incomplete.lower())


def complete_type(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Types of what is running, and of what has ended lately."""
    return _suggested(lambda: ((row.type, "") for row in _rows(context, ended=True)), incomplete)


def _suggested(words: Callable[[], Iterable[Suggestion]], incomplete: str) -> list[CompletionItem]:
    """Those that begin so, each once, as far as they were found in time."""
    from click.shell_completion import CompletionItem

    found: dict[str, str] = {}

    def gather() -> None:
        try:
            for word, help in words():
                if word.startswith(incomplete) and _PLAIN.fullmatch(word):
                    found.setdefault(word, help)
        except Exception:  # noqa: S110 - whatever it is, somebody is typing
            pass

    # A thread, since looking up a name cannot be given a time.
    thread = threading.Thread(target=gather, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return [CompletionItem(word, help=help[:_MAX_HELP]) for word, help in list(found.items())]


def _named(rows: Iterable[Row]) -> Iterator[Suggestion]:
    return ((row.uuid, row.title or row.type) for row in rows)


def _rows(context: click.Context, *, ended: bool) -> Iterator[Row]:
    with _connection(context).client() as client:
        yield from client.activities.list().rows
        if ended:
            yield from client.activities.history(limit=LOOKED_BACK).rows


def _connection(context: click.Context | None) -> Connection:
    """What the command line says so far, before the command or after it."""
    from headway.cli.connection import Connection

    given: dict[str, Any] = {}
    while context is not None:
        given = {**{name: value for name, value in context.params.items() if value}, **given}
        context = context.parent
    url, token, data, named = (given.get(name) for name in ("url", "token", "data", "named"))
    return Connection(url, token, data, named, bool(given.get("plex")))
