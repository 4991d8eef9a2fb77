"""Which activities a list, a stream or the history is narrowed to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from headway.core.activity import Activity, Scalar, State
from headway.core.scalars import shown


class Narrowing(msgspec.Struct, frozen=True):
    """What activities must be like; what is not given may be anything.

    Equal narrowings are equal and hash alike: watchers that want the same share what is encoded for them.
    """

    type: str | None = None
    uuid: str | None = None
    state: State | None = None
    parent: str | None = None
    text: str | None = None
    """Part of the title, the subtitle, the type or a value of the context, whatever the case; itself case-folded."""
    context: tuple[tuple[str, str], ...] = ()
    """Members the context must have, by key, their values as XML shows them."""
    owner: int | None = None

    def admits(self, activity: Activity) -> bool:
        """True for an activity that is wanted."""
        return (
            self.type in (None, activity.type)
            and self.uuid in (None, activity.uuid)
            and self.state in (None, activity.state)
            and self.parent in (None, activity.parent)
            and self.owner in (None, activity.owner)
            and self._speaks_of_it(activity)
            and self._is_about_it(activity)
        )

    def _speaks_of_it(self, activity: Activity) -> bool:
        if self.text is None:
            return True
        return speaks_of(self.text, (activity.title, activity.subtitle, activity.type), activity.context)

    def _is_about_it(self, activity: Activity) -> bool:
        about = activity.context or {}
        return all(key in about and _matches(about[key], wanted) for key, wanted in self.context)


EVERYTHING = Narrowing()


def speaks_of(text: str, words: Iterable[str], context: Mapping[str, Scalar] | None) -> bool:
    """Whether a case-folded text is part of a word or of a value of the context, where that says something."""
    said = [shown(value) for value in (context or {}).values() if not isinstance(value, bool)]
    return any(text in each.casefold() for each in (*words, *said))


def _matches(value: Scalar, wanted: str) -> bool:
    # A query has no types: true may be asked for as XML shows it or as JSON writes it.
    return wanted == shown(value) or (isinstance(value, bool) and wanted == str(value).lower())
