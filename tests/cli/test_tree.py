"""Rows as trees."""

from headway.cli import tree
from headway.wire.decode import row_from
from headway.wire.row import Row
from tests.client.scripted_server import row


def made(uuid: str, parent: str | None = None) -> Row:
    return row_from(row(uuid) if parent is None else row(uuid, parentUUID=parent))


def names(rows: list[Row]) -> str:
    return " ".join(row.uuid for row in rows)


def test_parts_come_behind_what_they_are_parts_of_and_all_else_stays_in_order() -> None:
    rows = [made("a"), made("b"), made("a1", "a"), made("b1", "b"), made("a2", "a"), made("a11", "a1"), made("c")]
    found = tree.ordered(rows)
    assert names(found) == "a a1 a11 a2 b b1 c"
    assert tree.depths(found) == {"a": 0, "a1": 1, "a11": 2, "a2": 1, "b": 0, "b1": 1, "c": 0}


def test_a_part_of_what_is_not_there_stands_by_itself() -> None:
    rows = [made("a1", "a"), made("b"), made("a11", "a1")]
    assert names(tree.ordered(rows)) == "a1 a11 b"
    assert tree.depths(tree.ordered(rows)) == {"a1": 0, "a11": 1, "b": 0}


def test_of_a_circle_nothing_is_left_out() -> None:
    rows = [made("a", "b"), made("b", "a"), made("c", "c"), made("d")]
    assert sorted(names(tree.ordered(rows)).split()) == ["a", "b", "c", "d"]


def test_nothing_is_nothing() -> None:
    assert (tree.ordered([]), tree.depths([])) == ([], {})
