"""``@activities.activity(...)``: each call of a function is an operation."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from headway.operations.options import StartOptions, check_names
from headway.operations.spawn import is_coroutine_function
from headway.operations.start import Start
from headway.operations.thread import no_coroutine

if TYPE_CHECKING:
    from headway.hub import Activities

P = ParamSpec("P")
T = TypeVar("T")


class Decorator:
    """What ``activities.activity(...)`` gives: call it with a function, or write it with an ``@`` above one.

    Options are those of ``Activities.start``; one that is callable is called with the arguments of the function::

        @activities.activity("library.scan", title=lambda folder: f"Scanning {folder}")
        async def scan(folder): ...

    A plain function blocks its thread while its start and its end are recorded, and cannot be called in a coroutine;
    use ``activities.spawn`` or ``asyncio.to_thread`` there. A generator's call does nothing yet: write
    ``activities.start`` in it.
    """

    def __init__(self, activities: Activities, type: str, options: Mapping[str, Any]) -> None:
        self._activities = activities
        self._type = type
        self._options = options
        check_names(options)
        self._start((), {}, resolved=False)  # what is wrong with the options is said where they are written

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        """The function as an operation. Raises TypeError for what a call of does not do the work."""
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError("only a function or a coroutine function can be an activity, and no generator")
        if is_coroutine_function(function):

            @functools.wraps(function)
            async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:
                async with self._start(args, kwargs):
                    return await cast(Callable[P, Any], function)(*args, **kwargs)

            return cast(Callable[P, T], awaited)

        @functools.wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> T:
            with self._start(args, kwargs):
                return no_coroutine(function(*args, **kwargs))

        return called

    def _start(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], resolved: bool = True) -> Start:
        options = {
            name: value(*args, **kwargs) if callable(value) else value
            for name, value in self._options.items()
            if resolved or not callable(value)
        }
        return Start(self._activities, self._type, **cast(StartOptions, options))
