"""`auto` believes only what there is evidence for, and stays with the tool it believes."""

import pytest

from headway.operations.process.progress import Line, Reading
from headway.operations.process.progress.auto import Auto
from headway.operations.process.progress.evidence import Claim
from tests.operations.process.progress.support import last, readings


def fractions(output: str) -> list[float | None]:
    return [reading.fraction for reading in readings("auto", output)]


def status(form: str, *values: object) -> str:
    """A line that is drawn again and again."""
    return "".join("\r" + form.format(value) for value in values) + "\n"


def log(form: str, *values: object) -> str:
    return "".join(form.format(value) + "\n" for value in values)


GROWING = (10, 20, 30, 40, 50, 60)


@pytest.mark.parametrize(
    "form",
    [
        "Copying: {}%",
        "\u28fe {} %",
        "{}% [####      ]",
        "|####    | {}% eta 0:01",
        "image.iso {}.5%",
        "a: {}% (1/3 of all 9%)",
    ],
)
def test_a_percentage_on_a_status_line_is_believed_once_it_has_grown_twice(form: str) -> None:
    told = fractions(status(form, *GROWING))
    assert len(told) == len(GROWING) - 2
    assert told[-1] == pytest.approx(0.6, abs=0.01)


@pytest.mark.parametrize(
    "form", ["Progress: {}%", "{}%", "{}% done", "Downloading ... {}%", "[=====>    ] {}%", "{}% complete"]
)
def test_a_percentage_on_lines_of_their_own_is_believed_once_it_has_grown_three_times(form: str) -> None:
    assert fractions(log(form, *GROWING)) == [0.4, 0.5, 0.6]


def test_to_begin_at_the_beginning_is_evidence_too() -> None:
    assert fractions(status("Copying: {}%", 3, 7, 9)) == [0.09]
    assert fractions(status("Copying: {}%", 0, 7, 9)) == [0.07, 0.09]
    assert fractions(log("Progress: {}%", 0, 7, 9, 12)) == [0.09, 0.12]
    assert fractions(log("[{}/5] Fetching", 2, 3, 4)) == [0.8]
    assert fractions(log("[{}/5] Fetching", 1, 2, 3)) == [0.4, 0.6]


LEVELS = """CPU {}%; \rcpu: {}%; \rmemory {}%; disk / {}% used; \r{}% used; \rBattery: {}%; \rload {}/99;
coverage: {}% done; \raccuracy {}%; similarity index {}%;
\r{}% of the money; \r{}% faster; (deflated {}%); x.txt (deflated {}%);
\r(Reading database ... {}%; score: {}/99 tests; /dev/vda 9G {}% /"""
PROSE = """about {}% here; a {0}% b {0}% done; x = {}%; I ate {}/99 cakes; {} of 99; Chapter {} of 99; about {}/99"""
PARTS = """\r+{}%; \r-{}%; \r1.{}.2%; \rstyle{}%; 2024/11/{}; {}/31; \r2024/{}/99; /a/{}/99; \rv{}/99; {}/99.2;
1:{}/99; and/or {}"""
BINARY = """\x01{}%; \r\ufffd{}%; \r\x02 {}/99"""


@pytest.mark.parametrize("form", [form.lstrip(" \n") for form in f"{LEVELS}; {PROSE}; {PARTS}; {BINARY}".split(";")])
def test_what_does_not_look_like_progress_is_not_believed_though_it_grows(form: str) -> None:
    assert readings("auto", log(form, *GROWING)) == []


def test_a_percentage_that_does_not_grow_is_not_believed() -> None:
    assert readings("auto", status("Copying: {}%", *[50] * 20)) == []
    assert readings("auto", status("Copying: {}%", 90, 80, 70, 60, 50)) == []
    assert readings("auto", status("Copying: {}%", 12, 45, 31, 77, 93, 94, 95, 96)) == []


