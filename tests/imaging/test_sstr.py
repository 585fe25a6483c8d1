"""Uptake of SSTR PET: changes, ratios and classes, on each side of the protocol's thresholds. Expected values by hand."""

import random
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.rules.quality import uptake_time_flag
from imaging.rules.recist import LesionRole, State
from imaging.rules.sstr import (
    PetStudy,
    SstrClass,
    SstrRules,
    StudyUptake,
    Uptake,
    UptakeLesion,
    assess_uptake,
    discordance,
)

BEFORE, AFTER, LATER = date(2019, 1, 7), date(2019, 5, 6), date(2019, 9, 2)
DAYS = [PetStudy("base", BEFORE), PetStudy("post", AFTER)]
RULES = SstrRules()


def lesion(label: str, *suvs: str | State | None, role: LesionRole = LesionRole.TARGET) -> UptakeLesion:
    """Return a lesion with an SUVmax, a state or nothing in each of the studies ``base``, ``post``, ``late``."""
    uptakes = {
        key: Uptake(state=suv) if isinstance(suv, State) else Uptake(Decimal(suv))
        for key, suv in zip(["base", "post", "late"], suvs, strict=False)
        if suv is not None
    }
    return UptakeLesion(label, role, uptakes)


def post(*lesions: UptakeLesion, rules: SstrRules = RULES, study: PetStudy = DAYS[1]) -> StudyUptake:
    return assess_uptake(lesions, [DAYS[0], study], rules)[1]


@pytest.mark.parametrize(
    ("before", "now", "response"),
    [
        ("20", "14", SstrClass.DECREASED),  # exactly 30 % less
        ("20", "14.01", SstrClass.UNCHANGED),
        ("20", "26", SstrClass.INCREASED),  # exactly 30 % more
        ("20", "25.99", SstrClass.UNCHANGED),
        ("20", "20", SstrClass.UNCHANGED),
        ("0.7", "0.49", SstrClass.DECREASED),  # 0.49 <= 0.7 * 0.7 is false in floats
        ("20", "0", SstrClass.DISAPPEARED),
        ("20", State.ABSENT, SstrClass.DISAPPEARED),
        ("20", "0.01", SstrClass.DECREASED),
        ("20", None, SstrClass.NOT_EVALUABLE),
        ("20", State.NOT_EVALUABLE, SstrClass.NOT_EVALUABLE),
        ("20", State.TOO_SMALL, SstrClass.NOT_EVALUABLE),  # seen, and its uptake not measured
        (None, "20", SstrClass.NOT_EVALUABLE),
        ("0", "20", SstrClass.NOT_EVALUABLE),  # nothing to compare with
    ],
)
def test_a_lesion_and_a_study_are_classed_on_each_side_of_the_thresholds(before, now, response):
    found = post(lesion("L1", before, now))
    assert found.response is response
    if found.lesions:
        assert found.lesions[0].response is response


def test_the_thresholds_are_the_protocol_s():
    narrow = SstrRules(decrease_percent=Decimal(15), increase_percent=Decimal(25))
    assert post(lesion("L1", "20", "17"), rules=narrow).response is SstrClass.DECREASED
    assert post(lesion("L1", "20", "17")).response is SstrClass.UNCHANGED
    assert post(lesion("L1", "20", "25"), rules=narrow).response is SstrClass.INCREASED
    assert post(lesion("L1", "20", "25")).response is SstrClass.UNCHANGED


def test_changes_and_ratios_of_a_lesion_and_of_the_hottest_one():
    study = PetStudy("post", AFTER, liver_suv_mean=Decimal(5), spleen_suv_mean=Decimal(20))
    found = post(lesion("L1", "40", "10"), lesion("L2", "20", "30"), study=study)

    first, second = found.lesions
    assert (first.change_percent, second.change_percent) == (Decimal(-75), Decimal(50))
    assert (first.to_liver, first.to_spleen) == (Decimal(2), Decimal("0.5"))
    assert (first.response, second.response) == (SstrClass.DECREASED, SstrClass.INCREASED)
    # The hottest lesion now is another one than at baseline: 30 against 40.
    assert (found.hottest, found.hottest_suv_max, found.change_percent) == ("L2", Decimal(30), Decimal(-25))
    assert (found.to_liver, found.to_spleen) == (Decimal(6), Decimal("1.5"))
    assert found.response is SstrClass.UNCHANGED
    assert found.reason == (
        "Highest SUVmax 30 (L2) is 25 % below the 40 of the baseline on 2019-01-07, less than the protocol's 30 %."
    )


def test_without_organs_there_are_no_ratios():
    found = post(lesion("L1", "40", "10"))
    assert (found.to_liver, found.to_spleen) == (None, None)


def test_the_baseline_has_values_and_no_response():
    first = assess_uptake([lesion("L1", "40", "10")], DAYS, RULES)[0]
    assert (first.response, first.change_percent, first.hottest_suv_max) == (None, None, Decimal(40))
    assert first.lesions[0].change_percent is None


def test_ct_and_mri_show_no_uptake():
    found = post(lesion("L1", "40", State.ABSENT), study=PetStudy("post", AFTER, is_pet=False))
    assert (found.response, found.reason, found.hottest) == (None, "No PET.", None)


