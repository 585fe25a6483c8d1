"""Registering patients."""

import pytest

from accounts.models import Centre
from patients.services import next_registry_number
from tests.factories import CentreFactory, PatientFactory


@pytest.mark.parametrize(
    ("taken", "following"),
    [
        ([], "STA-0001"),
        (["STA-0001", "STA-0063"], "STA-0064"),
        (["STA-9999"], "STA-10000"),
        # By number, not by letters.
        (["STA-10000", "STA-9999"], "STA-10001"),
        # Another centre's, though its code begins alike.
        (["STAB-0900", "STA-0002"], "STA-0003"),
    ],
)
def test_the_next_number_follows_the_highest_of_the_centre(
    centre: Centre, taken: list[str], following: str
) -> None:
    for number in taken:
        PatientFactory(centre=CentreFactory(code=number.partition("-")[0]), registry_number=number)

    assert next_registry_number(centre) == following


def test_a_voided_patient_keeps_the_number(centre: Centre) -> None:
    PatientFactory(
        centre=centre, registry_number="STA-0007", voided_at="2020-01-01T00:00Z", void_reason="Twice"
    )

    assert next_registry_number(centre) == "STA-0008"


def test_the_next_number_is_found_by_one_query_of_one_row(
    centre: Centre, django_assert_num_queries: pytest.FixtureRequest
) -> None:
    PatientFactory.create_batch(3, centre=centre)

    with django_assert_num_queries(1) as queries:  # type: ignore[operator]
        next_registry_number(centre)

    assert "MAX(" in queries.captured_queries[0]["sql"]
