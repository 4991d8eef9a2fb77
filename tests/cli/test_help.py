"""Help: every command explains itself, with examples that work, in any width of terminal."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from headway.cli import headway
from tests.cli.invoking import invoke


def commands(path: tuple[str, ...], command: click.Command) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """A command, and all that are within it, by the words that call them."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            within = command.get_command(context, name)
            assert within is not None
            yield from commands((*path, name), within)


ALL = dict(commands((), headway))
each_command = pytest.mark.parametrize("path", ALL, ids=" ".join)


def examples(help: str) -> list[str]:
    lines = help.partition("Examples:\n")[2].partition("\n\n")[0].splitlines()
    return [line.strip() for line in lines if line.strip()]


def calls(example: str) -> list[list[str]]:
    """What it calls us with: pipes, and what else a shell does, aside."""
    parts = re.split(r"\s(?:&&|\|\||\||>)\s|\"\$\(|\)\"", example)
    return [shlex.split(part, comments=True)[1:] for part in parts if part.startswith("headway ")]


@each_command
def test_it_says_what_it_does_and_shows_examples(path: tuple[str, ...]) -> None:
    help = ALL[path].help or ""
    summary = help.partition("\n\n")[0]
    assert summary.rstrip().endswith(".")
    assert all(map(calls, examples(help))), help
    assert len(examples(help)) > 0


@each_command
def test_its_examples_are_understood(path: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("chain.pem", "key.pem"):
        (tmp_path / name).touch()
    (tmp_path / "home" / "Pictures").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    called: list[str] = []
    for words, command in ALL.items():
        if not isinstance(command, click.Group):
            monkeypatch.setattr(command, "callback", lambda *, words=words, **_: called.append(" ".join(words)))
    for example in examples(ALL[path].help or ""):
        for arguments in calls(example):
            spelt = [word.replace("~", str(tmp_path / "home")) for word in arguments]
            result = invoke(tmp_path, *spelt)
            assert (example, result.exit_code) == (example, 0), result.output
            # A command shows itself; a group, what is in it.
            assert any(words.startswith(" ".join(path)) for words in called), example


@each_command
@pytest.mark.parametrize("width", [80, 100])
def test_it_fits(path: tuple[str, ...], width: int) -> None:
    context = click.Context(ALL[path], info_name=" ".join(["headway", *path]), terminal_width=width)
    lines = ALL[path].get_help(context).splitlines()
    assert [line for line in lines if len(line) > width] == []


@each_command
def test_every_option_is_explained(path: tuple[str, ...]) -> None:
    options = [parameter for parameter in ALL[path].params if isinstance(parameter, click.Option)]
    assert [option.name for option in options if not option.help] == []


@each_command
def test_no_line_of_a_list_of_commands_is_cut_off(path: tuple[str, ...]) -> None:
    context = click.Context(ALL[path], info_name="headway", terminal_width=80)
    listing = ALL[path].get_help(context).partition("Commands:\n")[2]
    assert "..." not in listing.partition("\n\n")[0]


@pytest.mark.parametrize("option", ["--url", "--token", "--data", "--context"])
@each_command
def test_what_the_environment_may_say_is_told(path: tuple[str, ...], option: str) -> None:
    for parameter in ALL[path].params:
        if isinstance(parameter, click.Option) and option in parameter.opts:
            assert f"HEADWAY_{option.strip('-').upper()}" in (parameter.help or "")
