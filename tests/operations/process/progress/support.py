"""Feeding readers, for the tests beside."""

from collections.abc import Iterable
from pathlib import Path

from headway.operations.process.progress import Line, Reading, Rule, reader

RECORDINGS = Path(__file__).parent / "recordings"


def recording(name: str) -> bytes:
    return (RECORDINGS / name).read_bytes()


def readings(rule: str, output: bytes | str) -> list[Reading]:
    """All that is read when the output comes line by line."""
    data = output.encode() if isinstance(output, str) else output
    return all_of(rule, data.replace(b"\n", b"\n\0").replace(b"\r", b"\r\0").split(b"\0"))


def all_of(rule: str, chunks: Iterable[bytes]) -> list[Reading]:
    """All that is read when the output comes in these chunks."""
    told = reader(rule)
    return [reading for reading in (*map(told.feed, chunks), told.flush()) if reading is not None]


def last(rule: str, output: bytes | str) -> Reading | None:
    told = readings(rule, output)
    return told[-1] if told else None


def read(rule: Rule, *texts: str) -> Reading | None:
    """What a rule says of the last of these lines."""
    reading = None
    for text in texts:
        reading = rule.read(Line(text.encode()))
    return reading
