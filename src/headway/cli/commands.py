"""A group of commands that are imported when they are called, with one way out for everything that goes wrong."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import click

from headway.core.errors import HeadwayError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

INTERRUPTED = 130
"""What shells report of a program that Ctrl-C ended."""


class Commands(click.Group):
    """Commands by name, each as ``module:attribute`` and one line of help: ``--help`` imports none of them."""

    def __init__(self, *, commands: Mapping[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(**options)
        self._places = commands

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All of them, in the order in which they were given."""
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one."""
        if cmd_name not in self._places:
            return None
        module, _, attribute = self._places[cmd_name][0].partition(":")
        return cast(click.Command, getattr(import_module(module), attribute))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List them without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self._places.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer them without importing them."""
        from click.shell_completion import CompletionItem

        named = [CompletionItem(name, help=line) for name, (_, line) in self._places.items()]
        return [item for item in named if item.value.startswith(incomplete)] + click.Command.shell_complete(
            self, ctx, incomplete
        )

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what goes wrong is one line and an exit code."""
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()  # while somebody can still be told that it failed
        except HeadwayError as error:
            from headway.cli.failures import tell

            ctx.exit(tell(error))
        except ModuleNotFoundError as error:
            package = (error.name or "headway").partition(".")[0]
            if package == "headway":
                raise
            raise click.ClickException(f"{package} is not installed: pip install 'headway[cli]'") from error
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except OSError as error:
            if error.errno == errno.EPIPE:  # nobody reads any more; click ends the program quietly
                raise
            _discard_output()
            raise click.ClickException(f"{error.strerror or error}") from error

    @staticmethod
    def pass_on(context: click.Context, **options: Any) -> None:
        """Options given before the command are the defaults of those given after it."""
        given: dict[str, Any] = {name: value for name, value in options.items() if value}
        called = context.invoked_subcommand or ""
        command = cast(click.Group, context.command).get_command(context, called)
        if isinstance(command, click.Group):
            given = dict.fromkeys(command.list_commands(context), given)
        context.default_map = {called: given}


def _discard_output() -> None:
    """Or Python would try once more to write what is left of it, and complain of the same again."""
    with suppress(OSError, ValueError):  # not a file
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
