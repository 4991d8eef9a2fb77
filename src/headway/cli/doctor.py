"""``headway doctor``: what is wrong with a connection."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from headway.cli.connection import Connection, connecting, json_option

if TYPE_CHECKING:
    from rich.console import Console

    from headway.cli.checks.findings import Finding

_LOOKS = {"ok": ("✔", "+", "green"), "warn": ("▲", "!", "yellow"), "fail": ("✘", "x", "bold red")}


@click.command()
@click.option("--origin", metavar="ORIGIN", help="See whether pages from there, such as https://app.example, may call.")
@click.option(
    "--timeout",
    "seconds",
    metavar="S",
    type=click.FloatRange(min=0.1, max=60),
    default=5.0,
    show_default=True,
    help="Seconds that a step may take.",
)
@connecting
@json_option
def doctor(connection: Connection, origin: str | None, seconds: float, as_json: bool) -> None:
    """Explain what is wrong with the connection to a server, and what to do about it.

    Step by step: which server was chosen and why, its name, each of its addresses, proxies, TLS, what answers and
    whether its clock is right, the token and its role, event streams and WebSockets. Nothing is changed, and no token
    is shown. A Plex Media Server is examined likewise.

    The exit code is 0 when all is well, or good enough; 3 when the server cannot be reached, 4 when it does not accept
    the token, 1 for the rest, 2 when the command line or the contexts are wrong.

    \b
    Examples:
      headway doctor
      headway doctor --url https://headway.example --origin https://app.example
      headway doctor --plex
      headway doctor --json | jq -r '.[] | select(.level == "fail") | .advice'
    """
    from headway.cli import screen
    from headway.cli.checks import Diagnosis
    from headway.cli.checks.findings import Level
    from headway.cli.output import print_json

    found = []
    shown = screen.console()
    for finding in Diagnosis(connection, seconds=seconds, origin=origin).findings():
        found.append(finding)
        if not as_json:
            _tell(finding, shown)
    if as_json:
        print_json(found)
    sys.exit(next((finding.code for finding in found if finding.level is Level.FAIL), 0))


def _tell(finding: Finding, shown: Console) -> None:
    from rich.text import Text

    from headway.cli import screen

    icon, plain, style = _LOOKS[finding.level]
    line = Text(f"{icon if screen.unicode(shown) else plain} {finding.level:<4}", style)
    line.append(f"  {finding.check:<12}", "default").append(f"  {finding.says}", "default")
    shown.print(line, soft_wrap=True)
    if finding.advice:
        shown.print(Text(f"{'':<22}{finding.advice}", "dim"), soft_wrap=True)
