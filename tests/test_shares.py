"""What children add up to: always what all their records say, whatever order they change in."""

import random
from fractions import Fraction

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from headway.core import lifecycle
from headway.core.activity import Activity, State
from headway.core.lifecycle import Report
from headway.core.progress import Children, Progress, advanced, begun
from headway.shares import Shares

NOW = 1_000.0
ENDS = [State.SUCCEEDED, State.FAILED, State.LOST]
WEIGHTS = st.floats(0.001, 1_000_000) | st.sampled_from([0.001, 0.1, 1.0, 1 / 3, 3.0, 1_000_000.0])
PERCENT = st.floats(0, 100) | st.integers(-1, 100).map(float) | st.sampled_from([99.99999999, 1e-9])


def child(uuid: str = "a", weight: float = 1.0, percent: float | None = None) -> Activity:
    """A live child; without a percent it stands at the 0 it began with."""
    report = Report() if percent is None else Report(progress=percent)
    return lifecycle.start(uuid, "t", 1, NOW, report=report, weight=weight)


def ended(activity: Activity, revision: int, state: State = State.FAILED) -> Activity:
    return lifecycle.stamped(lifecycle.finish(activity, state, NOW), revision)


def summed(*children: Activity) -> Shares:
    shares = Shares()
    for each in children:
        shares.put(each)
    return shares


def fraction(children: Children | None, own: float | None = None) -> float | None:
    """How far a parent with these children is, by its own words so far."""
    start = begun(Progress(), NOW)
    said = start if own is None else advanced(start, NOW, percent=own)
    return advanced(said, NOW, children=children).fraction


def naive(children: list[Activity]) -> tuple[Fraction, Fraction | None, Fraction]:
    """Weight, what is done of it, and what has ended of it, from all records there are."""
    weight = done = gone = Fraction(0)
    known = False
    for each in children:
        share = Fraction(each.weight)
        weight += share
        if each.ended:
            gone += share
            done += share
        elif each.progress.fraction is not None:
            done += share * Fraction(each.progress.fraction)
        known = known or each.ended or each.progress.fraction is not None
    return weight, done if known else None, gone


def assert_sums(children: Children | None, records: list[Activity]) -> None:
    """But for the digits that a float has no room for."""
    if not records:
        assert children is None
        return
    assert children is not None
    weight, done, gone = naive(records)
    assert children.weight == pytest.approx(float(weight), rel=1e-14, abs=1e-18)
    assert children.ended == pytest.approx(float(gone), rel=1e-14, abs=1e-18)
    assert (children.done is None) is (done is None)
    if children.done is not None and done is not None:
        assert children.done == pytest.approx(float(done), rel=1e-14, abs=1e-18)


# What they add up to


def test_without_children_there_is_no_sum() -> None:
    assert Shares().children is None
    assert Shares().take() is None


def test_children_count_by_their_weight() -> None:
    assert fraction(summed(child("a", 3.0, 50), child("b", 1.0, 10)).children) == pytest.approx((1.5 + 0.1) / 4)


def test_a_parent_that_speaks_itself_weighs_as_much_as_one_child() -> None:
    children = summed(child("a", 1.0, 50), child("b", 2.0, 100)).children
    assert fraction(children, own=30) == pytest.approx((0.5 + 2 + 0.3) / 4)


def test_what_a_parent_does_not_know_of_itself_does_not_count() -> None:
    children = summed(child("a", 1.0, 50)).children
    assert fraction(children, own=-1) == pytest.approx(0.5)


@pytest.mark.parametrize("state", ENDS)
def test_an_ended_child_counts_in_full_whatever_came_of_it(state: State) -> None:
    shares = summed(child("a", 1.0, 20), child("b", 1.0, 0))
    shares.put(ended(child("a", 1.0, 20), 5, state))
    assert fraction(shares.children) == pytest.approx(0.5)


def test_a_child_of_whom_nothing_is_known_counts_as_not_begun() -> None:
    assert fraction(summed(child("a", 1.0, -1), child("b", 1.0, 50)).children) == pytest.approx(0.25)


def test_while_nothing_is_known_of_any_child_the_parent_speaks_for_itself() -> None:
    children = summed(child("a", 1.0, -1), child("b", 1.0, -1)).children
    assert fraction(children) is None
    assert fraction(children, own=40) == pytest.approx(0.4)


