"""Outcomes of courses, the cohorts made of them, and what keeps both fresh.

``Outcome`` and ``Tally`` hold nothing that does not follow from the clinical records: they can be rebuilt at any time.
"""

import uuid
from typing import Any, Self

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Now
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.access import Act
from accounts.models import Centre, User
from accounts.records import known_codes
from accounts.tracking import tracked
from analytics import job_words
from analytics.rules.data_queries import ANSWERS, RULES, words
from analytics.rules.endpoints import EndpointDefinition
from patients.models import Patient
from treatments.models import Course


@tracked()
class Definition(models.Model):
    """How endpoints are derived, and up to which date facts exist. Data: printed beside every figure."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    endpoints = models.JSONField(
        _("endpoints"), help_text=_("The fields of analytics.rules.endpoints.EndpointDefinition.")
    )
    data_cutoff = models.DateField(
        _("data cutoff"), null=True, blank=True, help_text=_("Facts after it do not exist. Blank: today.")
    )
    # Raised by a database trigger with every change of what it says; as a cohort's.
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        verbose_name = _("definition")
        verbose_name_plural = _("definitions")

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
        """Return the user's own cohorts and shared ones, that hold patients of a centre whose results ``user`` may see."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if user.is_superuser:
            return self.all()
        self = self.filter(Q(is_shared=True) | Q(owner=user))
        codes = list(Centre.objects.visible_to(user, Act.VIEW_RESULTS).values_list("code", flat=True))
        if not codes:
            return self.none()
        return self.filter(Q(centre_codes=[]) | Q(centre_codes__overlap=codes))


class CoursesCounted(models.TextChoices):
    FIRST = "first", _("Each patient's first course")
    ALL = "all", _("Every course")


class Strata(models.TextChoices):
    """By what a cohort's courses are divided."""

    NONE = "", _("Not divided")
    CENTRE = "centre", _("Centre")
    SEX = "sex", _("Sex")
    AGE = "age", _("Age below 65, 65 and over")
    TUMOUR_TYPE = "tumour_type", _("Tumour type")
    PRIMARY_SITE = "primary_site", _("Primary site")
    WHO_GRADE = "who_grade", _("WHO grade")
    KI67 = "ki67", _("Ki-67 below 3 %, 3 to 20 %, above 20 %")
    FUNCTIONAL = "functional", _("Functional syndrome or none")
    ECOG = "ecog", _("ECOG 0, 1, 2 and over")
    PRIOR_PRRT = "prior_prrt", _("With and without earlier PRRT")
    PROTOCOL = "protocol", _("Protocol")
    INTENT = "intent", _("Intent")
    KRENNING = "krenning", _("Krenning score at baseline")
    STATUS = "status", _("Completed, discontinued, ongoing")


def _codes(length: int, help_text: Any = "") -> ArrayField:
    return ArrayField(models.CharField(max_length=length), default=list, blank=True, help_text=help_text)


def _bound(help_text: Any) -> models.PositiveSmallIntegerField:
    return models.PositiveSmallIntegerField(null=True, blank=True, help_text=help_text)


