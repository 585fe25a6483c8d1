"""Responses by RECIST 1.1. Expected values are the paper's tables and text (Eisenhauer et al., Eur J Cancer
2009;45:228-247), the answers of its appendix III, or worked by hand."""

import re
from datetime import date
from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest

from imaging.rules.cells import WORDS, parse_cell
from imaging.rules.recist import (
    STATES_OF_ROLE,
    Finding,
    Lesion,
    LesionRole,
    State,
    StudyDay,
    Timepoint,
    assess,
    percent,
)
from tests.imaging.lesions import (
    DAYS,
    NODE,
    STUDIES,
    followed,
    last,
    lesion,
    new,
    non_target,
    overall,
    target,
)

PAGE = Path(__file__).parents[2] / "docs" / "rules" / "recist.md"

# Tables 1 and 2

TARGETS = {
    "CR": target("L1", "50", "absent"),
    "PR": target("L1", "50", "35"),
    "SD": target("L1", "50", "45"),
    "PD": target("L1", "50", "60"),
    "NE": target("L1", "50", "NE"),
}
NON_TARGETS = {
    "CR": non_target("L2", "present", "absent"),
    "NON_CR_NON_PD": non_target("L2", "present", "present"),
    "NE": non_target("L2", "present", "NE"),
    "PD": non_target("L2", "present", "PD"),
}
NO_NEW, NEW = False, True
NON_PD = ["CR", "NON_CR_NON_PD", "NE", None]  # "non-PD or not all evaluated", or no non-target lesions at all
ANY_NON_TARGET = [*NON_TARGETS, None]

# One row of the paper's table 1 each: target, non-target, new lesions, overall.
TABLE_1 = [
    (["CR"], ["CR", None], [NO_NEW], "CR"),
    (["CR"], ["NON_CR_NON_PD"], [NO_NEW], "PR"),
    (["CR"], ["NE"], [NO_NEW], "PR"),
    (["PR"], NON_PD, [NO_NEW], "PR"),
    (["SD"], NON_PD, [NO_NEW], "SD"),
    (["NE"], NON_PD, [NO_NEW], "NE"),
    (["PD"], ANY_NON_TARGET, [NO_NEW, NEW], "PD"),
    (list(TARGETS), ["PD"], [NO_NEW, NEW], "PD"),
    (list(TARGETS), ANY_NON_TARGET, [NEW], "PD"),
]
# Table 2: disease without target lesions.
TABLE_2 = [
    (["CR"], [NO_NEW], "CR"),
    (["NON_CR_NON_PD"], [NO_NEW], "NON_CR_NON_PD"),
    (["NE"], [NO_NEW], "NE"),
    (["PD"], [NO_NEW, NEW], "PD"),
    (list(NON_TARGETS), [NEW], "PD"),
]
CASES_1 = {key: response for *row, response in TABLE_1 for key in product(*row)}
CASES_2 = {key: response for *row, response in TABLE_2 for key in product(*row)}


def found_with(first: Lesion | None, other: Lesion | None, is_new: bool) -> Timepoint:
    entered = [first, other, new("N1", "present") if is_new else None]
    return last(*[one for one in entered if one is not None])


def test_the_cases_of_both_tables_are_all_there_are():
    assert set(CASES_1) == set(product(TARGETS, ANY_NON_TARGET, [NO_NEW, NEW]))
    assert set(CASES_2) == set(product(NON_TARGETS, [NO_NEW, NEW]))


@pytest.mark.parametrize(
    ("target_is", "non_target_is", "is_new", "expected"), [(*k, r) for k, r in CASES_1.items()]
)
def test_table_1_disease_with_target_lesions(target_is, non_target_is, is_new, expected):
    found = found_with(TARGETS[target_is], NON_TARGETS.get(non_target_is), is_new)

    assert (found.target, found.non_target) == (target_is, non_target_is)
    assert found.new_lesions == (("N1",) if is_new else ())
    assert found.overall == expected


@pytest.mark.parametrize(("non_target_is", "is_new", "expected"), [(*k, r) for k, r in CASES_2.items()])
def test_table_2_disease_without_target_lesions(non_target_is, is_new, expected):
    found = found_with(None, NON_TARGETS[non_target_is], is_new)

    assert (found.target, found.non_target, found.overall) == (None, non_target_is, expected)
    assert (found.sum_mm, found.change_percent) == (None, None)


