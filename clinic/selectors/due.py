"""What is due: cycles, PET/CT and readings. One set of queries for the worklist and for one patient.

Patients who died or whose course was discontinued are not due. A study that was made is still to be read.
"""

from datetime import date, datetime
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.contrib.postgres.fields import ArrayField
from django.db.models import (
    Case,
    CharField,
    DateField,
    DateTimeField,
    Exists,
    ExpressionWrapper,
    F,
    Func,
    OuterRef,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce

from accounts.models import User
from imaging.models import Reading, Study, Timepoint
from patients.models import Death
from treatments.models import (
    Administration,
    Course,
    Cycle,
    CycleStatus,
    Discontinuation,
    LabResult,
    Protocol,
)

UPCOMING_DAYS = 28


def local_date(moment: Any, zone_path: str) -> Cast:
    """Return the date of an instant in the centre's time zone, as an expression."""
    return Cast(Func(F(zone_path), moment, function="timezone"), DateField())


def _moment(now: datetime) -> Value:
    return Value(now, output_field=DateTimeField())


def _shifted(day: Any, days: Any) -> ExpressionWrapper:
    return ExpressionWrapper(day + days, output_field=DateField())


def next_cycles(user: User, now: datetime) -> QuerySet[Any]:
    """Return the next cycle of every course that goes on, with ``state``, ``sort_on`` and ``today`` (local).

    A cycle that was passed over, because a later one was given, is not the next.
    """
    still_open = [CycleStatus.PLANNED, CycleStatus.HELD]
    of_course = Cycle.objects.current().filter(course=OuterRef("course_id"))
    last_given = of_course.filter(status=CycleStatus.GIVEN).order_by("-number").values("number")[:1]
    planned, window = F("planned_on"), F("course__protocol__window_days")
    return (
        Cycle.objects.visible_to(user)
        .current()
        .filter(status__in=still_open, course__voided_at=None, course__patient__voided_at=None)
        .annotate(last_given=Coalesce(Subquery(last_given), 0))
        .filter(
            ~Exists(
                of_course.filter(
                    status__in=still_open, number__gt=OuterRef("last_given"), number__lt=OuterRef("number")
                )
            ),
            ~Exists(Death.objects.current().filter(patient=OuterRef("course__patient_id"))),
            ~Exists(Discontinuation.objects.current().filter(course=OuterRef("course_id"))),
            number__gt=F("last_given"),
        )
        .annotate(today=local_date(_moment(now), "course__patient__centre__time_zone"))
        .annotate(
            state=Case(
                When(status=CycleStatus.HELD, then=Value("held")),
                When(planned_on=None, then=Value("undated")),
                When(today__gt=_shifted(planned, window), then=Value("overdue")),
                When(
                    today__gte=ExpressionWrapper(planned - window, output_field=DateField()),
                    then=Value("in_window"),
                ),
                When(planned_on__lte=_shifted(F("today"), Value(UPCOMING_DAYS)), then=Value("upcoming")),
                default=Value("later"),
                output_field=CharField(),
            ),
            sort_on=Coalesce("planned_on", Value(date(9999, 12, 31), output_field=DateField())),
        )
    )


def labs_missing(user: User, now: datetime) -> QuerySet[Any]:
    """Return next cycles that are near, of which a laboratory value that the protocol asks for is still lacking.

    Near: from as many days before the planned date as such a value may be old, to the end of the window. Adds
    ``measured``, the analytes measured within those days, to what ``next_cycles`` adds.
    """
    within = F("course__protocol__labs_within_days")
    near = next_cycles(user, now).filter(
        planned_on__isnull=False,
        state__in=["upcoming", "in_window"],
        course__protocol__labs_before_cycle__len__gt=0,
    )
    measured = (
        LabResult.objects.current()
        .annotate(on=local_date(F("taken_at"), "patient__centre__time_zone"))
        .filter(
            patient=OuterRef("course__patient_id"),
            on__gte=_shifted(OuterRef("planned_on"), -OuterRef("within")),
        )
        .values("patient")
        .annotate(codes=ArrayAgg("analyte", distinct=True))
        .values("codes")
    )
    return (
        near.annotate(within=within)
        .filter(planned_on__lte=_shifted(F("today"), F("within")))
        .annotate(
            measured=Coalesce(
                Subquery(measured),
                Value([], output_field=ArrayField(CharField())),
                output_field=ArrayField(CharField()),
            )
        )
        .exclude(measured__contains=Cast("course__protocol__labs_before_cycle", ArrayField(CharField())))
    )


def _ongoing_courses(user: User, now: datetime) -> QuerySet[Course]:
    return (
        Course.objects.visible_to(user)
        .current()
        .filter(patient__voided_at=None)
        .filter(
            ~Exists(Death.objects.current().filter(patient=OuterRef("patient_id"))),
            ~Exists(Discontinuation.objects.current().filter(course=OuterRef("pk"))),
        )
        .annotate(today=local_date(_moment(now), "patient__centre__time_zone"))
    )


def imaging_due(user: User, now: datetime) -> QuerySet[Course]:
    """Return courses of which PET/CT is owed after a given cycle of the protocol, with none made since.

    Adds ``trigger_number`` and ``sort_on``, the last such cycle and its local date.
    """
    asked_for = Protocol.objects.filter(
        pk=OuterRef("cycle__course__protocol_id"), imaging_after_cycles__contains=[OuterRef("cycle__number")]
    )
    triggers = (
        Administration.objects.current()
        .filter(Exists(asked_for), cycle__course=OuterRef("pk"), cycle__voided_at=None)
        .order_by("-cycle__number")
    )
    since = (
        Study.objects.current()
        .filter(
            patient=OuterRef("patient_id"),
            course_number=OuterRef("number"),
            performed_on__gte=OuterRef("sort_on"),
        )
        .exclude(timepoint=Timepoint.BASELINE)
    )
    return (
        _ongoing_courses(user, now)
        .annotate(
            trigger_number=Subquery(triggers.values("cycle__number")[:1]),
            trigger_at=Subquery(triggers.values("administered_at")[:1]),
        )
        .annotate(sort_on=local_date(F("trigger_at"), "patient__centre__time_zone"))
        .filter(~Exists(since), sort_on__isnull=False)
    )


def baseline_missing(user: User, now: datetime) -> QuerySet[Course]:
    """Return courses that have no baseline study; ``sort_on`` is the date of cycle 1, given or planned."""
    baseline = Study.objects.current().filter(
        patient=OuterRef("patient_id"), course_number=OuterRef("number"), timepoint=Timepoint.BASELINE
    )
    first = Cycle.objects.current().filter(course=OuterRef("pk"), number=1)
    return (
        _ongoing_courses(user, now)
        .filter(~Exists(baseline))
        .annotate(
            sort_on=Coalesce(
                Subquery(first.values("planned_on")[:1]), Value(date(9999, 12, 31), output_field=DateField())
            ),
            first_status=Subquery(first.values("status")[:1]),
        )
    )


def unread_studies(user: User, now: datetime) -> QuerySet[Study]:
    """Return studies after a baseline that nobody has read; ``sort_on`` is the day they were made."""
    return (
        Study.objects.visible_to(user)
        .current()
        .filter(patient__voided_at=None)
        .exclude(timepoint=Timepoint.BASELINE)
        .filter(~Exists(Reading.objects.current().filter(study=OuterRef("pk"))))
        .annotate(today=local_date(_moment(now), "patient__centre__time_zone"), sort_on=F("performed_on"))
    )
