"""How days and sentences are said."""

from datetime import date

import pytest

from treatments.rules.words import interval, sentences, span, when

NBSP = "\N{NO-BREAK SPACE}"


def plain(words: str) -> str:
    return words.replace(NBSP, " ")


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
    assert plain(span(days)) == said


def test_a_negative_span_is_refused():
    with pytest.raises(ValueError, match="-1 days"):
        span(-1)


@pytest.mark.parametrize(("days", "said"), [(56, "8 weeks"), (7, "1 week"), (60, "60 d")])
def test_an_interval_is_said_in_whole_weeks_or_in_days(days, said):
    assert plain(interval(days)) == said


def test_a_day_is_said_from_today():
    today = date(2019, 5, 1)

    assert when(date(2019, 5, 1), today) == "today"
    assert when(date(2019, 5, 4), today) == f"in 3{NBSP}days"
    assert when(date(2019, 4, 30), today) == f"1{NBSP}day ago"


def test_sentences_end_in_one_full_stop_each_whether_or_not_they_bring_it():
    assert sentences("PET/CT awaited.", "8 weeks after cycle 2") == "PET/CT awaited. 8 weeks after cycle 2"
    assert sentences("PET/CT awaited", "", "8 weeks after cycle 2") == "PET/CT awaited. 8 weeks after cycle 2"
