"""Listening sockets, and how many files may be open."""

from __future__ import annotations

import errno
import os
import resource
import socket
from contextlib import suppress

BACKLOG = 2048
"""Connections that the kernel holds until they are accepted."""

LOOPBACK_PAIR = ("127.0.0.1", "::1")
OPEN_FILES = 65_536
"""As far as the limit is raised. Programs started from here inherit it, and some walk through all of it."""

_ATTEMPTS = 20
_SILENCE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 60_000}
"""Seconds, seconds, a count, milliseconds; where the system has them."""


class CannotServe(Exception):
    """The server cannot start as asked; the message says in one line why, and what to do."""


class PortInUse(CannotServe):
    """Someone else listens there."""


def listen(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen on ``host``: for 127.0.0.1 or localhost on ::1 too, so that both names reach the same server.

    ``port`` 0 picks a free one, the same for all. Raises ``PortInUse`` or ``CannotServe``.
    """
    for _ in range(_ATTEMPTS):
        with suppress(_Taken):
            return _listen_once(_addresses(host), port)
    raise CannotServe(f"found no port that is free on all of {', '.join(_addresses(host))}")


def raise_open_files() -> int:
    """Let this process open as many files as it may, up to ``OPEN_FILES``; returns the limit that is now in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return OPEN_FILES if soft == resource.RLIM_INFINITY else soft
    with suppress(OSError, ValueError):  # macOS has a lower limit of its own that it does not tell
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


class _Taken(Exception):
    """The port that was picked for the first address is taken on another."""


def _listen_once(addresses: list[str], port: int) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    address = ""
    try:
        for address in addresses:
            if bound := _listen_on(address, sockets[0].getsockname()[1] if sockets else port):
                sockets.append(bound)
        return sockets
    except OSError as error:
        for each in sockets:
            each.close()
        if error.errno == errno.EADDRINUSE and sockets and port == 0:
            raise _Taken from None
        raise _explained(error, address, port) from error


def _listen_on(address: str, port: int) -> socket.socket | None:
    """None where the second of the loopback pair does not exist: the machine has no IPv6, or has it switched off."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError:
        if address == LOOPBACK_PAIR[1]:
            return None
        raise
    try:
        _tune(listener, dual=address == "::")
        listener.bind((address, port))
        # Not only bound: two servers can bind the same port until one of them listens.
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        if address == LOOPBACK_PAIR[1] and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            return None
        raise
    return listener


def _tune(listener: socket.socket, *, dual: bool) -> None:
    """Accepted connections inherit all of this."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if listener.family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not dual)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # A peer that vanished without a word is gone after a minute, whether or not something is being sent to it.
    for option, value in (
        ("TCP_KEEPIDLE", 30),
        ("TCP_KEEPINTVL", 10),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", 60_000),
    ):
        if hasattr(socket, option):
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _addresses(host: str) -> list[str]:
    if host in ("localhost", LOOPBACK_PAIR[0]):
        return list(LOOPBACK_PAIR)
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise CannotServe(f"--host {host}: {error.strerror or error}") from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _explained(error: OSError, address: str, port: int) -> CannotServe:
    if error.errno == errno.EADDRINUSE:
        return PortInUse(
            f"port {port} on {address} is in use: stop the program that listens there, or choose another with --port "
            "(0 picks a free one)"
        )
    if error.errno == errno.EACCES:
        return CannotServe(f"port {port} needs more rights than this user has: choose one from 1024 up with --port")
    return CannotServe(f"cannot listen on {address} port {port}: {os.strerror(error.errno or 0)}")
