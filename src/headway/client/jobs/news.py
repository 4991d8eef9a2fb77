"""What a job says about itself, made to fit the rules of the wire: reporting never raises into the job."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from headway.core.activity import Attributes
from headway.core.errors import InvalidInput
from headway.core.lifecycle import Report
from headway.wire import bags, fitting, requests

MAX_TYPE = 128
_NOT_IN_TYPE = re.compile(r"[^A-Za-z0-9._-]+")
_BOUNDS = {
    "lease": (requests.MIN_LEASE, requests.MAX_LEASE),
    "grace": (0.0, requests.MAX_GRACE),
    "weight": (requests.MIN_WEIGHT, requests.MAX_WEIGHT),
    "timeout": (requests.MIN_TIMEOUT, requests.MAX_TIMEOUT),
    "stall": (requests.MIN_STALL, requests.MAX_STALL),
}
_log = logging.getLogger("headway")


def fitted(
    *,
    progress: float | None = None,
    completed: float | None = None,
    total: float | None = None,
    unit: str | None = None,
    title: str | None = None,
    subtitle: str | None = None,
    context: Mapping[str, Any] | None = None,
    response: Mapping[str, Any] | None = None,
) -> Report:
    """A report that no server refuses: numbers clamped, text cleaned and shortened, bags that break a rule left out."""
    return Report(
        progress=fitting.percent(progress),
        completed=fitting.count(completed),
        total=fitting.count(total),
        unit=fitting.text(unit, requests.MAX_UNIT),
        title=fitting.text(title, requests.MAX_TITLE),
        subtitle=fitting.text(subtitle, requests.MAX_SUBTITLE),
        context=_bag("context", context, bags.CONTEXT),
        response=_bag("response", response, bags.RESPONSE),
    )


def with_context(report: Report, **more: str) -> Report:
    """The report with more members in its context, as far as there is room for them."""
    context = {**(report.context or {}), **more}
    try:
        return report.then(Report(context=bags.CONTEXT("context", context)))
    except InvalidInput:
        return report


def fitted_settings(settings: Mapping[str, float | None]) -> dict[str, float]:
    """What is said at the start and never changes, brought within the bounds of the rules; no numbers are left out."""
    fit: dict[str, float] = {}
    for name, value in settings.items():
        low, high = _BOUNDS[name]
        number = fitting.count(value)
        if number is not None:
            fit[name] = min(high, max(low, number))
    return fit


def fitted_type(name: str) -> str:
    """A type that names something by its own name, as near as the rules allow; never empty."""
    return _NOT_IN_TYPE.sub("-", str(name))[:MAX_TYPE].strip("-") or "unnamed"


def _bag(name: str, values: Mapping[str, Any] | None, rule: bags.BagRule) -> Attributes | None:
    if values is None:
        return None
    try:
        return rule(name, values)
    except InvalidInput as error:
        _log.warning("not reported: %s", error.message)
        return None
