"""How it is said that something is due."""

from datetime import date

import pytest

from clinic.rules.due import cycle_reason, interval, span, when


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (0, "0 days"),
        (1, "1 day"),
        (13, "13 days"),
        (14, "2 weeks"),
        (91, "13 weeks"),
        (92, "3 months"),
        (730, "23 months"),
        (731, "2 y"),
        (2461, "6 y 8 mo"),
    ],
)
def test_a_span_is_said_in_the_unit_people_use(days, said):
    assert span(days) == said


def test_a_negative_span_is_refused():
    with pytest.raises(ValueError, match="-1 days"):
        span(-1)


@pytest.mark.parametrize(("days", "said"), [(56, "8 weeks"), (7, "1 week"), (60, "60 d")])
def test_an_interval_is_said_in_whole_weeks_or_in_days(days, said):
    assert interval(days) == said


def test_a_day_is_said_from_today():
    today = date(2019, 5, 1)

    assert when(date(2019, 5, 1), today) == "today"
    assert when(date(2019, 5, 4), today) == "in 3 days"
    assert when(date(2019, 4, 30), today) == "1 day ago"


def test_a_cycle_says_which_fact_its_date_hangs_on():
    assert (
        cycle_reason(number=3, interval_days=56, window_days=7, last_number=2, last_given_on=date(2019, 3, 4))
        == "8 weeks after cycle 2, given 2019-03-04; window ± 7 d"
    )
    assert (
        cycle_reason(number=1, interval_days=56, window_days=7, last_number=None, last_given_on=None)
        == "Start of the course, planned by hand; window ± 7 d"
    )
