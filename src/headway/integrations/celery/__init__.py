"""Celery: its tasks, groups, chords and chains as activities.

One line where the application is made, which publishers and workers import::

    from headway.integrations.celery import track

    app = Celery("shop", broker="redis://")
    track(app)

Publishers put a header into their messages and wait for nobody; workers report to the server in the background. In a
task, ``headway.current()`` is its activity; ``self.update_state(meta={"current": 3, "total": 10})`` tells it, too.
"""

# Celery has no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from typing import Any

from celery import Celery, signals

from headway.client.jobs.news import fitted_type
from headway.client.options import URL_VARIABLE
from headway.context import current
from headway.hub import Activities
from headway.integrations.celery.jobs import Jobs
from headway.integrations.celery.keeper import Keeper
from headway.integrations.celery.publishing import Embedded, Publishing, Rules
from headway.integrations.celery.worker import Worker
from headway.integrations.queues.link import Link

__all__ = ["check_cancelled", "track"]

LEASE = 30.0
"""Seconds without a sign of life after which a task counts as lost."""

GRACE = 10.0
"""Seconds that a task has to stop."""


def track(
    app: Celery,
    url: str | None = None,
    token: str | None = None,
    *,
    activities: Activities | None = None,
    tasks: Collection[str] | Callable[[str], bool] | None = None,
    title: Callable[[str, Any, Any], str] | None = None,
    owner: int | Callable[[], int | None] | None = None,
    terminate: bool = True,
    lease: float = LEASE,
    grace: float = GRACE,
) -> Callable[[], None]:
    """Show the tasks of an application as activities, until what this returns is called.

    ``url``, ``token``: of the Headway server; or else ``HEADWAY_URL`` and ``HEADWAY_TOKEN``. Tasks for other users than
    the token's own need one of an admin. ``activities``: those of this process, where it publishes tasks; its workers
    still report to ``url``. ``tasks``: names of those to show, or what tells of a name whether it is one; all but
    Celery's own, if not said. ``title``: of a task, from its name, args and kwargs; its name, if not said. ``owner``:
    the user whose they are, or what tells that where one is published; the token's user, if not said. ``terminate``:
    end the pool process of a task that is to stop; else the task has to look by itself. ``lease``, ``grace``: seconds.
    """
    rules = Rules(
        app=app.main or "celery",
        wants=_wants(tasks),
        type=fitted_type,
        title=title or (lambda name, args, kwargs: name),
        owner=owner if callable(owner) else lambda: owner,
        lease=lease,
        grace=grace,
    )
    link = Link(url, token)
    jobs = Jobs(link)
    worker = Worker(rules, jobs, terminate=terminate)
    embedded = None if activities is None else Embedded(activities)
    known = url is not None or URL_VARIABLE in os.environ
    publishing = Publishing(rules, jobs if known else None, embedded, worker.running, worker.again)
    publishing.keep = Keeper(rules.app).keep

    def begins(**options: Any) -> None:
        # A worker reports to the server, whatever it imports.
        publishing.jobs, publishing.embedded, publishing.keep = jobs, None, None
        worker.begins(**options)

    receivers = (
        (signals.before_task_publish, publishing.publishing),
        (signals.worker_init, begins),
        (signals.worker_process_init, worker.pool_process_begins),
        (signals.worker_process_shutdown, worker.ends),
        (signals.worker_shutdown, worker.ends),
        (signals.task_received, worker.received),
        (signals.task_revoked, worker.revoked),
        (signals.task_prerun, worker.prerun),
        (signals.task_postrun, worker.postrun),
    )
    for signal, receiver in receivers:
        signal.connect(receiver, weak=False)

    def stop() -> None:
        for signal, receiver in receivers:
            signal.disconnect(receiver)
        link.close()

    return stop


def check_cancelled() -> None:
    """Stop here if the task that runs is to stop: raises ``Cancelled``. For pools that cannot end a task."""
    current().check_cancelled()


def _wants(tasks: Collection[str] | Callable[[str], bool] | None) -> Callable[[str], bool]:
    if callable(tasks):
        return tasks
    if tasks is None:
        return lambda name: not name.startswith("celery.")
    names = frozenset(tasks)
    return names.__contains__
