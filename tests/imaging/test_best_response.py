"""Best overall response and its duration. Expected values are written from RECIST 1.1 (Eisenhauer et al., Eur J Cancer
2009;45:228-247), section 4.4.3 and table 3; days are counted from the first administration."""

from datetime import date, timedelta

import pytest

from imaging.rules.best_response import (
    RESPONSES,
    Assessment,
    BestResponse,
    Duration,
    ResponseRules,
    best_confirmed,
    best_overall_response,
    best_unconfirmed,
    duration_of_response,
)

ZERO = date(2019, 1, 7)
RULES = ResponseRules(confirmation_days=28, sd_minimum_days=42)
LATER = 2000


def on(day: int) -> date:
    return ZERO + timedelta(days=day)


def read(text: str) -> list[Assessment]:
    """Return the assessments of ``"60:PR 120:CR"``, days after the first administration."""
    pairs = [pair.split(":") for pair in text.split()]
    return [Assessment(on(int(day)), response) for day, response in pairs]


def confirmed(
    text: str, until: int = LATER, rules: ResponseRules = RULES, is_measurable: bool = True
) -> BestResponse:
    return best_confirmed(
        read(text), time_zero=ZERO, until=on(until), rules=rules, is_measurable=is_measurable
    )


def unconfirmed(text: str, until: int = LATER, rules: ResponseRules = RULES) -> BestResponse:
    return best_unconfirmed(read(text), time_zero=ZERO, until=on(until), rules=rules)


def told(best: BestResponse) -> tuple[str | None, int | None]:
    """Return the response and the day it was first seen."""
    return best.response, None if best.on is None else (best.on - ZERO).days


# Confirmed: table 3. The minimum for SD is 42 days, a confirmation comes 28 days later or more.


@pytest.mark.parametrize(
    ("assessments", "response", "day"),
    [
        # CR, CR
        ("60:CR 120:CR", "CR", 60),
        # CR, PR: PD or SD after a true CR, PR where the CR was one: the last is the convention of the page
        ("60:CR 120:PR", "PR", 60),
        ("20:CR 30:PR", "NE", 20),
        ("20:CR 45:PR", "SD", 45),
        # CR, SD: SD provided the minimum duration was met, otherwise PD
        ("60:CR 120:SD", "SD", 60),
        ("20:CR 60:SD", "SD", 60),
        ("20:CR 41:SD", "PD", 41),
        # CR, PD: SD provided the minimum duration was met, otherwise PD
        ("60:CR 120:PD", "SD", 60),
        ("42:CR 120:PD", "SD", 42),
        ("41:CR 120:PD", "PD", 120),
        # CR, NE: SD provided the minimum duration was met, otherwise NE
        ("60:CR 120:NE", "SD", 60),
        ("41:CR 120:NE", "NE", 41),
        # PR, CR and PR, PR
        ("60:PR 120:CR", "PR", 60),
        ("60:PR 120:PR", "PR", 60),
        # PR, SD
        ("60:PR 120:SD", "SD", 60),
        ("41:PR 120:SD", "SD", 120),
        # PR, PD: SD provided the minimum duration was met, otherwise PD
        ("60:PR 120:PD", "SD", 60),
        ("41:PR 120:PD", "PD", 120),
        # PR, NE: SD provided the minimum duration was met, otherwise NE
        ("60:PR 120:NE", "SD", 60),
        ("41:PR 120:NE", "NE", 41),
        # NE, NE
        ("60:NE 120:NE", "NE", 60),
        # one study alone
        ("60:CR", "SD", 60),
        ("60:PD", "PD", 60),
        ("60:NE", "NE", 60),
    ],
)
def test_table_3_best_response_where_it_is_to_be_confirmed(assessments, response, day):
    assert told(confirmed(assessments)) == (response, day)


@pytest.mark.parametrize("first", ["CR", "PR"])
def test_a_response_is_confirmed_from_28_days_on(first):
    assert told(confirmed(f"60:{first} 87:{first}")) == ("SD", 60)
    assert told(confirmed(f"60:{first} 88:{first}")) == (first, 60)


def test_how_long_after_is_the_protocol_s():
    assert told(confirmed("60:PR 115:PR", rules=ResponseRules(56, 42))) == ("SD", 60)
    assert told(confirmed("60:PR 116:PR", rules=ResponseRules(56, 42))) == ("PR", 60)


def test_a_study_that_came_too_soon_leaves_it_to_the_next_one():
    assert told(confirmed("60:PR 70:PR 88:PR")) == ("PR", 60)
    assert told(confirmed("60:CR 70:CR 88:CR")) == ("CR", 60)
    assert told(confirmed("60:PR 70:PR 87:SD")) == ("SD", 60)
    assert told(confirmed("60:PR 70:PR 98:PR")) == ("PR", 60)