@tracked(exclude=["tallied_by", "tallied_to"])
class Cohort(models.Model):
    """A named set of courses and the definition its endpoints are derived by.

    A user is shown the part of it that was treated at the centres whose results the user may see.
    """

    slug = models.SlugField(_("slug"), unique=True)
    name = models.CharField(_("name"), max_length=120)
    description = models.TextField(_("description"), blank=True)
    # Plain words shown on the dashboard beside a figure: what a reader would otherwise stumble over.
    remarks = models.JSONField(
        _("remarks"), default=dict, blank=True, help_text=_('Figure ("orr", "pfs", "os") to explanation.')
    )
    definition = models.ForeignKey(
        Definition, verbose_name=_("definition"), on_delete=models.PROTECT, related_name="cohorts"
    )
    courses_counted = models.CharField(
        _("courses counted"), max_length=5, choices=CoursesCounted, default=CoursesCounted.FIRST
    )
    # The filter. An empty list does not restrict.
    centre_codes = ArrayField(
        models.CharField(max_length=8), verbose_name=_("centre codes"), default=list, blank=True
    )
    tumour_types = ArrayField(
        models.CharField(max_length=24), verbose_name=_("tumour types"), default=list, blank=True
    )
    primary_sites = ArrayField(
        models.CharField(max_length=20), verbose_name=_("primary sites"), default=list, blank=True
    )
    started_from = models.DateField(
        _("started from"), null=True, blank=True, help_text=_("First administration on or after.")
    )
    started_to = models.DateField(
        _("started to"), null=True, blank=True, help_text=_("First administration on or before.")
    )
    sexes = _codes(10)
    age_from = _bound(_("Age at the first administration, in years, at least."))
    age_to = _bound(_("Age at the first administration, in years, at most."))
    who_grades = _codes(8)
    ki67_from = models.DecimalField(
        _("Ki-67 from (%)"),
        max_digits=4,
        decimal_places=1,
        null=True,
        blank=True,
        help_text=_("At least, in %."),
    )
    ki67_to = models.DecimalField(
        _("Ki-67 to (%)"),
        max_digits=4,
        decimal_places=1,
        null=True,
        blank=True,
        help_text=_("At most, in %."),
    )
    functional_syndromes = _codes(16)
    ecogs = ArrayField(models.PositiveSmallIntegerField(), default=list, blank=True)
    with_prior_therapies = _codes(24, _("With at least one of these before the first administration."))
    without_prior_therapies = _codes(24, _("With none of these before the first administration."))
    protocols = _codes(70)
    intents = _codes(8)
    cycles_from = _bound(_("Cycles given, at least."))
    cycles_to = _bound(_("Cycles given, at most."))
    suv_max_from = models.DecimalField(
        _("baseline SUVmax from"),
        max_digits=6,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=_("At least, in g/mL."),
    )
    suv_max_to = models.DecimalField(
        _("baseline SUVmax to"),
        max_digits=6,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=_("At most, in g/mL."),
    )
    krenning_scores = ArrayField(models.PositiveSmallIntegerField(), default=list, blank=True)
    statuses = _codes(12)
    discontinuation_reasons = _codes(16)

    strata_by = models.CharField(max_length=20, choices=Strata, blank=True, default=Strata.NONE)
    version = models.PositiveIntegerField(default=1, editable=False)
    owner = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )
    is_shared = models.BooleanField(
        _("shared"),
        default=True,
        help_text=_("Shown to everybody who may see results; otherwise to its owner alone."),
    )

    # What its tallies were last counted by, and the cut-off of their fixed-horizon rates; see analytics.tallies.
    tallied_by = models.TextField(default="", editable=False)
    tallied_to = models.DateField(null=True, editable=False)

    objects = CohortQuerySet.as_manager()

    class Meta:
        verbose_name = _("cohort")
        verbose_name_plural = _("cohorts")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


def _days(comment: str) -> models.PositiveIntegerField:
    return models.PositiveIntegerField(null=True, db_comment=comment)


def _code(length: int, comment: str = "") -> models.CharField:
    return models.CharField(max_length=length, db_default="", db_comment=comment)


