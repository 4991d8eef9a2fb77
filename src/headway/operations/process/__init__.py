"""A command as an operation: its streams, its terminal, and its end, however it resists.

What it cannot do: stop a process of another user (of ``sudo``, say), or find one that hides on purpose, as `lineage`
tells; stop itself by Ctrl-Z without vanishing from the server's sight meanwhile, as a stopped process says nothing;
keep what was typed ahead of a command's end for the shell, as what is read cannot be put back.
"""

from headway.operations.process.command import (
    CommandNotExecutable,
    CommandNotFound,
    NoWorkingDirectory,
    SpawnError,
    inherited,
)
from headway.operations.process.ending import CommandFailed
from headway.operations.process.escalation import Stopped
from headway.operations.process.exits import ExitStatus
from headway.operations.process.process import Process
from headway.operations.process.pump import Tee
from headway.operations.process.signals import FORWARDED
from headway.operations.process.terminal import Terminal

__all__ = [
    "FORWARDED",
    "CommandFailed",
    "CommandNotExecutable",
    "CommandNotFound",
    "ExitStatus",
    "NoWorkingDirectory",
    "Process",
    "SpawnError",
    "Stopped",
    "Tee",
    "Terminal",
    "inherited",
]
