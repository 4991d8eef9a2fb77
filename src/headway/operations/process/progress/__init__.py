"""Reads progress from what command-line tools print: bytes in, progress out, no I/O. Only the meter knows the time."""

from headway.operations.process.progress.reader import RULES, ProgressReader, reader
from headway.operations.process.progress.reading import Reading, Rule
from headway.operations.process.progress.terminal import Line

__all__ = ["RULES", "Line", "ProgressReader", "Reading", "Rule", "reader"]
