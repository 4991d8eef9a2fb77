"""Writes docs/reference.md: what `headway.client` offers, taken from its sources. Run it by

python -m tests.docs.reference
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

from tests.docs.pages import DOCS

SOURCE = Path(__file__).parents[2] / "src" / "headway"
PAGE = DOCS / "reference.md"
WIDTH = 100

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Section(NamedTuple):
    """A heading, and what stands below it."""

    heading: str
    text: str
    entries: tuple[tuple[str, tuple[str, ...]], ...]
    """Modules, each with the names that are told of."""


SECTIONS = (
    Section(
        "Clients",
        "All is imported from `headway.client`, unless a module is named. `AsyncClient` has the names of `Client`, and"
        " `AsyncWatch` those of `Watch`: each method that asks the server is awaited, and `close` is `aclose`.",
        (
            ("client.client", ("Client",)),
            ("client.activities", ("Activities",)),
            ("client.plex", ("Plex",)),
            ("client.calls", ("Page", "Cancelled")),
            ("client.live.scanning", ("Scan",)),
        ),
    ),
    Section(
        "Options",
        "The keywords of `Client`, `AsyncClient` and, but for those of `Network`, `with_options`.",
        (
            ("client.options", ("Settings", "CallOptions", "Token", "Hooks", "Logger")),
            ("client.network.connecting", ("Network",)),
            ("client.retries", ("Retries", "NO_RETRIES")),
        ),
    ),
    Section(
        "Watching",
        "",
        (
            ("client.live.watch", ("Watch", "Callback", "Failed")),
            ("client.live.watching", ("Connected",)),
            ("client.live.replica", ("Replica",)),
            (
                "wire.notifications",
                ("Notification", "ActivityNotification", "SnapshotNotification", "OtherNotification"),
            ),
            ("core.view", ("Kind",)),
        ),
    ),
    Section(
        "Activities",
        "What each member tells is in [protocol.md](protocol.md#list), where `user` is `userID`, `parent` `parentUUID`,"
        " and `eta_low` `etaLow`.",
        (
            ("wire.row", ("Row",)),
            ("core.activity", ("State",)),
            ("core.lifecycle", ("Report",)),
            ("wire.server", ("Server",)),
        ),
    ),
    Section(
        "Reporting",
        "",
        (
            ("client.jobs.job", ("Job", "Stopped")),
            ("client.jobs.outbox", ("OnLoss",)),
            ("client.jobs.reporting", ("JobOptions", "Reporting")),
            ("client.address", ("Address",)),
        ),
    ),
    Section(
        "Results",
        "In `headway.client.functions`, and what they return.",
        (
            ("client.functions", ("list_activities", "cancel_activity", "get_activity", "get_identity")),
            ("client.results", ("Result",)),
        ),
    ),
    Section(
        "Requests and answers",
        "For `client.request`, hooks, and `client.result`, which takes any of `headway.client.calls`.",
        (
            ("client.exchange", ("Request", "Sendable", "Answer")),
            ("client.calls", ("identity", "list_activities", "get", "history", "cancel", "start", "change", "raw")),
        ),
    ),
    Section(
        "Errors",
        "",
        (("client.errors", ("Refused", "ClientError", "ServerError", "Unreachable", "NoConnection", "Redirected")),),
    ),
)
TREES = ("core.errors", "client.errors")
WITHIN = frozenset(
    (
        *("Activities.close", "Answer.require_success", "Job", "Replica.apply", "Report.children", "Report.then"),
        *("Reporting.forked", "Retries.begin"),
    )
)
"""What is public to the package only; of a class, its constructor."""


def page() -> str:
    """All of it."""
    parts = [
        "# Reference\n\nThe client, class by class. How to use it is in [client.md](client.md). This page is made from"
        " the sources by `python -m tests.docs.reference`.\n",
    ]
    for section in SECTIONS:
        parts.append(f"## {section.heading}\n")
        parts += [f"{section.text}\n"] if section.text else []
        parts += trees() if section.heading == "Errors" else []
        for module, names in section.entries:
            for name in names:
                entry = list(told(module, name))
                assert entry, f"there is no {name} in {module}"
                parts += entry
    return "\n".join(parts)


def parsed(module: str) -> ast.Module:
    """A module of the package, its constants of numbers put in where they are named."""
    tree = ast.parse((SOURCE / f"{module.replace('.', '/')}.py").read_text())
    Filled(vars(import_module(f"headway.{module}"))).visit(tree)
    return tree


class Filled(ast.NodeTransformer):
    """Puts numbers in the place of their names."""

    def __init__(self, known: Mapping[str, object]) -> None:
        self._known = known

    def visit_Name(self, node: ast.Name) -> ast.expr:
        value = self._known.get(node.id)
        return ast.Constant(value) if isinstance(value, int | float) and isinstance(node.ctx, ast.Load) else node


def trees() -> Iterator[str]:
    """The trees of errors, as they are drawn at the top of their modules, and what is said of the client's."""
    texts = [ast.get_docstring(parsed(module)) or "" for module in TREES]
    for text in texts:
        first, _, rest = text.partition("HeadwayError")
        drawing = rest.partition("\n\n")[0].replace("``", "")
        yield f"{first.strip()}\n\n```text\n{dedent(' ' * indent(drawing) + f'HeadwayError{drawing}')}\n```\n"
    yield f"{plain(texts[-1].rpartition(chr(10) * 2)[2])}\n"


def indent(drawing: str) -> int:
    """Blanks before the branches."""
    return min(len(line) - len(line.lstrip()) for line in drawing.splitlines()[1:])


