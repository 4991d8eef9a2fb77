"""The two drivers, over real sockets: what they carry out, and how they are stopped."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from headway.client import AsyncClient, Client
from headway.client.errors import Unreachable
from headway.client.network.async_conversation import AsyncConversation
from headway.client.network.conversation import Conversation
from headway.client.network.transport import AsyncTransport, Transport
from headway.client.steps import Emit, Read, Sleep, Steps
from headway.core.errors import HeadwayError, NotAuthenticated
from headway.core.view import Kind
from headway.wire import sse
from tests.client.both import DRIVERS, HANGS, Both
from tests.client.scripted_server import (
    UUID,
    Asked,
    Drop,
    Hang,
    Reply,
    ScriptedServer,
    eventually,
    listed,
    refused,
    row,
)
from tests.client.streams import STREAM, event, snapshot
from tests.plex_media_server import PlexMediaServer


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting again is not worth waiting for here."""
    monkeypatch.setattr("headway.client.live.subscription.RETRY", 0.01)


class Stage:
    """A server whose stream says what the test says, while the test says it."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.reply: Reply | Drop | Hang | None = None

    def __call__(self, asked: Asked) -> Reply | Drop | Hang:
        if self.reply is not None:
            return self.reply
        return Reply(200, self.silent(), STREAM)

    def silent(self) -> Iterator[bytes]:
        yield snapshot("c1", row())
        self.over.wait()


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.over.set()


@pytest.fixture
def server(stage: Stage) -> Iterator[ScriptedServer]:
    with ScriptedServer(stage) as server:
        yield server


@DRIVERS
class TestClose:
    def test_who_reads_is_told_at_once_that_there_is_no_more(self, driver: str, server: ScriptedServer) -> None:
        with Both(driver, server.url) as both:
            watch = both.watch()
            assert watch.first(1) == [("snapshot", [UUID])]
            waiting = watch.begin_next()
            watch.close()
            assert waiting.result(HANGS) is None
            assert next(watch, None) is None

    def test_so_is_who_waits_for_the_head_of_a_stream(self, driver: str, stage: Stage, server: ScriptedServer) -> None:
        stage.reply = Hang()
        with Both(driver, server.url, timeout=10 * HANGS) as both:
            watch = both.watch()
            waiting = watch.begin_next()
            eventually(lambda: server.asked)
            watch.close()
            assert waiting.result(HANGS) is None

    def test_and_who_waits_for_a_list(self, driver: str, stage: Stage, server: ScriptedServer) -> None:
        def script(asked: Asked) -> Any:
            return Hang() if asked.path == "/activities" else Reply(200, self.ping(stage), STREAM)

        server.script = script
        with Both(driver, server.url, timeout=10 * HANGS) as both:
            watch = both.watch()
            waiting = watch.begin_next()
            eventually(lambda: server.asked_for("GET", "/activities"))
            watch.close()
            assert waiting.result(HANGS) is None

    def test_and_who_waits_to_connect_again(
        self, driver: str, server: ScriptedServer, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("headway.client.live.subscription.RETRY", 10_000.0)
        monkeypatch.setattr("headway.client.live.subscription.MAX_RETRY", 10_000.0)
        stage.reply, lost = Drop(), threading.Event()
        with Both(driver, server.url) as both:
            watch = both.watch(on_connection=lambda error: lost.set())
            waiting = watch.begin_next()
            assert lost.wait(HANGS)
            watch.close()
            assert waiting.result(HANGS) is None

    def test_nothing_is_asked_of_a_watch_that_was_closed_before(self, driver: str, server: ScriptedServer) -> None:
        with Both(driver, server.url) as both:
            watch = both.watch()
            watch.close()
            assert next(watch, None) is None
        assert server.asked == []

    def test_closing_twice_is_closing_once(self, driver: str, server: ScriptedServer) -> None:
        with Both(driver, server.url) as both:
            watch = both.watch()
            watch.first(1)
            watch.close()
            watch.close()
            assert list(watch) == []

    def test_the_client_goes_on(self, driver: str, server: ScriptedServer, stage: Stage) -> None:
        with Both(driver, server.url) as both:
            first = both.watch()
            waiting = [first.begin_next(), first.begin_next()] if driver == "sync" else [first.begin_next()]
            eventually(lambda: waiting[0].done())
            first.close()
            assert both.watch().first(1) == [("snapshot", [UUID])]
            stage.reply = listed(row())
            assert len(both.do(lambda client: client.activities.list()).rows) == 1

    def test_the_end_of_the_client_is_that_of_its_watches_and_waits(self, driver: str, server: ScriptedServer) -> None:
        with Both(driver, server.url, timeout=10 * HANGS) as both:
            watch = both.watch()
            watch.first(1)
            waiting = [watch.begin_next(), both.begin(lambda client: client.activities.wait(type="command.test"))]
            eventually(lambda: len(server.asked) == 2)
            both.do(lambda client: client.aclose() if both.is_async else client.close())
            assert waiting[0].result(HANGS) is None
            with pytest.raises(Unreachable, match="closed"):
                waiting[1].result(HANGS)
        assert len(server.asked) == 2

    @staticmethod
    def ping(stage: Stage) -> Iterator[bytes]:
        yield sse.ping()
        stage.over.wait()


@DRIVERS
def test_a_hundred_and_more_streams_share_one_client(driver: str, server: ScriptedServer) -> None:
    with Both(driver, server.url) as both:
        watches = [both.watch() for _ in range(110)]
        assert [watch.first(1) for watch in watches] == [[("snapshot", [UUID])]] * 110


@DRIVERS
def test_a_time_limit_of_the_caller_or_a_callback_is_the_caller_s(driver: str, server: ScriptedServer) -> None:
    def fails(error: HeadwayError | None) -> None:
        raise TimeoutError("mine")

    with Both(driver, server.url) as both, pytest.raises(TimeoutError, match="mine"):
        next(both.watch(on_connection=fails))


@DRIVERS
class TestGivenClient:
    def test_it_carries_everything_and_stays_open(self, driver: str, server: ScriptedServer, stage: Stage) -> None:
        given: Any = (httpx2.AsyncClient if driver == "async" else httpx2.Client)(headers={"X-Given": "1"})
        with Both(driver, server.url, http=given) as both:
            watch = both.watch()
            assert watch.first(1) == [("snapshot", [UUID])]
            waiting = watch.begin_next()
            watch.close()
            assert waiting.result(HANGS) is None
            stage.reply = listed(row())
            both.do(lambda client: client.activities.list())
            assert given.is_closed is False
            both.do(lambda _: given.aclose() if driver == "async" else given.close())
        assert [asked.headers.get("x-given") for asked in server.asked] == ["1", "1"]

    def test_its_redirects_are_not_followed(self, driver: str, server: ScriptedServer, stage: Stage) -> None:
        with ScriptedServer(lambda asked: listed()) as elsewhere:
            stage.reply = Reply(302, b"", {"Location": elsewhere.url})
            given: Any = (httpx2.AsyncClient if driver == "async" else httpx2.Client)(follow_redirects=True)
            with Both(driver, server.url, http=given) as both:
                for use in (lambda client: client.activities.list(), lambda client: client.activities.wait(UUID)):
                    with pytest.raises(HeadwayError, match="another place"):
                        both.do(use)
                with pytest.raises(HeadwayError, match="another place"):
                    next(both.watch())
                both.do(lambda _: given.aclose() if driver == "async" else given.close())
            assert elsewhere.asked == []


class TestInterruptions:
    def test_a_cancelled_task_takes_nothing_with_it(self, server: ScriptedServer, stage: Stage) -> None:
        def silent(asked: Asked) -> Reply:
            return Reply(200, TestClose.ping(stage) if "since" in asked.query else stage.silent(), STREAM)

        async def main() -> None:
            server.script = silent
            async with AsyncClient(server.url) as client:
                watch = client.activities.watch()
                assert (await anext(watch)) is not None
                for _ in range(3):
                    with pytest.raises(TimeoutError):
                        async with asyncio.timeout(0.02):
                            await anext(watch)
                server.script = lambda asked: Reply(200, [event(Kind.ENDED, "c2", state="failed")], STREAM)
                ended: Any = await anext(watch)
                assert ended.kind is Kind.ENDED
                assert len(watch.replica) == 0

        asyncio.run(main())
        assert server.asked[-1].query["since"] == "c1"

    def test_nor_does_one_that_is_cancelled_between_two_connections(self, server: ScriptedServer) -> None:
        async def main() -> None:
            async with AsyncClient(server.url) as client:
                lost = asyncio.Event()
                watch = client.activities.watch(on_connection=lambda error: lost.set())
                server.script = lambda asked: Drop()
                task = asyncio.create_task(anext(watch))
                await lost.wait()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                server.script = lambda asked: Reply(200, [snapshot("c1")], STREAM)
                assert (await anext(watch)) is not None

        asyncio.run(main())

    def test_two_tasks_cannot_take_the_same_item(self, server: ScriptedServer) -> None:
        async def main() -> None:
            async with AsyncClient(server.url) as client:
                watch = client.activities.watch()
                await anext(watch)
                waiting = asyncio.create_task(anext(watch))
                await asyncio.sleep(0)
                with pytest.raises(RuntimeError, match="already"):
                    await anext(watch)
                await watch.aclose()
                with pytest.raises(StopAsyncIteration):
                    await waiting

        asyncio.run(main())

    def test_ctrl_c_can_be_survived(self) -> None:
        class Pressed(Transport):
            presses = 1

            def answer(self, request: Any, *line: Any) -> Any:
                raise AssertionError

        def steps() -> Steps[None]:
            for number in range(2):
                try:
                    yield Read(1.0)
                except Unreachable as error:
                    yield Emit((number, error.message))

        conversation = Conversation(Pressed(), steps())
        conversation._read = self.interrupt  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            next(conversation)
        assert next(conversation) == (0, "interrupted")

    @staticmethod
    def interrupt(seconds: float) -> bytes:
        raise KeyboardInterrupt


class TestSteps:
    def test_what_is_no_step_is_a_mistake(self) -> None:
        def wrong() -> Iterator[Any]:
            yield "step"

        with pytest.raises(TypeError, match="not a step"):
            next(Conversation(Transport(), wrong()))  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="not a step"):
            asyncio.run(AsyncConversation(AsyncTransport(), wrong()).__anext__())  # type: ignore[arg-type]

    def test_a_stream_that_was_never_opened_cannot_be_read(self) -> None:
        def reading() -> Steps[None]:
            yield Read(1.0)

        with pytest.raises(Unreachable, match="closed"):
            next(Conversation(Transport(), reading()))
        with pytest.raises(Unreachable, match="closed"):
            asyncio.run(AsyncConversation(AsyncTransport(), reading()).__anext__())

    def test_run_is_not_for_steps_that_emit(self) -> None:
        def emitting() -> Steps[None]:
            yield Sleep(-1.0)
            yield Emit(1)

        with pytest.raises(RuntimeError, match="iterate"):
            Transport().run(emitting())
        with pytest.raises(RuntimeError, match="iterate"):
            asyncio.run(AsyncTransport().run(emitting()))


class TestCallbacks:
    def called(self, both: Both, calls: Callable[[Any], None], **arguments: Any) -> Any:
        async def begin(client: Any) -> Any:
            return client.activities.watch().call(calls, **arguments)

        if both.is_async:
            return both.do(begin)
        return both.client.activities.watch().call(calls, **arguments)

    @DRIVERS
    def test_each_notification_is_called_back_until_it_is_closed(self, driver: str, server: ScriptedServer) -> None:
        told: list[Any] = []
        with Both(driver, server.url) as both:
            watch = self.called(both, told.append)
            eventually(lambda: told)
            both.do(lambda _: watch.aclose() if both.is_async else watch.close())

    @DRIVERS
    def test_an_error_in_one_is_logged_and_stops_nothing(
        self, driver: str, server: ScriptedServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        told: list[Any] = []

        def fails(notification: Any) -> None:
            told.append(notification)
            raise ZeroDivisionError

        server.script = lambda asked: Reply(200, [snapshot("c1"), event(Kind.STARTED, "c2")], STREAM)
        with Both(driver, server.url) as both:
            watch = self.called(both, fails)
            eventually(lambda: len(told) >= 2)
            both.do(lambda _: watch.aclose() if both.is_async else watch.close())
        assert "a callback of a watch failed" in caplog.text

    @DRIVERS
    def test_why_it_has_ended_is_told(
        self, driver: str, server: ScriptedServer, stage: Stage, caplog: pytest.LogCaptureFixture
    ) -> None:
        stage.reply = refused(401, "not_authenticated", "who are you?")
        errors: list[HeadwayError] = []
        with Both(driver, server.url) as both:
            self.called(both, print, on_error=errors.append)
            eventually(lambda: errors)
            assert isinstance(errors[0], NotAuthenticated)
            self.called(both, print)
            eventually(lambda: "a watch has ended: who are you?" in caplog.text)


@pytest.mark.parametrize("eventsource", [True, False])
def test_a_watch_that_nobody_closed_leaves_no_connection(eventsource: bool) -> None:
    with PlexMediaServer(eventsource=eventsource) as plex, Client(plex.url, plex.token) as client:
        for _ in range(3):
            next(client.activities.watch())
        gc.collect()
        eventually(lambda: not plex.streams)


def test_a_watch_is_closed_by_its_block(server: ScriptedServer) -> None:
    with Client(server.url) as client, client.activities.watch() as watch:
        next(watch)
    assert list(watch) == []
    assert "live=1" in repr(watch)

    async def main() -> None:
        async with AsyncClient(server.url) as client, client.activities.watch() as watch:
            await anext(watch)
        assert [each async for each in watch] == []
        assert "live=1" in repr(watch)

    asyncio.run(main())