class AnalysisRow(models.Model):
    """What analyses know of one course: the facts that cohorts filter by, and its endpoints with what each rests on.

    Of a live course (``Outcome``) or frozen in a data lock (``LockedOutcome``): both are counted by the same SQL.
    Of each endpoint: days from time zero (duration of response: from the first response), whether it was an event, the
    day it falls on and what decided it; null where the course has no such time.
    """

    problem = models.CharField(
        max_length=300,
        db_default="",
        db_comment="why nothing could be derived; such a course is counted apart",
    )
    is_first_course = models.BooleanField(db_default=True)
    # At baseline
    sex = _code(10)
    age_years = models.PositiveSmallIntegerField(null=True, db_comment="at the first administration")
    tumour_type = _code(24)
    primary_site = _code(20)
    who_grade = _code(8)
    ki67_percent = models.DecimalField(max_digits=4, decimal_places=1, null=True, db_comment="percent")
    functional_syndrome = _code(16)
    ecog = models.PositiveSmallIntegerField(
        null=True, db_comment="0 to 5, last before the first administration"
    )
    prior_therapies = ArrayField(
        models.CharField(max_length=24),
        db_default=[],
        db_comment="kinds begun before the first administration",
    )
    protocol = _code(70, "code and version")
    intent = _code(8)
    baseline_suv_max = models.DecimalField(
        max_digits=6,
        decimal_places=2,
        null=True,
        db_comment="g/mL, of the hottest lesion of the baseline PET",
    )
    baseline_krenning = models.PositiveSmallIntegerField(null=True, db_comment="0 to 4")
    # Treatment up to the cut-off
    started_on = models.DateField(
        null=True, db_comment="first administration, local date; null: nothing given by the cut-off"
    )
    time_zero = models.DateField(
        null=True,
        db_comment="from which days count: the first administration unless the definition says otherwise",
    )
    entry_days = models.PositiveIntegerField(
        db_default=0, db_comment="d from time_zero to started_on: at risk only from then on (left truncation)"
    )
    status = models.CharField(max_length=12, db_default="ongoing")
    planned_cycles = models.PositiveSmallIntegerField(null=True)
    cycles_given = models.PositiveSmallIntegerField(db_default=0)
    discontinued_after_cycle = models.PositiveSmallIntegerField(null=True)
    discontinuation_reason = _code(16)
    cumulative_activity_mbq = models.DecimalField(
        max_digits=9, decimal_places=1, null=True, db_comment="MBq, sum of the administered activities"
    )
    dose_intensity_percent = models.DecimalField(
        max_digits=6,
        decimal_places=1,
        null=True,
        db_comment="percent, activity a day from the first to the last cycle against the protocol's",
    )
    delayed_cycles = models.PositiveSmallIntegerField(
        null=True, db_comment="given after the protocol's window"
    )
    reduced_cycles = models.PositiveSmallIntegerField(
        null=True, db_comment="prescribed below the protocol's activity"
    )
    toxicities = ArrayField(
        models.CharField(max_length=140),
        db_default=[],
        db_comment="CTCAE term:cycle:grade, worst grade of a term after each cycle; cycle 0: over the course",
    )

    pfs_days = _days("d from time_zero")
    pfs_event = models.BooleanField(null=True)
    pfs_on = models.DateField(null=True)
    pfs_basis = _code(40)
    os_days = _days("d from time_zero")
    os_event = models.BooleanField(null=True)
    os_on = models.DateField(null=True)
    os_basis = _code(40)
    ttr_days = _days("d from time_zero to the first response that counts")
    ttr_event = models.BooleanField(null=True)
    ttr_on = models.DateField(null=True)
    ttr_basis = _code(40)
    dor_days = _days("d from the first response to progression or death; null without a response")
    dor_event = models.BooleanField(null=True)
    dor_on = models.DateField(null=True)
    dor_basis = _code(40)
    ttnt_days = _days("d from time_zero to another anticancer therapy or death")
    ttnt_event = models.BooleanField(null=True)
    ttnt_on = models.DateField(null=True)
    ttnt_basis = _code(40)
    ttd_days = _days("d from time_zero to the end of treatment before completion")
    ttd_event = models.BooleanField(null=True)
    ttd_on = models.DateField(null=True)
    ttd_basis = _code(40)

    responses = ArrayField(
        models.CharField(max_length=60),
        db_default=[],
        db_comment="timepoint:day:RECIST response:SSTR response of each assessment, by day",
    )
    best_overall_response = _code(16, "RECIST, without confirmation")
    confirmed_best_overall_response = _code(16, "RECIST, confirmed as the definition says")
    best_sstr_response = _code(16)
    response_evaluable = models.BooleanField(db_default=False)
    response_evaluable_reason = _code(200)
    death_cause = _code(12)

    class Meta:
        abstract = True


