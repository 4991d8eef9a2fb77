"""Processes that are told something and answer with a line of JSON."""

from __future__ import annotations

import json
import os
import select
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.machine import Role, apart

ROOT = Path(__file__).parent.parent

PATIENCE = 60.0
"""Seconds for an answer, beyond what it takes by itself."""


PARTING = 2.0
"""Seconds that a process may take to end."""


class Failed(Exception):
    """A server or a reader did not do what it was asked."""


def heard(process: subprocess.Popen[bytes], seconds: float = 0.0) -> dict[str, Any]:
    """What it answers; ``seconds``: what that takes by itself. Raises ``Failed``."""
    assert process.stdout is not None
    # The file has no buffer, so that what was not read yet is there to be selected.
    if not select.select([process.stdout], [], [], seconds + PATIENCE)[0]:
        raise Failed("no answer")
    line = process.stdout.readline()
    if not line:
        raise Failed(f"ended with {process.wait(PATIENCE)}")
    answer: dict[str, Any] = json.loads(line)
    if "error" in answer:
        raise Failed(answer["error"])
    return answer


def say(process: subprocess.Popen[bytes], line: str) -> None:
    """Tell it something. Raises ``Failed``."""
    assert process.stdin is not None
    try:
        process.stdin.write(line.encode() + b"\n")
    except BrokenPipeError:
        raise Failed("it does not listen any more") from None


@contextmanager
def started(command: Sequence[str], role: Role, descriptors: Sequence[int] = ()) -> Iterator[subprocess.Popen[bytes]]:
    """A process; ended with the block. ``descriptors``: those that it takes over."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    pipe = subprocess.PIPE
    with apart(role):
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, bufsize=0, stdin=pipe, stdout=pipe, pass_fds=descriptors
        )
    with process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(PARTING)
            except subprocess.TimeoutExpired:  # it waits for someone
                process.kill()
