"""Outcomes of courses, the cohorts made of them, and what keeps both fresh.

``Outcome`` and ``Tally`` hold nothing that does not follow from the clinical records: they can be rebuilt at any time.
"""

import uuid
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.access import Act
from accounts.models import Centre, User
from accounts.tracking import tracked
from analytics.rules.endpoints import EndpointDefinition
from treatments.models import Course


@tracked()
class Definition(models.Model):
    """How endpoints are derived, and up to which date facts exist. Data: printed beside every figure."""

    name = models.CharField(max_length=100, unique=True)
    endpoints = models.JSONField(help_text="The fields of analytics.rules.endpoints.EndpointDefinition.")
    data_cutoff = models.DateField(
        null=True, blank=True, help_text="Facts after it do not exist. Blank: today."
    )

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse endpoints that the rules would refuse."""
        try:
            EndpointDefinition.from_json(self.endpoints)
        except (ValueError, TypeError) as error:
            raise ValidationError({"endpoints": str(error)}) from error

    @property
    def rules(self) -> EndpointDefinition:
        return EndpointDefinition.from_json(self.endpoints)


class CohortQuerySet(models.QuerySet["Cohort"]):
    def visible_to(self, user: User) -> Self:
        """Return the cohorts that hold patients of a centre whose results ``user`` may see."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if user.is_superuser:
            return self.all()
        codes = list(Centre.objects.visible_to(user, Act.VIEW_RESULTS).values_list("code", flat=True))
        if not codes:
            return self.none()
        return self.filter(Q(centre_codes=[]) | Q(centre_codes__overlap=codes))


class CoursesCounted(models.TextChoices):
    FIRST = "first", "Each patient's first course"
    ALL = "all", "Every course"


@tracked(exclude=["tallied_by", "tallied_to"])
class Cohort(models.Model):
    """A named set of courses and the definition its endpoints are derived by.

    A user is shown the part of it that was treated at the centres whose results the user may see.
    """

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    # Plain words shown on the dashboard beside a figure: what a reader would otherwise stumble over.
    remarks = models.JSONField(
        default=dict, blank=True, help_text='Figure ("orr", "pfs", "os") to explanation.'
    )
    definition = models.ForeignKey(Definition, on_delete=models.PROTECT, related_name="cohorts")
    courses_counted = models.CharField(max_length=5, choices=CoursesCounted, default=CoursesCounted.FIRST)
    # The filter. An empty list does not restrict.
    centre_codes = ArrayField(models.CharField(max_length=8), default=list, blank=True)
    tumour_types = ArrayField(models.CharField(max_length=24), default=list, blank=True)
    primary_sites = ArrayField(models.CharField(max_length=20), default=list, blank=True)
    started_from = models.DateField(null=True, blank=True, help_text="First administration on or after.")
    started_to = models.DateField(null=True, blank=True, help_text="First administration on or before.")

    # What its tallies were last counted by, and the cut-off of their fixed-horizon rates; see analytics.tallies.
    tallied_by = models.TextField(default="", editable=False)
    tallied_to = models.DateField(null=True, editable=False)

    objects = CohortQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Outcome(models.Model):
    """The endpoints of one course under one definition, with what each rests on, and the facts cohorts filter by."""

    definition = models.ForeignKey(Definition, on_delete=models.CASCADE, related_name="+")
    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="outcomes")
    centre = models.ForeignKey(Centre, on_delete=models.PROTECT, related_name="+")
    derived_at = models.DateTimeField(
        null=True, db_comment="null: a place held for an outcome not derived yet"
    )
    problem = models.CharField(
        max_length=300,
        db_default="",
        db_comment="why nothing could be derived; such a course is counted apart",
    )
    is_first_course = models.BooleanField(db_default=True)
    tumour_type = models.CharField(max_length=24, db_default="")
    primary_site = models.CharField(max_length=20, db_default="")

    time_zero = models.DateField(
        null=True, db_comment="first administration, local date; null: nothing given by the cut-off"
    )
    status = models.CharField(max_length=12, db_default="ongoing")
    cycles_given = models.PositiveSmallIntegerField(db_default=0)
    discontinued_after_cycle = models.PositiveSmallIntegerField(null=True)
    discontinuation_reason = models.CharField(max_length=16, db_default="")

    pfs_days = models.PositiveIntegerField(null=True, db_comment="d from time_zero")
    pfs_event = models.BooleanField(null=True)
    pfs_on = models.DateField(null=True)
    pfs_basis = models.CharField(max_length=40, db_default="")
    os_days = models.PositiveIntegerField(null=True, db_comment="d from time_zero")
    os_event = models.BooleanField(null=True)
    os_on = models.DateField(null=True)
    os_basis = models.CharField(max_length=40, db_default="")

    best_overall_response = models.CharField(max_length=16, db_default="")
    response_evaluable = models.BooleanField(db_default=False)
    response_evaluable_reason = models.CharField(max_length=200, db_default="")
    death_cause = models.CharField(max_length=12, db_default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["course", "definition"], name="analytics_outcome_one_per_course_and_definition"
            ),
        ]
        indexes = [models.Index(fields=["definition", "centre"], name="analytics_outcome_by_centre")]

    def __str__(self) -> str:
        return f"outcome of {self.course_id} under {self.definition_id}"


class StaleCourse(models.Model):
    """A mark, put by database triggers in the writing transaction, that a course must be derived again.

    Marks are only added, so that a writer never waits for a worker; a worker removes those it claimed.
    """

    id = models.BigAutoField(primary_key=True)
    course_id = models.UUIDField()
    marked_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["course_id"], name="analytics_stale_by_course")]

    def __str__(self) -> str:
        return f"course {self.course_id} stale since {self.marked_at}"


class StaleResult(models.Model):
    """A mark that the results of a cohort must be computed again, put in the transaction that changed its tallies."""

    id = models.BigAutoField(primary_key=True)
    cohort = models.ForeignKey(Cohort, on_delete=models.CASCADE, related_name="+")
    centre = models.ForeignKey(
        Centre, on_delete=models.PROTECT, related_name="+", help_text="Whose tallies changed."
    )
    marked_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"results of cohort {self.cohort_id} stale since {self.marked_at}"


class Tally(models.Model):
    """How many courses of a cohort at a centre share a value: the event tables, kept up to date by difference.

    A row of ``pfs`` or ``os`` with n = 1 is one patient: such rows never leave the centre.
    """

    cohort = models.ForeignKey(Cohort, on_delete=models.CASCADE, related_name="+")
    centre = models.ForeignKey(Centre, on_delete=models.PROTECT, related_name="+")
    measure = models.CharField(max_length=16)
    at = models.IntegerField(
        default=0, db_comment="d for pfs and os; months for the horizon measures; cycle for status"
    )
    category = models.CharField(max_length=40)
    n = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["cohort", "centre", "measure", "at", "category"], name="analytics_tally_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.measure} {self.at} {self.category}: {self.n}"


class Result(models.Model):
    """The computed dashboard of a cohort, for the patients of a set of centres."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    cohort = models.ForeignKey(Cohort, on_delete=models.CASCADE, related_name="results")
    # Sorted centre codes joined by "+": which centres' patients are counted.
    scope = models.TextField()
    revision = models.PositiveIntegerField(default=0)
    computed_at = models.DateTimeField(null=True)
    data = models.JSONField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cohort", "scope"], name="analytics_result_one_per_scope"),
        ]

    def __str__(self) -> str:
        return f"{self.cohort_id} for {self.scope}, revision {self.revision}"
