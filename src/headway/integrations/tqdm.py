"""tqdm's bars, which also tell the activity that the code runs in.

One line changes in a program::

    from headway.integrations.tqdm import tqdm  # instead of: from tqdm import tqdm

The bar is shown, or disabled, as before. Outside of an activity nothing else happens.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from tqdm.auto import tqdm as _tqdm

from headway.context import current

if TYPE_CHECKING:
    _Bar: TypeAlias = _tqdm[Any]
else:
    _Bar = _tqdm  # it is generic in its stubs alone

__all__ = ["tqdm", "trange"]

_telling: dict[str, int] = {}
"""For each activity the bar that tells of it: the outermost, whose end is the end of the work."""


class tqdm(_Bar):  # type: ignore[misc]
    """A ``tqdm.auto.tqdm`` that reports its count, total, unit and description to the current activity.

    Of bars within bars the outermost reports. When the activity is to stop, its bar raises
    ``asyncio.CancelledError`` at the next item, as ``activity.track`` does.
    """

    n: float

    def __init__(self, *args: Any, **options: Any) -> None:
        """As tqdm's."""
        self._activity = current()
        self._tells = bool(self._activity) and _telling.setdefault(self._activity.uuid, id(self)) == id(self)
        super().__init__(*args, **options)
        unit = options.get("unit", "it")
        self._tell(self.n, total=self.total, unit=unit, subtitle=options.get("desc") or None)

    def __iter__(self) -> Iterator[Any]:
        done = self.n
        try:
            for item in super().__iter__():
                self._check()
                yield item
                done += 1
                self._tell(done)
        finally:
            self._release()

    async def __anext__(self) -> Any:
        self._check()
        return await super().__anext__()

    def update(self, n: float | None = 1) -> bool | None:
        """As tqdm's; counts also while no bar is shown."""
        shown: bool | None = super().update(n)
        if self.disable:
            self.n += 1 if n is None else n
        self._tell(self.n)
        return shown

    def reset(self, total: float | None = None) -> None:
        """As tqdm's."""
        super().reset(total)
        self._tell(0, total=total)

    def set_description(self, desc: str | None = None, refresh: bool | None = True) -> None:
        """As tqdm's; it becomes the subtitle."""
        super().set_description(desc, refresh)
        if self._tells and desc:
            self._activity.report(subtitle=desc)

    def close(self) -> None:
        """As tqdm's."""
        super().close()
        self._release()

    def _tell(self, done: float, **said: Any) -> None:
        if self._tells:
            self._activity.report(completed=done, **said)

    def _check(self) -> None:
        if self._tells:
            self._activity.check_cancelled()

    def _release(self) -> None:
        # Of a bar whose making failed, tqdm calls this too.
        if getattr(self, "_tells", False):
            self._tells = False
            _telling.pop(self._activity.uuid, None)


def trange(*args: int, **options: Any) -> tqdm:
    """``tqdm(range(*args), **options)``."""
    return tqdm(range(*args), **options)
