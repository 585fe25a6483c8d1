"""What is read in one statement is what querysets read one by one."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.db import connection, models
from django.test.utils import CaptureQueriesContext

from accounts.together import Together, _converter
from clinic.selectors.chart import _RECORDS
from patients.models import Contact, Diagnosis, Patient
from tests.factories import (
    AbsorbedDoseFactory,
    AdverseEventFactory,
    ContactFactory,
    CourseFactory,
    DeathFactory,
    DiagnosisFactory,
    DiseaseEventFactory,
    DoseDecisionFactory,
    HoldFactory,
    LabResultFactory,
    PatientFactory,
    PerformanceStatusFactory,
    PriorPrrtFactory,
    PriorTherapyFactory,
    ReadingFactory,
    SomatostatinAnalogueDoseFactory,
    StudyFactory,
)
from treatments.models import Administration

pytestmark = pytest.mark.django_db


def _values(record):
    return {column.attname: getattr(record, column.attname) for column in record._meta.concrete_fields}


@pytest.fixture
def patient():
    patient = PatientFactory()
    DiagnosisFactory(patient=patient, metastatic_sites=["liver", "bone"])
    ContactFactory(patient=patient, known_alive_on=date(2020, 2, 29))
    course = CourseFactory(patient=patient, given=2)
    Administration.objects.filter(cycle__number=1).update(
        administered_at=datetime(2019, 3, 1, 1, 30, 0, 123000, tzinfo=UTC),
        administered_activity_mbq=Decimal("7400.1"),
    )
    held = course.cycles.get(number=3)
    HoldFactory(cycle=held)
    DoseDecisionFactory(cycle=held)
    AbsorbedDoseFactory(cycle=course.cycles.get(number=2))
    LabResultFactory(patient=patient, value=Decimal("0.000100"))
    for factory in (
        AdverseEventFactory, DiseaseEventFactory, PerformanceStatusFactory, PriorPrrtFactory,
        PriorTherapyFactory, SomatostatinAnalogueDoseFactory,
    ):  # fmt: skip
        factory(patient=patient)
    DeathFactory(patient=patient, died_on=date(2021, 5, 1))
    ReadingFactory(study=StudyFactory(patient=patient, performed_on=date(2019, 5, 20), timepoint="interim"))
    return patient


def test_each_set_of_the_chart_is_what_its_queryset_reads_to_the_type(patient):
    with CaptureQueriesContext(connection) as captured:
        found = _RECORDS.read(patient.pk)
    assert len(captured) == 1
    seen = 0
    for name, made in _RECORDS._sets.items():
        one_by_one = {row.pk: row for row in made(patient.pk)}
        together = {row.pk: row for row in found.of(name, models.Model)}
        assert together.keys() == one_by_one.keys(), name
        for key, row in together.items():
            expected = _values(one_by_one[key])
            assert _values(row) == expected, name
            assert {field: type(value) for field, value in _values(row).items()} == {
                field: type(value) for field, value in expected.items()
            }
            assert not row._state.adding
            assert row._state.db == "default"
            seen += 1
    assert seen >= 18


def test_digits_of_a_number_and_parts_of_a_second_are_kept(patient):
    found = _RECORDS.read(patient.pk)
    given = min(found.of("administrations", Administration), key=lambda one: one.administered_at)
    assert str(given.administered_activity_mbq) == "7400.1"
    assert given.administered_at == datetime(2019, 3, 1, 1, 30, 0, 123000, tzinfo=UTC)
    (lab,) = found.of("labs", models.Model)
    assert lab.value.as_tuple() == type(lab).objects.get().value.as_tuple()


def test_another_patients_records_are_not_among_them(patient):
    other = PatientFactory(centre=patient.centre)
    ContactFactory(patient=other)
    DiagnosisFactory(patient=other)
    found = _RECORDS.read(other.pk)
    assert [one.patient_id for one in found.of("contacts", Contact)] == [other.pk]
    assert [one.patient_id for one in found.of("diagnoses", Diagnosis)] == [other.pk]
    assert not found.of("administrations", models.Model)


def test_a_kind_of_column_without_a_rule_is_refused():
    with pytest.raises(TypeError, match="cannot be read from JSON"):
        _converter(models.DurationField(name="lasted"))


def test_a_set_may_be_asked_for_again_and_for_another_key(patient):
    sets = Together({"patients": lambda key: Patient.objects.filter(pk=key)})
    other = PatientFactory()
    assert [one.pk for one in sets.read(patient.pk).of("patients", Patient)] == [patient.pk]
    assert [one.pk for one in sets.read(other.pk).of("patients", Patient)] == [other.pk]