@pytest.mark.parametrize(
    ("cells", "response"),
    [
        (["absent", "absent"], "CR"),
        (["absent", "present"], "NON_CR_NON_PD"),
        (["absent", "NE"], "NE"),
        (["present", "NE"], "NE"),  # not all evaluated
        (["present", ""], "NE"),
        (["NE", "PD"], "PD"),
        (["absent", "PD"], "PD"),
    ],
)
def test_several_non_target_lesions_have_one_response(cells, response):
    assert overall(non_target("L1", "present", cells[0]), non_target("L2", "present", cells[1])) == [response]


# Target lesions: the bounds


@pytest.mark.parametrize(
    ("baseline", "now", "response"),
    [
        ("100", "70", "PR"),
        ("100", "70.1", "SD"),  # 29.9 % less
        ("90", "63", "PR"),  # 63 <= 0.7 * 90 is false in floats
        ("90", "63.1", "SD"),
        ("30.3", "21.2", "PR"),  # 30.03 % less
        ("30.3", "21.3", "SD"),  # 29.70 %
        ("500", "350", "PR"),
        ("500", "350.1", "SD"),  # 29.98 %
        ("100", "0.1", "PR"),
        ("100", "absent", "CR"),
        ("100", "100", "SD"),
    ],
)
def test_a_partial_response_begins_at_30_percent_below_the_baseline(baseline, now, response):
    assert last(target("L1", baseline, now)).target == response


@pytest.mark.parametrize(
    ("nadir", "now", "response"),
    [
        ("50", "60", "PD"),  # 60 / 50 - 1 >= 0.2 is false in floats
        ("50", "59.9", "SD"),  # 19.8 %, 9.9 mm
        ("50", "55", "SD"),  # 10 %, 5 mm
        ("25", "30", "PD"),  # 20 %, 5 mm
        ("25", "29.9", "SD"),  # 19.6 %, 4.9 mm
        ("20", "25", "PD"),  # 25 %, 5 mm
        ("20", "24.9", "SD"),  # 24.5 %, 4.9 mm
        ("20", "24", "SD"),  # 20 %, 4 mm
        ("25.1", "30.1", "SD"),  # 19.92 %, 5 mm
        ("499", "500", "SD"),
    ],
)
def test_progression_needs_20_percent_and_5_mm_above_the_nadir(nadir, now, response):
    assert last(target("L1", nadir, now)).target == response  # the baseline is the nadir
    before = str(Decimal(nadir) + Decimal("0.1"))  # just above, so that the second study is the nadir
    assert last(target("L1", before, nadir, now)).target == response


def test_progression_is_looked_at_before_response():
    """50 mm is half the baseline, and 25 % and 10 mm above the nadir."""
    assert overall(target("L1", "100", "40", "50")) == ["PR", "PD"]


def test_the_nadir_is_the_smallest_sum_so_far_and_not_the_last_one():
    found = followed(target("L1", "100", "60", "65", "72"))

    assert [one.overall for one in found] == ["PR", "PR", "PD"]  # 72 is 10.8 % above 65, and 20 % above 60
    assert [(one.nadir_mm, one.nadir_on) for one in found] == [
        (Decimal(100), DAYS[0]),
        (Decimal(60), DAYS[1]),
        (Decimal(60), DAYS[1]),
    ]
    assert overall(target("L1", "100", "60", "65", "71.9")) == ["PR", "PR", "SD"]


def test_the_nadir_of_two_equal_sums_is_the_earlier():
    assert last(target("L1", "100", "60", "60", "60")).nadir_on == DAYS[1]


def test_a_later_and_smaller_sum_is_no_nadir_of_an_earlier_study():
    assert overall(target("L1", "100", "110", "60")) == ["SD", "PR"]


def test_a_response_that_is_lost_without_progression_is_stable_disease():
    """75 mm is 25 % below the baseline, and 7.1 % above the nadir of 70 mm."""
    assert overall(target("L1", "100", "70", "75")) == ["PR", "SD"]


