"""A list is encoded once until it changes, and sent only to those who do not have it."""

from collections.abc import Iterable

import pytest

from headway.core.activity import Activity
from headway.core.narrowing import Narrowing
from headway.core.policy import EVERYTHING
from headway.core.view import View
from headway.live import Feed
from headway.server.lists import Lists
from headway.server.rows import Rows
from headway.wire.formats import Format
from tests.server.whole import Whole
from tests.wire.strategies import an_activity

ANYTHING = Narrowing()


class Counting(Rows):
    """Counts how many lists it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.lists = 0

    def list(self, activities: Iterable[Activity], format: Format = Format.JSON) -> bytes:
        self.lists += 1
        return super().list(activities, format)


class Shelf:
    """Lists of one view."""

    def __init__(self, capacity: int = 1_000_000) -> None:
        self.feed = Feed(EVERYTHING, View())
        self.rows = Counting()
        self.lists = Lists(lambda _: self.feed, self.rows, capacity)

    def change(self, revision: int, title: str = "") -> None:
        self.feed.view.apply(an_activity(revision=revision, started_revision=1, title=title))


def test_it_is_encoded_once_until_the_view_changes() -> None:
    shelf = Shelf()
    shelf.change(1)
    first = shelf.lists.get(EVERYTHING, ANYTHING, Format.JSON)
    assert shelf.lists.get(EVERYTHING, ANYTHING, Format.JSON) is first
    shelf.change(2, title="other")
    second = shelf.lists.get(EVERYTHING, ANYTHING, Format.JSON)
    assert (second.position, b"other" in second.body, shelf.rows.lists) == (2, True, 2)


def test_each_narrowing_and_format_has_its_own() -> None:
    shelf = Shelf()
    shelf.change(1)
    bodies = {
        shelf.lists.get(EVERYTHING, narrowing, format).body
        for narrowing in (ANYTHING, Narrowing(type="other"))
        for format in Format
    }
    assert len(bodies) == 4


def test_the_same_content_has_the_same_tag_whatever_has_happened() -> None:
    shelf = Shelf()
    shelf.change(1)
    before = shelf.lists.get(EVERYTHING, Narrowing(type="other"), Format.JSON)
    shelf.change(2)
    after = shelf.lists.get(EVERYTHING, Narrowing(type="other"), Format.JSON)
    assert (before.tag, before.position) == (after.tag, 1) and after.position == 2


def test_what_is_kept_is_bounded() -> None:
    shelf = Shelf(capacity=1_000)
    shelf.change(1)
    empty = len(shelf.lists.get(EVERYTHING, Narrowing(text="none"), Format.JSON).body)
    for number in range(100):
        shelf.lists.get(EVERYTHING, Narrowing(text=str(number)), Format.JSON)
    assert repr(shelf.lists) == f"<Lists {1_000 // empty} of {1_000 // empty * empty} bytes>"


@pytest.mark.parametrize("kind", ["application/json", "*/*"])
async def test_who_has_it_is_not_sent_it_again(whole: Whole, kind: str) -> None:
    uuid = (await whole.start())["uuid"]
    accept = ("Accept", kind)
    first = await whole.ask("GET", "/activities", "alice", headers=[accept])
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = await whole.ask("GET", "/activities", "alice", headers=[accept, ("If-None-Match", known)])
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
        assert "x-headway-cursor" in again.headers
    await whole.change(uuid, progress=50)
    news = await whole.ask("GET", "/activities", "alice", headers=[accept, ("If-None-Match", tag)])
    assert (news.status, news.headers["etag"] != tag) == (200, True)


async def test_a_tag_tells_nothing_of_others(whole: Whole) -> None:
    before = await whole.ask("GET", "/activities", "alice")
    await whole.start("bob")
    after = await whole.ask("GET", "/activities", "alice", headers=[("If-None-Match", before.headers["etag"])])
    assert after.status == 304