ENDPOINTS = ("pfs", "os", "ttr", "dor", "ttnt", "ttd")


class Outcome(AnalysisRow):
    """What analyses know of one course under one definition, derived from its records."""

    definition = models.ForeignKey(Definition, on_delete=models.CASCADE, related_name="+")
    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="outcomes")
    centre = models.ForeignKey(Centre, on_delete=models.PROTECT, related_name="+")
    derived_at = models.DateTimeField(
        null=True, db_comment="null: a place held for an outcome not derived yet"
    )

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
    measure = models.CharField(max_length=24)
    at = models.IntegerField(
        default=0,
        db_comment="d for endpoints, months for horizon measures, the cycle for status and toxicity, else the value",
    )
    category = models.CharField(max_length=140)
    stratum = models.CharField(max_length=70, db_default="")
    n = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["cohort", "centre", "measure", "at", "category", "stratum"],
                name="analytics_tally_once",
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
    busy_since = models.DateTimeField(
        null=True, help_text="Since when corrections have come faster than it was computed."
    )
    stored_at = models.DateTimeField(null=True, help_text="When computing it last ended.")
    data = models.JSONField(null=True)
    curves = models.BinaryField(
        null=True, help_text="The rows of every curve as JSON: long, and read by figures and the API alone."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cohort", "scope"], name="analytics_result_one_per_scope"),
        ]

    def __str__(self) -> str:
        return f"{self.cohort_id} for {self.scope}, revision {self.revision}"


class ResultRevision(models.Model):
    """A revision of a result as it was: its numbers, and up to which change of an outcome it counts."""

    id = models.BigAutoField(primary_key=True)
    result = models.ForeignKey(Result, on_delete=models.CASCADE, related_name="revisions")
    revision = models.PositiveIntegerField()
    computed_at = models.DateTimeField()
    cohort_version = models.PositiveIntegerField()
    data = models.JSONField()

    class Meta:
        ordering = ["-revision"]
        constraints = [
            models.UniqueConstraint(fields=["result", "revision"], name="analytics_resultrevision_once"),
        ]

    def __str__(self) -> str:
        return f"revision {self.revision} of {self.result_id}"