def test_only_studies_that_cannot_be_evaluated_may_lie_between_a_response_and_its_confirmation():
    """PR, NE, PR is a confirmed response (section 4.4.3)."""
    assert told(confirmed("60:PR 90:NE 120:PR")) == ("PR", 60)
    assert told(confirmed("60:CR 90:NE 120:CR")) == ("CR", 60)
    assert told(confirmed("60:PR 90:SD 120:PR")) == ("SD", 60)
    assert told(confirmed("60:CR 90:PR 120:CR")) == ("PR", 60)


def test_the_best_confirmed_response_may_come_late():
    assert told(confirmed("60:SD 120:PR 180:PR")) == ("PR", 120)
    assert told(confirmed("60:PR 120:CR 180:CR")) == ("CR", 120)
    assert told(confirmed("60:PR 90:SD 120:PR 180:PR")) == ("PR", 120)


def test_without_target_lesions_an_unconfirmed_complete_response_is_no_stable_disease():
    assert told(confirmed("60:CR", is_measurable=False)) == ("NON_CR_NON_PD", 60)
    assert told(confirmed("60:NON_CR_NON_PD 120:CR", is_measurable=False)) == ("NON_CR_NON_PD", 60)
    assert told(confirmed("60:CR 120:CR", is_measurable=False)) == ("CR", 60)
    assert told(confirmed("20:CR 41:NON_CR_NON_PD", is_measurable=False)) == ("PD", 41)


# Unconfirmed


@pytest.mark.parametrize(
    ("assessments", "response", "day"),
    [
        ("60:SD 120:PR 180:PD", "PR", 120),  # the paper's example
        ("60:CR 120:PR", "CR", 60),
        ("60:PR 120:CR", "CR", 120),
        ("60:PR 120:SD", "PR", 60),
        ("60:NE 120:SD", "SD", 120),
        ("60:NE 120:PD", "PD", 120),
        ("20:PR", "PR", 20),  # the minimum duration is asked of SD alone
        ("60:NE", "NE", 60),
        ("60:NON_CR_NON_PD 120:PD", "NON_CR_NON_PD", 60),
    ],
)
def test_the_best_response_without_confirmation_is_the_best_of_all(assessments, response, day):
    assert told(unconfirmed(assessments)) == (response, day)


@pytest.mark.parametrize("stable", ["SD", "NON_CR_NON_PD"])
@pytest.mark.parametrize("best", [unconfirmed, confirmed])
def test_stable_disease_counts_from_its_minimum_duration_on(best, stable):
    assert told(best(f"42:{stable}")) == (stable, 42)
    # Section 4.4.3: followed by PD it is PD; lost to follow-up it cannot be evaluated.
    assert told(best(f"41:{stable}")) == ("NE", 41)
    assert told(best(f"41:{stable} 90:PD")) == ("PD", 90)
    assert told(best(f"41:{stable} 42:{stable} 90:PD")) == (stable, 42)
    assert told(best(f"0:{stable}", rules=ResponseRules(28, 0))) == (stable, 0)


def test_a_stable_disease_that_came_too_early_says_so():
    assert unconfirmed("41:SD").reason == (
        "SD on 2019-02-17 came 41 days after time zero, before the 42 days that stable disease needs"
    )


# Both


@pytest.mark.parametrize("best", [unconfirmed, confirmed])
def test_without_an_assessment_there_is_no_best_response(best):
    assert best("") == BestResponse(None, None, "no study after the baseline has been read")
    assert best("60:PR", until=59).response is None


@pytest.mark.parametrize("best", [unconfirmed, confirmed])
def test_nothing_after_the_first_progression_counts(best):
    assert told(best("60:SD 120:PD 180:CR 240:CR")) == ("SD", 60)
    assert told(best("60:PD 120:CR 180:CR")) == ("PD", 60)
    assert told(best("60:CR 60:PD 120:CR")) == ("PD", 60)  # on one day PD alone counts


@pytest.mark.parametrize("best", [unconfirmed, confirmed])
def test_what_was_read_on_the_last_day_counts(best):
    assert told(best("60:PR 120:PR", until=60))[0] == ("PR" if best is unconfirmed else "SD")
    assert told(best("60:SD 120:PR 180:PR", until=180))[0] == "PR"
    assert told(best("60:SD 120:PR 180:PR", until=119))[0] == "SD"


