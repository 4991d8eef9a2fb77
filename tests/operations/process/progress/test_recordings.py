"""Real output of real tools, each read by its own rule and by `auto`. record.py says how the recordings were made."""

from itertools import pairwise

import pytest

from headway.operations.process.progress import Reading
from tests.operations.process.progress.support import RECORDINGS, last, readings, recording

MB3, CURL_3M = 3_000_000.0, 2929 * 1024.0  # curl prints 2929k
WHOLE = Reading(fraction=1.0)
FIVE_FILES = Reading(fraction=1.0, completed=5 * MB3, unit="bytes")
LAST_FILE = Reading(fraction=1.0, completed=5 * MB3, unit="bytes", subtitle="5.bin")
MOVIE = Reading(fraction=599.9 / 600, completed=599.9, total=600.0, unit="s", final=True)
MOVIE_BLOCK = Reading(fraction=599.901 / 600, completed=599.901, total=600.0, unit="s", final=True)
CURL = Reading(fraction=1.0, completed=CURL_3M, total=CURL_3M, unit="bytes")
DD = Reading(completed=1500 * 1024.0**2, unit="bytes")
PV = Reading(fraction=1.0, completed=float(round(19.1 * 1024**2)), unit="bytes")


def wget(name: str | None = "file.bin", size: float = MB3) -> Reading:
    return Reading(fraction=1.0, completed=size, total=size, unit="bytes", subtitle=name)


def pip(name: str, size: float) -> Reading:
    return Reading(fraction=1.0, completed=size, total=size, unit="bytes", subtitle=name)


def counted(total: float, unit: str | None = None) -> Reading:
    return Reading(fraction=1.0, completed=total, total=total, unit=unit)


ENDS = {
    "rsync-progress2.tty": FIVE_FILES,
    "rsync-progress2.pipe": FIVE_FILES,
    "rsync-progress2-verbose.tty": LAST_FILE,
    "rsync-per-file.tty": LAST_FILE,
    "rsync-per-file.pipe": LAST_FILE,
    "rsync-one-file.tty": Reading(fraction=1.0, completed=MB3, unit="bytes"),
    "rsync-incremental.tty": Reading(fraction=1.0, completed=6_000_000.0, unit="bytes"),
    "rsync-two-folders.tty": FIVE_FILES,
    "ffmpeg-stderr.tty": MOVIE,
    "ffmpeg-stderr.pipe": MOVIE,
    "ffmpeg-two-inputs.pipe": MOVIE,
    "ffmpeg-live.pipe": Reading(completed=299.9, unit="s", final=True),
    "ffmpeg-progress.pipe": MOVIE_BLOCK,
    "ffmpeg-progress-both.tty": MOVIE_BLOCK,
    "ffmpeg-progress-quiet.pipe": Reading(completed=599.901, unit="s", final=True),
    "curl-meter.tty": CURL,
    "curl-meter.pipe": CURL,
    "curl-meter-no-length.tty": Reading(completed=CURL_3M, unit="bytes"),
    "curl-meter-upload.tty": CURL,
    "curl-bar.tty": WHOLE,
    "curl-bar.pipe": WHOLE,
    "curl-bar-no-length.tty": None,
    "curl-parallel.tty": Reading(fraction=1.0, completed=7324 * 1024.0, unit="bytes"),
    "curl-two-files.tty": CURL,
    "wget-bar.tty": wget("a-name-so-long-that-it-scrolls.tar.gz"),
    "wget-dots.pipe": wget(),
    "wget-dots-mega.pipe": wget(size=9_000_000.0),
    "wget-bar-force.pipe": wget(),
    "wget-bar-quiet.tty": Reading(fraction=1.0, completed=float(round(2.86 * 1024**2)), unit="bytes"),
    "wget-bar-no-length.tty": Reading(completed=float(round(2.86 * 1024**2)), unit="bytes", subtitle="file.bin"),
    "wget-dots-no-length.pipe": Reading(completed=2900 * 1024.0, unit="bytes", subtitle="file.bin"),
    "pip-download.tty": pip("beta-1.0-py3-none-any.whl", 1_200_000.0),
    "pip-download.pipe": pip("beta-1.0-py3-none-any.whl", 1_200_000.0),
    "pip-download-raw.pipe": pip("beta-1.0-py3-none-any.whl", 1_200_853.0),
    "pip-install.tty": Reading(fraction=1.0, completed=3.0, total=3.0, unit="packages", subtitle="alpha"),
    "dd-status.tty": DD,
    "dd-status.pipe": DD,
    "pv-bar.tty": PV,
    "pv-bar-force.pipe": PV,
    "pv-numeric.pipe": WHOLE,
    "pv-no-size.tty": Reading(completed=float(round(19.1 * 1024**2)), unit="bytes"),
    "pv-lines.tty": Reading(fraction=1.0, completed=400.0, unit="lines"),
    "tqdm-plain.tty": counted(100.0, "it"),
    "tqdm-plain.pipe": counted(100.0, "it"),
    "tqdm-no-total.tty": Reading(completed=100.0, unit="it"),
    "tqdm-bytes.tty": counted(3_240_000.0, "bytes"),  # 3.24M, of 1024 each, which tqdm does not say
    "tqdm-bytes-no-total.tty": Reading(completed=3_400_000.0, unit="bytes"),
    "tqdm-nested.tty": counted(3.0, "it"),
    "tqdm-nested-left.pipe": counted(3.0, "it"),
    "tqdm-postfix-ascii.tty": counted(20.0, "it"),
    "tqdm-one-after-another.tty": counted(10.0, "it"),
    "tqdm-with-messages.tty": counted(10.0, "it"),
    "tqdm-colour.tty": counted(4.0, "file"),
    "percent-cmake.tty": WHOLE,
    "percent-cmake.pipe": WHOLE,
    "percent-pytest.tty": WHOLE,
    "percent-pytest-verbose.pipe": WHOLE,
    "percent-git-clone.tty": counted(19.0),
    "count-ninja.tty": counted(25.0),
    "count-ninja.pipe": counted(25.0),
    "count-ctest.pipe": counted(12.0, "test"),
}
UNKNOWN_TO_AUTO = {"pv-numeric.pipe"}  # bare numbers are evidence of nothing
SEVERAL_PARTS = {  # each part begins again at 0
    *("rsync-two-folders.tty", "curl-two-files.tty", "tqdm-one-after-another.tty", "percent-git-clone.tty"),
    *("pip-download.tty", "pip-download.pipe", "pip-download-raw.pipe", "pip-install.tty"),
}
NONE = sorted(path.name for path in RECORDINGS.glob("none-*"))


