"""What lies in the broker is nobody's: each worker looks after all of it, and so does who publishes.

One request a second: which tasks wait, and which of them are to stop. As long as somebody looks, they live. A worker
asks the server before it begins a task; so one that is to stop and still waits at the second look will not run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from headway.client import Client, Job, Row, State
from headway.client.jobs.batches import pack
from headway.core.errors import HeadwayError, Unavailable
from headway.integrations.queues.ticket import QUEUED, lies_in_broker

LOOK, SELDOM = 1.0, 5.0
"""Seconds between two looks of a worker, and of a process that only publishes."""

SIGN_OF_LIFE = 5.0
"""Seconds between two of what is looked after."""

LEARNING = 0.9
"""Seconds in which a worker that has just begun a task has said so."""

Fate = tuple[State, str | None]
Fates = Callable[[Sequence[str]], Mapping[str, Fate]]
"""What has become of tasks, by their ids, that the library does not have in a queue any more."""


class Keeper:
    """Looks after what nobody has in hand."""

    def __init__(self, library: str, app: str) -> None:
        self._library, self._app = library, app
        self.fates: Fates | None = None
        """Set by those whose library can tell."""
        self._told = 0.0
        self._gone: dict[str, Fate] = {}
        self._ends: dict[str, tuple[float, Fate]] = {}

    def __repr__(self) -> str:
        return f"<Keeper {self._library} {self._app} ends={len(self._ends)}>"

    def look(self, client: Client) -> None:
        """Now and then."""
        now = time.monotonic()
        rows = client.activities.list(context={self._library: QUEUED, "app": self._app}).rows
        waiting = {row.uuid: row for row in rows if lies_in_broker(self._library, row.context or {})}
        living = {uuid: row for uuid, row in waiting.items() if row.state != State.CANCELLING}
        fates: dict[str, Fate] = dict.fromkeys(waiting.keys() - living, (State.CANCELLED, None))
        if now - self._told >= SIGN_OF_LIFE:
            self._told = now
            self._ask(living)
            keep(client, (uuid for uuid in living if uuid not in self._gone))
        fates |= {uuid: self._gone[uuid] for uuid in living if uuid in self._gone}
        self._ends = {uuid: self._ends.get(uuid, (now, fate)) for uuid, fate in fates.items()}
        for uuid, (since, fate) in self._ends.items():
            if now - since > LEARNING:
                end(client, uuid, *fate, asked=uuid not in living)

    def _ask(self, living: Mapping[str, Row]) -> None:
        """The library, what has become of those that it does not have any more."""
        ids = {uuid: str((row.context or {}).get("taskID")) for uuid, row in living.items()}
        known = self.fates(list(ids.values())) if self.fates is not None and ids else {}
        self._gone = {uuid: known[id] for uuid, id in ids.items() if id in known}


def keep(client: Client, uuids: Iterable[str]) -> None:
    """Say that these live."""
    for batch in pack((uuid, uuid, b"{}") for uuid in uuids):
        client.request(batch.request())


def end(client: Client, uuid: str, state: State, error: str | None, *, asked: bool) -> None:
    """``asked``: somebody has asked it to stop; else, if it was cancelled, that is put on record first."""
    try:
        if state is State.CANCELLED and not asked:
            client.activities.cancel(uuid)
        client.activities.finish(uuid, state, error=error)
    except Unavailable:
        raise
    except HeadwayError:  # somebody else was first
        pass


def cancelled(client: Client, job: Job) -> bool:
    """The library was asked to stop it, and not we: put the request on record before the end. Whether that is done."""
    if job.over or job.uuid is None:
        return job.over
    try:
        client.activities.cancel(job.uuid)
    except Unavailable:
        raise
    except HeadwayError:  # it has ended meanwhile
        pass
    job.finish(State.CANCELLED)
    return True
