"""Tokens in the store that nodes share: all nodes know the same ones, and no change is lost by another."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from uuid import uuid4

import pytest

from headway.core.policy import Role
from headway.ports import Document
from headway.server.data import ADMIN_TOKEN, DataError
from headway.server.identity.database import VERSION
from headway.server.identity.places import SharedPlace
from headway.server.identity.store import TokenStore
from headway.stores import open_document
from headway.stores.vault import Closet
from tests.faults.cluster import SERVERS, StoreServer
from tests.server.identity.support import NOW, outgrow

Opening = Callable[[str], TokenStore]
"""A node's tokens, by its name."""


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    with SERVERS[request.param](tmp_path_factory.mktemp(request.param)) as running:
        yield running


@pytest.fixture
def url(server: StoreServer) -> str:
    return f"{server.url}?namespace={uuid4()}"


@pytest.fixture
def node(url: str, tmp_path: Path) -> Iterator[Opening]:
    with ExitStack() as stack:

        def opening(name: str) -> TokenStore:
            opened = TokenStore.open(tmp_path / name, now=NOW, shared=_closet(url))
            return stack.enter_context(closing(opened))

        yield opening


def _closet(url: str) -> Document:
    closet = open_document(url, "identity.db")
    assert closet is not None
    return closet


def test_the_first_node_makes_the_first_token_and_the_others_know_it(node: Opening, tmp_path: Path) -> None:
    first, second = node("a"), node("b")
    assert [record.user for record in first.tokens()] == ["admin"]
    assert second.tokens() == first.tokens()
    assert (tmp_path / "a" / ADMIN_TOKEN).exists()
    assert not (tmp_path / "b" / ADMIN_TOKEN).exists()


def test_what_one_node_makes_and_revokes_is_news_to_the_other(node: Opening) -> None:
    first, second = node("a"), node("b")
    assert second.news() is not None
    assert second.news() is None
    _, made = first.create("anna", Role.USER, now=NOW)
    news = second.news()
    assert news is not None and made in [record for _, record in news.tokens]
    second.revoke(now=NOW, id=made.id)
    news = first.news()
    assert news is not None and made.id not in [record.id for _, record in news.tokens]
    assert first.news() is None


def test_sessions_and_shares_are_known_to_all(node: Opening) -> None:
    first, second = node("a"), node("b")
    (token,) = first.tokens()
    assert first.open_session(token.id, now=NOW) is not None
    assert second.open_share(token.id, str(uuid4()), 1, now=NOW, expires_at=NOW + 60) is not None
    for each in (first, second):
        news = each.news()
        assert news is not None and (len(news.sessions), len(news.shares)) == (1, 1)
    second.revoke(now=NOW, id=token.id)
    news = first.news()
    assert news is not None and news == ([], [], [])


