"""What is a part of what: beyond chains, groups and chords, which are tried in each pool."""

from __future__ import annotations

from tests.examples.site import until
from tests.integrations.celery.conftest import Pools
from tests.integrations.celery.workers import Shop, moment


def test_a_task_that_publishes_itself_again_and_again_is_shown_each_time(shop: Shop, pools: Pools) -> None:
    """A tree has a most depth; below it, a task begins one of its own."""
    pools("prefork")
    before = len(climbs(shop))
    result = shop.app.climb.apply_async((9,), queue="prefork")
    assert shop.ended(result.id).state == "succeeded"
    until(lambda: len(climbs(shop)) == before + 10)
    rows = [shop.client.activities.wait(uuid, 20.0) for uuid in climbs(shop)]
    assert {row.state for row in rows} == {"succeeded"}
    assert len([row for row in rows if row.parent is None]) == 2


def climbs(shop: Shop) -> list[str]:
    rows = shop.find(app="shop")
    return [row.uuid for row in rows if row.type.endswith(".climb")]


def test_what_is_to_begin_later_is_no_part_of_what_published_it(shop: Shop, pools: Pools) -> None:
    pools("prefork")
    ended = shop.ended(shop.app.later.apply_async(queue="prefork").id)
    assert ended.state == "succeeded"
    assert shop.parts(ended.uuid) == []
    until(lambda: [row for row in shop.find(app="shop") if row.title.endswith(".nap 0") and row.ended_at])


def test_a_task_that_is_called_in_place_is_not_shown_and_its_parts_are(shop: Shop, pools: Pools) -> None:
    pools("prefork")
    ended = shop.ended(shop.app.eager.apply_async((moment(),), queue="prefork").id)
    (part,) = shop.parts(ended.uuid)
    assert (ended.state, ended.error, part.user) == ("succeeded", None, 2)
    assert part.title.endswith(".nap 0")


def test_nor_is_one_that_is_called_by_a_program(shop: Shop) -> None:
    known = len(shop.find(app="shop"))
    assert shop.app.add.apply((1, 2)).get() == 3
    assert len(shop.find(app="shop")) == known


def test_what_follows_a_chord_in_a_chain_is_a_part_of_the_same_whole(shop: Shop, pools: Pools) -> None:
    from celery import chain, group  # type: ignore[import-untyped]

    pools("prefork")

    def adding(*numbers: int) -> object:
        return shop.app.add.s(*numbers).set(queue="prefork")

    halves = group(adding(number) for number in range(2))
    result = chain(halves, adding(), group(adding(number) for number in range(2))).delay()
    whole = shop.whole(result.parent.id)
    assert (whole.title, whole.state) == ("add → add → add → add", "succeeded")
    parts = shop.parts(whole.uuid)
    assert len(parts) == 5
    assert {row.title.partition(" ")[0] for row in parts} == {"tests.integrations.celery.shop.add"}