def test_lines_with_other_words_are_no_evidence_for_each_other() -> None:
    towns = ["Bern", "Oslo", "Rome", "Riga", "Nice", "Lviv"]
    output = "".join(f"{town} is {n}% complete\n" for town, n in zip(towns, GROWING, strict=True))
    assert readings("auto", output) == []


def test_the_bars_and_spinners_around_a_percentage_may_change() -> None:
    output = "".join(f"\r{'|/-'[n % 3]} img [{'#' * n}{'.' * (9 - n)}] {n * 10}%" for n in range(1, 8))
    assert fractions(output + "\n")[-1] == 0.7


@pytest.mark.parametrize(
    "form", ["[{}/99] CC x.o", "  ({}/99) x", "{}/99 files", "Step {}/99 : RUN", "{}/99 Test #1", "{}/99: x"]
)
def test_counts_on_lines_of_their_own_are_believed(form: str) -> None:
    assert fractions(log(form, *GROWING))[-1] == pytest.approx(60 / 99)


@pytest.mark.parametrize(
    "form", ["image {}/99", "{} / 99", "{}.5/99.0 MB at 3 MB/s", "{}MB/99MB", "Processing {} of 99"]
)
def test_counts_on_a_status_line_are_believed(form: str) -> None:
    assert fractions(status(form, *GROWING))[-1] == pytest.approx(60 / 99, abs=0.01)


def test_a_month_and_a_day_are_no_count_but_may_be_one_of_files() -> None:
    assert readings("auto", log("{}/31", 9, 10, 11, 12)) == []
    assert readings("auto", log("{}/31 10:00:00 started", 9, 10, 11, 12)) == []
    assert fractions(log("{}/31 files", 9, 10, 11, 12)) == [12 / 31]


def test_counts_of_another_total_are_no_evidence_for_each_other() -> None:
    assert readings("auto", "[1/12] a\n[2/14] b\n[3/17] c\n[4/20] d\n") == []


def test_parallel_jobs_may_print_a_little_out_of_order() -> None:
    assert fractions(log("[ {}%] Building", 10, 20, 30, 28, 31)) == [0.3, 0.31]


def test_what_turns_out_to_be_a_level_is_taken_back_and_not_believed_again() -> None:
    told = readings("auto", status("glucose {}%", 10, 20, 45, 33, 50, 60, 70, 80))
    assert told == [Reading(fraction=0.45), Reading()]


def test_a_percentage_may_begin_again() -> None:
    assert fractions(status("Copying: {}%", 0, 50, 99, 3, 40)) == [0.5, 0.99, 0.03, 0.4]


def test_the_next_status_line_takes_the_place_of_an_unfinished_one() -> None:
    output = status("first.bin {}%", 0, 50, 90) + status("second.bin {}%", 0, 10, 20)
    assert fractions(output) == [0.5, 0.9, 0.1, 0.2]


def test_a_step_within_a_step_does_not_take_its_place() -> None:
    inner = status("{:3}% [####      ] x", *GROWING) + status("\r{:6}%", 20) + log("{} bytes copied, 1 s, 9 B/s", 10)
    tool = status("{:3}%|###   | 1/9 [00:01<00:08, 1.00s/it]", 11)
    output = "".join(f"[{n}/9] Step\n{inner}{tool}" for n in range(4, 9))
    assert fractions(log("[{}/9] Step", 1, 2, 3) + output)[1:] == [n / 9 for n in range(3, 9)]


@pytest.mark.parametrize("within", [status("{}% x", *GROWING), "\rx  40%[=====>        ] 1.00M  1MB/s\n"])
def test_of_two_the_one_that_began_first_is_the_outer_one(within: str) -> None:
    told = fractions("".join(f"[{n}/9] Step\n{within}" for n in range(1, 6)))
    assert told[-4:] == [n / 9 for n in range(2, 6)]


