"""The command line. This file is its table of contents; each command is imported when it is called."""

from __future__ import annotations

import io
import sys

import click

from headway.cli.commands import Commands
from headway.cli.completing import complete_context

EXIT_CODES = """\b
Exit codes:
  0    done
  1    failed: no such activity, it cannot be cancelled, …
  2    the command line is wrong
  3    the server cannot be reached
  4    the server does not accept the token, or its role
  124  the time limit of `wait` or `cancel --wait` is over
`headway run` exits as its command does, and as a shell does with 126 when the
command cannot be run, 127 when there is none, 128 + N when signal N ended it.
"""


@click.group(
    cls=Commands,
    commands={
        "run": ("headway.cli.run:run", "Run a command as an activity."),
        "ls": ("headway.cli.ls:ls", "List what is running."),
        "show": ("headway.cli.show:show", "Show all there is to know of an activity."),
        "logs": ("headway.cli.logs:logs", "Print what an activity has printed last."),
        "watch": ("headway.cli.watch:watch", "Watch activities live."),
        "wait": ("headway.cli.wait:wait", "Wait until activities have ended."),
        "cancel": ("headway.cli.cancel:cancel", "Ask activities to stop, and hear what became of it."),
        "history": ("headway.cli.history:history", "List what has ended."),
        "share": ("headway.cli.share:share", "Print a link that shows one activity to whoever has it."),
        "web": ("headway.cli.web:web", "Print a link into the dashboard."),
        "serve": ("headway.cli.serve:serve", "Start the server."),
        "token": ("headway.cli.token:token", "Make, list and revoke tokens."),
        "context": ("headway.cli.context:context", "Name servers, and choose among them."),
        "doctor": ("headway.cli.doctor:doctor", "Explain what is wrong with a connection."),
        "completion": ("headway.cli.completion:completion", "Print what lets a shell complete commands."),
        "demo": ("headway.cli.demo:demo", "Start the server with a job to look at."),
    },
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.option("--url", metavar="URL", help="The server [env: HEADWAY_URL].")
@click.option("--token", metavar="TOKEN", help="What opens it [env: HEADWAY_TOKEN].")
@click.option("--data", metavar="DIR", help="The data folder of a server on this machine [env: HEADWAY_DATA].")
@click.option(
    "--context", "named", metavar="NAME", shell_complete=complete_context, help="A named server [env: HEADWAY_CONTEXT]."
)
@click.option("--plex", is_flag=True, help="The Plex Media Server on this machine, or of PLEX_URL.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.version_option(package_name="headway", message="headway %(version)s")
@click.pass_context
def headway(
    context: click.Context,
    url: str | None,
    token: str | None,
    data: str | None,
    named: str | None,
    plex: bool,
    as_json: bool,
) -> None:
    """See, follow and stop every long-running operation on your servers.

    A server on this machine is found by itself, and so is its token: both are in its data folder. Another server is
    given a name by `headway context add`, or named by --url and opened by a token, best given as HEADWAY_TOKEN: other
    users of this machine can read what is on a command line. --plex finds a Plex Media Server. These options may stand
    before a command or after it.

    Output is coloured on a terminal; NO_COLOR turns that off.

    \b
    Examples:
      headway serve
      headway run -- rsync -a --info=progress2 photos/ nas:photos/
      headway watch
      headway cancel 3f2a
    """
    Commands.pass_on(context, url=url, token=token, data=data, named=named, plex=plex, as_json=as_json)


def main() -> None:
    """The program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What a terminal's character set lacks must not end the program.
            stream.reconfigure(errors="backslashreplace")
    headway(prog_name="headway")
