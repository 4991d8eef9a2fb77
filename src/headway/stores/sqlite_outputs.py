"""What activities have printed last, in the sqlite store's database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping

CHUNK = 1024 * 1024
"""Characters that are written in one transaction, about: commits wait at most that long."""

SLACK = 16
"""One part in so many of the room is freed beyond what is needed, so that what to free is not looked for often."""


class Outputs:
    """The table ``output`` as operations."""

    def __init__(self, connection: sqlite3.Connection, room: int) -> None:
        """``room``: bytes in all."""
        self._connection = connection
        self._room = room

    def save(self, outputs: Mapping[str, str], now: float) -> None:
        """Write texts over what was there, as far as there are records. Within a transaction."""
        # ``WHERE`` is also what lets SQLite tell ON CONFLICT from the ON of a join.
        self._connection.executemany(
            "INSERT INTO output (uuid, saved_at, size, text) SELECT ?1, ?2, ?3, ?4"
            " WHERE EXISTS (SELECT 1 FROM activity WHERE uuid = ?1)"
            " ON CONFLICT (uuid) DO UPDATE"
            " SET saved_at = excluded.saved_at, size = excluded.size, text = excluded.text",
            ((uuid, now, len(text.encode()), text) for uuid, text in outputs.items()),
        )
        self._make_room()

    def get(self, uuid: str) -> str:
        """One text, empty where there is none."""
        row = self._connection.execute("SELECT text FROM output WHERE uuid = ?", (uuid,)).fetchone()
        return "" if row is None else str(row[0])

    def _make_room(self) -> None:
        (size,) = self._connection.execute("SELECT total(size) FROM output").fetchone()
        if size <= self._room:
            return
        excess = size - self._room + self._room // SLACK
        doomed: list[tuple[str]] = []
        for uuid, size in self._connection.execute(
            "SELECT uuid, size FROM output JOIN activity USING (uuid) ORDER BY ended_at IS NULL, saved_at"
        ):
            doomed.append((uuid,))
            excess -= size
            if excess <= 0:
                break
        self._connection.executemany("DELETE FROM output WHERE uuid = ?", doomed)


def chunks(outputs: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """What to write together."""
    chunk: dict[str, str] = {}
    size = 0
    for uuid, text in outputs.items():
        chunk[uuid] = text
        size += len(text)
        if size >= CHUNK:
            yield chunk
            chunk, size = {}, 0
    if chunk:
        yield chunk
