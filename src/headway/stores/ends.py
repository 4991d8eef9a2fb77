"""What has ended, as far as a node remembers it: to be put back were a server to lose it, and told of once."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from headway.core.activity import Activity

REMEMBERED = 2_000
"""The newest."""


class Ends(OrderedDict[str, Activity]):
    """By uuid."""

    def add(self, record: Activity) -> None:
        """It has ended."""
        self[record.uuid] = record
        while len(self) > REMEMBERED:
            self.popitem(last=False)


def is_same_end(known: Activity | None, record: Activity) -> bool:
    """Whether it is the end that is known, under another revision: put back after a loss, and no news to anybody."""
    return (
        known is not None
        and record.ended
        and known.revision < record.revision
        and msgspec.structs.replace(known, revision=record.revision) == record
    )
