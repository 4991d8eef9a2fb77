"""The command line as its tests call it: in this process, or as a program of its own, never with anyone else's data."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from headway.cli import headway

PROGRAM = (sys.executable, "-c", "from headway.cli import main; main()")


def environment(data: Path, **more: str) -> dict[str, str]:
    """The environment of a program: what is set for others does not count here."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HEADWAY_", "NO_COLOR"))}
    return {**inherited, "HEADWAY_DATA": str(data), **more}


def invoke(data: Path, *arguments: str, **more: str) -> Result:
    """Call it in this process, with no terminal."""
    cleared = {"HEADWAY_URL": None, "HEADWAY_TOKEN": None, "NO_COLOR": None, "FORCE_COLOR": None}
    return CliRunner(env={**cleared, "HEADWAY_DATA": str(data), **more}).invoke(headway, list(arguments))


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