def test_of_many_changes_at_once_none_is_lost(url: str, tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            with closing(TokenStore.open(tmp_path / name, now=NOW, shared=_closet(url))) as store:
                for turn in range(5):
                    store.create(f"{name}-{turn}", Role.USER, now=NOW)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(f"n{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with closing(TokenStore.open(tmp_path / "last", now=NOW, create=False, shared=_closet(url))) as store:
        names = {record.user for record in store.tokens()}
        assert names == {"admin"} | {f"n{n}-{turn}" for n in range(6) for turn in range(5)}
        assert len({record.user_id for record in store.tokens()}) == 31
    assert len(list(tmp_path.glob(f"*/{ADMIN_TOKEN}"))) == 1


def test_a_change_that_did_not_get_there_never_was(node: Opening, monkeypatch: pytest.MonkeyPatch) -> None:
    store = node("a")
    store.news()
    with monkeypatch.context() as patch:
        for vault in ("redis_vault.RedisVault", "nats_vault.NatsVault"):
            patch.setattr(f"headway.stores.{vault}.write", _refused)
        with pytest.raises(DataError, match="somebody else has changed this"):
            store.create("anna", Role.USER, now=NOW)
    assert [record.user for record in store.tokens()] == ["admin"]
    assert store.news() is None
    store.create("anna", Role.USER, now=NOW)
    assert [record.user for record in store.tokens()] == ["admin", "anna"]


async def _refused(*_: object) -> None:
    return None


def test_an_error_inside_changes_nothing(node: Opening) -> None:
    store = node("a")
    with pytest.raises(DataError), store.place.writing() as db:
        db.execute("DELETE FROM tokens")
        raise sqlite3.OperationalError("no")
    assert [record.user for record in node("b").tokens()] == ["admin"]
    assert [record.user for record in store.tokens()] == ["admin"]


def test_nothing_there_is_told_to_whoever_may_not_make_it(url: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is empty"):
        TokenStore.open(tmp_path, now=NOW, create=False, shared=_closet(url))


def test_an_older_version_is_kept_and_brought_up_and_a_newer_one_left_alone(
    node: Opening, url: str, tmp_path: Path
) -> None:
    store = node("a")
    assert isinstance(store.place, SharedPlace)
    with store.place.writing() as db:
        db.execute("DROP TABLE compatibility")
        db.execute(f"PRAGMA user_version = {VERSION - 1}")
    newer = node("b")
    with closing(sqlite3.connect(":memory:")) as backup:
        backup.deserialize((tmp_path / "b" / f"identity.db.shared.v{VERSION - 1}.backup").read_bytes())
        assert backup.execute("PRAGMA user_version").fetchone() == (VERSION - 1,)
    with newer.place.writing() as db:
        outgrow(db, oldest=VERSION + 1)
    with pytest.raises(DataError, match=f"has version {VERSION + 1}"):
        node("c")
    with pytest.raises(DataError, match=f"has version {VERSION + 1}"):
        store.create("anna", Role.USER, now=NOW)


def test_a_newer_one_that_has_only_more_in_it_is_used_as_it_is(node: Opening) -> None:
    older = node("a")
    with node("b").place.writing() as db:
        outgrow(db, oldest=VERSION)
    assert older.create("anna", Role.USER, now=NOW)[1].user_id == 2
    restarted = node("a")
    assert [record.user for record in restarted.tokens()] == ["admin", "anna"]
    assert restarted.place.db.execute("SELECT later FROM users").fetchall() == [("then",)] * 2


def test_a_link_that_one_node_made_opens_a_session_at_another_once(node: Opening) -> None:
    here, there = node("a"), node("b")
    made = here.make_link(here.tokens()[0].id, now=NOW)
    assert made is not None
    assert there.open_session_by_link(made[0], now=NOW) is not None
    assert here.open_session_by_link(made[0], now=NOW) is None


def test_a_lock_whose_holder_died_lapses(node: Opening, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for vault in ("redis_vault", "nats_vault"):
        monkeypatch.setattr(f"headway.stores.{vault}.LAPSE", 0.2)
    store = node("a")
    with closing(_closet(url)) as dead:
        assert isinstance(dead, Closet)
        dead._run(dead._vault.lock())
        store.create("anna", Role.USER, now=NOW)
        dead._run(dead._vault.unlock())  # it was not dead after all, and takes nothing from anybody
    assert len(store.tokens()) == 2


def test_a_store_of_one_node_has_no_vault() -> None:
    assert open_document("memory:", "identity.db") is None
    assert open_document("sqlite:data", "identity.db") is None


@pytest.mark.parametrize("scheme", SERVERS)
def test_a_server_that_is_away_is_told_as_trouble_with_the_tokens_until_it_is_back(tmp_path: Path, scheme: str) -> None:
    with (
        SERVERS[scheme](tmp_path / scheme) as own,
        closing(TokenStore.open(tmp_path / "a", now=NOW, shared=_closet(own.url))) as store,
    ):
        store.news()
        own.kill()
        for _ in range(3):
            with pytest.raises(DataError, match="cannot be reached"):
                store.news()
        own.start()
        assert [record.user for record in store.tokens()] == ["admin"]
        store.create("anna", Role.USER, now=NOW)
