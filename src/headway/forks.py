"""What becomes of an open hub in a forked child: nothing there may touch what belongs to the parent.

The child has a copy of the memory, but no event loop that runs, no writer thread, and a share in files and locks of
which it must let go: a lock that a child holds on to would outlive the parent.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forked(Protocol):
    """Something that a forked child must not go on with."""

    def forked(self) -> None:
        """This is the child. Must not block, raise, or take a lock that a thread of the parent may have held."""


REFUSAL = "this process was forked from the one that has these activities open; open others in it"

_open: weakref.WeakSet[Forked] = weakref.WeakSet()


def tell(one: Forked) -> None:
    """Tell it in the child of every fork from now on."""
    _open.add(one)


def _in_child() -> None:
    for one in list(_open):
        one.forked()
    _open.clear()


os.register_at_fork(after_in_child=_in_child)
