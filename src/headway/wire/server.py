"""What a server says of itself: ``GET /identity``, and ``GET /``, which clients open a connection with.

The flags are those that clients read. They all say that there is no media here and no account elsewhere.
"""

from __future__ import annotations

import msgspec

from headway.core.activity import Scalar
from headway.wire.formats import Format
from headway.wire.xml import DECLARATION, element


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """Which server this is."""

    machine_identifier: str
    """40 hexadecimal digits that stay the same as long as the data does."""
    version: str
    friendly_name: str = ""
    platform: str = ""
    platform_version: str = ""
    updated_at: int = 0
    """Seconds since the epoch."""
    claimed: bool = True


def encode_identity(server: Server, format: Format) -> bytes:
    """The body of ``GET /identity``, which needs no token and tells nothing else."""
    members: dict[str, Scalar] = {
        "size": 0,
        "claimed": server.claimed,
        "machineIdentifier": server.machine_identifier,
        "version": server.version,
    }
    if format is Format.JSON:
        return msgspec.json.encode({"MediaContainer": members})
    return DECLARATION + element("MediaContainer", members.items(), ())


def encode_root(server: Server, format: Format) -> bytes:
    """The body of ``GET /``."""
    members = _root(server)
    if format is Format.JSON:
        return msgspec.json.encode({"MediaContainer": {**members, "Directory": [_ACTIVITIES]}})
    return DECLARATION + element("MediaContainer", members.items(), (element("Directory", _ACTIVITIES.items()),))


_ACTIVITIES: dict[str, Scalar] = {"count": 1, "key": "activities", "title": "activities"}


def _root(server: Server) -> dict[str, Scalar]:
    """In alphabetical order, behind the size. What clients split at commas is text, never a list."""
    return {
        "size": 1,
        "allowCameraUpload": False,
        "allowChannelAccess": False,
        "allowMediaDeletion": False,
        "allowSharing": False,
        "allowSync": False,
        "allowTuners": False,
        "backgroundProcessing": True,
        "certificate": False,
        "companionProxy": False,
        "diagnostics": "",
        "eventStream": True,
        "friendlyName": server.friendly_name,
        "hubSearch": False,
        "livetv": 0,
        "machineIdentifier": server.machine_identifier,
        "mediaProviders": False,
        "multiuser": True,
        "myPlex": False,
        "myPlexMappingState": "unknown",
        "myPlexSigninState": "none",
        "myPlexSubscription": False,
        "myPlexUsername": "",
        "ownerFeatures": "",
        "photoAutoTag": False,
        "platform": server.platform,
        "platformVersion": server.platform_version,
        "pluginHost": False,
        "pushNotifications": False,
        "readOnlyLibraries": False,
        "requestParametersInCookie": False,
        "streamingBrainABRVersion": 0,
        "streamingBrainVersion": 0,
        "sync": False,
        "transcoderActiveVideoSessions": 0,
        "transcoderAudio": False,
        "transcoderLyrics": False,
        "transcoderPhoto": False,
        "transcoderSubtitles": False,
        "transcoderVideo": False,
        "transcoderVideoBitrates": "",
        "transcoderVideoQualities": "",
        "transcoderVideoResolutions": "",
        "updatedAt": server.updated_at,
        "updater": False,
        "version": server.version,
        "voiceSearch": False,
    }
