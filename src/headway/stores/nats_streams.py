"""The streams of a namespace as operations: what is where on a NATS server, and how it is written.

Each is laid out as a key-value bucket with a history of one, so that NATS's own tools can read it. The sequence of a
record in its stream is its revision.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import secrets
import time
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from nats.aio.client import Client
from nats.errors import NoRespondersError
from nats.js.api import DiscardPolicy, StorageType, StreamConfig

from headway.core.activity import Activity
from headway.core.errors import StorageFull
from headway.core.lifecycle import stamped
from headway.stores import StoreError
from headway.stores.nats_address import TIMEOUT, Address

VERSION = 1

WINDOW = 120.0
"""Seconds in which a message that is sent again is known to be the same."""

BEATS_AGE = 86_400.0
"""Seconds for which a sign of life is remembered."""

PAYLOAD = 128 * 1024
"""Bytes that a message must be able to have: the largest are what activities have printed."""

WRITE = "Headway-Write"
"""The header with the id of the write that a message is of."""

AT_ONCE = 100
"""Requests that are on their way together."""

WRONG_LAST, FULL = 10071, {10023, 10047, 10054, 10077, 10122}
"""NATS's codes: another was first; no room, in the stream or for the account."""

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Activity).decode


class Refused(Exception):
    """JetStream's own error. ``code``: see its error codes."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(str(error.get("description", "refused")))
        self.code: int = int(error.get("err_code", 0))


class NoJetStream(ConnectionError):
    """Nobody answers who keeps streams: the server has none, or does not have it yet."""


class Overtaken(Exception):
    """The subject has changed since: somebody else was first."""


class Entry(msgspec.Struct, frozen=True):
    """The last message of a subject."""

    sequence: int
    data: bytes
    id: str
    """Of the write that it came by."""
    at: float
    """When it was written, by the server's clock: seconds since the epoch."""


class Begun(msgspec.Struct, frozen=True):
    """What names the history of a namespace; and how often the server was found to have lost some of it."""

    epoch: str
    secret: bytes
    version: int = VERSION
    losses: int = 0


