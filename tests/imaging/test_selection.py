"""What RECIST 1.1 asks of the lesions at baseline (sections 3.1 and 4.2, appendix II), on each side of every bound."""

from decimal import Decimal

import pytest

from imaging.rules.recist import Lesion
from imaging.rules.selection import SelectionProblem, count_problems, selection_problems
from tests.imaging.lesions import NODE, STUDIES, new, non_target, target

ORGANS = {"liver": "Liver", "lung": "Lung", "bone": "Bone", NODE: "Lymph node"}


def problems(
    *lesions: Lesion, slice_mm: str | None = None, kept: tuple[str, ...] = ()
) -> list[SelectionProblem]:
    return selection_problems(
        lesions,
        baseline_key=STUDIES[0].key,
        slice_thickness_mm=Decimal(slice_mm) if slice_mm is not None else None,
        overridden=frozenset(kept),
        organ_names=ORGANS,
    )


def codes(*lesions: Lesion, slice_mm: str | None = None, kept: tuple[str, ...] = ()) -> list[str]:
    return [problem.code for problem in problems(*lesions, slice_mm=slice_mm, kept=kept)]


def targets(*organs: str) -> list[Lesion]:
    return [target(f"L{number}", "20", organ=organ) for number, organ in enumerate(organs, start=1)]


def test_five_target_lesions_are_enough():
    assert codes(*targets("liver", "liver", "lung", "lung", "bone")) == []
    assert codes(*targets("liver", "liver", "lung", "lung", "bone", "brain")) == ["too_many_targets"]


def test_two_target_lesions_of_one_organ_are_enough():
    assert codes(*targets("liver", "liver")) == []
    found = problems(*targets("liver", "lung", "liver", "liver"))
    assert [(one.code, one.labels) for one in found] == [("too_many_in_organ", ("L1", "L3", "L4"))]


def test_lymph_nodes_are_one_organ():
    assert codes(*targets(NODE, NODE)) == []
    assert codes(*targets(NODE, NODE, NODE)) == ["too_many_in_organ"]


def test_non_target_and_new_lesions_may_be_any_number():
    others = [non_target(f"L{number}", "present", organ="liver") for number in range(1, 20)]
    found_later = [new(f"N{number}", "present") for number in range(1, 20)]

    assert codes(*others, *found_later) == []


def test_the_number_of_lesions_cannot_be_overridden():
    lesions = targets("liver", "liver", "liver", "lung", "lung", "bone")

    found = problems(*lesions, kept=tuple(lesion.label for lesion in lesions))
    assert [one.code for one in found] == ["too_many_targets", "too_many_in_organ"]
    assert not any(one.may_be_overridden for one in found)


@pytest.mark.parametrize(
    ("size", "expected"),
    [("10", []), ("9.9", ["target_too_small"]), ("6+4", []), ("5+4.9", ["target_too_small"])],
)
def test_a_target_lesion_measures_10_mm_or_more(size, expected):
    assert codes(target("L1", size)) == expected


@pytest.mark.parametrize(
    ("slice_mm", "size", "expected"),
    [
        (None, "10", []),
        ("1", "10", []),
        ("5", "10", []),
        ("5.1", "10.1", ["target_too_small"]),  # twice 5.1 mm is 10.2 mm
        ("5.1", "10.2", []),
        ("8", "15.9", ["target_too_small"]),
        ("8", "16", []),
    ],
)
def test_with_slices_thicker_than_5_mm_it_measures_twice_their_thickness(slice_mm, size, expected):
    assert codes(target("L1", size), slice_mm=slice_mm) == expected


@pytest.mark.parametrize(
    ("short_axis", "expected"),
    [("15", []), ("14.9", ["node_too_small"]), ("10", ["node_too_small"]), ("9.9", ["node_is_normal"])],
)
def test_a_target_node_has_a_short_axis_of_15_mm_or_more(short_axis, expected):
    assert codes(target("L1", short_axis, organ=NODE)) == expected
    assert (
        codes(target("L1", short_axis, organ=NODE), slice_mm="8") == expected
    )  # slices are not asked of nodes


