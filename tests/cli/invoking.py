"""The command line as its tests call it: in this process, or as a program of its own, never with anyone else's data."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from headway.cli import headway

FOREIGN = ("HEADWAY_", "NO_COLOR", "FORCE_COLOR", "PLEX", "XDG_CONFIG_HOME")
"""How variables begin that mean something to it."""

PROGRAM = (sys.executable, "-c", "from headway.cli import main; main()")


def environment(data: Path, **more: str) -> dict[str, str]:
    """The environment of a program: what is set for others does not count here."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {**inherited, **_folders(data), **more}


def contexts_file(data: Path) -> Path:
    """Where the contexts are of whoever is called with that data folder."""
    return data / "config" / "headway" / "contexts.json"


def _folders(data: Path) -> dict[str, str]:
    return {"HEADWAY_DATA": str(data), "XDG_CONFIG_HOME": str(data / "config"), "HOME": str(data / "home")}


def invoke(data: Path, *arguments: str, input: str | None = None, **more: str) -> Result:
    """Call it in this process, with no terminal."""
    cleared = dict.fromkeys(name for name in os.environ if name.startswith(FOREIGN))
    runner = CliRunner(env={**cleared, **_folders(data), **more})
    return runner.invoke(headway, list(arguments), input=input)


def program(data: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run it as a program to its end."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        env=options.pop("env", environment(data)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )
