"""A patient with a baseline, an interim study and one target lesion, for the tests of what is stored."""

from datetime import date

import pytest

from accounts.models import Centre
from imaging.models import Lesion, Study
from patients.models import Patient
from tests.factories import MeasurementFactory, PatientFactory, StudyFactory


@pytest.fixture
def patient(centre: Centre) -> Patient:
    return PatientFactory(centre=centre)


@pytest.fixture
def baseline(patient: Patient) -> Study:
    return StudyFactory(patient=patient)


@pytest.fixture
def interim(patient: Patient) -> Study:
    return StudyFactory(patient=patient, timepoint="interim", performed_on=date(2019, 4, 1))


@pytest.fixture
def lesion(patient: Patient, baseline: Study) -> Lesion:
    """A target in the liver of 50 mm at baseline."""
    return MeasurementFactory(lesion__patient=patient, lesion__label="L1", study=baseline, size_mm=50).lesion
