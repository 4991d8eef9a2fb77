"""Tasks of Celery."""

# Celery has no types.
# mypy: disable-error-code="import-untyped,no-untyped-def,untyped-decorator"

from typing import Any

from celery import Celery

from headway.integrations.celery import track
from tests.integrations.queues import work

app = Celery("queues", broker=work.BROKER, backend=work.BROKER)
app.conf.result_backend_thread_safe = True
app.conf.worker_lost_wait = 0.5
app.conf.broker_connection_retry_on_startup = True
untrack = track(app, **work.SETTINGS)

fail = app.task(work.fail)
report = app.task(work.report)
nap = app.task(work.nap)
spin = app.task(work.spin)
look = app.task(work.look)
short = app.task(work.short)


@app.task(bind=True, max_retries=3)
def once(self, name):
    try:
        work.once(name)
    except RuntimeError as error:
        raise self.retry(countdown=0.1, exc=error) from error


@app.task
def order(seconds, name):
    nap.delay(seconds, name)


async def publish(task: str, *args: Any) -> str:
    """The id of what is published."""
    return str(globals()[task].delay(*args).id)


async def stop(id: str) -> None:
    app.control.revoke(id, terminate=True)


async def close() -> None:
    untrack()
    app.close()
