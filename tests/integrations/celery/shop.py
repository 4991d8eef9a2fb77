"""An application as its authors write it, for publishers and workers."""

# Celery has no types.
# mypy: disable-error-code="import-untyped,no-untyped-def,untyped-decorator"

import os
import random
import signal
import time
from contextvars import ContextVar

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
activities = headway.Activities("memory:") if "SHOP_SITE" in os.environ else None
customer = ContextVar("customer", default=2)
untrack = track(
    app,
    activities=activities,
    owner=customer.get,
    lease=LEASE,
    grace=GRACE,
    title=lambda name, args, kwargs: f"{name} {args[0] if args else ''}".strip(),
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
def retry(self, times, countdown):
    if self.request.retries < times:
        raise self.retry(countdown=countdown, exc=RuntimeError("not yet"))


@app.task
def nap(seconds, name="nap"):
    note(f"{name} {os.getpid()}")
    time.sleep(seconds)


@app.task
def hold(name):
    """Until it is released by this name."""
    note(f"{name} {os.getpid()}")
    with redis.Redis.from_url(RESULTS, protocol=2) as client:
        client.blpop([name], 60)


@app.task(acks_late=True, reject_on_worker_lost=True)
def again(name):
    """Waits for its end the first time, and not the second."""
    note(f"{name} {os.getpid()}")
    with redis.Redis.from_url(RESULTS, protocol=2) as client:
        if client.incr(f"runs {name}") == 1:
            time.sleep(30)


@app.task
def tidy(name):
    """Handles SIGTERM."""

    def stop(*_):
        note(f"{name}-tidied 0")
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    note(f"{name} {os.getpid()}")
    time.sleep(30)


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
def climb(levels):
    """Publishes itself as often, one below the other."""
    if levels:
        climb.delay(levels - 1)


@app.task
def later():
    nap.apply_async((0, "later"), countdown=0.2)


@app.task
def eager(name):
    """Does another task itself, which publishes one."""
    order.apply((0,)).get(disable_sync_subtasks=False)
    note(f"{name} {os.getpid()}")


@app.task
def short():
    time.sleep(random.uniform(0.0, 0.15))