@pytest.mark.parametrize(
    ("short_axis", "expected"),
    [("9.9", ["node_is_normal"]), ("10", []), ("14.9", []), ("20", []), ("present", [])],
)
def test_a_non_target_node_has_a_short_axis_of_10_mm_or_more(short_axis, expected):
    assert codes(non_target("L1", short_axis, organ=NODE)) == expected


def test_a_non_target_lesion_that_is_no_node_may_be_of_any_size():
    assert codes(non_target("L1", "4"), slice_mm="8") == []


@pytest.mark.parametrize("cell", ["NE", "absent", "too small", "> L2"])
def test_a_target_lesion_without_a_size_at_baseline_is_none(cell):
    found = problems(target("L1", cell), target("L2", "20"), kept=("L1",))

    assert [(one.code, one.labels, one.may_be_overridden) for one in found] == [
        ("not_measured", ("L1",), False)
    ]


def test_a_target_lesion_that_is_not_entered_yet_is_left_alone():
    assert codes(target("L1", "", "20")) == []


@pytest.mark.parametrize(
    "small",
    [
        target("L1", "9"),
        target("L1", "12", organ=NODE),
        target("L1", "8", organ=NODE),
        non_target("L1", "8", organ=NODE),
    ],
)
def test_a_reader_may_keep_a_small_lesion_with_a_reason_and_only_that_one(small):
    (found,) = problems(small)

    assert found.may_be_overridden
    assert "keep it with a reason" in found.sentence
    assert codes(small, kept=("L1",)) == []
    assert codes(small, kept=("L2",)) == [found.code]


def test_sizes_at_later_studies_are_not_asked():
    assert codes(target("L1", "20", "4"), target("L2", "20", "8", organ=NODE)) == []


def test_the_order_of_lesions_does_not_matter():
    lesions = [target("L10", "9"), target("L2", "12", organ=NODE), non_target("L1", "8", organ=NODE)]

    assert problems(*lesions) == problems(*reversed(lesions))
    assert [one.labels for one in problems(*lesions)] == [("L2",), ("L10",), ("L1",)]


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            problems(target("L1", "15.9"), slice_mm="8"),
            "L1 measures 15.9 mm: a target lesion needs a longest diameter of 16 mm or more (twice the slice thickness of"
            " 8 mm). Make it a non-target lesion, or keep it with a reason.",
        ),
        (
            problems(target("L1", "9.9")),
            "L1 measures 9.9 mm: a target lesion needs a longest diameter of 10 mm or more. Make it a non-target lesion, or"
            " keep it with a reason.",
        ),
        (
            problems(target("L1", "14.9", organ=NODE)),
            "L1 is a node of 14.9 mm short axis: a target node needs 15 mm or more; from 10 mm on it is a non-target lesion."
            " Make it one, or keep it with a reason.",
        ),
        (
            problems(target("L1", "9.9", organ=NODE)),
            "L1 is a node of 9.9 mm short axis: below 10 mm a node is normal and no lesion. Leave it out, or keep it with a"
            " reason.",
        ),
        (
            problems(*targets("liver", "liver", "liver")),
            "There are 3 target lesions in one organ (liver: L1, L2, L3): RECIST 1.1 takes at most 2; lymph nodes count as"
            " one organ. Make the others non-target lesions.",
        ),
        (
            count_problems([(f"L{number}", f"organ {number}") for number in range(6)], {}),
            "There are 6 target lesions: RECIST 1.1 takes at most 5. Make the others non-target lesions.",
        ),
    ],
)
def test_a_problem_says_what_is_asked_and_what_to_do(found, sentence):
    assert [one.sentence for one in found] == [sentence]