def test_the_order_of_entry_does_not_matter():
    assert confirmed("180:PR 60:SD 120:PR 240:PD") == confirmed("60:SD 120:PR 180:PR 240:PD")


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (confirmed("60:PR 120:CR"), "PR on 2019-03-08, confirmed on 2019-05-07 (CR)"),
        (
            confirmed("60:PR 87:PR"),
            "SD on 2019-03-08; PR on 2019-03-08 was not confirmed 28 days or more later",
        ),
        (confirmed("60:SD"), "SD on 2019-03-08, 60 days after time zero"),
        (confirmed("20:CR 41:SD"), "SD on 2019-02-17 after CR on 2019-01-27: PD"),
        (unconfirmed("60:NON_CR_NON_PD"), "non-CR/non-PD on 2019-03-08, 60 days after time zero"),
        (unconfirmed("60:PR"), "PR on 2019-03-08"),
        (unconfirmed("60:NE"), "no study could be evaluated"),
    ],
)
def test_a_best_response_says_why(found, reason):
    assert found.reason == reason


def test_an_unknown_response_is_refused():
    with pytest.raises(
        ValueError, match=r"^overall response 'MR' on 2019-03-08: expected one of CR, PR, SD, "
    ):
        Assessment(on(60), "MR")
    assert [Assessment(ZERO, response).response for response in RESPONSES] == list(RESPONSES)


def test_the_best_response_of_the_outcomes_asks_for_neither_confirmation_nor_minimum():
    assert best_overall_response(read("1:SD"), until=on(LATER)) == "SD"
    assert best_overall_response(read("1:SD 20:PR 90:PD 120:CR"), until=on(LATER)) == "PR"
    assert best_overall_response(read("1:SD 20:PR"), until=on(19)) == "SD"


# Duration


def duration(
    text: str,
    *,
    best: BestResponse | None = None,
    until: int = LATER,
    clinical: int | None = None,
    died: int | None = None,
) -> Duration | None:
    return duration_of_response(
        read(text),
        time_zero=ZERO,
        until=on(until),
        best=best or unconfirmed(text),
        clinical_progression_on=None if clinical is None else on(clinical),
        died_on=None if died is None else on(died),
    )


def lasted(found: Duration | None) -> tuple[int, int, bool, str]:
    """Return the day of the first response, how many days it lasted, whether it ended, and by what."""
    assert found is not None
    assert found.first_on == on(found.time_to_response_days)
    assert found.until_on == found.first_on + timedelta(days=found.duration_days)
    return found.time_to_response_days, found.duration_days, found.ended, found.basis


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, (60, 60, False, "last_adequate_assessment")),
        ({"clinical": 200}, (60, 140, True, "clinical_progression")),
        ({"died": 300}, (60, 240, True, "death")),
        ({"clinical": 300, "died": 300}, (60, 240, True, "clinical_progression")),
        ({"clinical": 50}, (60, 60, False, "last_adequate_assessment")),  # before the response began
        ({"died": 300, "until": 299}, (60, 60, False, "last_adequate_assessment")),
        ({"died": 300, "until": 300}, (60, 240, True, "death")),
    ],
)
def test_a_response_lasts_to_progression_or_death_else_to_the_last_adequate_assessment(facts, expected):
    assert lasted(duration("60:PR 120:SD 180:NE", **facts)) == expected


def test_a_response_lasts_to_the_first_progression():
    text = "30:SD 60:PR 120:SD 180:PD 240:PD"

    assert lasted(duration(text)) == (60, 120, True, "overall_response_pd")
    assert lasted(duration(text, clinical=180, died=180)) == (60, 120, True, "overall_response_pd")
    assert lasted(duration(text, clinical=179)) == (60, 119, True, "clinical_progression")
    assert lasted(duration(text, until=179)) == (60, 60, False, "last_adequate_assessment")


def test_duration_begins_with_the_first_response_of_either_kind():
    """Section 4.6.2: from CR or PR, whichever is recorded first."""
    text = "60:PR 120:CR 180:CR 240:PD"

    assert told(unconfirmed(text)) == ("CR", 120)
    assert told(confirmed(text)) == ("CR", 120)
    for best in (unconfirmed(text), confirmed(text)):
        assert lasted(duration(text, best=best)) == (60, 180, True, "overall_response_pd")


def test_a_confirmed_response_begins_with_the_first_that_was_confirmed():
    text = "60:PR 90:SD 120:PR 180:PR 240:PD"

    assert lasted(duration(text, best=confirmed(text))) == (120, 120, True, "overall_response_pd")
    assert lasted(duration(text, best=unconfirmed(text))) == (60, 180, True, "overall_response_pd")


@pytest.mark.parametrize("text", ["60:SD 120:PD", "60:PD 120:PR", "60:NE", "", "60:NON_CR_NON_PD"])
def test_without_a_response_there_is_no_duration(text):
    assert duration(text) is None


def test_an_unconfirmed_response_has_no_confirmed_duration():
    text = "60:PR 120:SD 180:PD"

    assert duration(text, best=confirmed(text)) is None