class OutcomeChange(models.Model):
    """What changed of a course's outcome when it was derived anew, written by a database trigger.

    A rebuild under another definition writes none: there every outcome is another.
    """

    id = models.BigAutoField(primary_key=True)
    # Kept when the definition goes: the last change of an outcome is that it went along.
    definition = models.ForeignKey(
        Definition, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    course_id = models.UUIDField(db_index=True)
    changed_at = models.DateTimeField(db_default=Now())
    known_since = models.DateTimeField(null=True, db_comment="when the former outcome had been derived")
    before = models.JSONField(
        null=True, db_comment="the fields that changed; null: it was derived for the first time"
    )
    after = models.JSONField(null=True, db_comment="the same fields; null: the course was voided")

    class Meta:
        indexes = [models.Index(fields=["definition", "changed_at"], name="analytics_change_by_time")]

    def __str__(self) -> str:
        return f"change of {self.course_id} at {self.changed_at}"


class DataLockQuerySet(models.QuerySet["DataLock"]):
    def visible_to(self, user: User) -> Self:
        """Return the locks of whose every centre ``user`` may see the results."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if user.is_superuser:
            return self.all()
        codes = list(Centre.objects.visible_to(user, Act.VIEW_RESULTS).values_list("code", flat=True))
        centres = Func(
            F("scope"),
            Value("+"),
            function="string_to_array",
            output_field=ArrayField(models.TextField()),
        )
        return self.alias(centres=centres).filter(centres__contained_by=codes) if codes else self.none()


class DataLock(models.Model):
    """A frozen analysis data set: its rows, what they were counted by, the results, and a hash over all of it.

    Nothing of it is changed once made: database triggers refuse it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.SlugField(unique=True)
    note = models.CharField(max_length=500, blank=True)
    cohort = models.ForeignKey(Cohort, on_delete=models.PROTECT, related_name="locks")
    scope = models.TextField(help_text="Sorted centre codes joined by +: whose patients it holds.")
    cohort_as_locked = models.JSONField(help_text="Filter, strata and version of the cohort.")
    endpoints = models.JSONField(help_text="The endpoint definition.")
    data_cutoff = models.DateField()
    versions = models.JSONField(help_text="Of the registry and of what computed the results.")
    n_rows = models.PositiveIntegerField()
    content_hash = models.CharField(max_length=64, help_text="SHA-256 over definition and rows.")
    results = models.JSONField()
    results_hash = models.CharField(max_length=64)
    locked_at = models.DateTimeField(db_default=Now())
    locked_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")

    objects = DataLockQuerySet.as_manager()

    class Meta:
        ordering = ["-locked_at"]

    def __str__(self) -> str:
        return self.name


class LockedOutcome(AnalysisRow):
    """A row of a data lock: a course as it was known then, under its registry number."""

    id = models.BigAutoField(primary_key=True)
    lock = models.ForeignKey(DataLock, on_delete=models.CASCADE, related_name="rows")
    centre = models.ForeignKey(Centre, on_delete=models.PROTECT, related_name="+")
    registry_number = models.CharField(max_length=20)
    course_number = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["lock", "registry_number", "course_number"], name="analytics_lockedoutcome_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.registry_number} course {self.course_number} in {self.lock_id}"


class JobKind(models.TextChoices):
    REBUILD = "rebuild", _("Derive outcomes")
    REPORT = "report", _("Cohort report")
    EXPORT = "export", _("Export of a cohort")


class JobState(models.TextChoices):
    QUEUED = "queued", pgettext_lazy("job", "Waiting")
    RUNNING = "running", pgettext_lazy("job", "Running")
    DONE = "done", pgettext_lazy("job", "Done")
    FAILED = "failed", pgettext_lazy("job", "Failed")
    CANCELLED = "cancelled", pgettext_lazy("job", "Cancelled")


class Job(models.Model):
    """Long work of a worker with its progress; what it made can be fetched by who asked for it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=8, choices=JobKind)
    state = models.CharField(max_length=9, choices=JobState, default=JobState.QUEUED)
    cohort = models.ForeignKey(Cohort, on_delete=models.CASCADE, null=True, related_name="jobs")
    definition = models.ForeignKey(Definition, on_delete=models.CASCADE, null=True, related_name="jobs")
    requested_by = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="+")
    parameters = models.JSONField(default=dict)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    step = models.CharField(max_length=120, blank=True, help_text="What it is doing, for people.")
    problem = models.CharField(max_length=500, blank=True)
    requested_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(
        default=0, help_text="How often a worker began it: more than once where one was killed."
    )
    file_name = models.CharField(max_length=120, blank=True)
    content_type = models.CharField(max_length=100, blank=True)
    content = models.BinaryField(null=True)

    class Meta:
        ordering = ["-requested_at"]
        indexes = [
            models.Index(
                fields=["definition", "requested_at"],
                condition=Q(kind="rebuild"),
                name="analytics_rebuild_newest",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}: {self.state}"

    @property
    def step_in_words(self) -> str:
        """``step`` in the reader's language: it is stored in English."""
        return job_words.STEPS.retold(self.step)

    @property
    def problem_in_words(self) -> str:
        """``problem`` in the reader's language: it is stored in English."""
        return job_words.PROBLEMS.retold(self.problem)


class RebuildChunk(models.Model):
    """A range of courses of a rebuild: claimed by one worker, done in one transaction."""

    id = models.BigAutoField(primary_key=True)
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="chunks")
    first_id = models.UUIDField()
    last_id = models.UUIDField()
    n_courses = models.PositiveIntegerField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "first_id"], name="analytics_rebuildchunk_once"),
        ]
        indexes = [
            models.Index(fields=["job"], condition=Q(done_at__isnull=True), name="analytics_chunk_not_done"),
        ]

    def __str__(self) -> str:
        return f"chunk {self.pk} of {self.job_id}"


