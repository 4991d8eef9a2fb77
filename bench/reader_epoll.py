"""``native/reader.c`` in Python, for machines without a C compiler: slower, and so a lower limit to what it can show.

The arguments, what it is told and what it says are the same.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import select
import socket
import struct
import sys
import termios
import time
from typing import Any

from bench.frame import UNSTAMPED, Split, stamp

PER_ADDRESS = 10_000
PATIENCE = 20.0
IN_FLIGHT = 200
RAW = 256 * 1024


class Watcher:
    """One connection."""

    __slots__ = ("chunked", "data", "kept", "number", "socket", "state")

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.state = "connecting"
        self.chunked = False
        self.kept, self.data = b"", b""
        self.number = 0


class Reader:
    """All of them, and what they have got."""

    def __init__(self, arguments: list[str]) -> None:
        port, count, stalled, self.kind, request, hello, control, before, after = arguments
        self.port, self.wanted, self.stalled, self.control = int(port), int(count), int(stalled), int(control)
        self.request, self.hello = bytes.fromhex(request), bytes.fromhex(hello)
        self.wrap = Split(bytes.fromhex(before), bytes.fromhex(after))
        self.epoll = select.epoll()
        self.watchers: dict[int, Watcher] = {}
        self.held: list[Watcher] = []
        self.opened = self.reading = self.number = self.arrived = 0
        self.told = False
        self.reset()

    def reset(self) -> None:
        self.frames = self.lost = self.cut = self.closed = 0
        self.samples: list[float] = []

    def connect(self) -> dict[str, Any]:
        """Open all connections."""
        begin = moved = time.monotonic()
        last = 0
        while self.opened < self.wanted:
            while len(self.watchers) + len(self.held) < min(self.wanted, self.opened + IN_FLIGHT):
                self._open_next(len(self.watchers) + len(self.held))
            self.turn(0.02)
            if self.opened > last:
                last, moved = self.opened, time.monotonic()
            if time.monotonic() > moved + PATIENCE:
                raise ConnectionError("nothing moves")
        self.epoll.register(0, select.EPOLLIN)
        self.epoll.register(self.control, select.EPOLLIN)
        return {"connected": self.opened, "seconds": time.monotonic() - begin}

    def asked(self, name: str, seconds: float = 0.0, rate: float = 0.0) -> dict[str, Any]:
        """What it was told to do."""
        if name == "warm":
            return self.warm()
        return self.go(seconds, rate) if name == "go" else self.count(seconds)

    def turn(self, seconds: float) -> None:
        """Take in what there is."""
        for descriptor, events in self.epoll.poll(seconds, 512):
            watcher = self.watchers.get(descriptor)
            if descriptor == 0:
                self.told = True
            elif descriptor == self.control:
                # Answers to what was published; at a pipe there is only its end.
                if not events & select.EPOLLIN or not os.read(self.control, RAW):
                    self.epoll.unregister(self.control)
            elif watcher is None:
                continue
            elif watcher.state == "connecting":
                self._ask(watcher)
            else:
                self._readable(watcher)

    def warm(self) -> dict[str, Any]:
        """Publish until a frame has reached everyone."""
        begin = time.monotonic()
        for tries in range(1, 6):
            self._publish()
            if self._all_have_it(PATIENCE / 5):
                return self._report(begin, tries, True)
        return self._report(begin, 5, False)

    def go(self, seconds: float, rate: float) -> dict[str, Any]:
        """Publish for so long."""
        begin = due = time.monotonic()
        publishes, complete = 0, True
        while time.monotonic() < begin + seconds and complete and self.reading:
            self._publish()
            publishes += 1
            if rate:
                due += 1 / rate
                while (left := due - time.monotonic()) > 0:
                    self.turn(left)
            else:
                complete = self._all_have_it(PATIENCE)
        return self._report(begin, publishes, complete and self._all_have_it(PATIENCE))

    def count(self, seconds: float) -> dict[str, Any]:
        """Only listen."""
        begin = time.monotonic()
        while (left := begin + seconds - time.monotonic()) > 0:
            self.turn(left)
        return self._report(begin, 0, True)

    def _open_next(self, place: int) -> None:
        connection = socket.socket()
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if place < self.stalled:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.bind((f"127.0.0.{2 + place // PER_ADDRESS}", 0))
        if connection.connect_ex(("127.0.0.1", self.port)) not in (0, errno.EINPROGRESS):
            raise ConnectionError("refused")
        self.watchers[connection.fileno()] = Watcher(connection)
        self.epoll.register(connection, select.EPOLLOUT)

    def _ask(self, watcher: Watcher) -> None:
        if error := watcher.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise ConnectionError(os.strerror(error))
        watcher.socket.sendall(self.request)
        watcher.state = "head"
        self.epoll.modify(watcher.socket, select.EPOLLIN)

    def _readable(self, watcher: Watcher) -> None:
        try:
            got = watcher.socket.recv(RAW)
        except BlockingIOError:
            return
        except ConnectionError:
            got = b""
        if not got:
            self._is_closed(watcher)
            return
        watcher.kept += got
        if watcher.state == "head" and not self._head(watcher):
            return
        if watcher.chunked:
            self._unchunk(watcher)
        else:
            watcher.data, watcher.kept = watcher.data + watcher.kept, b""
        if self.kind == "sse":
            self._events(watcher)
        else:
            self._messages(watcher)

    def _head(self, watcher: Watcher) -> bool:
        head, end, rest = watcher.kept.partition(b"\r\n\r\n")
        if not end:
            return False
        if head[9:12] != (b"200" if self.kind == "sse" else b"101"):
            raise ConnectionError(f"answered: {head[:40]!r}")
        watcher.chunked = b"transfer-encoding: chunked" in head.lower()
        watcher.kept = rest
        if self.hello:
            watcher.socket.sendall(self.hello)
        watcher.state = "greeting"
        if self.kind != "socketio":
            self._is_open(watcher)
        return True

    def _is_open(self, watcher: Watcher) -> None:
        watcher.state = "open"
        self.opened += 1
        if len(self.held) < self.stalled:
            self.epoll.unregister(watcher.socket)
            self.held.append(self.watchers.pop(watcher.socket.fileno()))
        else:
            self.reading += 1

    def _is_closed(self, watcher: Watcher) -> None:
        if watcher.state != "open":
            raise ConnectionError("the server closed a connection")
        self.arrived -= bool(self.number) and watcher.number == self.number
        self.closed += 1
        self.reading -= 1
        self.epoll.unregister(watcher.socket)
        del self.watchers[watcher.socket.fileno()]
        watcher.socket.close()

    def _unchunk(self, watcher: Watcher) -> None:
        """RFC 9112, section 7.1; whole chunks only."""
        while (end := watcher.kept.find(b"\r\n")) >= 0:
            size = int(watcher.kept[:end], 16)
            if len(watcher.kept) < end + 2 + size + 2:
                return
            watcher.data += watcher.kept[end + 2 : end + 2 + size]
            watcher.kept = watcher.kept[end + 2 + size + 2 :]

    def _events(self, watcher: Watcher) -> None:
        *lines, watcher.data = watcher.data.split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                self._frame(watcher, line.rstrip(b"\r"))

    def _messages(self, watcher: Watcher) -> None:
        """RFC 6455, section 5.2; a server does not mask."""
        data = watcher.data
        while len(data) >= 2:
            opcode, length, skip = data[0] & 15, data[1] & 127, 2
            if length > 125:
                skip = 4 if length == 126 else 10
                if len(data) < skip:
                    break
                length = int.from_bytes(data[2:skip], "big")
            if len(data) < skip + length:
                break
            payload, data = data[skip : skip + length], data[skip + length :]
            if opcode == 9:
                watcher.socket.sendall(bytes([0x8A, 0x80 | length, 0, 0, 0, 0]) + payload)
            elif payload == b"2":  # engine.io has pings of its own
                watcher.socket.sendall(b"\x81\x81\0\0\0\x003")
            elif watcher.state == "greeting":
                if payload.startswith(b"40"):
                    self._is_open(watcher)
            else:
                self._frame(watcher, payload)
        watcher.data = data

    def _frame(self, watcher: Watcher, data: bytes) -> None:
        at = data.find(b"@")
        if at < 0:
            return  # a sign of life
        found = data[at : at + len(UNSTAMPED)]
        if len(found) < len(UNSTAMPED) or data[-1:] not in (b"}", b"]"):
            self.cut += 1
            return
        self.frames += 1
        number, sent = int(found[1:11]), int(found[12:-1])
        if number:
            if watcher.number:
                self.lost += max(0, number - watcher.number - 1)
                self.cut += number <= watcher.number
            watcher.number = number
            self.arrived += number == self.number
        if sent:
            self.samples.append((time.monotonic_ns() - sent) / 1e9)

    def _publish(self) -> None:
        self.number += 1
        self.arrived = 0
        os.write(self.control, self.wrap.stamped(stamp(self.number, time.monotonic_ns()).encode()))

    def _all_have_it(self, patience: float) -> bool:
        deadline = time.monotonic() + patience
        while self.arrived < self.reading and time.monotonic() < deadline:
            self.turn(0.02)
        return self.arrived >= self.reading

    def _report(self, begin: float, publishes: int, complete: bool) -> dict[str, Any]:
        seconds, ordered = time.monotonic() - begin, sorted(self.samples)
        return {
            "frames": self.frames,
            "seconds": seconds,
            "publishes": publishes,
            "lost": self.lost,
            "cut": self.cut,
            "closed": self.closed,
            "samples": len(ordered),
            **{name: _quantile(ordered, share) for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))},
            "complete": complete,
            "unread": min(map(_unread, self.held), default=-1),
        }


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[int(share * (len(ordered) - 1))] if ordered else 0.0


def _unread(watcher: Watcher) -> int:
    answer: tuple[int] = struct.unpack("i", fcntl.ioctl(watcher.socket, termios.FIONREAD, b"\0\0\0\0"))
    return answer[0]


def main() -> None:
    reader = Reader(sys.argv[1:])
    try:
        print(json.dumps(reader.connect()), flush=True)
        while True:
            reader.turn(-1)
            if not reader.told:
                continue
            reader.told = False
            match os.read(0, 256).decode().split():
                case []:
                    return
                case [name, *numbers]:
                    if name != "more":
                        reader.reset()
                    print(json.dumps(reader.asked(name, *map(float, numbers))), flush=True)
    except OSError as error:
        print(json.dumps({"error": f"{error} ({reader.opened} of {reader.wanted} connections are open)"}), flush=True)


main()