def test_after_target_lesions_have_gone_5_mm_are_progression():
    """With a non-target lesion left there was no CR, so the sum decides (appendix III)."""
    left = non_target("L2", "present", "present", "present")

    assert overall(target("L1", "50", "absent", "4.9"), left) == ["PR", "PR"]
    found = followed(target("L1", "50", "absent", "5"), left)
    assert [one.overall for one in found] == ["PR", "PD"]
    assert found[1].reason == "PD: sum 5 mm is 5 mm above the nadir of 0 mm on 2019-05-02"
    assert found[1].nadir_change_percent is None


def test_the_diameters_of_all_target_lesions_are_added():
    found = last(target("L1", "42", "30"), target("L2", "30", "20"), target("L3", "18", "13", organ=NODE))

    assert (found.baseline_mm, found.sum_mm, found.is_complete) == (Decimal(90), Decimal(63), True)
    assert (found.change_percent, found.nadir_change_percent) == (Decimal(-30), Decimal(-30))


def test_changes_are_of_baseline_and_nadir():
    found = followed(target("L1", "80", "40", "44"))

    assert [one.change_percent for one in found] == [Decimal(-50), Decimal(-45)]
    assert [one.nadir_change_percent for one in found] == [Decimal(-50), Decimal(10)]


# Nodes


@pytest.mark.parametrize(
    ("short_axis", "response"), [("9.9", "CR"), ("10", "PR"), ("too small", "CR"), ("absent", "CR")]
)
def test_a_node_below_10_mm_is_normal(short_axis, response):
    node = target("L1", "20", short_axis, organ=NODE)

    assert overall(node) == [response]
    assert overall(node, target("L2", "30", "absent")) == [response]


def test_in_a_complete_response_the_sum_of_normal_nodes_is_not_zero():
    found = last(target("L1", "30", "absent"), target("L2", "20", "9.9", organ=NODE))

    assert (found.overall, found.sum_mm) == ("CR", Decimal("9.9"))
    assert found.reason == "CR: all target lesions have disappeared, nodes are below 10 mm (sum 9.9 mm)"


@pytest.mark.parametrize(
    ("short_axis", "response"),
    [("9.9", "CR"), ("10", "NON_CR_NON_PD"), ("too small", "CR"), ("present", "NON_CR_NON_PD")],
)
def test_a_non_target_node_below_10_mm_is_normal(short_axis, response):
    assert overall(non_target("L1", "12", short_axis, organ=NODE)) == [response]


@pytest.mark.parametrize(
    ("short_axis", "response"), [("9.9", "SD"), ("too small", "SD"), ("10", "PD"), ("present", "PD")]
)
def test_a_new_node_below_10_mm_is_normal_and_no_new_lesion(short_axis, response):
    assert overall(target("L1", "50", "45"), new("N1", short_axis, organ=NODE)) == [response]


@pytest.mark.parametrize("size", ["4", "too small", "9.9", "present"])
def test_a_new_lesion_of_any_size_is_progression_where_it_is_no_node(size):
    assert overall(target("L1", "50", "absent"), new("N1", size)) == ["PD"]


# Small, absent, missing, split and merged lesions


def test_a_lesion_too_small_to_measure_counts_5_mm():
    found = followed(target("L1", "20", "too small", "9.9", "10"))

    assert [one.sum_mm for one in found] == [Decimal(5), Decimal("9.9"), Decimal(10)]
    assert [one.overall for one in found] == ["PR", "PR", "PD"]  # 4.9 mm and 5 mm above 5 mm


def test_a_lesion_below_5_mm_that_was_measured_counts_as_measured():
    assert last(target("L1", "20", "4")).sum_mm == Decimal(4)


def test_an_absent_lesion_counts_nothing_and_the_sum_stays_complete():
    found = last(target("L1", "20", "absent"), target("L2", "40", "30"))

    assert (found.sum_mm, found.is_complete, found.overall) == (Decimal(30), True, "PR")


@pytest.mark.parametrize("cell", ["NE", ""])
def test_an_incomplete_sum_is_not_evaluable(cell):
    found = last(target("L1", "50", "5"), target("L2", "40", cell))

    assert (found.target, found.overall) == ("NE", "NE")
    assert (found.sum_mm, found.is_complete, found.change_percent) == (Decimal(5), False, None)
    assert found.reason == "NE: the sum is incomplete, L2 was not measured"


