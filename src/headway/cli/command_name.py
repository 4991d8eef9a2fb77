"""What a command is called in its record.

Who may read the record may read the title, so what looks like a secret is left out of it: values of options and
variables whose name says so, passwords in URLs, tokens. That is a precaution and no promise: a secret that looks like
nothing in particular stays (``ps`` shows it, too). ``--title`` says something else instead, and nothing but the
program's name is recorded elsewhere.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence

from headway.client.jobs.news import fitted_type
from headway.server.redaction import redact

HIDDEN = "…"

_SECRET = (
    r"(?:[\w.-]*(?:passw(?:or)?d|passphrase|token|secret|credential|api[_-]?key|private[_-]?key)[\w.-]*"
    r"|(?:[\w.-]*[._-])?(?:pass|auth))"
)
_OPTION = re.compile(rf"--?{_SECRET}", re.IGNORECASE)
_ASSIGNMENT = re.compile(rf"((?:--?)?{_SECRET}=).+", re.IGNORECASE | re.DOTALL)
_URL_PASSWORD = re.compile(r"(\w[\w+.-]*://[^/\s:@]*):[^/\s@]*@")
_AFTER_OPTION = re.compile(r"[^-]")


def program(argv: Sequence[str]) -> str:
    """The program's name without its folder."""
    return os.path.basename(argv[0]) or argv[0]


def type_of(argv: Sequence[str]) -> str:
    """The type of an activity that runs a command: ``command.rsync``."""
    return fitted_type(f"command.{program(argv)}")


def title_of(argv: Sequence[str]) -> str:
    """The command line as one would type it, without what looks like a secret."""
    return redact(" ".join(_word(word) for word in _without_secrets(argv)))


def _without_secrets(argv: Sequence[str]) -> Iterator[str]:
    yield program(argv)
    hide_next = False
    for word in argv[1:]:
        if hide_next and _AFTER_OPTION.match(word):
            hide_next = False
            yield HIDDEN
            continue
        hide_next = _OPTION.fullmatch(word) is not None
        yield _URL_PASSWORD.sub(rf"\1:{HIDDEN}@", _ASSIGNMENT.sub(rf"\1{HIDDEN}", word))


def _word(word: str) -> str:
    return word if word == HIDDEN or word.endswith(f"={HIDDEN}") else shlex.quote(word)