@pytest.mark.parametrize(
    ("now", "response"),
    [("5", SstrClass.INCREASED), (State.PRESENT, SstrClass.DECREASED), ("0", SstrClass.DECREASED)],
)
def test_new_uptake_is_an_increase_and_a_new_lesion_without_uptake_is_none(now, response):
    found = post(lesion("L1", "40", "10"), lesion("N1", None, now, role=LesionRole.NEW))
    assert found.response is response
    assert found.new_uptake == (("N1",) if response is SstrClass.INCREASED else ())


def test_an_equivocal_new_lesion_counts_nowhere():
    new = UptakeLesion("N1", LesionRole.NEW, {"post": Uptake(Decimal(90), State.EQUIVOCAL)})
    found = post(lesion("L1", "40", "10"), new)
    assert (found.response, found.new_uptake, found.hottest) == (SstrClass.DECREASED, (), "L1")


def test_what_was_not_measured_leaves_a_decrease_open_and_an_increase_certain():
    missing = lesion("L2", "30", None)
    found = post(lesion("L1", "40", "10"), missing)
    assert found.response is SstrClass.NOT_EVALUABLE
    assert found.reason == "The SUVmax of L2 was not measured."
    assert post(lesion("L1", "40", "60"), missing).response is SstrClass.INCREASED


def test_a_lesion_without_a_baseline_value_leaves_the_change_open():
    found = post(lesion("L1", "10", "10"), lesion("L2", None, "60"))
    assert (found.response, found.reason) == (
        SstrClass.NOT_EVALUABLE,
        "The SUVmax of L2 was not measured at baseline.",
    )


def test_a_merged_lesion_is_measured_in_the_other():
    merged = UptakeLesion(
        "L2", LesionRole.TARGET, {"base": Uptake(Decimal(30)), "post": Uptake(None, State.MERGED)}
    )
    assert post(lesion("L1", "40", "10"), merged).response is SstrClass.DECREASED


def test_uptake_that_comes_back_is_compared_with_the_baseline_not_with_its_absence():
    studies = [*DAYS, PetStudy("late", LATER)]
    found = assess_uptake([lesion("L1", "40", "0", "10")], studies, RULES)
    assert [one.response for one in found] == [None, SstrClass.DISAPPEARED, SstrClass.DECREASED]


def test_a_change_short_of_the_threshold_never_reads_as_if_it_reached_it():
    found = post(lesion("L1", "1000", "700.01"))
    assert found.response is SstrClass.UNCHANGED
    assert "29.999 %" in found.reason


@pytest.mark.parametrize(
    ("lesions", "study", "words"),
    [
        ([UptakeLesion("L1", LesionRole.TARGET, {"post": Uptake(Decimal(-1))})], DAYS[1], "L1: SUVmax -1"),
        ([], PetStudy("post", AFTER, liver_suv_mean=Decimal(0)), "SUVmean 0 on 2019-05-06"),
    ],
)
def test_impossible_values_are_refused(lesions, study, words):
    with pytest.raises(ValueError, match=words):
        post(*lesions, study=study)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.none() | st.decimals("0", "99", places=1), min_size=4, max_size=4), max_size=5))
def test_the_order_of_entry_never_matters(rows):
    keys = ["a", "b", "c", "d"]
    lesions = [
        UptakeLesion(
            f"L{n}",
            LesionRole.NEW if n == 3 else LesionRole.TARGET,
            {key: Uptake(suv) for key, suv in zip(keys, row, strict=True) if suv is not None},
        )
        for n, row in enumerate(rows)
    ]
    studies = [PetStudy(key, BEFORE + timedelta(days=60 * n)) for n, key in enumerate(keys)]
    found = assess_uptake(lesions, studies, RULES)

    turned, mixed = lesions[::-1], studies[:]
    random.Random(1).shuffle(mixed)
    assert assess_uptake(turned, mixed, RULES) == found


@pytest.mark.parametrize(
    ("recist", "response", "words"),
    [
        ("PD", "decreased", "progression by RECIST 1.1 while uptake has fallen"),
        ("PD", "disappeared", "progression by RECIST 1.1 while uptake has fallen"),
        ("PR", "increased", "response by RECIST 1.1 while uptake has risen"),
        ("CR", "increased", "response by RECIST 1.1 while uptake has risen"),
        ("PD", "increased", ""),
        ("PR", "decreased", ""),
        ("SD", "decreased", ""),
        ("SD", "increased", ""),
        ("PD", "not_evaluable", ""),
        ("NE", "increased", ""),
        ("PD", None, ""),
    ],
)
def test_size_and_uptake_that_go_opposite_ways_are_discordant(recist, response, words):
    said = discordance(recist, response)
    assert words in said
    assert bool(said) == bool(words)


@pytest.mark.parametrize(
    ("minutes", "is_flagged"), [(None, False), (44, True), (45, False), (90, False), (91, True), (0, True)]
)
def test_an_uptake_time_is_flagged_outside_45_to_90_minutes(minutes, is_flagged):
    assert bool(uptake_time_flag(minutes)) is is_flagged
    if is_flagged:
        assert f"{minutes} min" in uptake_time_flag(minutes)
