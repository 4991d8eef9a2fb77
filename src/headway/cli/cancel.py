"""``headway cancel``: ask activities to stop, and say what became of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click
import msgspec

from headway.cli.completing import complete_live, complete_type
from headway.cli.connection import Connection, connecting, json_option
from headway.wire.row import Row

if TYPE_CHECKING:
    from headway.client.client import Client

WAIT = 5.0
"""Seconds to wait for what becomes of it, when nobody says how long."""


class Outcome(msgspec.Struct, frozen=True, rename={"activity": "Activity"}):
    """What became of one request."""

    uuid: str
    outcome: str
    """``stopped``, ``finished``, ``failed``, ``lost``, ``stopping``, ``overdue``, ``gone`` (from a Plex server, which
    says no more), ``ended`` (already, before it was asked) or ``refused``."""
    says: str
    activity: Row


@click.command()
@click.argument("uuids", metavar="[UUID]...", nargs=-1, shell_complete=complete_live)
@click.option("--all", "everything", is_flag=True, help="All that run and can be cancelled.")
@click.option("--type", metavar="TYPE", shell_complete=complete_type, help="With --all: only those of this type.")
@click.option(
    "--wait",
    "seconds",
    metavar="S",
    type=click.FloatRange(0, 86_400),
    help="Wait up to S seconds until they have stopped; exit with 124 when they have not. [default: 5, and no 124]",
)
@click.option("--force", is_flag=True, help="Give them up at once: they end as lost. For admins.")
@connecting
@json_option
def cancel(
    connection: Connection,
    uuids: Sequence[str],
    everything: bool,
    type: str | None,
    seconds: float | None,
    force: bool,
    as_json: bool,
) -> None:
    """Ask the activities UUID... to stop, and say what really happened. The beginning of a uuid is enough.

    To be asked is not to have stopped: an operation may take its time, finish anyway, or fail of its own.

    \b
    Examples:
      headway cancel 3f2a
      headway cancel --all --type command.rsync --wait 30
      headway cancel 3f2a --force
    """
    from headway.cli.failures import FAILED, TIMED_OUT
    from headway.cli.output import print_json

    if bool(uuids) == everything:
        raise click.UsageError("name either activities or --all")
    if type is not None and not everything:
        raise click.UsageError("--type goes with --all")
    with connection.client() as client:
        rows = _chosen(client, uuids, type)
        outcomes = list(_cancelled(client, rows, WAIT if seconds is None else seconds, force))
    if as_json:
        print_json(outcomes)
    elif not outcomes:
        click.echo("Nothing that can be cancelled is running.", err=True)
    else:
        _tell(outcomes)
    if any(outcome.outcome in ("refused", "ended") for outcome in outcomes):
        sys.exit(FAILED)
    if seconds is not None and any(outcome.outcome in ("stopping", "overdue") for outcome in outcomes):
        sys.exit(TIMED_OUT)


def _chosen(client: Client, uuids: Sequence[str], type: str | None) -> list[Row]:
    from headway.cli.lookup import find

    if uuids:
        return [find(client, uuid) for uuid in uuids]
    return [row for row in client.activities.list(type=type).rows if row.cancellable]


def _cancelled(client: Client, rows: Sequence[Row], seconds: float, force: bool) -> Iterator[Outcome]:
    """Ask all of them first, then wait for each: they stop at the same time."""
    from headway.cli.lookup import waited
    from headway.core.errors import InvalidInput, NotCancellable, NotFound

    deadline = time.monotonic() + seconds
    refused: dict[str, str] = {}
    for row in rows:
        try:
            client.activities.cancel(row.uuid, force=force)
        except (NotCancellable, InvalidInput):  # a Plex server gives no reason, and there is no other
            refused[row.uuid] = "refused"
        except NotFound:
            refused[row.uuid] = "ended"
    for row in rows:
        left = 0.0 if row.uuid in refused else max(0.0, deadline - time.monotonic())
        yield outcome(waited(client, row, left), refused.get(row.uuid))


def outcome(row: Row, refusal: str | None = None) -> Outcome:
    """What became of a request, from the latest row; ``refusal``: ``refused`` or ``ended`` where the server said no."""
    from headway.cli import wording

    state = wording.state(row)
    outcomes = {
        "cancelled": ("stopped", "stopped"),
        "succeeded": ("finished", "was asked to stop, but finished its work"),
        "failed": ("failed", "was asked to stop, but failed by itself"),
        "lost": ("lost", "given up; whether it still runs, nobody knows"),
        "overdue": ("overdue", "was asked to stop, its time to do so is over, and it still runs"),
        "ended": ("gone", "has ended; the server does not say how"),
    }
    word, says = outcomes.get(state, ("stopping", "has been asked to stop, and has not done so yet"))
    if refusal == "ended":
        word, says = "ended", f"had already ended ({state})"
    elif refusal is not None:
        word, says = refusal, "cannot be cancelled"
    return Outcome(row.uuid, word, f"{says}: {row.error}" if row.error and word == "failed" else says, row)


def _tell(outcomes: Sequence[Outcome]) -> None:
    from headway.cli import screen

    shown = screen.console()
    for outcome in outcomes:
        text = screen.state(outcome.activity, shown).append("  ").append_text(screen.name(outcome.activity, shown))
        text.append(f": {outcome.says}", "default")
        shown.print(text, soft_wrap=True)