class Streams:
    """What is kept in one namespace."""

    def __init__(self, client: Client, address: Address) -> None:
        self.client: Client = client
        self.name: str = address.name
        """Where it is, without what nobody may read."""
        self.records: str = f"KV_{address.namespace}"
        self.outputs: str = f"{self.records}_outputs"
        self.beats: str = f"{self.records}_beats"
        self.documents: str = f"{self.records}_documents"
        self._address = address
        self._api = f"$JS.{address.domain}.API" if address.domain else "$JS.API"

    def subject(self, stream: str, *key: str) -> str:
        """Where something is."""
        return ".".join((f"$KV.{stream.removeprefix('KV_')}", *map(token, key)))

    # The server's interface

    async def ask(
        self, what: str, said: Mapping[str, Any] | None = None, *, timeout: float = TIMEOUT
    ) -> dict[str, Any]:
        """A request to JetStream. Raises ``Refused``."""
        self._require_connection()
        try:
            answer = await self.client.request(
                f"{self._api}.{what}", json.dumps(said).encode() if said else b"", timeout=timeout
            )
        except NoRespondersError as error:
            raise NoJetStream("JetStream does not answer") from error
        told: dict[str, Any] = json.loads(answer.data)
        if "error" in told:
            raise Refused(told["error"])
        return told

    async def put(
        self,
        stream: str,
        subject: str,
        data: bytes,
        expected: int | None = None,
        id: str | None = None,
        *,
        timeout: float = TIMEOUT,
    ) -> int:
        """Write a message; its sequence. ``expected``: of the last one there, 0 for none; None for any. Sent again
        with its ``id`` it is the same. Raises ``Overtaken`` where another is there, and ``StorageFull``.
        """
        self._require_connection()
        headers = {"Nats-Expected-Stream": stream}
        if expected is not None:
            headers["Nats-Expected-Last-Subject-Sequence"] = str(expected)
        if id is not None:
            headers["Nats-Msg-Id"] = headers[WRITE] = id
        try:
            answer = await self.client.request(subject, data, timeout=timeout, headers=headers)
        except NoRespondersError as error:
            raise NoJetStream("JetStream does not answer") from error
        told = json.loads(answer.data)
        if "error" in told:
            refused = Refused(told["error"])
            if refused.code == WRONG_LAST:
                raise Overtaken from refused
            if refused.code in FULL or told["error"].get("code") == 507:
                raise StorageFull from refused
            raise refused
        return int(told["seq"])

    async def last(self, stream: str, subject: str) -> Entry | None:
        """The newest message of a subject, by who leads the stream."""
        try:
            told = (await self.ask(f"STREAM.MSG.GET.{stream}", {"last_by_subj": subject}))["message"]
        except Refused as error:
            if error.code == 10037:  # no message
                return None
            raise
        headers = base64.b64decode(told.get("hdrs", "")).decode("utf-8", "replace")
        id = re.search(rf"^{WRITE}: *(\S+)", headers, re.MULTILINE)
        data = base64.b64decode(told.get("data", ""))
        return Entry(int(told["seq"]), data, id[1] if id else "", _seconds(told["time"]))

    async def state(self, stream: str) -> tuple[int, float]:
        """The last sequence that was given out, and the time by the server's clock."""
        told = await self.ask(f"STREAM.INFO.{stream}")
        return int(told["state"]["last_seq"]), _seconds(told["ts"]) if "ts" in told else time.time()

    async def used(self, stream: str) -> tuple[int, int]:
        """How many messages are in a stream, and how many bytes."""
        state = (await self.ask(f"STREAM.INFO.{stream}"))["state"]
        return int(state["messages"]), int(state["bytes"])

    async def purge(self, stream: str, subject: str) -> int:
        """Delete what is there; how many messages that were."""
        return int((await self.ask(f"STREAM.PURGE.{stream}", {"filter": subject}))["purged"])

    def _require_connection(self) -> None:
        # Or it would wait in a buffer, and be sent when everybody has been told that it cannot be.
        if not self.client.is_connected:
            raise ConnectionError("there is no connection")

    # What is kept

    async def prepare(self, first: int = 1) -> tuple[str, int]:
        """Make the streams that are not there yet; the storage of records, and how many servers hold them. ``first``:
        the sequence that records begin with. Raises ``StoreError`` where there is no JetStream.
        """
        if self.client.max_payload < PAYLOAD:
            raise StoreError(
                f"{self._address.name} takes messages of {self.client.max_payload} bytes alone: set max_payload to "
                f"{PAYLOAD} at least"
            )
        try:
            await self.ask("INFO")
        except NoJetStream as error:
            raise StoreError(f"{self._address.name} has no JetStream: start it with `jetstream` enabled") from error
        except Refused as error:
            raise StoreError(f"{self._address.name} has no JetStream for this account: {error}") from error
        made = await self._stream(self.records, first_seq=first)
        await self._stream(self.beats, max_age=BEATS_AGE)
        await self._stream(self.outputs)  # no limit of its own: it would be set aside, however little is used
        return str(made["config"]["storage"]), int(made["config"].get("num_replicas", 1))

    async def _stream(self, name: str, **more: Any) -> dict[str, Any]:
        try:
            return await self.ask(f"STREAM.INFO.{name}")
        except Refused as error:
            if error.code != 10059:  # not found
                raise
        config = StreamConfig(
            name=name,
            subjects=[f"{self.subject(name)}.>"],
            max_msgs_per_subject=1,
            storage=StorageType.MEMORY if self._address.memory else StorageType.FILE,
            num_replicas=self._address.replicas,
            discard=DiscardPolicy.NEW,
            duplicate_window=WINDOW,
            allow_rollup_hdrs=True,
            deny_delete=True,
            allow_direct=True,
            **more,
        )
        try:
            return await self.ask(f"STREAM.CREATE.{name}", config.as_dict())
        except Refused as error:
            if error.code != 10058:  # somebody else has just made it
                raise
            return await self.ask(f"STREAM.INFO.{name}")

    async def documents_ready(self) -> None:
        """Make the stream of documents, if it is not there."""
        await self._stream(self.documents)

    async def begin(self, mine: Begun | None = None) -> tuple[Begun, int]:
        """The history that is there, and the sequence of the word of it; where there is none, ``mine``, or one that
        begins now.
        """
        subject = self.subject(self.records, "meta")
        if (entry := await self.last(self.records, subject)) is not None:
            try:
                return msgspec.json.decode(entry.data, type=Begun), entry.sequence
            except msgspec.MsgspecError:
                raise ConnectionError(f"somebody else has written to {subject}") from None
        fresh = mine or Begun(secrets.token_hex(8), secrets.token_bytes(32))
        try:
            return fresh, await self.put(self.records, subject, _encode(fresh), 0)
        except Overtaken:
            return await self.begin()

    async def found_loss(self, begun: Begun, sequence: int, losses: int) -> Begun:
        """Say to all nodes that the server has lost something. ``losses``: those that are known, of which it may have
        lost some, too.
        """
        said = msgspec.structs.replace(begun, losses=max(begun.losses, losses) + 1)
        await self.put(self.records, self.subject(self.records, "meta"), _encode(said), sequence)
        return said

    async def skip(self, count: int) -> None:
        """Let that many sequences never be given out."""
        subject = self.subject(self.records, "skipped")
        for number in range(1, count):
            await self.client.publish(subject)
            if number % 1_000 == 0:
                await self.put(self.records, subject, b"")  # it has taken them
        if count > 0:
            await self.put(self.records, subject, b"")

    def record(self, uuid: str) -> str:
        """The subject of a record."""
        return self.subject(self.records, "record", uuid)

    async def get(self, uuid: str) -> tuple[Activity, str] | None:
        """A record, and the id of the write that it is of."""
        entry = await self.last(self.records, self.record(uuid))
        if entry is None:
            return None
        activity = read(entry.data, entry.sequence)
        return None if activity is None else (activity, entry.id)

    async def many(self, uuids: Iterable[str]) -> list[Activity]:
        """Those of the records that are there, in that order."""
        wanted, found = list(uuids), list[Activity]()
        for at in range(0, len(wanted), AT_ONCE):
            answers = await asyncio.gather(*map(self.get, wanted[at : at + AT_ONCE]))
            found += [answer[0] for answer in answers if answer is not None]
        return found

    async def raise_floors(self, floors: Mapping[int, int]) -> None:
        """Per owner, the newest revision that is gone; before it is."""
        for owner, floor in floors.items():
            subject = self.subject(self.records, "floor", str(owner))
            while True:
                entry = await self.last(self.records, subject)
                if entry is not None and int(entry.data) >= floor:
                    break
                try:
                    await self.put(self.records, subject, str(floor).encode(), 0 if entry is None else entry.sequence)
                    break
                except Overtaken:
                    continue

    async def forget(self, uuids: Collection[str]) -> int:
        """Delete ended records; how many were there."""
        wanted, count = list(uuids), 0
        for at in range(0, len(wanted), AT_ONCE):
            some = wanted[at : at + AT_ONCE]
            count += sum(await asyncio.gather(*(self.purge(self.records, self.record(uuid)) for uuid in some)))
            await self.forget_outputs(some)
        return count

    async def forget_outputs(self, uuids: Collection[str]) -> None:
        """Delete what these have printed."""
        wanted = list(uuids)
        for at in range(0, len(wanted), AT_ONCE):
            subjects = [self.subject(self.outputs, uuid) for uuid in wanted[at : at + AT_ONCE]]
            await asyncio.gather(*(self.purge(self.outputs, subject) for subject in subjects))

    async def beat(self, names: Collection[str]) -> None:
        """These have given a sign of life now."""
        listed = list(names)
        for at in range(0, len(listed), AT_ONCE):
            some = listed[at : at + AT_ONCE]
            await asyncio.gather(*(self.put(self.beats, self.subject(self.beats, name), b"") for name in some))

    async def silences(self, names: Collection[str]) -> dict[str, float]:
        """Seconds since each was heard of, by the server's clock."""
        listed, found = list(names), list[Entry | None]()
        for at in range(0, len(listed), AT_ONCE):
            some = listed[at : at + AT_ONCE]
            found += await asyncio.gather(*(self.last(self.beats, self.subject(self.beats, name)) for name in some))
        _, now = await self.state(self.beats)
        return {
            name: float("inf") if entry is None else max(0.0, now - entry.at)
            for name, entry in zip(listed, found, strict=True)
        }


def token(key: str) -> str:
    """A key as a part of a subject, where much has a meaning."""
    return key if _PLAIN.fullmatch(key) else "=" + base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def untoken(part: str) -> str:
    """The key that became this part of a subject."""
    try:
        return base64.urlsafe_b64decode(part[1:] + "==").decode() if part.startswith("=") else part
    except ValueError:  # none of ours
        return part


def write(activity: Activity) -> bytes:
    """A record as it is kept."""
    return _encode(activity)


def read(data: bytes, sequence: int) -> Activity | None:
    """A record as it is kept; None for what is none of ours."""
    try:
        return stamped(_decode(data), sequence)
    except (ValueError, msgspec.MsgspecError):
        return None


def _seconds(moment: str) -> float:
    """Of a time as NATS writes it, in nanoseconds."""
    text = moment.removesuffix("Z")
    whole, _, fraction = text.partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{fraction or 0}")