class QueryRule(models.TextChoices):
    """What opened a query: a rule of ``analytics.rules.data_queries``, or a person."""

    LABS_MISSING = "labs_missing", _(RULES["labs_missing"].title)
    ACTIVITY_DEVIATION = "activity_deviation", _(RULES["activity_deviation"].title)
    CYCLE_DATE_PAST = "cycle_date_past", _(RULES["cycle_date_past"].title)
    BASELINE_MISSING = "baseline_missing", _(RULES["baseline_missing"].title)
    IMAGING_MISSING = "imaging_missing", _(RULES["imaging_missing"].title)
    FINAL_IMAGING_MISSING = "final_imaging_missing", _(RULES["final_imaging_missing"].title)
    PROGRESSION_NOT_NOTED = "progression_not_noted", _(RULES["progression_not_noted"].title)
    FOLLOW_UP_OLD = "follow_up_old", _(RULES["follow_up_old"].title)
    DEATH_CAUSE_UNKNOWN = "death_cause_unknown", _(RULES["death_cause_unknown"].title)
    COURSE_OPEN_AFTER_DEATH = "course_open_after_death", _(RULES["course_open_after_death"].title)
    DIAGNOSIS_MISSING = "diagnosis_missing", _(RULES["diagnosis_missing"].title)
    MANUAL = "manual", _("Raised by hand")


class QueryStatus(models.TextChoices):
    OPEN = "open", pgettext_lazy("data query", "Open")
    ANSWERED = "answered", pgettext_lazy("data query", "Answered")
    CLOSED = "closed", pgettext_lazy("data query", "Closed")


class QueriedRecord(models.TextChoices):
    PATIENT = "patient", _("Patient")
    COURSE = "course", _("Course")
    CYCLE = "cycle", _("Cycle")
    ADMINISTRATION = "administration", _("Given cycle")
    STUDY = "study", _("Study")
    DEATH = "death", _("Death")