TQDM = "\r 50%|#####     | 5/10 [00:01<00:01, 4.97it/s]\n"
DONE = "\r100%|##########| 10/10 [00:02<00:00, 4.97it/s]\n"
WGET = "\rx   40%[=====>        ] 1.00M  1MB/s\n"
DD = "1048576 bytes (1.0 MB, 1.0 MiB) copied, 1 s, 1.0 MB/s\n"


def test_one_line_that_only_one_tool_writes_is_enough() -> None:
    assert [fractions(line) for line in (TQDM, WGET, DD)] == [[0.5], [0.4], [None]]


def test_another_tool_is_passed_over_until_the_first_has_finished() -> None:
    assert fractions(TQDM + WGET + DONE + WGET + TQDM) == [0.5, 1.0, 0.4]


def test_what_has_given_way_is_not_the_outer_one_of_what_follows() -> None:
    output = status("a {}%", 0, 50, 100) + log("[{}/9] x", 1, 2, 3) + status("a {}%", 5, 60)
    assert fractions(output) == [0.5, 1.0, 2 / 9, 3 / 9]


def test_a_tool_that_knows_a_fraction_takes_the_place_of_one_that_does_not() -> None:
    assert fractions(DD + WGET + DD) == [None, 0.4]


def test_a_tool_that_said_it_ended_gives_way_though_it_was_cut_short() -> None:
    movie = "Input #0, mov, from 'a':\n  Duration: 00:01:40.00, start: 0\n"
    end = "frame=9 fps=9 q=1.0 Lsize=9kB time=00:00:10.00 bitrate=9kbits/s speed=9x\n"
    assert fractions(movie + end + WGET) == [0.1, 0.4]


def test_a_line_of_a_tool_is_no_evidence_for_a_percentage() -> None:
    told = readings("auto", log("\rx {:3}%[==>  ] 1.00M  1MB/s", *GROWING) + "\rx 70%\r")
    assert [reading.fraction for reading in told] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]


class Silent:
    """A tool, and a rule for any, that are only ever asked."""

    def __init__(self, *hints: bytes) -> None:
        self.hints = hints
        self.asked = 0

    def read(self, line: Line) -> Reading | None:
        self.asked += 1
        return None

    def claim(self, line: Line) -> Claim | None:
        self.asked += 1
        return None


def test_a_rule_is_asked_only_about_lines_with_a_hint_for_it_and_once_each() -> None:
    tool, other, claimant = Silent(b"@", b"@@"), Silent(b"!"), Silent(b"%")
    auto = Auto([tool, other], [claimant])
    for raw in [b"@@ 5%", b"@", b"5%", *[b"!"] * 7]:
        auto.read(Line(raw, [hint for hint in auto.hints if hint in raw]))
    assert (tool.asked, other.asked, claimant.asked) == (2, 7, 2)


def test_what_is_remembered_of_numbers_is_bounded() -> None:
    kinds = [f"{chr(97 + n % 26)}{chr(97 + n // 26)}x" for n in range(500)]
    output = "".join(f"\r{kind} 5%\r{kind} 6%" for kind in kinds)
    assert readings("auto", output + status("zz {}%", 1, 2, 3))[-1] == Reading(fraction=0.03)
    for kind in ("b", "c"):
        others = "".join(f"\r{kind}{chr(97 + n)}{chr(97 + m)} 5%" for n in range(5) for m in range(10))
        output = status("zz {}%", 3) + others + status("zz {}%", 4) + others.replace(kind, "d")
        assert readings("auto", output + status("zz {}%", 5)) == [Reading(fraction=0.05)]


def test_what_is_forgotten_may_prove_itself_again() -> None:
    output = "".join(f"\r{chr(97 + n % 26)}{chr(97 + n // 26)}x 5%" for n in range(500))
    assert last("auto", status("ax {}%", 9, 8) + output + status("ax {}%", 1, 2, 3)) == Reading(fraction=0.03)
