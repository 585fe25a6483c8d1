"""What holds of every course, whatever its lesions: RECIST 1.1 has no example for these, but each follows from its text.

"Not better" orders CR > PR > SD = non-CR/non-PD > PD and takes NE apart: what can be told may become NE, and NE may become
PD and nothing else. What adding a lesion can do, exactly:

- A new lesion: up to the first progression each study keeps its response or becomes PD.
- A non-target lesion: no study becomes better up to the first complete response. After one, disease that is seen again is
  PD; where it was none, because the added lesion was still there, the sum decides. So a study after the CR may become
  better. The best response does not, but for one case: a CR that came back can then be a confirmed PR (table 3, footnote a).
- A target lesion that grows at least in proportion to the sum of the others: as a non-target lesion.
- A target lesion that merely never shrinks: stable disease never becomes a response. It may dilute a progression.
- Any other target lesion changes the percentages either way.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import accumulate

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from imaging.rules.best_response import (
    RESPONSE_RANK,
    RESPONSES,
    Assessment,
    BestResponse,
    ResponseRules,
    best_confirmed,
    best_overall_response,
    best_unconfirmed,
)
from imaging.rules.recist import Finding, Lesion, LesionRole, State, StudyDay, assess, percent

ZERO = date(2019, 1, 7)
END = date(2030, 1, 1)
RULES = ResponseRules()
N_STUDIES = 4
DAYS = [StudyDay(f"study {number}", ZERO + timedelta(days=30 * number)) for number in range(N_STUDIES)]

SIZES = [
    "0.1",
    "4.9",
    "5",
    "9.9",
    "10",
    "12",
    "15",
    "19.9",
    "20",
    "24",
    "25",
    "30",
    "42",
    "50",
    "60",
    "70",
    "100",
]
MEASURED = [Finding(State.MEASURED, Decimal(size)) for size in SIZES]
SPLIT = Finding(State.SPLIT, Decimal(21))
ABSENT, TOO_SMALL, NOT_EVALUABLE, PRESENT, PROGRESSED, EQUIVOCAL = (
    Finding(state)
    for state in (
        State.ABSENT,
        State.TOO_SMALL,
        State.NOT_EVALUABLE,
        State.PRESENT,
        State.PROGRESSED,
        State.EQUIVOCAL,
    )
)
Cells = Sequence[Finding | None]
TARGET_CELLS: Cells = [*MEASURED, SPLIT, ABSENT, ABSENT, ABSENT, TOO_SMALL, NOT_EVALUABLE, None]
NON_TARGET_CELLS: Cells = [
    PRESENT,
    PRESENT,
    ABSENT,
    ABSENT,
    MEASURED[3],
    MEASURED[4],
    TOO_SMALL,
    NOT_EVALUABLE,
    PROGRESSED,
]
NEW_CELLS: Cells = [None, None, None, ABSENT, NOT_EVALUABLE, PRESENT, MEASURED[3], MEASURED[4], EQUIVOCAL]
CELLS = {LesionRole.TARGET: TARGET_CELLS, LesionRole.NON_TARGET: NON_TARGET_CELLS, LesionRole.NEW: NEW_CELLS}
CERTAIN = {**CELLS, LesionRole.NEW: NEW_CELLS[:-1]}


def lesion_of(label: str, role: LesionRole, cells: Cells, *, is_node: bool = False) -> Lesion:
    findings = {day.key: cell for day, cell in zip(DAYS, cells, strict=True) if cell is not None}
    return Lesion(label, role, is_node, "lymph_node" if is_node else "liver", findings)


@st.composite
def a_lesion(
    draw: st.DrawFn,
    label: str,
    role: LesionRole,
    cells: Cells,
    others: Sequence[str] = (),
    *,
    nodes: bool = True,
) -> Lesion:
    merged = [Finding(State.MERGED, merged_into=other) for other in others if other != label]
    found = draw(st.lists(st.sampled_from([*cells, *merged]), min_size=N_STUDIES, max_size=N_STUDIES))
    return lesion_of(label, role, found, is_node=nodes and draw(st.booleans()))


@st.composite
def courses(
    draw: st.DrawFn,
    cells: dict[LesionRole, Cells] = CELLS,
    *,
    least_targets: int = 0,
    most_new: int = 2,
    nodes: bool = True,
    merged: bool = True,
) -> list[Lesion]:
    """Draw the lesions of one reader in four studies."""
    targets = [f"L{number}" for number in range(1, draw(st.integers(least_targets, 3)) + 1)]
    numbers = {LesionRole.NON_TARGET: draw(st.integers(0, 2)), LesionRole.NEW: draw(st.integers(0, most_new))}
    lesions = [
        draw(
            a_lesion(
                label, LesionRole.TARGET, cells[LesionRole.TARGET], targets if merged else (), nodes=nodes
            )
        )
        for label in targets
    ]
    for role, number in numbers.items():
        for index in range(number):
            lesions.append(draw(a_lesion(f"{role.name}{index}", role, cells[role], nodes=nodes)))
    return lesions


def responses(lesions: Sequence[Lesion]) -> list[str]:
    return [str(one.overall) for one in assess(lesions, DAYS)[1:]]


def up_to_first(response: str, found: Sequence[str]) -> int:
    """Return how many studies there are up to and including the first of such a response."""
    return found.index(response) + 1 if response in found else len(found)


def is_not_better(after: str, before: str) -> bool:
    if before == "NE" or after == "NE":
        return after in {"NE", "PD"} or before != "NE"
    return RESPONSE_RANK[after] >= RESPONSE_RANK[before]


def assessments(found: Sequence[str]) -> list[Assessment]:
    return [Assessment(day.on, response) for day, response in zip(DAYS[1:], found, strict=True)]


def unconfirmed(found: Sequence[str]) -> str:
    return str(best_unconfirmed(assessments(found), time_zero=ZERO, until=END, rules=RULES).response)


def confirmed(found: Sequence[str]) -> str:
    return str(best_confirmed(assessments(found), time_zero=ZERO, until=END, rules=RULES).response)


def reported(found: Sequence[str]) -> str:
    return str(best_overall_response(assessments(found), until=END))


# Any course


@given(courses())
@settings(max_examples=200, deadline=None)
def test_every_study_has_a_response_and_a_reason_that_begins_with_it(lesions):
    first, *found = assess(lesions, DAYS)

    assert (first.overall, first.target, first.non_target, first.new_lesions) == (None, None, None, ())
    assert first.reason.startswith("Baseline: ")
    for one in found:
        assert one.overall in RESPONSES
        assert one.reason.startswith(
            f"{'Non-CR/non-PD' if one.overall == 'NON_CR_NON_PD' else one.overall}: "
        )
        assert (one.overall == "PD") == (
            one.target == "PD" or one.non_target == "PD" or bool(one.new_lesions)
        )
        assert (one.target is None) == all(lesion.role is not LesionRole.TARGET for lesion in lesions)
        assert one.target != "CR" or one.is_complete


@given(courses(), st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_the_order_of_lesions_and_studies_does_not_matter(lesions: list[Lesion], rng: random.Random):
    expected = assess(lesions, DAYS)
    mixed, days = list(lesions), list(DAYS)
    rng.shuffle(mixed)
    rng.shuffle(days)

    assert assess(mixed, days) == expected


@given(courses(CERTAIN), st.data())
@settings(max_examples=80, deadline=None)
def test_nothing_after_the_first_progression_changes_what_came_before(lesions, data):
    """Without equivocal lesions: to confirm one is the only way in which a later study changes an earlier one."""
    before = responses(lesions)
    n_kept = up_to_first("PD", before)
    other = data.draw(
        st.lists(st.sampled_from([PRESENT, ABSENT, *MEASURED]), min_size=len(lesions), max_size=len(lesions))
    )
    changed = []
    for lesion, cell in zip(lesions, other, strict=True):
        later = MEASURED[0] if cell is PRESENT and lesion.role is LesionRole.TARGET else cell
        changed.append(
            replace(lesion, findings={**lesion.findings, **{day.key: later for day in DAYS[n_kept + 1 :]}})
        )
    after = responses(changed)

    assert after[:n_kept] == before[:n_kept]
    if "PD" in before:
        for best in (unconfirmed, confirmed, reported):
            assert best(after) == best(before)


# One lesion more


@given(courses(), a_lesion("X", LesionRole.NEW, NEW_CELLS))
@settings(max_examples=200, deadline=None)
def test_a_new_lesion_more_makes_progression_and_nothing_else(lesions, added):
    before, after = responses(lesions), responses([*lesions, added])
    n = up_to_first("PD", after)

    assert all(now in {was, "PD"} for was, now in zip(before[:n], after[:n], strict=True))
    assert n <= up_to_first("PD", before)
    for best in (unconfirmed, confirmed, reported):
        assert is_not_better(best(after), best(before))


@given(courses(), a_lesion("X", LesionRole.NON_TARGET, NON_TARGET_CELLS))
@settings(max_examples=200, deadline=None)
def test_a_non_target_lesion_more_makes_no_response_better(lesions, added):
    assume(any(lesion.role is not LesionRole.NEW for lesion in lesions))

    is_not_better_with(added, lesions)


@given(
    courses(least_targets=1),
    st.lists(st.integers(1, 8), min_size=N_STUDIES, max_size=N_STUDIES).map(sorted),
)
@settings(max_examples=200, deadline=None)
def test_a_target_lesion_more_that_grows_in_proportion_makes_no_response_better(lesions, quarters):
    """The sum times a factor that never falls, so that the larger sum grows by the same share or more between any two."""
    cells = [
        None if one.sum_mm is None else Finding(State.MEASURED, one.sum_mm * quarter / 4)
        for one, quarter in zip(assess(lesions, DAYS), quarters, strict=True)
    ]

    is_not_better_with(lesion_of("X", LesionRole.TARGET, cells), lesions)


def is_not_better_with(added: Lesion, lesions: list[Lesion]) -> None:
    before, after = responses(lesions), responses([*lesions, added])
    n = up_to_first("CR", before)
    for was, now in zip(before[:n], after[:n], strict=True):
        assert is_not_better(now, was)
    assert is_not_better(unconfirmed(after), unconfirmed(before))
    assert is_not_better(reported(after), reported(before))
    if "PD" not in before[n:]:  # no CR that came back
        assert is_not_better(confirmed(after), confirmed(before))


@given(
    courses(least_targets=1),
    st.lists(st.integers(1, 700), min_size=N_STUDIES, max_size=N_STUDIES).map(
        lambda grown: list(accumulate(grown))
    ),
)
@settings(max_examples=150, deadline=None)
def test_a_target_lesion_more_that_never_shrinks_makes_no_response_of_stable_disease(lesions, tenths):
    cells = [Finding(State.MEASURED, Decimal(size) / 10) for size in tenths]
    added = lesion_of("X", LesionRole.TARGET, cells)

    for was, now in zip(responses(lesions), responses([*lesions, added]), strict=True):
        assert was not in {"SD", "NE"} or now not in {"CR", "PR"}


def test_a_stable_target_lesion_more_can_dilute_a_progression():
    """100, 40, 48 mm: 20 % and 8 mm above the nadir. With 20 mm more each time, 13.3 %."""
    sizes = [Finding(State.MEASURED, Decimal(size)) for size in (100, 40, 48, 48)]
    growing = lesion_of("L1", LesionRole.TARGET, sizes)
    stable = lesion_of("X", LesionRole.TARGET, [Finding(State.MEASURED, Decimal(20))] * N_STUDIES)

    assert responses([growing]) == ["PR", "PD", "PD"]
    assert responses([growing, stable]) == ["PR", "PR", "PR"]


def test_a_non_target_lesion_that_was_left_can_make_a_relapse_of_a_complete_response_less():
    """After a CR 4 mm are PD. Where it was none, because of another lesion, they are PR."""
    cells = [Finding(State.MEASURED, Decimal(50)), ABSENT, Finding(State.MEASURED, Decimal(4)), ABSENT]
    returning = lesion_of("L1", LesionRole.TARGET, cells)
    left = lesion_of("X", LesionRole.NON_TARGET, [PRESENT] * N_STUDIES)

    assert responses([returning])[:2] == ["CR", "PD"]
    assert responses([returning, left])[:2] == ["PR", "PR"]


# Sizes


NO_DEFAULT = {**CELLS, LesionRole.TARGET: [cell for cell in TARGET_CELLS if cell is not TOO_SMALL]}


@given(courses(NO_DEFAULT, least_targets=1, nodes=False), st.integers(10, 60))
@settings(max_examples=120, deadline=None)
def test_the_same_course_in_larger_sizes_differs_by_the_5_mm_alone(lesions, tenths):
    """Without nodes and sizes by default, which have bounds in mm of their own."""
    factor = Decimal(tenths) / 10
    larger = [
        replace(
            lesion,
            findings={
                key: replace(cell, size_mm=cell.size_mm * factor) if cell.size_mm is not None else cell
                for key, cell in lesion.findings.items()
            },
        )
        for lesion in lesions
    ]
    before, after = assess(lesions, DAYS), assess(larger, DAYS)

    for was, now in zip(before[1:], after[1:], strict=True):
        assert now.overall in {was.overall, "PD"}
        assert now.change_percent == was.change_percent
        if now.overall != was.overall:
            assert was.sum_mm is not None
            assert was.nadir_mm is not None
            assert was.sum_mm - was.nadir_mm < 5


def whole_number_responses(sums: Sequence[int]) -> list[str]:
    """Return the responses of sums in tenths of a millimetre, none of them 0, in whole numbers alone."""
    found = []
    for index in range(1, len(sums)):
        growth, nadir = sums[index] - min(sums[:index]), min(sums[:index])
        if growth >= 50 and 100 * growth >= 20 * nadir:
            found.append("PD")
        else:
            found.append("PR" if 100 * (sums[0] - sums[index]) >= 30 * sums[0] else "SD")
    return found


@st.composite
def near_bounds(draw: st.DrawFn) -> list[int]:
    """Draw sums in tenths of a millimetre, many within two tenths of a bound."""
    sums = [draw(st.integers(100, 5000))]
    for _ in range(N_STUDIES - 1):
        bounds = [sums[0] * 7 // 10, min(sums) * 6 // 5, min(sums) + 50]
        near = st.sampled_from(bounds).flatmap(lambda bound: st.integers(bound - 2, bound + 2))
        sums.append(max(3, draw(near | st.integers(3, 5000))))
    return sums


@given(near_bounds())
@settings(max_examples=200, deadline=None)
def test_responses_are_those_of_whole_numbers(sums):
    """Three lesions of a third each: thirds of a sum are no exact binary fractions, tenths of a millimetre neither."""
    thirds = [(total // 3, total // 3, total - 2 * (total // 3)) for total in sums]
    lesions = [
        lesion_of(
            f"L{number}",
            LesionRole.TARGET,
            [Finding(State.MEASURED, Decimal(third[number]) / 10) for third in thirds],
        )
        for number in range(3)
    ]

    assert responses(lesions) == whole_number_responses(sums)


@given(near_bounds())
@settings(max_examples=200, deadline=None)
def test_a_percentage_in_words_reaches_a_bound_where_the_sum_does_and_only_there(sums):
    for whole, part in ((sums[0], sums[0] - sums[1]), (min(sums[:-1]), sums[-1] - min(sums[:-1]))):
        if part < 0:
            continue
        shown = Decimal(percent(Decimal(part), Decimal(whole)).removesuffix(" %"))
        for bound in (20, 30):
            assert (shown >= bound) == (100 * part >= bound * whole)
            assert (shown == bound) == (100 * part == bound * whole)


# Best response


DATED = st.lists(
    st.tuples(st.integers(0, 200), st.sampled_from(RESPONSES)).map(
        lambda pair: Assessment(ZERO + timedelta(days=pair[0]), pair[1])
    ),
    max_size=6,
)
Best = Callable[..., BestResponse]


@given(DATED, DATED, st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_best_response_depends_on_nothing_after_progression_and_on_no_order(
    found, further, rng: random.Random
):
    progressed = [*found, Assessment(ZERO + timedelta(days=100), "PD")]
    first_on = min(one.on for one in progressed if one.response == "PD")
    mixed = [*progressed, *(one for one in further if one.on > first_on)]
    rng.shuffle(mixed)

    for best in (best_unconfirmed, best_confirmed):
        expected = best(progressed, time_zero=ZERO, until=END, rules=RULES)
        assert best(mixed, time_zero=ZERO, until=END, rules=RULES) == expected
        assert expected.response is not None
        assert expected.reason
    assert best_overall_response(mixed, until=END) == best_overall_response(progressed, until=END)


@given(DATED)
@settings(max_examples=150, deadline=None)
def test_a_confirmed_response_is_not_better_than_an_unconfirmed_one(found):
    without = best_unconfirmed(found, time_zero=ZERO, until=END, rules=RULES)
    with_confirmation = best_confirmed(found, time_zero=ZERO, until=END, rules=RULES)

    assert (without.response is None) == (with_confirmation.response is None) == (not found)
    if found:
        assert is_not_better(str(with_confirmation.response), str(without.response))
    for best in (without, with_confirmation):
        assert (best.responded_on is None) == (best.response not in {"CR", "PR"})
