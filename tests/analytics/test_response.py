"""Best overall response and exact binomial intervals. R's calls stand in the docstrings; no test needs R."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.rules.response import (
    RESPONSE_RANK,
    RESPONSES,
    Assessment,
    best_overall_response,
    clopper_pearson,
    rate,
    wilson,
)

START = date(2019, 1, 1)
WILSON = json.loads(Path(__file__).with_name("description_reference.json").read_text())["wilson"]


def readings(text: str) -> list[Assessment]:
    """Return "0:SD 90:PR" as assessments so many days after START."""
    pairs = (reading.split(":") for reading in text.split())
    return [Assessment(on=START + timedelta(int(day)), response=response) for day, response in pairs]


def best(text: str, until: int = 1000) -> str | None:
    return best_overall_response(readings(text), until=START + timedelta(until))


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("CR", "PR"),
        ("PR", "SD"),
        ("PR", "NON_CR_NON_PD"),
        ("SD", "NE"),
        ("NON_CR_NON_PD", "NE"),
        ("CR", "NE"),
    ],
)
def test_the_better_response_is_the_best_whatever_the_order(better, worse):
    assert best(f"50:{better} 90:{worse}") == best(f"50:{worse} 90:{better}") == better


@pytest.mark.parametrize("response", RESPONSES)
def test_a_single_assessment_is_the_best(response):
    assert best(f"50:{response}") == response


def test_without_assessments_there_is_no_best_response():
    assert best("") is None


def test_progression_is_better_known_than_not_evaluable():
    assert best("50:NE 90:PD") == "PD"


@pytest.mark.parametrize(("first", "second"), [("SD", "NON_CR_NON_PD"), ("NON_CR_NON_PD", "SD")])
def test_of_equal_ranks_the_earlier_is_named(first, second):
    assert best(f"50:{first} 90:{second}") == best(f"90:{second} 50:{first}") == first


@pytest.mark.parametrize(("pr_on", "expected"), [(89, "PR"), (90, "PD"), (91, "PD")])
def test_what_is_not_before_the_first_progression_never_improves_the_best(pr_on, expected):
    assert best(f"90:PD {pr_on}:PR") == expected


def test_an_earlier_response_stays_the_best_after_progression():
    assert best("50:PR 90:PD 130:CR") == "PR"


@pytest.mark.parametrize(("until", "expected"), [(89, "SD"), (90, "PR"), (91, "PR"), (49, None)])
def test_assessments_count_on_the_last_day_and_not_after(until, expected):
    assert best("50:SD 90:PR", until=until) == expected


def test_progression_after_the_last_day_cuts_nothing():
    assert best("50:SD 90:PD 80:PR", until=85) == "PR"


def test_an_unknown_response_is_refused():
    with pytest.raises(ValueError, match="'MR' on 2019-01-01: expected one of CR, PR"):
        Assessment(on=START, response="MR")


@pytest.mark.parametrize("response", RESPONSES)
def test_only_ne_is_not_adequate(response):
    assert Assessment(on=START, response=response).is_adequate == (response != "NE")


@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from(RESPONSES)), max_size=8).flatmap(
        lambda pairs: st.tuples(st.just(pairs), st.permutations(pairs))
    ),
    st.integers(0, 9),
)
def test_the_best_response_depends_on_no_order_and_never_worsens_with_time(pairs, until):
    as_given, shuffled = ([Assessment(START + timedelta(day), code) for day, code in each] for each in pairs)
    last = START + timedelta(until)

    answer = best_overall_response(as_given, until=last)

    assert answer == best_overall_response(shuffled, until=last)
    later = best_overall_response(as_given, until=last + timedelta(1))
    if answer is not None:
        assert later is not None
        assert RESPONSE_RANK[later] <= RESPONSE_RANK[answer]


# Rates


@pytest.mark.parametrize(
    ("n", "of", "lower", "upper"),
    [
        (12, 46, 0.1426685368882306, 0.4113188476043624),
        (20, 35, 0.3935309422600038, 0.736772764301183),
        (13, 21, 0.3843543903786459, 0.8189283744598268),
        (0, 63, 0, 0.05687235233201626),
        (63, 63, 0.9431276476679837, 1),
        (1, 1, 0.02500000000000002, 1),
        (0, 1, 0, 0.975),
        (1, 1_000_000, 2.531780766379421e-08, 5.571630655172237e-06),
        (333_333, 1_000_000, 0.3324090481238326, 0.3342579173380935),
    ],
)
def test_clopper_pearson_equals_r(n, of, lower, upper):
    """R: binom.test(n, of)$conf.int"""
    # R and scipy iterate to their own precision; the tenth digit of one in a million is the first to differ.
    assert clopper_pearson(n, of) == pytest.approx((lower, upper), rel=1e-11, abs=0)


def test_clopper_pearson_at_ninety_percent_equals_r():
    """R: binom.test(12, 46, conf.level = 0.9)$conf.int"""
    assert clopper_pearson(12, 46, confidence=0.9) == pytest.approx(
        (0.1579621504621581, 0.3881296249164403), rel=1e-12
    )


def test_none_and_all_have_exact_ends():
    assert clopper_pearson(0, 63)[0] == 0
    assert clopper_pearson(63, 63)[1] == 1


@given(st.integers(1, 400).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_the_interval_holds_the_rate_and_mirrors(pair):
    n, of = pair
    lower, upper = clopper_pearson(n, of)

    assert lower is not None
    assert upper is not None
    assert 0 <= lower <= n / of <= upper <= 1
    assert lower < upper
    assert clopper_pearson(of - n, of) == pytest.approx((1 - upper, 1 - lower), abs=1e-12)


def test_a_rate_carries_its_numbers():
    orr = rate(12, 46)

    assert (orr.n, orr.of) == (12, 46)
    assert orr.rate == pytest.approx(0.2609, abs=5e-5)
    assert orr.ci95 == clopper_pearson(12, 46)


def test_a_rate_of_nobody_is_undefined():
    nobody = rate(0, 0)

    assert (nobody.n, nobody.of, nobody.rate, nobody.ci95) == (0, 0, None, (None, None))


@pytest.mark.parametrize(("n", "of"), [(-1, 5), (6, 5), (0, -1), (1, 0)])
def test_more_than_all_and_less_than_none_are_refused(n, of):
    with pytest.raises(ValueError, match=f"{n} of {of}: expected 0 <= n <= of"):
        rate(n, of)


@pytest.mark.parametrize("confidence", [0, 1, 95])
def test_a_confidence_that_is_no_share_is_refused(confidence):
    with pytest.raises(ValueError, match="between 0 and 1"):
        clopper_pearson(1, 2, confidence=confidence)


@pytest.mark.parametrize(("n", "of", "lower", "upper"), WILSON)
def test_wilson_equals_r(n, of, lower, upper):
    """R: prop.test(n, of, correct = FALSE)$conf.int, in description_reference.R."""
    assert wilson(n, of) == pytest.approx((lower, upper), rel=1e-12, abs=1e-16)
    assert wilson(of - n, of) == pytest.approx((1 - upper, 1 - lower), rel=1e-9, abs=1e-15)


def test_wilson_ends_at_0_and_1_exactly_and_refuses_what_is_no_share():
    assert wilson(0, 63)[0] == 0
    assert wilson(63, 63)[1] == 1
    assert wilson(0, 0) == (None, None)
    for n, of in ((-1, 3), (4, 3)):
        with pytest.raises(ValueError, match="expected 0 <= n <= of"):
            wilson(n, of)
