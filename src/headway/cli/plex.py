"""Finding a Plex Media Server without being told anything: where it is, and a token that opens it.

Looked at in this order; a token goes to the server that it was found beside, and to no other:

1. ``PLEX_URL`` and ``PLEX_TOKEN``
2. ``PLEXAPI_AUTH_SERVER_BASEURL`` and ``PLEXAPI_AUTH_SERVER_TOKEN``, which python-plexapi reads
3. python-plexapi's ``config.ini`` (``PLEXAPI_CONFIG_PATH``, ``~/.config/plexapi/config.ini``)
4. the server on this machine, with ``PLEX_TOKEN``, or the one in that server's own preferences
"""

from __future__ import annotations

import configparser
import os
import plistlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from headway.client.address import parse_url
from headway.core.errors import HeadwayError, Unavailable
from headway.wire import xml
from headway.wire.errors import Unreadable

LOCAL_PLEX = "http://127.0.0.1:32400"
PATIENCE = 2.0
"""Seconds that a server on this machine may take to say who it is."""

_LARGEST = 1024 * 1024
_FOLDER = "Plex Media Server"
_FOLDERS = (
    "/var/lib/plexmediaserver/Library/Application Support",  # Debian, Ubuntu, Fedora
    "/var/snap/plexmediaserver/common/Library/Application Support",  # Snap
    "/config/Library/Application Support",  # the Docker images
    "/usr/local/plexdata",  # FreeBSD
    "/volume1/PlexMediaServer/AppData",  # Synology
    "~/Library/Application Support",
)
_PROPERTIES = "~/Library/Preferences/com.plexapp.plexmediaserver.plist"  # macOS

HOW_TO_GET_A_TOKEN = (
    "To get a token, sign in to Plex Web, open any item's menu, Get Info, View XML: the address of that page ends in"
    " X-Plex-Token=…; then set PLEX_TOKEN to it."
)


class NoPlex(Unavailable):
    """No Plex Media Server was found."""

    code = "no_plex"


class Found(msgspec.Struct, frozen=True):
    """A server, its token, and where each was found."""

    url: str
    token: str | None
    url_source: str
    token_source: str

    def __repr__(self) -> str:
        return f"<Found {self.url} from {self.url_source}>"


class Preferences(msgspec.Struct, frozen=True):
    """What a server on this machine has written down about itself."""

    path: Path
    token: str | None
    identifier: str | None
    """Its ``machineIdentifier``."""


def find_plex() -> Found:
    """The Plex server to talk to. Raises ``NoPlex`` when nobody names one and none runs on this machine."""
    return next(_named(), None) or _local()


def _named() -> Iterator[Found]:
    env = os.environ
    if env.get("PLEX_URL"):
        yield _found(env["PLEX_URL"], env.get("PLEX_TOKEN"), "PLEX_URL", "PLEX_TOKEN")
    url, token = "PLEXAPI_AUTH_SERVER_BASEURL", "PLEXAPI_AUTH_SERVER_TOKEN"
    if env.get(url):
        yield _found(env[url], env.get(token), url, token)
    path = Path(os.path.expanduser(env.get("PLEXAPI_CONFIG_PATH") or "~/.config/plexapi/config.ini"))
    settings = _settings(path)
    if settings.get("server_baseurl"):
        yield _found(settings["server_baseurl"], settings.get("server_token"), str(path), str(path))


def _found(url: str, token: str | None, url_source: str, token_source: str) -> Found:
    return Found(parse_url(url), token or None, url_source, token_source if token else "none")


def _settings(path: Path) -> dict[str, str]:
    """The section ``auth`` of python-plexapi's configuration; nothing when there is none that can be read."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(_beginning(path).decode())
        return dict(parser["auth"])
    except (OSError, ValueError, KeyError, configparser.Error):
        return {}


def _local() -> Found:
    identifier = _identify(LOCAL_PLEX)
    here = "found on this machine"
    if token := os.environ.get("PLEX_TOKEN"):
        return Found(LOCAL_PLEX, token, here, "PLEX_TOKEN")
    unreadable = None
    for path in _places():
        try:
            known = preferences(path)
        except FileNotFoundError:
            continue
        except (OSError, Unreadable) as error:
            unreadable = unreadable or f"{path} cannot be read ({_reason(error)})"
            continue
        # Whoever listens there now must be the one that wrote this.
        if known.token and known.identifier in (None, identifier):
            return Found(LOCAL_PLEX, known.token, here, str(path))
    return Found(LOCAL_PLEX, None, here, f"none: {unreadable or 'no preferences of it were found'}")


def _identify(url: str) -> str:
    from headway.client.client import Client

    try:
        with Client(url, lambda: None, timeout=PATIENCE) as client:
            if identifier := client.identity().machine_identifier:
                return identifier
            problem = f"what answers at {url} is another server"
    except HeadwayError as error:
        problem = error.message
    raise NoPlex(f"found no Plex Media Server: {problem}; name one with PLEX_URL and PLEX_TOKEN, or with --url")


def _places() -> Iterator[Path]:
    if given := os.environ.get("PLEX_MEDIA_SERVER_APPLICATION_SUPPORT_DIR"):
        yield Path(given) / _FOLDER / "Preferences.xml"
    for folder in _FOLDERS:
        yield Path(os.path.expanduser(folder), _FOLDER, "Preferences.xml")
    yield Path(os.path.expanduser(_PROPERTIES))


def preferences(path: Path) -> Preferences:
    """Read a server's preferences, whichever form they have. Raises ``OSError`` and ``Unreadable``."""
    content = _beginning(path)
    try:
        members: dict[str, Any] = plistlib.loads(content) if path.suffix == ".plist" else xml.parse(content)[1]
    except Unreadable:
        raise
    except Exception as error:  # plistlib names some of what it raises
        raise Unreadable("it is no property list") from error
    return Preferences(path, _text(members, "PlexOnlineToken"), _text(members, "ProcessedMachineIdentifier"))


def _text(members: Any, name: str) -> str | None:
    value = members.get(name) if isinstance(members, dict) else None
    return value if isinstance(value, str) and value else None


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LARGEST)


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
