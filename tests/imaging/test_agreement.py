"""Agreement of two readers against published tables. No database."""

from collections.abc import Sequence

import pytest

from imaging.rules.agreement import Agreement, cohens_kappa
from imaging.rules.best_response import RESPONSES


def agreement(*table: Sequence[int]) -> Agreement:
    """Return the agreement of a crosstable, a row for each category of the first reader."""
    names = "ABCD"[: len(table)]
    pairs = [
        (names[i], names[j])
        for i, row in enumerate(table)
        for j, count in enumerate(row)
        for _ in range(count)
    ]
    return cohens_kappa(pairs, names)


def test_the_example_of_fleiss_cohen_and_everitt():
    """Psychol Bull 1969;72:323-327, their table 1 with n = 200: kappa .429, variance .002885.

    By hand: observed .53 + .14 + .03 = .70; expected .60 × .65 + .30 × .25 + .10 × .10 = .475; .225 / .525 = .4286.
    """
    found = agreement([106, 10, 4], [22, 28, 10], [2, 12, 6])

    assert found.n == 200
    assert found.observed == pytest.approx(0.70)
    assert found.expected == pytest.approx(0.475)
    assert found.kappa == pytest.approx(0.225 / 0.525)
    assert found.standard_error is not None
    assert found.standard_error**2 == pytest.approx(0.002885, abs=5e-7)


def test_the_diagnoses_of_fleiss():
    """Statistical Methods for Rates and Proportions, 100 subjects: expected .66, kappa .676, standard error .088."""
    found = agreement([75, 1, 4], [5, 4, 1], [0, 0, 10])

    assert found.expected == pytest.approx(0.66)
    assert found.kappa == pytest.approx(0.676, abs=5e-4)
    assert found.standard_error == pytest.approx(0.0877, abs=5e-5)


def test_the_pathologists_of_agresti():
    """Categorical Data Analysis, 118 slides read by two pathologists: .493, standard error .057, limits .38 to .60."""
    found = agreement([22, 2, 2, 0], [5, 7, 14, 0], [0, 2, 36, 0], [0, 1, 17, 10])

    assert found.kappa == pytest.approx(0.493, abs=5e-4)
    assert found.standard_error == pytest.approx(0.057, abs=5e-4)
    assert found.limits == pytest.approx((0.38, 0.60), abs=5e-3)


def test_the_couples_of_agresti_as_r_gives_them():
    """R's vcd::Kappa(SexualFun), 91 couples: 0.1293, ASE 0.0686."""
    found = agreement([7, 7, 2, 3], [2, 8, 3, 7], [1, 5, 4, 9], [2, 8, 9, 14])

    assert found.kappa == pytest.approx(0.1293, abs=5e-5)
    assert found.standard_error == pytest.approx(0.0686, abs=5e-5)


def test_without_pairs_nothing_is_defined_and_it_says_so():
    found = cohens_kappa([])

    assert (found.n, found.observed, found.expected, found.kappa, found.limits) == (0, None, None, None, None)
    assert found.undefined == "No study was read by two readers."
    assert found.categories == RESPONSES


def test_one_response_alone_has_no_kappa_since_chance_agrees_as_well():
    found = cohens_kappa([("SD", "SD")] * 9)

    assert (found.observed, found.expected) == (1, 1)
    assert found.kappa is found.standard_error is found.limits is None
    assert "chance alone" in found.undefined


def test_full_agreement_on_several_responses_is_1_without_limits():
    found = cohens_kappa([("SD", "SD")] * 9 + [("PR", "PR")])

    assert (found.kappa, found.standard_error, found.limits) == (1, 0, None)
    assert "no limits" in found.undefined


def test_agreement_as_by_chance_is_0_and_none_at_all_is_negative():
    assert agreement([5, 5], [5, 5]).kappa == 0
    assert agreement([0, 5], [5, 0]).kappa == -1


def test_limits_stay_within_minus_1_and_1():
    found = agreement([3, 1], [0, 3])

    assert found.limits is not None
    assert found.kappa is not None
    assert found.kappa + 1.96 * found.standard_error > 1
    assert found.limits[1] == 1


def test_exchanging_the_readers_transposes_the_table_and_leaves_kappa():
    pairs = [("PR", "SD"), ("PR", "PR"), ("SD", "SD"), ("PD", "SD"), ("PD", "PD")]

    one, other = cohens_kappa(pairs), cohens_kappa([(second, first) for first, second in pairs])

    assert (one.kappa, one.standard_error) == (other.kappa, other.standard_error)
    assert one.crosstable == tuple(zip(*other.crosstable, strict=True))
    assert one.crosstable[RESPONSES.index("PR")][RESPONSES.index("SD")] == 1
    assert one.n_agreed == 3


def test_a_response_that_is_none_is_refused():
    with pytest.raises(ValueError, match="XX: expected one of CR, PR"):
        cohens_kappa([("PR", "XX")])