def told(module: str, name: str) -> Iterator[str]:
    """A class, function or alias of a module."""
    body = parsed(module).body
    functions: list[Function] = []
    for place, statement in enumerate(body):
        match statement:
            case ast.ClassDef(name=found) if found == name:
                yield from class_told(statement)
            case ast.FunctionDef(name=found) if found == name:
                functions.append(statement)
            case ast.Assign(targets=[ast.Name(id=found)]) if found == name:
                yield f"### {name}\n\n```python\n{written(statement)}\n```\n{following(body, place)}"
    if functions:
        full = f"{module.rpartition('.')[2]}.{name}"
        yield f"### {full}\n\n{callable_told(full, functions)}"


def class_told(node: ast.ClassDef) -> Iterator[str]:
    yield f"### {node.name}\n"
    documented = ast.get_docstring(node)
    if documented:
        yield f"{plain(documented)}\n"
    fields = [field for field in fields_of(node) if f"{node.name}.{field[0]}" not in WITHIN]
    if fields:
        yield "| name | type | |\n|---|---|---|"
        yield "\n".join(f"| `{name}` | {cell(kind)} | {text} |" for name, kind, text in fields) + "\n"
    for name, overloads in methods_of(node).items():
        yield callable_told(f"{node.name}" if name == "__init__" else f"{node.name}.{name}", overloads)


def fields_of(node: ast.ClassDef) -> Iterator[tuple[str, str, str]]:
    """Attributes, members and properties: name, type with default, and what is said of them."""
    for place, statement in enumerate(node.body):
        text = following(node.body, place).replace("\n", " ").strip()
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=kind, value=value) if not name.startswith("_"):
                default = "" if value is None else f" = {written(value)}"
                yield name, f"{written(kind)}{default}", text
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if is_enum(node):
                yield name, written(value), text
            case ast.FunctionDef(name="__init__", body=body):
                yield from attributes_of(body)
            case ast.FunctionDef(name=name, returns=kind) if is_property(statement) and not name.startswith("_"):
                yield name, written(kind) if kind else "", plain(ast.get_docstring(statement) or "", one_line=True)


def attributes_of(body: list[ast.stmt]) -> Iterator[tuple[str, str, str]]:
    """Those of an instance that are annotated."""
    for place, statement in enumerate(body):
        match statement:
            case ast.AnnAssign(target=ast.Attribute(attr=name), annotation=kind) if not name.startswith("_"):
                yield name, written(kind), following(body, place).replace("\n", " ").strip()


def methods_of(node: ast.ClassDef) -> dict[str, list[Function]]:
    """The public ones that say what they are for, each with its overloads."""
    found: dict[str, list[Function]] = {}
    for statement in node.body:
        if isinstance(statement, Function) and not is_property(statement) and is_told(node.name, statement.name):
            found.setdefault(statement.name, []).append(statement)
    return {name: nodes for name, nodes in found.items() if ast.get_docstring(nodes[-1])}


def is_told(kind: str, name: str) -> bool:
    if name == "__init__":
        return kind not in WITHIN
    return not (name.startswith("_") or f"{kind}.{name}" in WITHIN)


def callable_told(name: str, overloads: list[Function]) -> str:
    """Its signatures, and what it does, which the last of them says."""
    shown = overloads[:-1] or overloads
    code = "\n".join(signature(name, node) for node in shown)
    return f"```python\n{code}\n```\n\n{plain(ast.get_docstring(overloads[-1]) or '')}\n"


def signature(name: str, node: Function) -> str:
    """As it would be called, on one line or on one for each argument."""
    shown = list(arguments(node.args))
    result = "" if node.name == "__init__" or node.returns is None else f" -> {written(node.returns)}"
    name = f"await {name}" if isinstance(node, ast.AsyncFunctionDef) else name
    line = f"{name}({', '.join(shown)}){result}"
    text = line if len(line) <= WIDTH else f"{name}(\n" + "".join(f"    {each},\n" for each in shown) + f"){result}"
    return text.replace("builtins.", "")


def arguments(told: ast.arguments) -> Iterator[str]:
    """Each with its type and default; those behind a star by name only."""
    plain = [*told.posonlyargs, *told.args]
    defaults = [None] * (len(plain) - len(told.defaults)) + list(told.defaults)
    for each, default in zip(plain, defaults, strict=True):
        if each.arg != "self":
            yield argument(each, default)
    if told.vararg:
        yield f"*{argument(told.vararg)}"
    elif told.kwonlyargs:
        yield "*"
    yield from map(argument, told.kwonlyargs, told.kw_defaults)
    if told.kwarg:
        yield f"**{argument(told.kwarg)}"


def argument(told: ast.arg, default: ast.expr | None = None) -> str:
    return written(told) + ("" if default is None else f" = {written(default)}")


def following(body: list[ast.stmt], place: int) -> str:
    """What the string after a statement says of it."""
    match body[place + 1 : place + 2]:
        case [ast.Expr(value=ast.Constant(value=str(text)))]:
            return f"\n{plain(' '.join(text.split()))}\n"
    return ""


def is_enum(node: ast.ClassDef) -> bool:
    return any(written(base).startswith("enum.") for base in node.bases)


def is_property(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and any(
        isinstance(each, ast.Name) and each.id == "property" for each in node.decorator_list
    )


def written(node: ast.AST) -> str:
    """As this project writes it."""
    return ast.unparse(node).replace("'", '"')


def cell(code: str) -> str:
    """Code within a cell of a table."""
    return f"`{code}`".replace("|", "\\|")


def plain(text: str, *, one_line: bool = False) -> str:
    """A docstring as Markdown."""
    text = re.sub(r"``(.+?)``", r"`\1`", text)
    return " ".join(text.split()) if one_line else text


def main() -> None:
    """Write the page."""
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