def test_every_recording_is_tested() -> None:
    assert {path.name for path in RECORDINGS.iterdir()} == {*ENDS, *NONE}
    assert len(NONE) >= 10


@pytest.mark.parametrize("name", ENDS)
def test_its_own_rule_reads_how_it_ended(name: str) -> None:
    assert last(name.partition("-")[0], recording(name)) == ENDS[name]


@pytest.mark.parametrize("name", ENDS)
def test_auto_finds_the_rule(name: str) -> None:
    assert last("auto", recording(name)) == (None if name in UNKNOWN_TO_AUTO else ENDS[name])


@pytest.mark.parametrize("name", NONE)
def test_auto_reads_nothing_in_other_output(name: str) -> None:
    assert readings("auto", recording(name)) == []


@pytest.mark.parametrize("name", [*ENDS, *NONE])
def test_none_reads_nothing(name: str) -> None:
    assert readings("none", recording(name)) == []


@pytest.mark.parametrize("rule", ["own", "auto"])
@pytest.mark.parametrize("name", sorted(ENDS.keys() - SEVERAL_PARTS))
def test_progress_never_runs_backwards(name: str, rule: str) -> None:
    told = readings(name.partition("-")[0] if rule == "own" else rule, recording(name))
    fractions = [reading.fraction for reading in told if reading.fraction is not None]
    assert fractions == sorted(fractions)
    amounts = [reading.completed for reading in told if reading.completed is not None]
    assert amounts == sorted(amounts)


@pytest.mark.parametrize("rule", ["own", "auto"])
@pytest.mark.parametrize("name", sorted(SEVERAL_PARTS))
def test_several_parts_go_back_only_to_begin_again(name: str, rule: str) -> None:
    told = readings(name.partition("-")[0] if rule == "own" else rule, recording(name))
    falls = [
        (before.fraction, after.fraction)
        for before, after in pairwise(told)
        if before.fraction is not None and after.fraction is not None and after.fraction < before.fraction
    ]
    assert all(before == 1.0 and after < 0.2 for before, after in falls)


@pytest.mark.parametrize("name", sorted(SEVERAL_PARTS))
def test_several_parts_are_seen_to_begin_again(name: str) -> None:
    amounts = [reading.completed or 0.0 for reading in readings("auto", recording(name))]
    assert any(after < before for before, after in pairwise(amounts))