def test_the_end_of_a_child_of_whom_nothing_was_known_is_known() -> None:
    unknown = child("a", 1.0, -1)
    shares = summed(unknown, child("b", 1.0, -1))
    shares.put(ended(unknown, 5))
    assert fraction(shares.children) == pytest.approx(0.5)


def test_a_parent_does_not_outlive_its_sum_by_a_thousandth_of_a_weight() -> None:
    assert summed(child("a", 1e-300)).children is not None  # nobody may ask for it, and it breaks nothing


# Whole percents


@pytest.mark.parametrize("weight", [0.001, 1.0, 1 / 3, 1_000_000.0])
def test_what_all_children_say_as_a_whole_percent_reads_so_for_the_parent(weight: float) -> None:
    for percent in range(100):
        children = summed(*(child(str(number), weight, percent) for number in range(7))).children
        assert advanced(begun(Progress(), NOW), NOW, children=children).percent == percent


@pytest.mark.parametrize("weight", [0.001, 1.0, 1 / 3, 1_000_000.0])
@pytest.mark.parametrize("percent", [99.99, 99.9999999999, 99.99999999999999])
def test_what_is_not_quite_done_is_not_done(weight: float, percent: float) -> None:
    shares = summed(*(child(str(number), weight, 100) for number in range(999)), child("last", weight, percent))
    for own in (None, 100.0):
        said = begun(Progress(), NOW) if own is None else advanced(begun(Progress(), NOW), NOW, percent=own)
        assert advanced(said, NOW, children=shares.children).percent == 99


def test_children_that_are_done_do_not_say_that_the_parent_is() -> None:
    """Another may begin: who follows a percent would take the whole for done after the first part."""
    shares = summed(child("a"))
    shares.put(ended(child("a"), 5))
    parent = advanced(begun(Progress(), NOW), NOW, children=shares.children)
    assert parent.percent == 99
    assert advanced(parent, NOW, percent=100).percent == 100


def test_a_hundred_percent_of_its_own_do_not_hide_what_its_children_have_to_do() -> None:
    assert fraction(summed(child("a", 1.0, 0)).children, own=100) == pytest.approx(0.5)


def test_percent_never_runs_backwards_while_children_go_forward() -> None:
    chance = random.Random(7)
    shares, start, seen = Shares(), begun(Progress(), NOW), -1
    at = {str(number): 0.0 for number in range(20)}
    weights = {uuid: chance.choice([0.001, 1 / 3, 1.0, 77.7, 1e6]) for uuid in at}
    for uuid, weight in weights.items():
        shares.put(child(uuid, weight, 0))
    for revision in range(1, 5_000):
        uuid = chance.choice(sorted(at))
        at[uuid] = min(100.0, at[uuid] + chance.choice([1e-9, 0.01, 1 / 3, 5]))
        record = child(uuid, weights[uuid], at[uuid])
        if at[uuid] == 100:
            del at[uuid]
            record = ended(record, revision)
        shares.put(record)
        percent = advanced(start, NOW, children=shares.children).percent
        assert percent >= seen
        seen = percent
        if not at:
            break
    assert seen == 99


# Telling


def test_a_sum_is_taken_once() -> None:
    shares = summed(child("a", 1.0, 25))
    assert shares.take() == Children(1.0, 0.25)
    assert shares.take() is None


def test_a_child_that_says_nothing_new_changes_no_sum() -> None:
    shares = summed(child("a", 1.0, 10))
    shares.take()
    shares.put(msgspec.structs.replace(child("a", 1.0, 10), title="new"))
    assert not shares.changed
    shares.put(child("a", 1.0, 11))
    assert shares.changed


def test_the_end_of_a_child_that_was_done_is_news() -> None:
    shares = summed(child("a", 1.0, 100))
    shares.take()
    shares.put(ended(child("a", 1.0, 100), 5))
    assert shares.take() == Children(1.0, 1.0, 1.0, 5)


def test_each_change_costs_the_same_however_many_there_are() -> None:
    class Counting(Shares):
        added = 0

        def _add(self, sign: int, weight: int, done: int | None) -> None:
            self.added += 1
            super()._add(sign, weight, done)

    shares = Counting()
    for number in range(1_000):
        shares.put(child(str(number)))
    shares.added = 0
    shares.put(child("500", 1.0, 40))
    assert shares.added == 2


