"""Keeps tokens out of logs.

Plex clients send their token in the query, and query strings get logged: by the access log, by a WebSocket handshake,
in a traceback.
"""

from __future__ import annotations

import logging
import re

REDACTED = "[redacted]"


def _encodable(word: str) -> str:
    """A pattern for a word any character of which may be percent-encoded, once or over and over: a server decodes
    ``X-Plex-%54oken=`` too.
    """
    return "".join(f"(?:{char}|%(?:25)*(?:{ord(char):x}|{ord(char.upper()):x}))" for char in word)


_PATTERNS = [
    # Query arguments and cookies: X-Plex-Token=, token=, headway_token=, also as part of an encoded URL. Up to the next
    # argument: an encoded ampersand may be part of the value.
    re.compile(rf"({_encodable('token')}(?:=|%(?:25)*3d))[^&\s\"']+", re.IGNORECASE),
    # Headers, as a line or as Python shows them: "X-Plex-Token: …", (b'x-plex-token', b'…').
    re.compile(r"(x-plex-token['\"]?\s*[:,]\s*(?:b?['\"])?)[^\s\"']+", re.IGNORECASE),
    re.compile(r"(\bbearer(?:\s|%20|\+)+)[^\s\"'&,]+", re.IGNORECASE),
    # What a one-use link or a shared one opens with, which stands behind "#".
    re.compile(r"([#?&](?:link|shared)(?:=|%(?:25)*3d))[^&\s\"']+", re.IGNORECASE),
    # Our own tokens, sessions, shares and links, and JSON Web Tokens, wherever they turn up.
    re.compile(r"()(?<![A-Za-z0-9_-])hw(?:[sg]?_[0-9a-f]{8}|l)_[A-Za-z0-9_-]+"),
    re.compile(r"()(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"),
]


def redact(text: str) -> str:
    """The text without tokens. Rather takes too much than too little; redacting twice changes nothing more."""
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\1{REDACTED}", text)
    return text


class RedactingFilter(logging.Filter):
    """Redacts records in place, before any handler formats them."""

    def filter(self, record: logging.LogRecord) -> bool:
        """True always: nothing is dropped."""
        if isinstance(record.args, tuple):
            record.args = tuple(map(_redacted, record.args))
        elif record.args:
            record.args = {name: _redacted(arg) for name, arg in record.args.items()}
        # The access log's formatter takes the five arguments by themselves; nothing is gained by putting them together.
        if record.name != "uvicorn.access":
            _redact_message(record)
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        record.exc_text = record.exc_text and redact(record.exc_text)
        record.stack_info = record.stack_info and redact(record.stack_info)
        return True


def _redacted(value: object) -> object:
    """An argument; anything but text stays what it is unless a token shows in it."""
    if isinstance(value, str):
        return redact(value)
    if value is None or isinstance(value, int | float):
        return value
    for shown in (str(value), repr(value)):
        if (clean := redact(shown)) != shown:
            return clean
    return value


def _redact_message(record: logging.LogRecord) -> None:
    """Redact the message as it will be read: of ``"token=%s"`` neither half gives the token away."""
    try:
        message = record.getMessage()
    except Exception:  # a wrong format string; logging would print the arguments in its complaint
        message, clean = "", f"{redact(str(record.msg))} (logged with wrong arguments)"
    else:
        clean = redact(message)
    if clean != message:
        record.msg, record.args = clean, None
        record.__dict__.pop("color_message", None)  # uvicorn's alternative to msg


_FILTER = RedactingFilter()
LOGGERS = ("", "uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "headway")


def redact_logs() -> None:
    """Redact what the server's loggers write from now on. To be called once logging is configured, by a program that
    owns it: handlers of the root logger are redacted too.

    Both loggers and their handlers: a logger's filter does not see records of its children, a handler may come later.
    """
    for name in LOGGERS:
        logger = logging.getLogger(name)
        for place in (logger, *logger.handlers):
            place.addFilter(_FILTER)  # adding it again does nothing
