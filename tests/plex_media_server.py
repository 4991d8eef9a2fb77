"""A fake Plex Media Server on loopback, real enough for Plex's own clients, that does what a test tells it to.

Real sockets, a thread for each connection; everything a test asks of it has happened when the call returns: the frame
is in the sockets of all who listen. Nothing moves by itself but the pings, unless a ``tick`` is given.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

from tests.plex.answers import Answer, refusal
from tests.plex.connections import Asked, EventSource, Listener, Stream, WebSocket
from tests.plex.memory import OWNER, Memory, Row
from tests.plex.notifications import NOISE, Notification
from tests.plex.resources import Library, Request, answer, identity
from tests.plex.scans import Life, Script, Section, Steps, item_refresh, library_scan

EVENTS = "/:/eventsource/notifications"
SOCKETS = ("/:/websockets/notifications", "/:/websocket/notifications")
TOKEN, USER_TOKEN = "plex-owner-token", "plex-user-token"
USER = 2
FILMS, SHOWS = Section("1", "Films"), Section("3", "Shows", "show")


class PlexMediaServer:
    """Runs while its ``with`` block does, in sync and async tests alike.

    ``eventsource``: False answers 404 to an EventSource, so that clients have to take the WebSocket.
    ``ping_interval``: seconds between two pings of an EventSource. ``names_activity``: whether the reply to a scan or
    refresh carries ``X-Plex-Activity``. ``noise``: mix in notifications of other types, as real servers do.
    ``cancel_ends``: whether what is cancelled ends at once; else when the test says ``end``. ``tick``: seconds after
    which running scans take a step by themselves; None leaves it to ``advance``.
    """

    def __init__(
        self,
        *,
        sections: Sequence[Section] = (FILMS, SHOWS),
        eventsource: bool = True,
        ping_interval: float = 10.0,
        names_activity: bool = False,
        noise: bool = True,
        cancel_ends: bool = True,
        tick: float | None = None,
    ) -> None:
        self.token, self.user_token = TOKEN, USER_TOKEN
        self.eventsource = eventsource
        self.ping_interval = ping_interval
        self.names_activity = names_activity
        self.noise = noise
        self.cancel_ends = cancel_ends
        self.asked: list[Asked] = []
        """The requests that came, streams too."""
        self.withheld: set[str] = set()
        """Uuids and types of activities whose ``ended`` nobody is told."""
        self.port = 0
        self._tick = tick
        self._lock = threading.RLock()
        self._streams: list[Stream] = []
        self._told = 0
        self._library = Library(list(sections), library_scan, item_refresh)
        self._memory = Memory(self._publish, self.withheld)
        self._listener: Listener | None = None
        self._stopping = threading.Event()

    def __enter__(self) -> Self:
        self.boot()
        if self._tick is not None:
            threading.Thread(target=self._move, args=(self._tick,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def boot(self) -> None:
        """Listen, where it listened before."""
        self._listener = Listener(self, self.port)
        self.port = self._listener.port

    def stop(self) -> None:
        """Break every connection, forget all activities, and stay away."""
        if self._listener is None:
            return
        self._listener.stop()
        self._listener = None
        with self._lock:
            self._streams.clear()
            self._memory = Memory(self._publish, self.withheld)

    def restart(self) -> None:
        """Go and come back."""
        self.stop()
        self.boot()

    def drop_streams(self) -> None:
        """Break the streams; nothing is forgotten."""
        with self._lock:
            dropped, self._streams = self._streams, []
        for stream in dropped:
            stream.drop()

    def half_dead(self) -> None:
        """The streams that are open now stay open, and nothing comes over them any more, not even a pong."""
        with self._lock:
            for stream in self._streams:
                stream.half_dead = True

    @property
    def streams(self) -> list[Stream]:
        """Who listens, half-dead or not: their ``kind``, ``user_id`` and the request as it was ``asked``."""
        with self._lock:
            return list(self._streams)

    @property
    def activities(self) -> list[Row]:
        """What the owner would be listed, the butler too."""
        with self._lock:
            return self._memory.visible(OWNER)

    def activity(self, type: str) -> Row:
        """The one live activity of that type."""
        (row,) = [row for row in self.activities if row["type"] == type]
        return row

    def asked_for(self, method: str, path: str = "") -> list[Asked]:
        """The requests so far with that method, and a path that begins so."""
        return [asked for asked in list(self.asked) if asked.method == method and asked.path.startswith(path)]

    def start(self, type: str, **members: Any) -> str:
        """An activity begins. ``members``: as on the wire, such as ``userID`` and ``Context``."""
        with self._lock:
            return self._memory.start(type, **members)

    def update(self, uuid: str, **members: Any) -> None:
        """It gets on; without members, what is known is told again."""
        with self._lock:
            self._memory.update(uuid, **members)

    def end(self, uuid: str, progress: int = 100) -> None:
        """It is over, and leaves the list."""
        with self._lock:
            self._memory.end(uuid, progress)

    def notify(self, type: str, member: str, payload: Mapping[str, Any]) -> None:
        """Tell everybody something else: ``notify("playing", "PlaySessionStateNotification", {...})``."""
        self._publish(Notification(type, member, payload), noise=False)

    def ping(self) -> None:
        """Ping each EventSource now."""
        for stream in self.streams:
            stream.ping()

    def script_scan(self, steps: Steps | Script) -> None:
        """What a scan does from now on: steps, or a function from its section to steps."""
        fixed = None if callable(steps) else list(steps)
        self._library.script = steps if callable(steps) else lambda section: fixed or []

    def script_refresh(self, steps: Callable[[str], Steps]) -> None:
        """What the refresh of an item does from now on; the function is given its id."""
        self._library.item_script = steps

    def play(self, steps: Steps) -> str | None:
        """Begin a life that nobody asked for. Its first activity, if its first step starts one."""
        with self._lock:
            return self._memory.begin(Life(steps)).uuid

    def advance(self, steps: int = 1) -> bool:
        """All that runs by a script takes so many steps. Whether there are more to take."""
        with self._lock:
            return [self._memory.advance() for _ in range(steps)][-1]

    def finish(self) -> None:
        """All that runs by a script takes all its steps."""
        with self._lock:
            while self._memory.advance():
                pass

    def answer(self, asked: Asked, head: bytes) -> Answer | Stream:
        """For its connections."""
        with self._lock:
            self.asked.append(asked)
            if (asked.method, asked.path) == ("GET", "/identity"):
                return identity(asked)
            user_id = {self.token: OWNER, self.user_token: USER}.get(asked.token or "")
            if user_id is None:
                return refusal(401)
            return self._stream(asked, user_id, head) or self._resource(asked, user_id)

    def hold(self, stream: Stream, connection: socket.socket) -> None:
        """For its connections."""
        with self._lock:
            # Together, so that who has read the opening misses nothing that happens after it.
            stream.open(connection)
            self._streams.append(stream)
        stream.listen(self.ping_interval)
        with self._lock:
            self._streams = [other for other in self._streams if other is not stream]

    def _stream(self, asked: Asked, user_id: int, head: bytes) -> Stream | None:
        if asked.method != "GET":
            return None
        if asked.path == EVENTS and self.eventsource:
            return EventSource(asked, user_id)
        if asked.path in SOCKETS and asked.headers.get("upgrade", "").lower() == "websocket":
            return WebSocket(asked, user_id, head)
        return None

    def _resource(self, asked: Asked, user_id: int) -> Answer:
        answered = answer(Request(asked, user_id, self._memory, self._library))
        cancelled = re.fullmatch("/activities/(.+)", asked.path)
        if cancelled and asked.method == "DELETE" and answered.status == 200 and self.cancel_ends:
            self._memory.stop(cancelled[1])
        return answered if self.names_activity else replace(answered, headers={})

    def _publish(self, notification: Notification, *, noise: bool = True) -> None:
        with self._lock:
            if noise and self.noise:
                self._told += 1
                self._write(NOISE[self._told % len(NOISE)])
            self._write(notification)

    def _write(self, notification: Notification) -> None:
        for stream in self._streams:
            stream.tell(notification)

    def _move(self, tick: float) -> None:
        while not self._stopping.wait(tick):
            self.advance()
