"""The command of an operation, and why one cannot be started.

SpawnError                    e.g. no memory, too many processes
├── CommandNotFound           a shell's exit code 127
├── CommandNotExecutable      a shell's exit code 126
└── NoWorkingDirectory
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headway.core.errors import HeadwayError

MISSING = (errno.ENOENT, errno.ENOTDIR)
EXHAUSTED = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)


class SpawnError(HeadwayError):
    """The command could not be started."""

    code = "cannot_start"


class CommandNotFound(SpawnError):
    """There is no such command."""


class CommandNotExecutable(SpawnError):
    """There is such a file, but the system will not run it."""


class NoWorkingDirectory(SpawnError):
    """The folder to start in does not exist or may not be entered."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to run: never a shell's line, always a list."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    cwd: str | os.PathLike[str] | None = None
    pass_fds: Sequence[int] = ()

    def check(self) -> None:
        """Refuse what could not be told apart later: the system says ENOENT of a folder as of a command."""
        if not self.argv:
            raise ValueError("a command has at least one word")
        if self.cwd is not None and not (os.path.isdir(self.cwd) and os.access(self.cwd, os.X_OK)):
            raise NoWorkingDirectory(f"{os.fspath(self.cwd)}: no such folder, or it may not be entered")

    def refusal(self, number: int) -> SpawnError:
        """The error for what the system answered (an ``errno``) when asked to run this."""
        name, reason = self.argv[0], os.strerror(number)
        if number in EXHAUSTED:
            return SpawnError(f"{name}: {reason}")
        if number not in MISSING:
            return CommandNotExecutable(f"{name}: {reason}")
        if self._found():
            return CommandNotExecutable(f"{name}: the interpreter named in its first line does not exist")
        return CommandNotFound(f"{name}: command not found" if "/" not in name else f"{name}: {reason}")

    def _found(self) -> bool:
        name = self.argv[0]
        if "/" in name:
            return os.path.isfile(os.path.join(self.cwd or "", name))
        return shutil.which(name, path=self.environment.get("PATH", os.defpath)) is not None


def inherited() -> list[int]:
    """Descriptors beyond the standard ones that this process was given and its children may share: a make jobserver's,
    or what a shell opened with ``3>file``. Python never makes its own ones inheritable (PEP 446)."""
    with os.scandir("/dev/fd") as entries:
        numbers = [int(entry.name) for entry in entries]
    found = []
    for number in numbers:
        with contextlib.suppress(OSError):  # the one that listed them is closed again
            if number > 2 and os.get_inheritable(number):
                found.append(number)
    return found