def test_progression_is_certain_already_in_an_incomplete_sum():
    """The example of section 4.4.2: 50 mm of three lesions at baseline, 80 mm of two of them later."""
    found = last(target("L1", "20", "50"), target("L2", "15", "30"), target("L3", "15", "NE"))

    assert (found.overall, found.is_complete) == ("PD", False)
    assert (
        found.reason
        == "PD: sum 80 mm is 60 % and 30 mm above the nadir of 50 mm on 2019-01-07, even without L3"
    )


@pytest.mark.parametrize(("size", "response"), [("60", "PD"), ("59.9", "NE")])
def test_an_incomplete_sum_is_progression_from_the_same_bound_on(size, response):
    assert last(target("L1", "30", size), target("L2", "20", "NE")).overall == response


def test_an_incomplete_sum_is_no_nadir():
    """95 mm would be far above the 30 mm of the one lesion that was measured."""
    found = followed(target("L1", "50", "30", "50"), target("L2", "50", "NE", "45"))

    assert [one.overall for one in found] == ["NE", "SD"]
    assert found[1].nadir_mm == Decimal(100)


def test_where_nothing_was_measured_there_is_no_sum_of_zero():
    found = last(target("L1", "50", "NE"), target("L2", "40", "NE"))

    assert (found.sum_mm, found.overall, found.reason) == (None, "NE", "NE: no target lesion was measured")


def test_without_a_complete_baseline_only_new_and_non_target_lesions_can_show_progression():
    bare = [target("L1", "50", "90"), target("L2", "NE", "90")]

    found = last(*bare)
    assert (found.overall, found.baseline_mm) == ("NE", None)
    assert found.reason == "NE: there is no baseline sum to compare with (L2 was not measured)"
    assert overall(*bare, new("N1", "present")) == ["PD"]
    assert overall(*bare, non_target("L3", "present", "PD")) == ["PD"]


def test_the_parts_of_a_split_lesion_are_added():
    assert overall(target("L1", "30", "12+9")) == ["PR"]  # 21 of 30 mm
    assert overall(target("L1", "30", "12+9.1")) == ["SD"]


def test_merged_lesions_count_as_the_one_they_are_measured_in():
    found = last(target("L1", "30", "45"), target("L2", "20", "> L1"))

    assert (found.sum_mm, found.is_complete, found.overall) == (Decimal(45), True, "SD")
    assert found.change_percent == Decimal(-10)


def test_a_lesion_may_merge_into_one_that_has_merged_itself():
    found = last(target("L1", "30", "45"), target("L2", "10", "> L1"), target("L3", "10", "> L2"))

    assert (found.sum_mm, found.is_complete, found.overall) == (Decimal(45), True, "SD")


@pytest.mark.parametrize("other", ["NE", "", "absent", "> L2"])
def test_what_merged_into_a_lesion_without_a_size_was_not_measured(other):
    found = last(target("L1", "30", other), target("L2", "20", "> L1"), target("L3", "20", "20"))

    assert (found.overall, found.is_complete) == ("NE", False)


# Complete response, and disease that comes back


@pytest.mark.parametrize(
    ("size", "response"), [("6", "PD"), ("1", "PD"), ("too small", "PD"), ("absent", "CR")]
)
def test_a_target_lesion_that_comes_back_after_complete_response_is_progression(size, response):
    assert overall(target("L1", "30", "absent", size)) == ["CR", response]


@pytest.mark.parametrize(("short_axis", "response"), [("10", "PD"), ("9.9", "CR")])
def test_a_node_comes_back_when_it_is_no_longer_normal(short_axis, response):
    assert overall(target("L1", "20", "8", short_axis, organ=NODE)) == ["CR", response]


@pytest.mark.parametrize("measurable", [[], [target("L1", "30", "absent", "absent")]])
def test_a_non_target_lesion_that_comes_back_after_complete_response_is_progression(measurable):
    found = followed(*measurable, non_target("L2", "present", "absent", "present"))

    assert [one.overall for one in found] == ["CR", "PD"]
    assert found[1].reason == "PD: non-target lesion L2 seen again after complete response"


def test_what_comes_back_is_progression_however_long_after_the_complete_response():
    assert overall(target("L1", "30", "absent", "NE", "6")) == ["CR", "NE", "PD"]
    assert overall(target("L1", "30", "absent", "1"), target("L2", "20", "absent", "NE")) == ["CR", "PD"]