class DataQueryQuerySet(models.QuerySet["DataQuery"]):
    def visible_to(self, user: User, act: Act = Act.VIEW_RECORDS) -> Self:
        """Return the queries of patients in force at the centres where ``user`` may perform ``act``."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        found = self.filter(patient__voided_at__isnull=True)
        return found if user.is_superuser else found.filter(centre__in=user.centre_ids(act))

    def pending(self) -> Self:
        """Return the queries that are not closed."""
        return self.exclude(status=QueryStatus.CLOSED)


class DataQuery(models.Model):
    """A question about a patient's records, opened by a rule or by hand: docs/data-queries.md.

    A rule has at most one that is not closed at a record. It is worded from its facts when it is shown.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="data_queries")
    # The patient's, which stays: counted by without a look at patients.
    centre = models.ForeignKey(Centre, on_delete=models.PROTECT, related_name="+")
    course = models.ForeignKey(Course, on_delete=models.PROTECT, null=True, related_name="data_queries")
    rule = models.CharField(max_length=24, choices=QueryRule)
    record_kind = models.CharField(max_length=14, choices=QueriedRecord)
    record_id = models.UUIDField()
    facts = models.JSONField(help_text="What it follows from; raised by hand, what is asked.")
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of the facts.")
    status = models.CharField(max_length=8, choices=QueryStatus, default=QueryStatus.OPEN)
    opened_at = models.DateTimeField(db_default=Now())
    opened_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, related_name="+", help_text="Blank: the rule."
    )
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        help_text="Blank: the rule, or it is not closed.",
    )
    assigned_to = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, related_name="assigned_queries"
    )

    objects = DataQueryQuerySet.as_manager()

    class Meta:
        ordering = ["-opened_at", "-id"]
        verbose_name_plural = _("data queries")
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "record_id"],
                condition=~Q(status="closed") & ~Q(rule="manual"),
                name="analytics_dataquery_one_open",
                violation_error_message=_("This is asked of the record already."),
            ),
            models.CheckConstraint(
                condition=Q(status="closed", closed_at__isnull=False)
                | (~Q(status="closed") & Q(closed_at__isnull=True, closed_by__isnull=True)),
                name="analytics_dataquery_closed_has_time",
                violation_error_message=_(
                    "A closed query has the time at which it was closed, no other has."
                ),
            ),
            *known_codes(rule=QueryRule.values, record_kind=QueriedRecord.values, status=QueryStatus.values),
        ]
        indexes = [
            models.Index(
                fields=["opened_at", "id"], condition=~Q(status="closed"), name="analytics_query_pending"
            ),
            models.Index(  # every look at the list counts by these
                fields=["centre", "rule", "status", "assigned_to"],
                condition=~Q(status="closed"),
                name="analytics_query_counted",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_rule_display()} of {self.patient_id}"

    @property
    def is_closed(self) -> bool:
        return self.status == QueryStatus.CLOSED

    @property
    def words(self) -> tuple[str, str]:
        """What is asked, and why."""
        if self.rule == QueryRule.MANUAL:
            return gettext("Raised by hand"), self.facts["text"]
        return words(self.rule, self.facts)


class QueryAction(models.TextChoices):
    ANSWERED = "answered", pgettext_lazy("data query", "Answered")
    ASSIGNED = "assigned", pgettext_lazy("data query", "Assigned")
    CLOSED = "closed", pgettext_lazy("data query", "Closed")
    REOPENED = "reopened", pgettext_lazy("data query", "Opened again")


class DataQueryAnswer(models.Model):
    """What was done about a query, by whom and in which words. Neither changed nor deleted."""

    id = models.BigAutoField(primary_key=True)
    query = models.ForeignKey(DataQuery, on_delete=models.PROTECT, related_name="answers")
    action = models.CharField(max_length=8, choices=QueryAction)
    text = models.CharField(max_length=1000, blank=True)
    assigned_to = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        help_text="Of an assignment; blank: to nobody.",
    )
    by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, related_name="+", help_text="Blank: the rule."
    )
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["at", "id"]
        triggers = [pgtrigger.Protect(name="kept", operation=pgtrigger.Update | pgtrigger.Delete)]
        constraints = [*known_codes(action=QueryAction.values)]

    def __str__(self) -> str:
        return f"{self.action} at {self.at}"

    @property
    def said(self) -> str:
        """Its words for who reads them: as a person wrote them, or a rule's own in the reader's language."""
        return self.text if self.by_id is not None else ANSWERS.retold(self.text)


class DataCheck(models.Model):
    """When the rules last looked at a patient's records; a worker that looks holds this row."""

    patient = models.OneToOneField(
        Patient, on_delete=models.PROTECT, primary_key=True, related_name="data_check"
    )
    checked_on = models.DateField(null=True, help_text="The centre's day that the rules took for today.")

    def __str__(self) -> str:
        return f"{self.patient_id} checked on {self.checked_on}"


class StaleCheck(models.Model):
    """A mark, put by database triggers in the writing transaction, that a patient's records must be looked at again.

    Only added by writers and removed by workers, as ``StaleCourse``.
    """

    id = models.BigAutoField(primary_key=True)
    patient_id = models.UUIDField()
    marked_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["patient_id"], name="analytics_stalecheck_patient")]

    def __str__(self) -> str:
        return f"patient {self.patient_id} stale since {self.marked_at}"
