"""Feeds to change by hand, and channels on them."""

from __future__ import annotations

from typing import Any

from headway.core import lifecycle
from headway.core.activity import Activity
from headway.core.narrowing import Narrowing
from headway.core.policy import Scope
from headway.core.view import View
from headway.live import Feed
from headway.server.channels import Channel, ChannelKey, Channels, Pack, Transport
from headway.server.cursors import Cursors
from headway.server.packing import FRAMINGS
from headway.server.rows import Rows
from headway.wire.formats import Format
from headway.wire.plex import encode_row


class World:
    """Feeds to change by hand, channels on them, and a count of what was encoded."""

    def __init__(self, pack: Pack[Any] | None = None) -> None:
        """``pack``: how frames are packed, if not as the transport has them."""
        self.feeds: dict[Scope, Feed] = {}
        self.encoded = 0
        self.now = 0.0
        """Seconds on the clock of the channels."""
        self.cursors = Cursors("epoch", b"s" * 32)
        packed = {how: (framing, pack or own) for how, (framing, own) in FRAMINGS.items()}
        self.degraded = False
        self.channels = Channels(
            self.feed, packed, Rows(self._encode), self.cursors, lambda: self.now, lambda: self.degraded
        )
        self._revision = 0

    def feed(self, scope: Scope) -> Feed:
        return self.feeds.setdefault(scope, Feed(scope, View()))

    def join(
        self,
        scope: Scope = 1,
        transport: Transport = "sse",
        cursors: bool = True,
        silent: bool = False,
        direct: bool = True,
        **narrowing: Any,
    ) -> Channel[Any]:
        return self.channels.join(ChannelKey(scope, Narrowing(**narrowing), transport, cursors, silent, direct))

    def start(self, uuid: str, scope: int = 1, **attributes: Any) -> Activity:
        return self.apply(lifecycle.start(uuid, attributes.pop("type", "t"), scope, 1.0, **attributes))

    def apply(self, activity: Activity) -> Activity:
        self._revision += 1
        record = lifecycle.stamped(activity, self._revision)
        feed = self.feed(record.owner)
        feed.view.apply(record)
        feed.changed.fire()
        return record

    def _encode(self, activity: Activity, format: Format) -> bytes:
        self.encoded += 1
        return encode_row(activity, format)
