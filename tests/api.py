"""What the tests of the REST API share: a client with a token, one record of each kind, and bodies that make new ones."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from knox.models import AuthToken
from rest_framework.test import APIClient

from accounts.models import Centre, User
from accounts.records import ClinicalRecord
from tests import factories

ROOT = "/api/v1/"
REASON = {"HTTP_CHANGE_REASON": "Typing error"}


def client_for(user: User) -> APIClient:
    """Return a client that sends a token of the user with every request."""
    client = APIClient()
    _, token = AuthToken.objects.create(user=user)
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    return client


def if_match(version: int) -> dict[str, str]:
    """Return the headers of a correction of this version."""
    return {"HTTP_IF_MATCH": f'"{version}"', **REASON}


@dataclass
class Kind:
    """An endpoint, a record of it, a correction, and a body that makes another (None: not made by POST).

    ``follows`` holds the fields that change with the correction by themselves, ``computed`` those that are not stored.
    """

    path: str
    record: ClinicalRecord
    correction: dict[str, Any]
    new: dict[str, Any] | None = None
    follows: dict[str, Any] = field(default_factory=dict)
    computed: dict[str, Any] = field(default_factory=dict)
    edit_act: str = field(init=False)

    def __post_init__(self) -> None:
        self.edit_act = self.record.EDIT_ACT

    @property
    def list_url(self) -> str:
        return f"{ROOT}{self.path}/"

    @property
    def url(self) -> str:
        return f"{self.list_url}{self.record.pk}/"


def make_kinds(centre: Centre) -> list[Kind]:
    """Return one record of every kind at the centre, of one patient with a course of two given cycles."""
    patient = factories.PatientFactory(centre=centre, registry_number=f"{centre.code}-9001")
    other = factories.PatientFactory(centre=centre, registry_number=f"{centre.code}-9002")
    course = factories.CourseFactory(patient=patient, given=2)
    other_course = factories.CourseFactory(patient=other, given=1)
    stopped = factories.DiscontinuationFactory(
        course=factories.CourseFactory(
            patient=factories.PatientFactory(centre=centre, registry_number=f"{centre.code}-9003"), given=2
        )
    )
    second, third = course.cycles.get(number=2), course.cycles.get(number=3)
    reading = factories.ReadingFactory(
        study=factories.StudyFactory(patient=patient, timepoint="interim", performed_on=date(2019, 4, 1))
    )
    later = factories.StudyFactory(patient=patient, timepoint="follow_up", performed_on=date(2019, 9, 1))
    measurement = factories.MeasurementFactory(lesion__patient=patient, study=reading.study)
    other_lesion = factories.LesionFactory(patient=patient, role="non_target", organ="bone")
    of_other = {"patient": str(other.pk)}
    # Holds, decisions and doses of another course: they would stand in the way of voiding what is above.
    further = factories.CourseFactory(
        patient=factories.PatientFactory(centre=centre, registry_number=f"{centre.code}-9006"), given=2
    )
    return [
        Kind(
            "patients",
            patient,
            {"sex": "male"},
            {"centre": centre.code, "sex": "female", "birth_date": "1960-01-01"},
        ),
        Kind(
            "diagnoses",
            factories.DiagnosisFactory(patient=patient),
            {"ki67_percent": "4.5"},
            {**of_other, "tumour_type": "net", "primary_site": "lung", "ki67_percent": "12.0"},
        ),
        Kind(
            "performance-statuses",
            factories.PerformanceStatusFactory(patient=patient),
            {"ecog": 2},
            {**of_other, "ecog": 1, "assessed_on": "2018-12-28"},
        ),
        Kind(
            "prior-therapies",
            factories.PriorTherapyFactory(patient=patient),
            {"ended_on": "2018-11-30"},
            {**of_other, "kind": "liver_directed", "agent": "TACE", "started_on": "2018-02-05"},
        ),
        Kind(
            "contacts",
            factories.ContactFactory(patient=patient),
            {"source": "letter"},
            {**of_other, "known_alive_on": "2020-02-02"},
        ),
        Kind(
            "disease-events",
            factories.DiseaseEventFactory(patient=patient),
            {"note": "Ascites"},
            {**of_other, "kind": "new_therapy", "occurred_on": "2020-02-02"},
        ),
        Kind(
            "deaths",
            factories.DeathFactory(
                patient=factories.PatientFactory(centre=centre, registry_number=f"{centre.code}-9004")
            ),
            {"cause": "disease"},
            {**of_other, "died_on": "2020-03-02", "cause": "comorbidity"},
        ),
        Kind(
            "courses",
            course,
            {"intent": "salvage"},
            {
                "patient": str(
                    factories.PatientFactory(centre=centre, registry_number=f"{centre.code}-9005").pk
                ),
                "protocol": factories.default_protocol().pk,
                "first_planned_on": "2026-01-05",
            },
        ),
        Kind("cycles", third, {"planned_on": "2019-05-13"}, follows={"set_on": "2019-05-13"}),
        Kind(
            "administrations",
            second.administrations.get(),
            {"administered_activity_mbq": "7000.5"},
            {
                "cycle": str(third.pk),
                "administered_at": "2019-04-29T09:30:00+02:00",
                "administered_activity_mbq": "7388.1",
                "confirmation_reason": "Values seen on paper",
            },
            computed={"deviation_percent": "-5.4"},  # 7,000.5 of 7,400 MBq
        ),
        Kind(
            "discontinuations",
            stopped,
            {"main_reason": "renal"},
            {"course": str(other_course.pk), "discontinued_on": "2019-03-01", "main_reason": "renal"},
        ),
        Kind(
            "studies",
            later,
            {"uptake_minutes": 60},
            {**of_other, "timepoint": "baseline", "performed_on": "2018-12-01"},
        ),
        Kind(
            "readings",
            reading,
            {"overall_response": "PR"},
            {"study": str(later.pk), "overall_response": "SD"},
            follows={"derived_reason": "There is no baseline study of this course: nothing can be compared."},
        ),
        Kind(
            "lesions",
            other_lesion,
            {"site": "L4"},
            {**of_other, "role": "target", "organ": "liver", "site": "Segment VII"},
        ),
        Kind(
            "measurements",
            measurement,
            {"suv_max": "24.60"},
            {"lesion": str(other_lesion.pk), "study": str(reading.study.pk), "state": "present"},
        ),
        Kind(
            "holds",
            factories.HoldFactory(cycle=further.cycles.get(number=3)),
            {"review_on": "2019-06-03"},
            {"cycle": str(third.pk), "held_on": "2019-04-20", "reason": "renal"},
        ),
        Kind(
            "dose-decisions",
            factories.DoseDecisionFactory(cycle=further.cycles.get(number=3)),
            {"reason": "Discussed with the patient"},
            {"cycle": str(third.pk), "decision": "reduce", "reason": "Platelets fell twice"},
        ),
        Kind(
            "absorbed-doses",
            factories.AbsorbedDoseFactory(cycle=further.cycles.get(number=2)),
            {"absorbed_dose_gy": "4.500"},
            {
                "cycle": str(further.cycles.get(number=1).pk),
                "organ": "red_marrow",
                "absorbed_dose_gy": "0.250",
                "method": "blood",
            },
        ),
        Kind(
            "prior-prrt",
            factories.PriorPrrtFactory(patient=patient),
            {"cycles": 3},
            {
                **of_other,
                "radiopharmaceutical": "90Y-DOTATOC",
                "last_given_on": "2014-02-03",
                "cycles": 2,
                "administered_activity_mbq": "7100.0",
            },
        ),
        Kind(
            "somatostatin-analogue-doses",
            factories.SomatostatinAnalogueDoseFactory(patient=patient),
            {"dose_mg": "20.00"},
            {**of_other, "drug": "lanreotide", "given_at": "2018-12-03T09:00:00+01:00", "dose_mg": "120"},
        ),
        Kind(
            "lab-results",
            factories.LabResultFactory(patient=patient),
            {"note": "Clotted, repeated"},
            {
                **of_other,
                "analyte": "haemoglobin",
                "taken_at": "2019-01-04T08:00:00+01:00",
                "value": "12.4",
                "unit": "g/dL",
            },
        ),
        Kind(
            "adverse-events",
            factories.AdverseEventFactory(patient=patient),
            {"grade": 2},
            {**of_other, "term": "Fatigue", "grade": 1, "onset_on": "2019-01-09"},
        ),
    ]


KINDS = [
    "patients",
    "diagnoses",
    "performance-statuses",
    "prior-therapies",
    "contacts",
    "disease-events",
    "deaths",
    "courses",
    "cycles",
    "administrations",
    "discontinuations",
    "studies",
    "readings",
    "lesions",
    "measurements",
    "holds",
    "dose-decisions",
    "absorbed-doses",
    "prior-prrt",
    "somatostatin-analogue-doses",
    "lab-results",
    "adverse-events",
]


def kind_of(centre: Centre, path: str) -> Kind:
    """Return the kind behind ``path``, with a record at the centre."""
    return next(kind for kind in make_kinds(centre) if kind.path == path)
