"""``headway completion``: what lets a shell complete commands, options and uuids."""

from __future__ import annotations

import click

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_HEADWAY_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print a script that lets SHELL complete commands, options, uuids, types and names of contexts.

    Uuids and types are asked of the server when a key is pressed, for a second at most, and in silence. Bash must be
    4.4 or newer.

    \b
    Examples:
      headway completion bash > ~/.local/share/bash-completion/completions/headway
      headway completion zsh > ~/.zfunc/_headway
      headway completion fish > ~/.config/fish/completions/headway.fish
      eval "$(headway completion bash)"
    """
    from click.shell_completion import get_completion_class

    from headway.cli import headway

    kind = get_completion_class(shell)
    assert kind is not None, shell  # noqa: S101 - a choice of those there are
    click.echo(kind(headway, {}, "headway", VARIABLE).source())
