"""What NATS servers tell by their monitoring ports, and not to their clients: whether they wait for their disks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from http.client import HTTPException
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from headway.stores import StoreError

TIMEOUT = 5.0
"""Seconds for an answer."""


async def synced(monitors: Sequence[str], server: str) -> bool:
    """Whether all servers with these monitoring ports write what they acknowledge to their disks first. ``server``: the
    id of the one that we are connected to, which must be among them. Raises ``StoreError`` where that cannot be known.
    """
    told = await asyncio.gather(*(asyncio.to_thread(_told, monitor) for monitor in monitors))
    if monitors and server not in [each.get("server_id") for each in told]:
        raise StoreError(f"the server is none of those that are monitored at {', '.join(monitors)}: name them all")
    return bool(monitors) and all(each.get("config", {}).get("sync_always") is True for each in told)


def checked(monitors: str) -> tuple[str, ...]:
    """URLs of monitoring ports, apart by commas. Raises ``StoreError``."""
    listed = tuple(each.rstrip("/") for each in monitors.split(",") if each)
    for each in listed:
        parts = urlsplit(each)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
            raise StoreError(f"monitor: {parts.scheme}://… is not http://HOST:PORT")
    return listed


def _told(monitor: str) -> dict[str, Any]:
    try:
        # Asked itself, not by way of a proxy of this machine.
        with build_opener(ProxyHandler({})).open(f"{monitor}/jsz", timeout=TIMEOUT) as answer:
            told = json.load(answer)
    except (URLError, HTTPException, OSError, ValueError) as error:
        raise StoreError(f"the server's monitoring port at {monitor} does not answer as one does: {error}") from error
    return told if isinstance(told, dict) else {}
