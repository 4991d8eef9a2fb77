"""An application as its authors write it, for publishers and workers."""

# Celery has no types.
# mypy: disable-error-code="import-untyped,no-untyped-def,untyped-decorator"

import os
import random
import time

import redis
from celery import Celery

import headway
from headway.integrations.celery import check_cancelled, track

BROKER = os.environ.get("SHOP_BROKER", "redis://127.0.0.1:1")
RESULTS = os.environ.get("SHOP_RESULTS", BROKER)
GRACE = 1.0
LEASE = 10.0

app = Celery("shop", broker=BROKER, backend=RESULTS)
app.conf.task_default_queue = os.environ.get("SHOP_QUEUE", "celery")
app.conf.result_backend_thread_safe = True  # else each thread has one, and nobody closes it
app.conf.worker_lost_wait = 0.5
app.conf.worker_prefetch_multiplier = 4
app.conf.broker_connection_retry_on_startup = True
if BROKER.startswith("filesystem"):
    folder = os.environ["SHOP_FOLDER"]
    app.conf.broker_transport_options = {
        "data_folder_in": folder,
        "data_folder_out": folder,
        "control_folder": f"{folder}/control",
    }
untrack = track(
    app, owner=2, lease=LEASE, grace=GRACE, title=lambda name, args, kwargs: f"{name} {args[0] if args else ''}".strip()
)


def note(text: str) -> None:
    """Leave word outside of all that is tested."""
    with redis.Redis.from_url(RESULTS, protocol=2) as client:
        client.rpush("notes", text)


@app.task(bind=True)
def count(self, total, pause=0.05):
    for number in range(total):
        self.update_state(state="PROGRESS", meta={"current": number + 1, "total": total, "status": f"film {number}"})
        time.sleep(pause)
    return total


@app.task
def report(percent, until):
    headway.current().report(percent, subtitle="in the middle")
    with redis.Redis.from_url(RESULTS, protocol=2) as client:
        client.blpop([until], 20)
    return percent


@app.task
def add(*numbers):
    time.sleep(0.1)
    return sum(sum(each) if isinstance(each, list) else each for each in numbers)


@app.task
def fail(*_):
    raise ValueError("no such film")


@app.task(bind=True, max_retries=3)
def retry(self, times):
    if self.request.retries < times:
        raise self.retry(countdown=0.6, exc=RuntimeError("not yet"))


@app.task
def nap(seconds, name="nap"):
    note(f"{name} {os.getpid()}")
    time.sleep(seconds)


@app.task
def look(seconds):
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        check_cancelled()
        time.sleep(0.02)


@app.task
def order(seconds):
    nap.delay(seconds, "part")


@app.task
def short():
    time.sleep(random.uniform(0.0, 0.15))
