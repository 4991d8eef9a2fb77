"""Named servers: ``contexts.json`` in the configuration folder.

It may hold tokens. So it is written for its owner only and at no moment half, and is not read while others can read it.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from headway.client.address import Address, parse_url
from headway.core.errors import HeadwayError, InvalidInput
from headway.core.text import clean, shortened
from headway.server.data import DataError, write_private

LOCAL = "local"
"""The name of the server on this machine, which is found by itself and is in no file."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_OTHERS = 0o077
_LARGEST = 1024 * 1024
_SHOWN = 64


class UnknownContext(HeadwayError):
    """There is no context of that name."""

    status = 404
    code = "unknown_context"


class NoHome(DataError):
    """There is no home folder, and nobody says where else contexts are."""


class Context(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A server, and where its token is: here, in a file, in a variable, or nowhere. ``repr`` does not show it."""

    url: str
    token: str | None = None
    token_file: str | None = None
    token_env: str | None = None

    def __repr__(self) -> str:
        return f"<Context {self.url} {self.token_source}>"

    def __post_init__(self) -> None:
        if [self.token, self.token_file, self.token_env].count(None) < 2:
            raise ValueError("has more than one of token, token_file and token_env")
        Address(parse_url(self.url), self.token)
        if self.token_env is not None and not self.token_env.isidentifier():
            raise InvalidInput(f"{shortened(clean(self.token_env), _SHOWN)} cannot be the name of a variable")

    @property
    def token_source(self) -> str:
        """Where its token comes from, in words, without the token."""
        if self.token_file is not None:
            return f"the file {self.token_file}"
        if self.token_env is not None:
            return f"the variable {self.token_env}"
        return "none" if self.token is None else "kept here"

    def read_token(self) -> str | None:
        """Its token as it is now. Raises ``DataError`` for a file that cannot be read, or that others can read."""
        if self.token_file is not None:
            try:
                return _read_private(Path(self.token_file)).strip() or None
            except FileNotFoundError as error:
                raise DataError(f"there is no file {self.token_file}, where the token should be") from error
        if self.token_env is not None:
            return os.environ.get(self.token_env) or None
        return self.token


class Contexts(msgspec.Struct, forbid_unknown_fields=True):
    """All there are, and which one is used when nobody says."""

    current: str | None = None
    """None: the server on this machine."""
    contexts: dict[str, Context] = {}

    def find(self, name: str) -> Context:
        """The one of a name. Raises ``UnknownContext``, with what may have been meant."""
        if name in self.contexts:
            return self.contexts[name]
        import difflib

        near = difflib.get_close_matches(name, [LOCAL, *self.contexts], n=3)
        advice = f"did you mean {' or '.join(near)}?" if near else "`headway context list` lists them"
        raise UnknownContext(f"there is no context {shortened(clean(name), _SHOWN)}; {advice}")


def checked_name(text: str) -> str:
    """A name that a context may have. Raises ``InvalidInput``."""
    if text == LOCAL:
        raise InvalidInput(f"{LOCAL} is the server on this machine; choose another name")
    if not _NAME.fullmatch(text):
        raise InvalidInput("a name is made of letters, digits, dots, hyphens and underscores, 63 at most")
    return text


def contexts_file() -> Path:
    """Where they are kept: ``$XDG_CONFIG_HOME/headway/contexts.json``, else below ``~/.config``. Raises ``NoHome``."""
    folder = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    if not folder.is_absolute():  # the XDG Base Directory Specification: relative paths are to be ignored
        try:
            folder = Path.home() / ".config"
        except RuntimeError as error:
            raise NoHome("there is no home folder to keep contexts in: set XDG_CONFIG_HOME") from error
    return folder / "headway" / "contexts.json"


def read_contexts() -> Contexts:
    """All there are. Raises ``DataError`` for a file that cannot be read, is broken, or can be read by others."""
    try:
        path = contexts_file()
    except NoHome:
        return Contexts()
    try:
        return _parsed(path, _read_private(path))
    except FileNotFoundError:
        return Contexts()


@contextmanager
def changed_contexts() -> Iterator[Contexts]:
    """All there are, to be changed in the block and written after it; nobody else changes them meanwhile."""
    path = contexts_file()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise DataError(f"cannot make the folder {path.parent}: {error.strerror}; see to its permissions") from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        known = read_contexts()
        yield known
        write_private(path, msgspec.json.format(msgspec.json.encode(known), indent=2).decode() + "\n")
    finally:
        os.close(folder)


def _read_private(path: Path) -> str:
    """What only its owner can read. Raises ``FileNotFoundError`` and ``DataError``."""
    try:
        with path.open("rb") as file:
            mode, content = os.fstat(file.fileno()).st_mode, file.read(_LARGEST)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    if mode & _OTHERS:
        raise DataError(f"{path} may hold a token, and others may open it; do: chmod 600 {shlex.quote(str(path))}")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}, line {line}: it is not UTF-8") from error


def _parsed(path: Path, text: str) -> Contexts:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {error.lineno}: {error.msg}; mend it, or remove the file") from error
    except RecursionError as error:
        raise DataError(f"{path}, line 1: nested too deep; mend it, or remove the file") from error
    for name, members in _listed(document):
        try:
            msgspec.convert(members, Context)
        except (msgspec.ValidationError, InvalidInput) as error:
            line = text.count("\n", 0, max(0, text.find(json.dumps(name, ensure_ascii=False)))) + 1
            raise DataError(f"{path}, line {line}: the context {clean(name)}: {error}") from error
    try:
        return msgspec.convert(document, Contexts)
    except msgspec.ValidationError as error:
        raise DataError(f"{path}, line 1: {error}") from error


def _listed(document: Any) -> list[tuple[str, Any]]:
    contexts = document.get("contexts") if isinstance(document, dict) else None
    return list(contexts.items()) if isinstance(contexts, dict) else []
