"""What lies in the broker is nobody's: each worker looks after all of it.

A second of its own for one request: which tasks wait, and which of them are to stop. As long as there is a worker, they
live; one that is to stop is revoked by each worker, and has stopped when all have had the time to learn of it. A chain,
group or chord has no process either: whoever sees that its last task has ended, ends it.
"""

# Celery has no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import time
from collections.abc import Iterable

import celery.worker.state as worker_state

from headway.client import Client, Row, State
from headway.integrations.celery.ticket import CANVAS, CONTEXT, NOT_RUN, is_nobodys
from headway.integrations.queues.keeper import SIGN_OF_LIFE, end, keep
from headway.integrations.queues.ticket import QUEUED, lies_in_broker

LEARNING = 3.0
"""Seconds after which every worker has learned of a cancel."""

QUIET = 2.0
"""Seconds without a live part after which a whole of unknown size has ended."""

PAGES = 20
"""Pages of ended parts that are looked at."""


class Keeper:
    """Looks after what nobody has in hand."""

    def __init__(self, app: str) -> None:
        self._app = app
        self._told = 0.0
        self._cancelling: dict[str, float] = {}
        self._quiet: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<Keeper cancelling={len(self._cancelling)} quiet={len(self._quiet)}>"

    def look(self, client: Client) -> None:
        """Once a second."""
        now = time.monotonic()
        waiting = [row for row in self._rows(client, QUEUED) if lies_in_broker(CONTEXT, row.context or {})]
        self._revoke(client, [row for row in waiting if row.state == State.CANCELLING or _is_revoked(row)], now)
        canvases = self._rows(client, CANVAS)
        ended = {row.uuid for row in canvases if self._ends(client, row, now)}
        if now - self._told >= SIGN_OF_LIFE:
            self._told = now
            keep(client, [row.uuid for row in (*waiting, *canvases) if row.uuid not in ended])

    def keep(self, client: Client) -> None:
        """Say that what lies in the broker lives; for those who publish, now and then."""
        rows = (*self._rows(client, QUEUED), *self._rows(client, CANVAS))
        keep(client, [row.uuid for row in rows if is_nobodys(row.context or {})])

    def _revoke(self, client: Client, rows: list[Row], now: float) -> None:
        self._cancelling = {row.uuid: self._cancelling.get(row.uuid, now) for row in rows}
        for row in rows:
            worker_state.revoked.add((row.context or {}).get("taskID"))
            if now - self._cancelling[row.uuid] > LEARNING:
                end(client, row.uuid, State.CANCELLED, None, asked=row.state == State.CANCELLING)

    def _rows(self, client: Client, where: str) -> list[Row]:
        return client.activities.list(context={CONTEXT: where, "app": self._app}).rows

    def _ends(self, client: Client, whole: Row, now: float) -> bool:
        """End it if all of its parts have; whether it has."""
        if client.activities.list(parent=whole.uuid).rows:
            self._quiet.pop(whole.uuid, None)
            return False
        parts = list(_ended_parts(client, whole.uuid))
        size = int((whole.context or {}).get("tasks", 0))
        since = self._quiet.setdefault(whole.uuid, now)
        if not parts or len(parts) < size or (not size and now - since < QUIET):
            return not parts and now - since > 60.0  # nothing has come of it: it may lapse
        del self._quiet[whole.uuid]
        end(client, whole.uuid, *_sum(whole, parts), asked=True)
        return True


def _is_revoked(row: Row) -> bool:
    """By Celery's own means, of which each worker is told; or by us."""
    return (row.context or {}).get("taskID") in worker_state.revoked


def _sum(whole: Row, parts: list[Row]) -> tuple[State, str | None]:
    bad = [part for part in parts if part.state in (State.FAILED, State.LOST)]
    if whole.cancel_requested and any(part.state == State.CANCELLED for part in parts):
        return State.CANCELLED, None
    if bad:
        first = min(bad, key=lambda part: ((part.error or "").startswith(NOT_RUN), part.ended_at or 0.0))
        return State.FAILED, f"{first.title}: {first.error or first.state}"
    if any(part.state == State.CANCELLED for part in parts):
        return State.FAILED, "a part of it was cancelled"
    return State.SUCCEEDED, None


def _ended_parts(client: Client, uuid: str) -> Iterable[Row]:
    before = None
    for _ in range(PAGES):
        page = client.activities.history(parent=uuid, before=before)
        yield from page.rows
        before = page.cursor
        if before is None:
            return
