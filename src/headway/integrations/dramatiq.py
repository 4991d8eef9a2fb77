"""dramatiq: its messages as activities.

One line where the broker is made, which publishers and workers import::

    from headway.integrations.dramatiq import HeadwayMiddleware

    broker.add_middleware(HeadwayMiddleware())

In an actor, ``headway.current()`` is its activity. A cancel interrupts it as dramatiq's own time limits do: by an
exception in its thread, between two steps of Python; a call into C, such as ``time.sleep``, is not left before it
returns.
"""

# dramatiq is typed in parts.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import ctypes
import threading
from typing import Any, Unpack

from dramatiq import Message, Middleware
from dramatiq.broker import Broker
from dramatiq.middleware import Interrupt, SkipMessage
from dramatiq.threading import current_platform, is_gevent_active, raise_thread_exception

from headway.client import State
from headway.core.errors import Cancelled
from headway.integrations.queues.ticket import HEADER
from headway.integrations.queues.tracker import Options, Run, Tracker

__all__ = ["Cancel", "HeadwayMiddleware"]


class Cancel(Interrupt):
    """Raised in the thread of an actor that is to stop."""


class HeadwayMiddleware(Middleware):
    """Shows the messages of a broker."""

    def __init__(self, *, interrupt: bool = True, **options: Unpack[Options]) -> None:
        """``interrupt``: stop actors by an exception in their thread; otherwise they have to look by themselves.

        ``options``: see ``Options``.
        """
        self.tracker: Tracker = Tracker("dramatiq", **options)
        self._interrupts = interrupt and current_platform == "CPython" and not is_gevent_active()
        self._turns: dict[int, Run] = {}
        """What each thread has in hand; the hooks around a message are called in the thread that processes it."""
        self._interruptible: set[Run] = set()
        self._lock = threading.Lock()

    def close(self) -> None:
        """Deliver what is still to be said; for programs that publish and close their broker."""
        self.tracker.close()

    def before_worker_boot(self, broker: Broker, worker: Any) -> None:
        """This process runs messages."""
        self.tracker.work()

    def after_worker_shutdown(self, broker: Broker, worker: Any) -> None:
        """No longer."""
        self.close()

    def after_declare_actor(self, broker: Broker, actor: Any) -> None:
        """An actor that was cancelled is not tried again."""
        throws = actor.options.get("throws") or ()
        actor.options["throws"] = (*(throws if isinstance(throws, tuple) else (throws,)), Cancelled, Cancel)

    # Where messages are sent

    def before_enqueue(self, broker: Broker, message: Message[Any], delay: int) -> None:
        """One is sent, for the first time or again."""
        if (run := self._turn(message)) is not None:  # it is tried again
            run.task = message.options.get("retries", 1)
        known = message.options.pop(HEADER, None)
        header = self.tracker.header(message.actor_name, message.message_id, known, message.args, message.kwargs)
        if header is not None:
            message.options[HEADER] = header

    def after_enqueue(self, broker: Broker, message: Message[Any], delay: int) -> None:
        """It has been sent."""
        if self._turn(message) is None:
            self.tracker.announce(message.options.get(HEADER))

    # Where they are processed

    def before_process_message(self, broker: Broker, message: Any) -> None:
        """One is about to be. Raises ``SkipMessage`` for one that is to stop."""
        if not self.tracker.wants(message.actor_name):
            return
        run = self._turns[threading.get_ident()] = self._begin(message)
        run.enter()
        if not run.may_begin():
            raise SkipMessage("cancelled before it began")
        if self._interrupts:
            self._interruptible.add(run)
            thread = threading.get_ident()
            run.on_stop(lambda: self._interrupt(run, thread))

    def after_process_message(
        self, broker: Broker, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """It has returned or raised."""
        run = self._turn(message)
        if run is None:
            return
        with self._lock:
            self._interruptible.discard(run)
        if self._interrupts:  # an exception that is on its way to this thread has come too late
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(threading.get_ident()), None)
        run.exit()
        run.error = exception

    def after_skip_message(self, broker: Broker, message: Any) -> None:
        """It does not run."""
        run = self._turn(message)
        if run is not None:
            run.exit()
        elif self.tracker.wants(message.actor_name) and not message.failed:
            self._begin(message).finish(State.FAILED, "skipped by a middleware")

    def before_ack(self, broker: Broker, message: Any) -> None:
        """It is done with, or tried again."""
        run = self._turn(message)
        if run is None:
            return
        del self._turns[threading.get_ident()]
        if run.task is not None:
            most = message.options.get("max_retries", broker.get_actor(message.actor_name).options.get("max_retries"))
            run.retried(run.task, most, run.error)
        else:
            _ended(run)

    def before_nack(self, broker: Broker, message: Any) -> None:
        """It has failed for good."""
        run = self._turn(message)
        if run is not None:
            del self._turns[threading.get_ident()]
        elif self.tracker.wants(message.actor_name):
            run = self._begin(message)
            run.error = message._exception
        if run is not None:
            _ended(run)

    def _begin(self, message: Any) -> Run:
        header = message.options.get(HEADER)
        return self.tracker.begin(
            message.actor_name, message.message_id, header, args=message.args, kwargs=message.kwargs
        )

    def _turn(self, message: Any) -> Run | None:
        run = self._turns.get(threading.get_ident())
        return run if run is not None and run.ticket.id == message.message_id else None

    def _interrupt(self, run: Run, thread: int) -> None:
        with self._lock:
            if run in self._interruptible:  # the thread is still at it
                raise_thread_exception(thread, Cancel)


def _ended(run: Run) -> None:
    if not run.over:
        run.ended(Cancelled("interrupted") if isinstance(run.error, Cancel) else run.error)
