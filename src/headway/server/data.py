"""The data folder: where the server keeps what must outlive it, and where local commands find the same.

DATA/                0700
  identity.db        users, tokens, sessions of browsers and shares (``server.identity``)
  admin.token        the token made at the first start, for commands on this machine
  …                  what the store keeps
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from headway.core.errors import HeadwayError

IDENTITY = "identity.db"
ADMIN_TOKEN = "admin.token"


class DataError(HeadwayError):
    """The data folder, or a file in it, cannot be used; the message says which, why and what to do."""

    status = 503
    code = "data"


def data_dir(option: str | os.PathLike[str] | None = None) -> Path:
    """The data folder, as an absolute path: the option (``--data``), else ``HEADWAY_DATA``, else
    ``$XDG_DATA_HOME/headway``, else ``~/.local/share/headway``. Nothing is made or looked at.

    Raises ``DataError`` when nobody says where and there is no home folder either.
    """
    if given := os.fspath(option or os.environ.get("HEADWAY_DATA", "")):
        return Path(given).absolute()
    shared = Path(os.environ.get("XDG_DATA_HOME", ""))
    # The XDG Base Directory Specification: relative paths are invalid and to be ignored.
    if shared.is_absolute():
        return shared / "headway"
    try:
        return Path.home() / ".local" / "share" / "headway"
    except RuntimeError as error:
        raise DataError("there is no home folder to keep data in: name one with --data or HEADWAY_DATA") from error


def make_data_dir(folder: Path) -> None:
    """Make the folder, for its owner only; one that exists is left as it is. Raises ``DataError``."""
    with _explained(f"cannot make the data folder {folder}", "choose another with --data or HEADWAY_DATA"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def create_private(path: Path) -> None:
    """Make an empty file that only its owner can open, unless there is one. Raises ``DataError``."""
    with (
        _explained(f"cannot make {path}", "choose another folder with --data or HEADWAY_DATA"),
        suppress(FileExistsError),
    ):
        os.close(_open_exclusively(path))


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can open, at no moment half written or open to others. Raises ``DataError``.

    Two writers at once are not provided for: hold a lock.
    """
    draft = path.with_name(path.name + ".new")
    with _explained(f"cannot write {path}", "see to the folder's permissions and free space"):
        draft.unlink(missing_ok=True)
        with open(_open_exclusively(draft), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync_folder(path.parent)


def admin_token(folder: Path) -> str | None:
    """The token of the first start, for commands on this machine; None when the file is gone.

    Raises ``DataError`` when there is one that may not be read.
    """
    path = folder / ADMIN_TOKEN
    with _explained(f"cannot read {path}", "run this as the user that runs the server, or set HEADWAY_TOKEN"):
        try:
            return path.read_text().strip() or None
        except FileNotFoundError:
            return None


def _open_exclusively(path: Path) -> int:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    os.fchmod(file, 0o600)  # a strange umask may have taken bits away, it cannot have added any
    return file


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


@contextmanager
def _explained(problem: str, advice: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"{problem}: {error.strerror or error}; {advice}") from error