# Drift


def test_a_hundred_thousand_changes_leave_nothing_behind() -> None:
    chance = random.Random(3)
    records: dict[str, Activity] = {}
    shares = Shares()
    for uuid in map(str, range(50)):
        records[uuid] = child(uuid, chance.choice([0.1, 1 / 3, 7.7, 0.001, 123_456.789]), 0)
    first = summed(*records.values()).children
    for _ in range(100_000):
        uuid = str(chance.randrange(50))
        moved = msgspec.structs.replace(records[uuid].progress, fraction=chance.choice([None, chance.random()]))
        shares.put(msgspec.structs.replace(records[uuid], progress=moved))
    for record in records.values():
        shares.put(record)
    assert shares.children == first


# After a restart


def restored(shares: Shares, *records: Activity) -> Shares:
    """As a new process finds it: the sum of the parent's record, then every record that there is."""
    again = Shares(msgspec.json.decode(msgspec.json.encode(shares.children), type=Children | None))
    for record in records:
        again.put(record)
    return again


def test_a_sum_that_was_written_down_knows_its_ended_children() -> None:
    live, gone = child("live", 2.0, 25), ended(child("gone", 1.0), 5)
    shares = summed(live, gone)
    assert restored(shares, live, gone).children == shares.children


def test_a_child_that_ended_after_the_sum_was_written_down_is_added() -> None:
    early, late = ended(child("early"), 5), ended(child("late"), 9)
    shares = summed(early, child("late"))
    assert restored(shares, early, late).children == Children(2.0, 2.0, 2.0, 9)


def test_ends_of_which_no_record_is_left_stay_in_the_sum() -> None:
    shares = summed(ended(child("forgotten", 3.0), 5))
    assert restored(shares, child("new", 1.0, 0)).children == Children(4.0, 3.0, 3.0, 5)


class AnyShares(RuleBasedStateMachine):
    """Children that start, report, end and are found again, against a sum over all their records."""

    children: Bundle[str] = Bundle("children")

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[str, Activity] = {}
        self.shares = Shares()
        self.written: Children | None = None
        self.revision = 0

    def put(self, record: Activity) -> None:
        self.revision += 1
        self.records[record.uuid] = lifecycle.stamped(record, self.revision)
        self.shares.put(self.records[record.uuid])

    @rule(target=children, weight=WEIGHTS, percent=st.none() | PERCENT)
    def start(self, weight: float, percent: float | None) -> str:
        uuid = str(len(self.records))
        self.put(child(uuid, weight, percent))
        return uuid

    @rule(uuid=children, percent=PERCENT)
    def report(self, uuid: str, percent: float) -> None:
        if not self.records[uuid].ended:
            self.put(lifecycle.report(self.records[uuid], Report(progress=percent), NOW))

    @rule(uuid=children, percent=PERCENT)
    def report_what_is_not_committed(self, uuid: str, percent: float) -> None:
        """It is put right by what is."""
        record = self.records[uuid]
        if not record.ended:
            self.shares.put(lifecycle.report(record, Report(progress=percent), NOW))
            self.put(record)

    @rule(uuid=children, state=st.sampled_from(ENDS))
    def end(self, uuid: str, state: State) -> None:
        if not self.records[uuid].ended:
            self.put(lifecycle.finish(self.records[uuid], state, NOW))

    @rule()
    def write_down(self) -> None:
        self.written = self.shares.children

    @rule()
    def restart(self) -> None:
        """What was written down may be older than the newest records; live ones may have been given new revisions."""
        self.shares = Shares(self.written)
        for record in sorted(self.records.values(), key=lambda record: record.revision):
            if record.ended:
                self.shares.put(record)
                continue
            self.revision += 1
            self.records[record.uuid] = lifecycle.stamped(record, self.revision)
            self.shares.put(self.records[record.uuid])

    @invariant()
    def it_is_what_the_records_say(self) -> None:
        assert_sums(self.shares.children, list(self.records.values()))


AnyShares.TestCase.settings = settings(max_examples=settings().max_examples * 3 // 5, stateful_step_count=30)
TestAnyShares = AnyShares.TestCase
