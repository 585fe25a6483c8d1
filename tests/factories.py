"""Builders of the plainest valid rows. A test states only what it is about."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import factory
from factory.django import DjangoModelFactory

from accounts.models import Centre, Membership, Role, User
from imaging.models import (
    Lesion,
    LesionOrgan,
    LesionState,
    Measurement,
    OverallResponse,
    Reading,
    Study,
    Timepoint,
)
from imaging.models import (
    Role as LesionRole,
)
from patients.models import (
    Contact,
    Death,
    DeathCause,
    Diagnosis,
    DiseaseEvent,
    DiseaseEventKind,
    Ecog,
    Patient,
    PatientIdentity,
    PerformanceStatus,
    PrimarySite,
    PriorTherapy,
    PriorTherapyKind,
    Sex,
    TumourType,
)
from treatments.models import (
    OPEN,
    AbsorbedDose,
    Administration,
    AdverseEvent,
    Course,
    Cycle,
    CycleStatus,
    Discontinuation,
    DiscontinuationReason,
    DoseAdvice,
    DoseDecision,
    DoseMethod,
    Hold,
    HoldReason,
    LabAnalyte,
    LabResult,
    Organ,
    PriorPrrt,
    Protocol,
    ReferenceRange,
    SomatostatinAnalogue,
    SomatostatinAnalogueDose,
)

STARTED_ON = date(2019, 1, 7)


class CentreFactory(DjangoModelFactory):
    class Meta:
        model = Centre
        django_get_or_create = ("code",)

    code = "STA"
    name = factory.LazyAttribute(lambda centre: f"Clinic {centre.code}")
    time_zone = "Europe/Berlin"


class UserFactory(DjangoModelFactory):
    class Meta:
        model = User

    username = factory.Sequence(lambda n: f"user{n}")


def make_user(*, role: str | None = Role.PHYSICIAN, centre: Centre | None = None, **values: Any) -> User:
    """Return a saved user who holds ``role`` at ``centre`` (the plain centre where none is named)."""
    user = UserFactory(**values)
    if role is not None:
        Membership.objects.create(user=user, centre=centre or CentreFactory(), role=role)
    return user


class PatientFactory(DjangoModelFactory):
    class Meta:
        model = Patient

    centre = factory.SubFactory(CentreFactory)
    registry_number = factory.Sequence(lambda n: f"STA-{n + 1:04d}")
    sex = Sex.FEMALE
    birth_date = date(1957, 3, 2)


class PatientIdentityFactory(DjangoModelFactory):
    class Meta:
        model = PatientIdentity

    patient = factory.SubFactory(PatientFactory)
    centre = factory.SelfAttribute("patient.centre")
    mrn = factory.Sequence(lambda n: f"MRN{n:05d}")
    family_name = "Example"
    given_names = "Erika"


class DiagnosisFactory(DjangoModelFactory):
    class Meta:
        model = Diagnosis

    patient = factory.SubFactory(PatientFactory)
    tumour_type = TumourType.NET
    primary_site = PrimarySite.PANCREAS


class ContactFactory(DjangoModelFactory):
    class Meta:
        model = Contact

    patient = factory.SubFactory(PatientFactory)
    known_alive_on = date(2020, 1, 15)


class PerformanceStatusFactory(DjangoModelFactory):
    class Meta:
        model = PerformanceStatus

    patient = factory.SubFactory(PatientFactory)
    ecog = Ecog.FULLY_ACTIVE
    assessed_on = date(2018, 12, 20)


class PriorTherapyFactory(DjangoModelFactory):
    class Meta:
        model = PriorTherapy

    patient = factory.SubFactory(PatientFactory)
    kind = PriorTherapyKind.SOMATOSTATIN_ANALOGUE
    agent = "lanreotide"
    started_on = date(2017, 3, 1)


class DiseaseEventFactory(DjangoModelFactory):
    class Meta:
        model = DiseaseEvent

    patient = factory.SubFactory(PatientFactory)
    kind = DiseaseEventKind.CLINICAL_PROGRESSION
    occurred_on = date(2019, 10, 1)


class DeathFactory(DjangoModelFactory):
    class Meta:
        model = Death

    patient = factory.SubFactory(PatientFactory)
    died_on = date(2019, 12, 1)
    cause = DeathCause.COMORBIDITY


def default_protocol() -> Protocol:
    """Return the protocol that a migration ships, 4 × 7,400 MBq every 8 weeks."""
    protocol, _ = Protocol.objects.get_or_create(
        code="177lu-dotatate-4x7400-q8w",
        version=1,
        defaults={
            "name": "177Lu-DOTATATE 4 × 7,400 MBq every 8 weeks",
            "radiopharmaceutical": "177Lu-DOTATATE",
            "physical_half_life_days": Decimal("6.647"),
            "planned_cycles": 4,
            "interval_days": 56,
            "window_days": 7,
            "prescribed_activity_mbq": Decimal("7400"),
            "imaging_after_cycles": [2, 4],
        },
    )
    return protocol


class CourseFactory(DjangoModelFactory):
    """A course with its planned cycles; ``given=2`` has the first two given every 8 weeks from STARTED_ON.

    ``given__from_on`` is another first day.
    """

    class Meta:
        model = Course
        skip_postgeneration_save = True

    patient = factory.SubFactory(PatientFactory)
    number = 1
    protocol = factory.LazyFunction(default_protocol)

    @factory.post_generation
    def given(course: Course, create: bool, given: int | None, from_on: date = STARTED_ON, **_: Any) -> None:
        for number in range(1, course.protocol.planned_cycles + 1):
            planned_on = from_on + timedelta(days=56 * (number - 1))
            is_given = number <= (given or 0)
            cycle = Cycle.objects.create(
                course=course,
                number=number,
                planned_on=planned_on,
                status=CycleStatus.GIVEN if is_given else CycleStatus.PLANNED,
            )
            if is_given:
                Administration.objects.create(
                    cycle=cycle,
                    administered_at=datetime.combine(planned_on, time(9, 30), UTC),
                    prescribed_activity_mbq=Decimal("7400"),
                    administered_activity_mbq=Decimal("7391.5"),
                )


class DiscontinuationFactory(DjangoModelFactory):
    class Meta:
        model = Discontinuation
        skip_postgeneration_save = True

    course = factory.SubFactory(CourseFactory, given=2)
    discontinued_on = date(2019, 5, 2)
    after_cycle = 2
    main_reason = DiscontinuationReason.COMORBIDITY

    @factory.post_generation
    def cancelled(discontinuation: Discontinuation, create: bool, extracted: None, **_: Any) -> None:
        still_open = discontinuation.course.cycles.filter(status__in=OPEN)
        still_open.update(status=CycleStatus.CANCELLED)


class StudyFactory(DjangoModelFactory):
    class Meta:
        model = Study

    patient = factory.SubFactory(PatientFactory)
    timepoint = Timepoint.BASELINE
    performed_on = date(2018, 12, 17)


class ReadingFactory(DjangoModelFactory):
    class Meta:
        model = Reading

    study = factory.SubFactory(StudyFactory, timepoint=Timepoint.INTERIM, performed_on=date(2019, 4, 1))
    overall_response = OverallResponse.SD


class LesionFactory(DjangoModelFactory):
    class Meta:
        model = Lesion

    patient = factory.SubFactory(PatientFactory)
    label = factory.Sequence(lambda n: f"L{n + 1}")
    role = LesionRole.TARGET
    organ = LesionOrgan.LIVER


class MeasurementFactory(DjangoModelFactory):
    """A size in mm; ``state`` and ``size_mm=None`` give another finding."""

    class Meta:
        model = Measurement

    lesion = factory.SubFactory(LesionFactory)
    study = factory.SubFactory(StudyFactory, patient=factory.SelfAttribute("..lesion.patient"))
    state = LesionState.MEASURED
    size_mm = Decimal(30)


class HoldFactory(DjangoModelFactory):
    """An open hold; its cycle is put on hold with it. ``resumed_on`` gives one that has ended."""

    class Meta:
        model = Hold
        skip_postgeneration_save = True

    cycle = factory.LazyFunction(lambda: CourseFactory(given=2).cycles.get(number=3))
    held_on = date(2019, 4, 20)
    reason = HoldReason.HAEMATOLOGICAL

    @factory.post_generation
    def holding(hold: Hold, create: bool, extracted: None, **_: Any) -> None:
        if hold.is_open:
            Cycle.objects.filter(pk=hold.cycle_id).update(status=CycleStatus.HELD)


class DoseDecisionFactory(DjangoModelFactory):
    class Meta:
        model = DoseDecision

    cycle = factory.LazyFunction(lambda: CourseFactory(given=2).cycles.get(number=3))
    decided_at = datetime(2019, 4, 25, 9, tzinfo=UTC)
    advice = DoseAdvice.CONTINUE
    decision = DoseAdvice.CONTINUE
    prescribed_activity_mbq = Decimal("7400")


class AbsorbedDoseFactory(DjangoModelFactory):
    class Meta:
        model = AbsorbedDose

    cycle = factory.LazyFunction(lambda: CourseFactory(given=2).cycles.get(number=2))
    organ = Organ.KIDNEYS
    absorbed_dose_gy = Decimal("4.2")
    method = DoseMethod.SPECT_CT


class PriorPrrtFactory(DjangoModelFactory):
    class Meta:
        model = PriorPrrt

    patient = factory.SubFactory(PatientFactory)
    radiopharmaceutical = "90Y-DOTATOC"
    last_given_on = date(2015, 6, 1)
    cycles = 2
    administered_activity_mbq = Decimal("7000")


class SomatostatinAnalogueDoseFactory(DjangoModelFactory):
    class Meta:
        model = SomatostatinAnalogueDose

    patient = factory.SubFactory(PatientFactory)
    drug = SomatostatinAnalogue.OCTREOTIDE_LAR
    given_at = datetime(2018, 12, 1, 9, tzinfo=UTC)
    dose_mg = Decimal("30")


class LabResultFactory(DjangoModelFactory):
    class Meta:
        model = LabResult

    patient = factory.SubFactory(PatientFactory)
    analyte = LabAnalyte.PLATELETS
    taken_at = datetime(2019, 1, 4, 7, tzinfo=UTC)
    value = Decimal("210")
    original_value = "210"
    original_unit = "10⁹/L"


class ReferenceRangeFactory(DjangoModelFactory):
    class Meta:
        model = ReferenceRange

    centre = factory.SubFactory(CentreFactory)
    analyte = LabAnalyte.PLATELETS
    lower_limit = Decimal("150")
    upper_limit = Decimal("400")
    valid_from = date(2010, 1, 1)


class AdverseEventFactory(DjangoModelFactory):
    class Meta:
        model = AdverseEvent

    patient = factory.SubFactory(PatientFactory)
    term = "Nausea"
    grade = 1
    onset_on = date(2019, 1, 8)