def test_without_a_complete_response_a_lesion_that_comes_back_is_added_to_the_sum():
    """Appendix III: 47 mm is 17.5 % above the nadir of 40 mm, 48 mm 20 %."""
    other = target("L2", "40", "40", "40")

    assert overall(target("L1", "20", "absent", "7"), other) == ["PR", "SD"]
    assert overall(target("L1", "20", "absent", "8"), other) == ["PR", "PD"]


def test_a_non_target_lesion_that_comes_back_without_a_complete_response_is_not_progression():
    left = target("L1", "50", "30", "30")

    assert overall(left, non_target("L2", "present", "absent", "present")) == ["PR", "PR"]


# New lesions


def test_an_equivocal_new_lesion_alone_changes_nothing():
    found = followed(target("L1", "50", "30", "30"), new("N1", "equivocal", "equivocal"))

    assert [(one.overall, one.new_lesions) for one in found] == [("PR", ()), ("PR", ())]


@pytest.mark.parametrize("between", ["equivocal", "NE", ""])
def test_progression_dates_from_the_study_that_first_showed_a_lesion_confirmed_later(between):
    """Section 4.3.5."""
    found = followed(target("L1", "50", "30", "30", "30"), new("N1", "equivocal", between, "present"))

    assert (found[0].overall, found[2].overall) == ("PD", "PD")
    assert found[0].new_lesions == ("N1",)
    assert found[0].reason == "PD: new lesion N1 (equivocal here, confirmed on 2020-01-06)"
    assert found[1].overall == ("PD" if between == "equivocal" else "PR")


def test_an_equivocal_lesion_that_was_absent_afterwards_was_none():
    found = followed(target("L1", "50", "30", "30", "30"), new("N1", "equivocal", "absent", "present"))

    assert [one.overall for one in found] == ["PR", "PR", "PD"]


def test_an_equivocal_lesion_is_confirmed_whatever_else_progressed_in_between():
    found = followed(target("L1", "50", "30", "40", "40"), new("N1", "equivocal", "equivocal", "present"))

    assert [one.overall for one in found] == ["PD", "PD", "PD"]


def test_new_lesions_are_named_each_with_what_it_was():
    found = followed(
        target("L1", "50", "30", "30"),
        new("N2", "12", "14"),
        new("N1", "equivocal", "9"),
        new("N10", "absent", "NE"),
    )

    assert found[0].new_lesions == ("N1", "N2")
    assert found[0].reason == "PD: new lesions N1 (equivocal here, confirmed on 2019-09-02) and N2"
    assert found[1].reason == "PD: new lesions N1 and N2"


def test_a_lesion_that_was_there_at_baseline_is_not_new_at_baseline():
    found = assess([target("L1", "50"), lesion("N1", ["present"], LesionRole.NEW, "liver")], STUDIES[:1])

    assert (found[0].new_lesions, found[0].overall) == ((), None)


# The reason in words


@pytest.mark.parametrize(
    ("lesions", "reason"),
    [
        (
            [target("L1", "60", "41", "51")],
            "PD: sum 51 mm is 24.4 % and 10 mm above the nadir of 41 mm on 2019-05-02",
        ),
        (
            [target("L1", "50", "60")],
            "PD: sum 60 mm is 20 % and 10 mm above the nadir of 50 mm on 2019-01-07",
        ),
        ([target("L1", "60", "41")], "PR: sum 41 mm is 31.7 % below the baseline of 60 mm on 2019-01-07"),
        (
            [target("L1", "100", "70.1")],
            "SD: sum 70.1 mm is 29.9 % below the baseline of 100 mm on 2019-01-07: neither PR nor PD",
        ),
        (
            [target("L1", "100", "70", "75")],
            "SD: sum 75 mm is 25 % below the baseline of 100 mm on 2019-01-07, and 7.1 % and 5 mm above the nadir of"
            " 70 mm on 2019-05-02: neither PR nor PD",
        ),
        (
            [target("L1", "50", "50")],
            "SD: sum 50 mm is that of the baseline on 2019-01-07: neither PR nor PD",
        ),
        (
            [target("L1", "50", "54")],
            "SD: sum 54 mm is 8 % above the baseline of 50 mm on 2019-01-07: neither PR nor PD",
        ),
        ([target("L1", "50", "absent")], "CR: all target lesions have disappeared"),
        (
            [target("L1", "50", "absent"), non_target("L2", "present", "absent")],
            "CR: all target lesions have disappeared; all non-target lesions have disappeared",
        ),
        (
            [target("L1", "50", "absent"), non_target("L2", "present", "present")],
            "PR: all target lesions have disappeared, but non-target lesion L2 still present",
        ),
        (
            [target("L1", "50", "35"), non_target("L2", "present", "NE")],
            "PR: sum 35 mm is 30 % below the baseline of 50 mm on 2019-01-07; non-target lesion L2 not evaluated",
        ),
        (
            [non_target("L1", "present", "present"), non_target("L2", "present", "present")],
            "Non-CR/non-PD: non-target lesions L1 and L2 still present",
        ),
        ([non_target("L1", "present", "absent")], "CR: all non-target lesions have disappeared"),
        ([non_target("L1", "present", "NE")], "NE: non-target lesion L1 not evaluated"),
        (
            [target("L1", "50", "60"), non_target("L2", "present", "PD"), new("N1", "present")],
            "PD: sum 60 mm is 20 % and 10 mm above the nadir of 50 mm on 2019-01-07; unequivocal progression of"
            " non-target lesion L2; new lesion N1",
        ),
        ([target("L1", "30", "absent", "6")], "PD: L1 seen again after complete response"),
        ([new("N1", "absent")], "NE: no lesion was entered at baseline"),
    ],
)
def test_every_response_says_why(lesions, reason):
    assert last(*lesions).reason == reason


