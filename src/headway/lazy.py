"""Names of a package that are imported when they are first asked for: the command line and the client need none of the
hub, and each brings libraries that the other does without.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package (PEP 562). ``homes``: the module that each name comes from."""
    members = vars(sys.modules[package])

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = members[name] = getattr(import_module(homes[name]), name)
        return value

    return get, lambda: sorted(members["__all__"])
