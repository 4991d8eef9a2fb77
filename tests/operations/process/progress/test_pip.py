"""pip's bars."""

import pytest

from headway.operations.process.progress import Reading
from headway.operations.process.progress.pip import Pip
from tests.operations.process.progress.support import read

BAR = "   ━━━━━━━━━━━━━━━━╸━━━━━━━━━━━━━━━━━━━ "


@pytest.mark.parametrize(
    ("text", "completed", "total"),
    [
        ("1.2/3.4 MB 5.6 MB/s eta 0:00:01", 1.2e6, 3.4e6),
        ("61.4/92.0 kB ? eta -:--:--", 61400.0, 92000.0),
        ("1.5/2.1 GB 56.0 MB/s eta 0:01:01", 1.5e9, 2.1e9),
        ("300/900 bytes ? eta -:--:--", 300.0, 900.0),
    ],
)
def test_a_download_is_read(text: str, completed: float, total: float) -> None:
    expected = Reading(fraction=completed / total, completed=completed, total=total, unit="bytes")
    assert read(Pip(), BAR + text) == expected


def test_the_subtitle_is_the_file_being_downloaded() -> None:
    for line in ("  Downloading a-1.0.whl (3.0 MB)", "  Downloading http://localhost/x/a-1.0.whl (3.0 MB)"):
        told = read(Pip(), line, BAR + "1.5/3.0 MB 5.6 MB/s eta 0:00:01")
        assert told is not None and told.subtitle == "a-1.0.whl"


def test_installing_is_read() -> None:
    expected = Reading(fraction=0.4, completed=2.0, total=5.0, unit="packages", subtitle="beta")
    assert read(Pip(), BAR + "2/5 [beta]") == expected


def test_raw_progress_is_read_after_the_name_of_the_file() -> None:
    assert read(Pip(), "Progress 5 of 10") is None  # anyone may write that
    expected = Reading(fraction=0.5, completed=5.0, total=10.0, unit="bytes", subtitle="a.whl")
    assert read(Pip(), "Downloading a.whl (1 kB)", "Progress 5 of 10") == expected


@pytest.mark.parametrize(
    "text", ["━━━━━━━━━", BAR + "3/2 [x]", BAR + "0/0 [x]", BAR + "45%", "1.2/3.4 MB", "━ 1/2 [x]"]
)
def test_other_lines_are_not_read(text: str) -> None:
    assert read(Pip(), text) is None
