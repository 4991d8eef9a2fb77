"""The outcome of a call as a value: for those who would rather look than catch."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from headway.client.errors import Refused
from headway.client.exchange import Answer
from headway.client.steps import Steps
from headway.core.errors import HeadwayError

T = TypeVar("T")


class Result(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """What became of a call: a ``value`` or an ``error``, and what the server answered."""

    value: T | None = None
    """What the call returns; None when it failed."""
    error: HeadwayError | None = None
    """What it would have raised; None when it went well."""
    answer: Answer | None = None
    """Status, headers and body as they came; None when no answer did."""

    @property
    def ok(self) -> bool:
        """True when it went well."""
        return self.error is None

    def unwrap(self) -> T:
        """The value. Raises the error where there is one."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]


def as_result(steps: Steps[tuple[T, Answer]]) -> Steps[Result[T]]:
    """Steps that do not fail."""
    try:
        value, answer = yield from steps
    except HeadwayError as error:
        return Result(error=error, answer=error.answer if isinstance(error, Refused) else None)
    return Result(value=value, answer=answer)
