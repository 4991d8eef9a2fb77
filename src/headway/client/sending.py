"""One call from beginning to end: what is said, tried again, logged and read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from headway.client.exchange import Answer, Call, Sendable
from headway.client.options import SECRET, Logger, Options
from headway.client.steps import Clock, Sleep, Steps, exchange
from headway.core.errors import HeadwayError

T = TypeVar("T")


def send(call: Call[T], options: Options, clock: Clock) -> Steps[T]:
    """What the server says to a call, as the call reads it. Raises ``HeadwayError``."""
    value, _ = yield from send_for_answer(call, options, clock)
    return value


def send_for_answer(call: Call[T], options: Options, clock: Clock) -> Steps[tuple[T, Answer]]:
    """The same, with the answer as it came."""
    attempts = options.retries.begin(clock())
    while True:
        request = prepared(call, options)
        try:
            answer = yield from _exchange(request, options, clock)
        except HeadwayError as error:
            wait = attempts.unanswered(error, call.request, clock())
            if wait is None:
                _failed(request, error, options)
                raise
        else:
            try:
                return call.read(answer), answer
            except HeadwayError as error:
                wait = attempts.refused(answer, clock())
                if wait is None:
                    _failed(request, error, options)
                    raise
        yield Sleep(wait)


def prepared(call: Call[T], options: Options) -> Sendable:
    """The request as it goes out, once the hooks have seen it."""
    request = options.sendable(call.request)
    for hooks in options.hooks:
        request = hooks.before_request(request)
    return request


def log_request(logger: Logger | None, request: Sendable) -> None:
    """Tell a logger what is asked."""
    if logger is not None:
        logger.debug("%s %s %s", request.method, request.url, redacted(request.headers))


def log_answer(logger: Logger | None, request: Sendable, answer: Answer, seconds: float) -> None:
    """Tell a logger what was answered."""
    if logger is not None:
        told = (request.method, request.url, answer.status, seconds * 1000, redacted(answer.headers))
        logger.debug("%s %s: %d after %.0f ms %s", *told)


def redacted(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers as they may be shown: what opens a server is blotted out."""
    return {name: "…" if name.lower() in SECRET else value for name, value in headers.items()}


def _exchange(request: Sendable, options: Options, clock: Clock) -> Steps[Answer]:
    logger, asked = options.settings.get("logger"), clock()
    log_request(logger, request)
    answer = yield from exchange(request)
    log_answer(logger, request, answer, clock() - asked)
    for hooks in options.hooks if answer.status < 400 else ():
        answer = hooks.after_success(request, answer)
    return answer


def _failed(request: Sendable, error: HeadwayError, options: Options) -> None:
    for hooks in options.hooks:
        hooks.after_error(request, error)
    logger = options.settings.get("logger")
    if logger is not None:
        logger.debug("%s %s failed: %s", request.method, request.url, error.message)
