"""``Activities``: what a program holds to put its operations on record, follow them and stop them."""

from __future__ import annotations

import asyncio
import os
import uuid as uuids
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, Unpack, overload

from headway import forks
from headway.admission import Limits
from headway.core.activity import Activity
from headway.core.errors import Unavailable
from headway.core.policy import EVERYTHING, Scope
from headway.liveness import Liveness
from headway.operations import remote
from headway.operations.decorate import Decorator
from headway.operations.options import StartOptions
from headway.operations.spawn import Spawned, spawn
from headway.operations.start import Start
from headway.outputs import Outputs
from headway.portal import Portal
from headway.ports import Clock, Store
from headway.records import Records

if TYPE_CHECKING:
    from headway.operations.process.exits import ExitStatus
    from headway.operations.process.operation import Stream
    from headway.operations.process.output import OnLine

P = ParamSpec("P")
T = TypeVar("T")


class Activities(Records):
    """Records of operations, their live changes, and control over them."""

    def __init__(
        self,
        store: Store | str = "memory:",
        *,
        clock: Clock | None = None,
        limits: Limits | None = None,
        new_uuid: Callable[[], uuids.UUID] = uuids.uuid4,
    ) -> None:
        """``store``: a store, or the URL of one (``memory:``, ``sqlite:FOLDER``)."""
        super().__init__(store, clock, limits, new_uuid)
        self._liveness = Liveness(self)
        self._outputs = Outputs(self.store, self.clock, self.get)
        self.portal: Portal = Portal()
        """The way to the event loop that all of this runs on."""
        self._opening = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<Activities {self.store!r} live={len(self.registry.live)} open={self._open}>"

    @property
    def degraded(self) -> bool:
        """See ``Records.degraded``."""
        return not self._liveness.connected

    # Opening and closing

    async def open(self) -> Self:
        """Open the store and take up where it left off; once open, nothing. The first start does it too, for hosts
        that have no place to do it. Raises ``StoreError``.
        """
        if self._forked:
            raise Unavailable(forks.REFUSAL)
        self.portal.attach()
        async with self._opening:
            if not self._open:
                self._closing = False
                await self._take_up()
        return self

    async def _take_up(self) -> None:
        async with AsyncExitStack() as undo:
            snapshot = await self.store.open(self._published)
            undo.push_async_callback(self.store.close)
            self.epoch: str = snapshot.epoch
            self.secret: bytes = snapshot.secret
            self.registry.restore(snapshot)
            self._flusher.start()
            undo.push_async_callback(self._flusher.stop)
            self._outputs.start()
            undo.push_async_callback(self._outputs.stop)
            self._open = True
            forks.tell(self)
            undo.callback(self._shut)
            for live in list(self.registry.live.values()):
                self._cascade.follow(live)  # a cancel may not have reached all below it when the last process died
            await self._liveness.start()
            self.portal.close_at_exit(self.close)
            undo.pop_all()

    async def close(self) -> None:
        """Stop the operations of this process, write down everything and close the store. Nothing starts any more."""
        self._closing = True
        if not self._open:
            return
        async with AsyncExitStack() as rest:  # whatever fails on the way, the store is let go
            rest.push_async_callback(self.store.close)
            rest.push_async_callback(self._flusher.stop)
            rest.push_async_callback(self._outputs.stop)
            rest.callback(self._shut)
            await self._liveness.stop()
        self.portal.detach()

    def forked(self) -> None:
        """In a forked child: all of it is the parent's. What its copies of running code report goes nowhere."""
        self._open, self._forked = False, True
        self._flusher.forked()
        self.portal.forked()

    def _shut(self) -> None:
        self._open = False
        self.registry.close()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __enter__(self) -> Self:
        """For a program without an event loop: open on a loop in a thread of its own."""
        self.call(self.open)
        return self

    def __exit__(self, *_: object) -> None:
        if not self._forked:  # a child that leaves the block ends nothing
            self.call(self.close)
            self.portal.stop()

    def call(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Any coroutine method from a thread, such as ``activities.call(activities.get, uuid)``; waits for it.

        Raises what it raises, and RuntimeError where an event loop runs, which must not wait.
        """
        return self.portal.call(function, *args, **kwargs)

    # What they print

    async def write_output(self, uuid: str, text: str, scope: Scope = EVERYTHING) -> None:
        """Keep what an activity has printed last, in place of what was kept before: cleaned, and of more than 64 KiB
        only the end. It shows at once and is on disk within about a second.

        Raises ``NotFound``, ``AlreadyEnded`` a minute after its end, and ``Unavailable``.
        """
        if not self._open:
            await self._ready()
        await self._outputs.write(uuid, text, scope)

    async def output(self, uuid: str, scope: Scope = EVERYTHING) -> str:
        """What is kept of what an activity has printed; nothing where nothing is. Raises ``NotFound``."""
        return await self._outputs.read(uuid, scope)

    # Operations of this program

    def start(self, type: str, **options: Unpack[StartOptions]) -> Start:
        """``async with activities.start("library.scan", title="Films") as activity:``, or ``with`` in a thread.

        The block is the operation; see ``Start``. Raises ``InvalidInput`` for what a rule forbids.
        """
        return Start(self, type, **options)

    @overload
    async def spawn(
        self, type: str, function: Callable[..., Coroutine[Any, Any, T]], *args: Any, **options: Unpack[StartOptions]
    ) -> Spawned[T]: ...
    @overload
    async def spawn(
        self, type: str, function: Callable[..., T], *args: Any, **options: Unpack[StartOptions]
    ) -> Spawned[T]: ...
    async def spawn(
        self, type: str, function: Callable[..., Any], *args: Any, **options: Unpack[StartOptions]
    ) -> Spawned[Any]:
        """Run a function as an operation that goes on by itself: a coroutine function in a task, any other in a thread.

        Returns as soon as the start is on record. In the function, ``headway.current()`` is its reporter. Raises what
        ``create`` raises.
        """
        return await spawn(self, type, function, args, options)

    async def spawn_process(
        self,
        type: str,
        argv: Sequence[str | os.PathLike[str]],
        *,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        stdin: Stream = None,
        stdout: Stream = None,
        stderr: Stream = None,
        read_progress: str = "auto",
        on_line: OnLine | None = None,
        keep_output: bool = True,
        **options: Unpack[StartOptions],
    ) -> Spawned[ExitStatus]:
        """Run a command as an operation that goes on by itself; its end decides the activity's.

        ``stdin``: nothing, if not said. ``stdout``, ``stderr``: ours, if not said; an open file, a descriptor, or
        ``subprocess.DEVNULL``. ``read_progress``: how it is read from what the command prints, ``none`` for not.
        ``on_line(activity, line)`` is called in a thread with each line. ``keep_output``: the last of what goes to ours
        or to nowhere is kept for those who may see the activity; see ``output``. A cancel stops all of it: SIGTERM, and
        SIGKILL after the grace. Raises what ``create`` raises; a command that cannot be started ends as ``failed``.
        """
        from headway.operations.process.operation import Invocation, spawn_process  # half of the time to import us

        invocation = Invocation(argv, cwd, env, stdin, stdout, stderr, read_progress, on_line, keep_output)
        return await spawn_process(self, type, invocation, {"progress": -1, **options})

    async def delegate(
        self, type: str, *, lease: float = remote.LEASE, key: str | None = None, **options: Unpack[StartOptions]
    ) -> Activity:
        """Start an activity for a worker elsewhere, which reports by HTTP under its uuid.

        ``lease``: seconds without a sign of life after which it is lost, 10..86,400. ``key``: the same owner and key
        give the same activity. Raises what ``create`` raises.
        """
        return await remote.delegate(self, type, lease=lease, key=key, **options)

    def activity(self, type: str, **options: Any) -> Decorator:
        """Decorator: each call of the function is an operation; see ``Decorator``."""
        return Decorator(self, type, options)