@pytest.mark.parametrize(
    ("part", "whole", "words"),
    [
        ("30", "100", "30 %"),
        ("299.8", "1000", "29.98 %"),  # would be 30.0 % to a tenth
        ("299.96", "1000", "29.996 %"),
        ("300.1", "1000", "30.01 %"),
        ("199.9", "1000", "19.99 %"),
        ("199.4", "1000", "19.9 %"),
        ("10", "41", "24.4 %"),
        ("1", "3", "33.3 %"),
        ("249.6", "1000", "25 %"),  # no bound
    ],
)
def test_a_rounded_percentage_never_seems_to_reach_a_bound(part, whole, words):
    assert percent(Decimal(part), Decimal(whole)) == words


@pytest.mark.parametrize(
    ("lesions", "reason"),
    [
        ([target("L1", "50"), target("L2", "20.5")], "Baseline: sum of diameters 70.5 mm."),
        ([target("L1", "50"), target("L2", "NE")], "Baseline: no sum, L2 was not measured."),
        ([non_target("L1", "present")], "Baseline: non-target lesions only."),
        (
            [target("L1", "absent")],
            "Baseline: the sum of diameters is 0 mm, so nothing can be compared with it.",
        ),
        ([], "Baseline: no lesion has been entered."),
    ],
)
def test_the_baseline_has_a_sum_and_no_response(lesions, reason):
    found = assess(lesions, STUDIES[:1])[0]

    assert (found.target, found.non_target, found.overall) == (None, None, None)
    assert found.reason == reason


def test_a_baseline_sum_of_zero_can_be_compared_with_nothing():
    assert last(target("L1", "absent", "20")).reason == (
        "NE: there is no baseline sum to compare with (its sum is 0 mm)"
    )


# Studies


def test_the_earliest_study_is_the_baseline_and_studies_of_one_day_go_by_their_key():
    days = [StudyDay("b", date(2019, 5, 2)), StudyDay("a", date(2019, 5, 2)), StudyDay("z", date(2019, 1, 7))]

    assert [one.key for one in assess([], days)] == ["z", "a", "b"]
    assert assess([], []) == []


# Wrong input


def finding(state: State, size_mm: str | None = None, merged_into: str = "") -> Finding:
    return Finding(state, Decimal(size_mm) if size_mm is not None else None, merged_into)


