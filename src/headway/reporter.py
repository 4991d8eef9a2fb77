"""The handle that running code holds: it reports progress and learns of a cancel.

Reporting never raises into the job: what cannot be shown is clamped, cleaned or left out, and said once in the log.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headway.core.activity import Activity, Attributes
from headway.core.errors import HeadwayError
from headway.core.lifecycle import Report
from headway.core.text import clean, shortened
from headway.wire import bags, requests, rules

if TYPE_CHECKING:
    from headway.hub import Activities

_log = logging.getLogger("headway")


class Reporter:
    """One running activity, from the inside."""

    def __init__(self, activities: Activities, activity: Activity) -> None:
        self._activities = activities
        self._activity = activity
        self._warned = False

    def __repr__(self) -> str:
        return f"<Reporter {self.uuid} {self.activity.state.value} {self.activity.progress.percent}%>"

    @property
    def uuid(self) -> str:
        """The id clients follow and cancel it by."""
        return self._activity.uuid

    @property
    def activity(self) -> Activity:
        """The newest committed record."""
        self._activity = self._activities.registry.known(self.uuid) or self._activity
        return self._activity

    @property
    def cancel_requested(self) -> bool:
        """True once somebody has asked it to stop."""
        return self.activity.cancel is not None

    def report(
        self,
        progress: float | None = None,
        *,
        completed: float | None = None,
        total: float | None = None,
        unit: str | None = None,
        title: str | None = None,
        subtitle: str | None = None,
        context: Mapping[str, Any] | None = None,
        response: Mapping[str, Any] | None = None,
    ) -> None:
        """Say how the work stands; what is not given stays as it was. A memory write, safe from any thread.

        ``progress``: percent 0..100, or -1 for indeterminate. ``completed`` of ``total``: counted in ``unit``, an
        alternative to percent. ``context`` and ``response``: flat, merged into what is there.
        """
        news = Report(
            progress=_within(progress, -1.0, 100.0),
            completed=_within(completed, 0.0, rules.MAX_COUNT),
            total=_within(total, 0.0, rules.MAX_COUNT),
            unit=_fitted(unit, requests.MAX_UNIT),
            title=_fitted(title, requests.MAX_TITLE),
            subtitle=_fitted(subtitle, requests.MAX_SUBTITLE),
            context=self._bag("context", context, bags.CONTEXT),
            response=self._bag("response", response, bags.RESPONSE),
        )
        try:
            self._activities.report(self.uuid, news)
        except HeadwayError:  # it has ended: whatever is said now interests nobody
            return

    def _bag(self, name: str, values: Mapping[str, Any] | None, rule: bags.BagRule) -> Attributes | None:
        if values is None:
            return None
        try:
            bag = rule(name, values)
            said = getattr(self._activities.preview(self.activity), name) or {}
            rule.check_size(name, {**said, **bag})  # it grows with every report
            return bag
        except Exception as error:  # whatever is wrong with them, the job is not to blame
            if not self._warned:
                self._warned = True
                _log.warning("activity %s: not reported: %s", self.uuid, error)
            return None


def _within(value: float | None, low: float, high: float) -> float | None:
    if value is None:
        return None
    if type(value) is not int:  # other libraries have numbers of their own, which no store can write down
        try:
            value = float(value)
        except (TypeError, ValueError, OverflowError):
            return None
        if math.isnan(value):
            return None
    return min(high, max(low, value))


def _fitted(text: str | None, limit: int) -> str | None:
    return None if text is None else shortened(clean(str(text)), limit)
