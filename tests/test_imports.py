"""Who may import whom: one way, from the command line down to a core that knows nothing of the outside."""

import ast
import graphlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import headway

PACKAGE = Path(headway.__file__).parent


class Rule(NamedTuple):
    parts: str  # of headway, next to its own
    libraries: str  # beyond the standard library


# cli, testing → server | client | integrations → hub, reporter, operations | stores → wire | ports → core
BASE = "core ports wire lazy"
HUB_PARTS = (
    "hub admission cascade changes context correlation durations flusher forks live liveness outputs portal records"
    " registry reporter shares starts track operations"
)
HUB = f"{BASE} {HUB_PARTS}"
SIDES = f"{HUB} stores server client integrations"
RULES = {
    "core": Rule("", "msgspec"),
    "ports": Rule("core", "msgspec"),
    "wire": Rule("core", "msgspec"),
    "forks": Rule("", ""),
    "lazy": Rule("", ""),
    "stores": Rule(f"{BASE} forks", "msgspec redis nats"),
    # Hub and server open a store by its URL, and never name a technology: only the package, whose names are two deep.
    **dict.fromkeys(HUB_PARTS.split(), Rule(f"{HUB} stores", "msgspec")),
    "client": Rule("core wire lazy forks track", "msgspec httpx2 httpcore2 wsproto"),
    "server": Rule(f"{HUB} stores", "msgspec starlette uvicorn uvloop httptools websockets jwt cryptography"),
    "integrations": Rule(
        f"{HUB} client", "msgspec starlette tqdm litestar django asgiref celery billiard taskiq dramatiq rq arq"
    ),
    "cli": Rule(SIDES, "msgspec click rich textual uvicorn uvloop httpx2"),
    "testing": Rule(SIDES, "msgspec pytest"),
    "__main__": Rule("cli", ""),
    # The public names. The command line is a program, not a name.
    "": Rule(SIDES, ""),
}
# A list of what is pure, not of what is not: a clock cannot come in under a name nobody thought of.
PURE = {
    *("__future__", "abc", "bisect", "collections", "copy", "dataclasses", "enum", "functools", "heapq"),
    *("itertools", "math", "operator", "re", "string", "types", "typing", "unicodedata"),
}


def dotted(path: Path) -> str:
    """The module that a file of the package is: `core/view.py` is `headway.core.view`."""
    return ".".join(["headway", *path.with_suffix("").parts]).removesuffix(".__init__")


def imports(nodes: Iterator[ast.AST], path: Path) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of all that is imported; relative imports made absolute."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = ["headway", *path.parent.parts]
            base = package[: len(package) + 1 - node.level] if node.level else []
            prefix = ".".join([*base, *filter(None, [node.module])])
            yield from ((node.lineno, f"{prefix}.{alias.name}") for alias in node.names)


def part_of(module: str) -> str:
    return module.removeprefix("headway").lstrip(".").partition(".")[0]


def complaints(path: Path, source: str) -> list[str]:
    """What a file imports, anywhere in it and if only for types, that its part may not."""
    part = part_of(dotted(path))
    if part not in RULES:
        return [f"{path}: RULES does not say what {part} may import"]
    parts = {"__version__", part, *RULES[part].parts.split()}
    libraries = {*(PURE if part == "core" else sys.stdlib_module_names), *RULES[part].libraries.split()}
    found = []
    for line, name in imports(ast.walk(ast.parse(source)), path):
        top = name.partition(".")[0]
        technology = part in (*HUB_PARTS.split(), "server") and name.count(".") > 2 and part_of(name) == "stores"
        if technology or (top not in libraries and not (top == "headway" and part_of(name) in parts)):
            found.append(f"{path}:{line}: {part or 'headway'} imports {name}")
    return found


def executed(tree: ast.Module) -> Iterator[ast.AST]:
    """What runs when the module is imported: neither bodies of functions, nor what is only for types."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            waiting.extend(node.orelse)
        else:
            waiting.extend(ast.iter_child_nodes(node))


def circle(sources: dict[Path, str]) -> list[str]:
    """Modules that wait for each other when the first of them is imported."""
    modules = {dotted(path) for path in sources}
    graph: dict[str, set[str]] = {}
    for path, source in sources.items():
        # `from headway.core import view` waits for that module; of `State` instead, for headway.core.
        names = (name for _, name in imports(executed(ast.parse(source)), path))
        wanted = {name if name in modules else name.rpartition(".")[0] for name in names}
        graph[dotted(path)] = wanted & modules
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def package_sources() -> dict[Path, str]:
    return {path.relative_to(PACKAGE): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}


def test_imports_point_one_way() -> None:
    assert [line for path, source in package_sources().items() for line in complaints(path, source)] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circle(package_sources()) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("core/view.py", "import time"),
        ("core/view.py", "def now():\n    from datetime import datetime"),
        ("core/view.py", "from headway.ports import Clock"),
        ("core/view.py", "from .. import ports"),
        ("wire/plex.py", "from headway import ports"),
        ("stores/sqlite.py", "from headway.hub import Activities"),
        ("stores/sqlite.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import headway.hub"),
        ("hub.py", "from headway.stores.sqlite import SqliteStore"),
        ("hub.py", "import starlette.routing"),
        ("client/requests.py", "from headway.server import app"),
        ("client/requests.py", "from headway import Activities"),
        ("server/app.py", "from ..cli import main"),
        ("__init__.py", "from .cli import main"),
        ("helpers.py", "import re"),
    ],
)
def test_a_wrong_import_is_found(path: str, source: str) -> None:
    assert len(complaints(Path(path), source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("core/view.py", "import math\nimport msgspec\nfrom .activity import Activity"),
        ("stores/sqlite.py", "import sqlite3\nfrom headway.core import view\nfrom ..ports import Store"),
        ("hub.py", "from headway.stores import open_store"),
        ("client/requests.py", "from headway import __version__\nfrom headway.wire.sse import decode"),
        ("__init__.py", "from .hub import Activities"),
        ("cli/__init__.py", "import click\nfrom headway.server import app"),
    ],
)
def test_a_right_import_is_not_complained_of(path: str, source: str) -> None:
    assert complaints(Path(path), source) == []


def test_a_circle_is_found_where_it_would_hurt_and_only_there() -> None:
    one, two = Path("core/one.py"), Path("core/two.py")
    back = "from headway.core import one"
    assert set(circle({one: "from .two import x", two: back})) == {"headway.core.one", "headway.core.two"}
    assert circle({one: "from .two import x", two: f"def late():\n    {back}"}) == []
    assert circle({one: "from .two import x", two: f"if TYPE_CHECKING:\n    {back}"}) == []
