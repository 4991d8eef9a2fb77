"""Reads progress from what command-line tools print. Pure: bytes in, progress out, no I/O and no clock."""

from headway.cli.progress.reader import RULES, ProgressReader, reader
from headway.cli.progress.reading import Reading, Rule
from headway.cli.progress.terminal import Line

__all__ = ["RULES", "Line", "ProgressReader", "Reading", "Rule", "reader"]
