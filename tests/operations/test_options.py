"""What a program may say as it starts an operation: its mistakes are told at once, its data is made to fit."""

from typing import Any

import pytest

from headway import current
from headway.core.activity import Activity
from headway.core.errors import InvalidInput, NotFound
from headway.operations.options import StartOptions, attributes_of
from tests.hubs import hub


class Hostile:
    """Raises wherever it is looked at."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    def __bool__(self) -> bool:
        raise RuntimeError("neither true nor false")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("cannot be compared")

    __hash__ = None  # type: ignore[assignment]


class Lazy:
    """A text that is translated when it is shown."""

    def __str__(self) -> str:
        return "Übersetzt"


async def started(**options: Any) -> Activity:
    async with hub() as activities, activities.start("t", **options) as it:
        return it.activity


async def test_without_options_it_has_the_defaults() -> None:
    activity = await started()
    assert (activity.owner, activity.cancellable, activity.title, activity.subtitle) == (1, True, "", "")
    assert (activity.grace, activity.timeout, activity.stall, activity.weight) == (10.0, None, 300.0, 1.0)
    assert (activity.parent, activity.context) == (None, None)


async def test_each_option_is_on_record() -> None:
    activity = await started(
        title="Films",
        subtitle="A",
        owner=7,
        cancellable=False,
        context={"key": "1"},
        parent=None,
        weight=2.5,
        grace=0,
        timeout=60,
        stall=None,
    )
    assert (activity.title, activity.subtitle, activity.owner, activity.cancellable) == ("Films", "A", 7, False)
    assert (activity.context, activity.parent, activity.weight) == ({"key": "1"}, None, 2.5)
    assert (activity.grace, activity.timeout, activity.stall) == (0, 60, None)


def refusal(type: Any = "t", **options: Any) -> str:
    with pytest.raises(InvalidInput) as refused:
        attributes_of(type, StartOptions(**options))  # type: ignore[typeddict-item]
    return refused.value.message


@pytest.mark.parametrize("type", ["", "a b", "ümlaut", "x" * 129, 5, None, "a\nb", "a\n"])
def test_a_type_is_a_dotted_name(type: Any) -> None:
    assert refusal(type).startswith("type: must be 1 to 128 characters")


@pytest.mark.parametrize("owner", ["7", 0, -1, None, True, 1.5, float("nan"), 2**53 + 1, object()])
def test_an_owner_is_a_user(owner: Any) -> None:
    assert refusal(owner=owner).startswith("owner: must be an integer of at least 1")


@pytest.mark.parametrize("cancellable", ["no", 1, 0, None, "false", []])
def test_cancellable_is_true_or_false(cancellable: Any) -> None:
    assert refusal(cancellable=cancellable).startswith("cancellable: must be true or false")


@pytest.mark.parametrize(
    ("option", "rule"),
    [
        ("weight", "a number from 0.001 to 1"),
        ("grace", "a number from 0 to 300"),
        ("timeout", "a number from 0.001 to "),
        ("stall", "a number from 1 to 86400"),
    ],
)
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "5", True, 10**400, object()])
def test_a_number_is_a_number_within_its_bounds(option: str, rule: str, value: Any) -> None:
    assert refusal(**{option: value}).startswith(f"{option}: must be {rule}")


@pytest.mark.parametrize(("option", "value"), [("weight", 0), ("timeout", 0), ("stall", 0.5), ("grace", 301)])
def test_just_beyond_the_bounds_is_beyond(option: str, value: float) -> None:
    assert refusal(**{option: value}).startswith(f"{option}: must be a number")


@pytest.mark.parametrize(
    ("context", "message"),
    [
        (5, "context: must be an object"),
        ([("a", 1)], "context: must be an object"),
        ({"a b": 1}, "context: a member's name"),
        ({1: 2}, "context: a member's name must be text"),
        ({"key": None}, "context.key: must be text, a number, true or false"),
        ({"key": {"deep": 1}}, "context.key: must be text, a number, true or false"),
        ({"key": float("inf")}, "context.key: a number must be within"),
        ({"librarySectionID": 3}, "context.librarySectionID: must be text"),
        ({f"key{n}": n for n in range(33)}, "context: must have at most 32 members"),
        ({"key": "x" * 5000}, "context: must take at most 4096 bytes"),
    ],
)
def test_a_context_is_flat_and_small(context: Any, message: str) -> None:
    assert refusal(context=context).startswith(message)


def test_an_option_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(TypeError, match=r"no option color, titel of an activity; there are cancellable, .*, title"):
        attributes_of("t", StartOptions(titel="Films", color="red"))  # type: ignore[typeddict-unknown-key]


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        (None, ""),
        (12, "12"),
        (Lazy(), "Übersetzt"),
        (Hostile(), ""),
        ("a\nb\x1b[31m\ud800\u202e", "a b\ufffd[31m\ufffd"),
        ("x" * 300, "x" * 255 + "…"),
        (b"bytes", "b'bytes'"),
    ],
)
async def test_a_title_of_any_data_starts_the_work(title: Any, shown: str) -> None:
    activity = await started(title=title, subtitle=title)
    assert activity.title == shown
    assert type(activity.title) is type(activity.subtitle) is str


async def test_numbers_of_other_libraries_become_plain_ones() -> None:
    class Float64(float):
        pass

    class Int64(int):
        pass

    activity = await started(owner=Int64(7), weight=Float64(2), grace=Float64(3), timeout=Int64(60), stall=Float64(5))
    values: tuple[object, ...] = activity.owner, activity.weight, activity.grace, activity.timeout, activity.stall
    assert values == (7, 2, 3, 60, 5)
    assert {type(value) for value in values} <= {int, float}


async def test_a_parent_is_an_activity_or_its_uuid() -> None:
    async with (
        hub() as activities,
        activities.start("t") as it,
        activities.start("part", parent=it) as part,
        activities.start("part", parent=it.uuid) as other,
    ):
        assert {part.activity.parent, other.activity.parent} == {it.uuid}


async def test_below_the_current_activity_is_a_root_where_there_is_none() -> None:
    async with hub() as activities, activities.start("t", parent=current()) as it:
        assert it.activity.parent is None
        async with activities.start("part", parent=current()) as part:
            assert part.activity.parent == it.uuid


@pytest.mark.parametrize("parent", ["unknown", "", 5])
async def test_a_parent_that_is_not_there_is_refused(parent: Any) -> None:
    async with hub() as activities:
        with pytest.raises(NotFound, match="no such running activity"):
            async with activities.start("t", parent=parent):
                raise AssertionError("not reached")


async def test_a_part_belongs_to_the_owner_of_its_whole() -> None:
    async with hub() as activities, activities.start("t", owner=7) as it:
        async with it.start("part") as part:
            assert part.activity.owner == 7
        with pytest.raises(NotFound):
            async with it.start("part", owner=8):
                raise AssertionError("not reached")


async def test_nobody_may_know_at_first_how_far_it_is() -> None:
    async with hub() as activities, activities.start("t", progress=-1) as activity:
        assert activity.activity.progress.percent == -1
    with pytest.raises(InvalidInput, match="progress: must be"):
        activities.start("t", progress=101)