@pytest.mark.parametrize(
    ("role", "entered", "message"),
    [
        (LesionRole.TARGET, finding(State.MEASURED, "-1"), "L1: -1 mm: expected a diameter from 0 mm"),
        (LesionRole.TARGET, finding(State.MEASURED), "L1: None mm: expected a diameter from 0 mm"),
        (LesionRole.TARGET, finding(State.SPLIT, "-0.1"), "L1: -0.1 mm: expected a diameter from 0 mm"),
        (LesionRole.NEW, finding(State.MEASURED), "L1: None mm: expected a diameter from 0 mm"),
        (LesionRole.TARGET, finding(State.PRESENT), "L1: a target lesion cannot be present"),
        (LesionRole.TARGET, finding(State.PROGRESSED), "L1: a target lesion cannot be progressed"),
        (LesionRole.TARGET, finding(State.EQUIVOCAL), "L1: a target lesion cannot be equivocal"),
        (LesionRole.NON_TARGET, finding(State.EQUIVOCAL), "L1: a non-target lesion cannot be equivocal"),
        (LesionRole.NEW, finding(State.PROGRESSED), "L1: a new lesion cannot be progressed"),
        (
            LesionRole.TARGET,
            finding(State.MERGED, merged_into="L1"),
            "L1: merged into 'L1': expected another target lesion",
        ),
        (
            LesionRole.TARGET,
            finding(State.MERGED, merged_into="L2"),
            "L1: merged into 'L2': expected another target lesion",
        ),
        (LesionRole.TARGET, finding(State.MERGED), "L1: merged into '': expected another target lesion"),
    ],
)
def test_what_cannot_be_is_refused_with_the_lesion_and_the_value(role, entered, message):
    other = non_target("L2", "present")

    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        assess([Lesion("L1", role, False, "liver", {"study 0": entered}), other], STUDIES[:1])


# The page


def rows_under(heading: str) -> list[dict[str, str]]:
    """Return the rows of the first table under a heading of the page, by their column."""
    section = PAGE.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(head, row, strict=True)) for row in rows]


def lesion_of(heading: str, cells: list[str]) -> Lesion:
    """Return the lesion of a heading such as ``L1``, ``L3 (node)``, ``L4 (non-target)`` or ``N1 (new node)``."""
    label, _, said = heading.strip().rstrip(")").partition(" (")
    kinds = said.split()
    role = next((role for role in LesionRole if role.replace("_", "-") in kinds), LesionRole.TARGET)
    return lesion(label, cells, role, NODE if "node" in kinds else "liver")


def words(response: str | None) -> str:
    return (response or "–").replace("NON_CR_NON_PD", "non-CR/non-PD")


def signed(change: Decimal | None) -> str:
    if change is None:
        return "–"
    shown = percent(abs(change), Decimal(100))
    return f"{'−' if change < 0 else '+'}{shown}"


def test_the_worked_example_of_the_page():
    rows = rows_under("Worked example")
    days = [
        StudyDay(study.key, date.fromisoformat(row["study"]))
        for study, row in zip(STUDIES, rows[:5], strict=True)
    ]
    columns = [name for name in rows[0] if re.match(r"[LN]\d", name)]
    found = assess([lesion_of(name, [row[name] for row in rows[:5]]) for name in columns], days)

    assert len(rows) == 5
    for row, one in zip(rows, found, strict=True):
        shown = f"{one.sum_mm} mm{'' if one.is_complete else ', incomplete'}"
        assert shown == row["sum"]
        if one.overall is not None:
            assert (signed(one.change_percent), signed(one.nadir_change_percent)) == (
                row["from baseline"],
                row["from nadir"],
            )
        assert (words(one.target), words(one.overall)) == (row["target"], row["overall"])


def test_the_conventions_of_the_page():
    rows = rows_under("Conventions in short")
    assert len(rows) > 12
    for row in rows:
        written = [one.split(":") for one in row["lesions"].strip("`").split(";")]
        lesions = [lesion_of(heading, cells.split(",")) for heading, cells in written]
        assert ", ".join(words(response) for response in overall(*lesions)) == row["overall"], row


def test_what_the_page_says_can_be_typed_can_be_and_every_word_is_there():
    named = set()
    for row in rows_under("What can be typed"):
        roles = [role for role in LesionRole if role.replace("_", "-") in row["of"].split(", ")]
        for typed, role in product(re.findall(r"`([^`]+)`", row["typed"]), roles):
            named.add(typed)
            entry = parse_cell(typed, role)
            assert entry is not None
            assert entry.state.replace("_", " ") == row["is"].partition(":")[0]
        state = State(row["is"].partition(":")[0].replace(" ", "_"))
        assert roles == [role for role in LesionRole if state in STATES_OF_ROLE[role]]

    assert named >= {word for words in WORDS.values() for word in words}
