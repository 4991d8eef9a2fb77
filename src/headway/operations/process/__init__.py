"""A command as an operation: its streams, its terminal, and its end, however it resists."""

from headway.operations.process.command import (
    CommandNotExecutable,
    CommandNotFound,
    NoWorkingDirectory,
    SpawnError,
    inherited,
)
from headway.operations.process.escalation import Stopped
from headway.operations.process.exits import ExitStatus
from headway.operations.process.process import Process
from headway.operations.process.pump import Tee
from headway.operations.process.signals import FORWARDED
from headway.operations.process.terminal import Terminal

__all__ = [
    "FORWARDED",
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
