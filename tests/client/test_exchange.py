"""One request and its answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.client.exchange import Answer, Sendable

NOON, LATER = "Sun, 06 Nov 1994 12:00:00 GMT", "Sun, 06 Nov 1994 12:00:30 GMT"


def retry_after(value: str, **headers: str) -> float | None:
    return Answer(503, {"retry-after": value, **headers}).retry_after


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            *(("0", 0.0), ("3", 3.0), (" 12 ", 12.0), ("999999", 999999.0)),
            *(
                ("9" * 9, None),
                ("9" * 5000, None),
                ("-1", None),
                ("1.5", None),
                ("soon", None),
                ("", None),
                ("٣", None),
            ),
        ],
    )
    def test_seconds(self, value: str, seconds: float | None) -> None:
        assert retry_after(value) == seconds

    def test_a_date_counts_from_the_server_s_own_clock(self) -> None:
        assert retry_after(LATER, date=NOON) == 30.0

    @pytest.mark.parametrize("date", ["Sat, 01 Jan 2000 00:00:00 GMT", "Wed, 01 Jan 2098 00:00:00 GMT"])
    def test_which_may_be_years_from_ours(self, date: str) -> None:
        assert retry_after(date.replace("00:00:00", "00:00:07"), date=date) == 7.0

    def test_one_that_has_passed_is_now(self) -> None:
        assert retry_after(NOON, date=LATER) == 0.0

    def test_without_a_date_of_the_server_ours_must_do(self) -> None:
        assert retry_after(NOON) == 0.0
        assert retry_after(NOON, date="yesterday") == 0.0

    def test_a_date_without_a_zone_is_taken_for_universal_time(self) -> None:
        assert retry_after("Sun, 06 Nov 1994 12:00:30", date=NOON) == 30.0
        assert retry_after("Sunday, 06-Nov-94 12:00:30 GMT", date=NOON) == 30.0
        assert retry_after("Sun Nov  6 12:00:30 1994", date=NOON) == 30.0

    @given(st.text(max_size=60), st.text(max_size=60))
    def test_nothing_that_a_server_may_say_breaks_it(self, value: str, date: str) -> None:
        seconds = retry_after(value, date=date)
        assert seconds is None or seconds >= 0

    @given(
        st.from_regex(r"\A[A-Z][a-z]{2}, \d{1,4} (Jan|Feb|Dec) \d{1,9} \d{1,3}:\d{1,3}:\d{1,3} [-+]?\d{1,9}\Z"),
        st.just(NOON),
    )
    def test_nor_what_only_looks_like_a_date(self, value: str, date: str) -> None:
        seconds = retry_after(value, date=date)
        assert seconds is None or seconds >= 0
        seconds = retry_after(date, date=value)
        assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("header", "media_type"),
    [
        ("application/json", "application/json"),
        ("Text/XML; charset=UTF-8", "text/xml"),
        (" text/html ;x", "text/html"),
        ("", ""),
    ],
)
def test_the_media_type_is_read_without_its_parameters(header: str, media_type: str) -> None:
    assert Answer(200, {"content-type": header}).content_type == media_type
    assert Answer(200, {}).content_type == ""


def test_a_request_does_not_show_what_opens_the_server() -> None:
    sendable = Sendable(method="GET", url="http://a/b", headers={"X-Plex-Token": "s3cret"}, timeout=1.0)
    assert repr(sendable) == "<Sendable GET http://a/b>"
