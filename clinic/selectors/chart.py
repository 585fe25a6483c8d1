"""One patient's whole course on one page: every record with what it says, the outcome with its reason, the next step."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from accounts.access import Act
from accounts.changes import Words
from accounts.models import User
from accounts.together import Sets, Together
from analytics.models import Outcome, StaleCourse
from analytics.rules.endpoints import EVALUABLE_REASONS, PROBLEMS
from clinic.charts.numbers import signed
from clinic.selectors import roster, worklist
from clinic.selectors.care_team import Team, team_of
from clinic.selectors.imaging import reading_words
from clinic.selectors.matrix import Line, matrix_of
from clinic.selectors.response import study_flags
from clinic.selectors.worklist import Due
from imaging.models import Reading, ReadingStatus, Study, Timepoint
from languages import wording
from languages.wording import begun_small, day, gettext_noop, number
from patients.models import (
    Contact,
    Death,
    Diagnosis,
    DiseaseEvent,
    MetastaticSite,
    Patient,
    PatientIdentity,
    PerformanceStatus,
    PriorTherapy,
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
    DoseDecision,
    Hold,
    LabResult,
    PriorPrrt,
    SomatostatinAnalogueDose,
)
from treatments.rules.activity import deviation_percent, is_past_permitted
from treatments.rules.advice import ADVICE_WORDS, Advice, GivenCycle
from treatments.rules.labs import ANALYTES, with_unit
from treatments.rules.schedule import due_state
from treatments.rules.words import NBSP, interval, sentences, span
from treatments.selectors.advice import advice_for
from treatments.selectors.exposure import Exposure, exposure_from
from treatments.selectors.laboratory import Graded, Ranges, grade_results
from treatments.selectors.schedule import CoursePlan, plans_from
from treatments.services.administrations import prescription_of

# What an outcome rests on, in the words of docs/rules/endpoints.md.
BASIS = wording.Words(
    {
        "overall_response_pd": gettext_noop("overall response of progressive disease"),
        "clinical_progression": gettext_noop("clinical progression"),
        "death": gettext_noop("death"),
        "last_adequate_assessment": gettext_noop("last adequate assessment"),
        "time_zero": gettext_noop("first administration, nothing is known after it"),
        "last_known_alive": gettext_noop("last known alive"),
        "new_therapy": gettext_noop("last known progression-free before another anticancer therapy"),
        "missed_assessments": gettext_noop(
            "last known progression-free before two or more missed assessments"
        ),
    }
)


# The codes of ``treatments.rules.checks`` that an administration was recorded in spite of.
WARNED = wording.Words(
    {
        "labs_missing": gettext_noop("labs missing"),
        "labs_old": gettext_noop("labs old"),
        "analogue_long_acting": gettext_noop("analogue long acting"),
        "analogue_short_acting": gettext_noop("analogue short acting"),
        "cumulative_activity": gettext_noop("cumulative activity"),
        "same_lot": gettext_noop("same lot"),
        "absorbed_dose": gettext_noop("absorbed dose"),
        "outside_window": gettext_noop("outside window"),
        "open_hold": gettext_noop("open hold"),
        "dose_advice": gettext_noop("dose advice"),
        "unlikely_value": gettext_noop("unlikely value"),
        "prescription": gettext_noop("prescription"),
    }
)
_DUE_WORDS = wording.Words(
    {
        "upcoming": gettext_noop("Planned"),
        "in_window": gettext_noop("In window"),
        "overdue": gettext_noop("Overdue"),
    }
)


@dataclass(frozen=True)
class CycleRow:
    """A cycle against its plan.

    Attributes:
        deviation_percent: given less prescribed, in percent of the prescribed.
        is_to_come: it is open, and neither a death nor a discontinuation stands against it.
        may_be_given: it is the first that is to come; cycles are given in order.
    """

    cycle: Cycle
    administration: Administration | None
    hold: Hold | None
    given_on: date | None
    deviation_percent: Decimal | None
    is_flagged: bool
    state: str
    state_word: str
    why: str
    is_to_come: bool
    may_be_given: bool
    decisions: list[DoseDecision] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)

    @property
    def prescribed_mbq(self) -> Decimal | None:
        """What was or is prescribed, MBq; None of a cycle that is not to come any more."""
        if self.administration is not None:
            return self.administration.prescribed_activity_mbq
        return prescription_of(self.cycle) if self.is_to_come else None

    @property
    def details(self) -> list[tuple[str, str]]:
        """What was recorded of an administration beside the numbers of its row: name and words."""
        given = self.administration
        if given is None:
            return []
        words = Words(self.cycle.course.patient.centre.zone)
        names = (
            "syringe_activity_mbq", "syringe_measured_at", "residual_activity_mbq", "residual_measured_at",
            "infusion_ended_at", "volume_ml", "venous_access", "is_extravasated", "extravasated_percent",
            "amino_acid_regimen", "amino_acid_minutes", "antiemetic", "body_weight_kg", "staff",
        )  # fmt: skip
        found = []
        for name in names:
            value = getattr(given, name)
            if value not in (None, ""):
                column: Any = Administration._meta.get_field(name)
                found.append((capfirst(str(column.verbose_name)), words.of(column, value)))
        if given.confirmed_warnings:
            said = ", ".join(WARNED.get(code, code.replace("_", " ")) for code in given.confirmed_warnings)
            found.append((_("Recorded in spite of"), f"{said}. {given.confirmation_reason}"))
        return found

    @property
    def is_open(self) -> bool:
        return self.cycle.status in OPEN

    @property
    def deviation(self) -> str:
        """The deviation in words with its sign, such as ``+0.4`` or ``−2.1``; empty where nothing was given."""
        if self.deviation_percent is None:
            return ""
        return signed(self.deviation_percent)


@dataclass
class StudyRow:
    """A study with its readings.

    Attributes:
        reading: the one that counts.
        readings: all of them, drafts too.
        flags: what is unusual about how it was made.
    """

    study: Study
    reading: Reading | None
    readings: list[Reading] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)

    @property
    def is_baseline(self) -> bool:
        return self.study.timepoint == Timepoint.BASELINE

    @property
    def state(self) -> str:
        """What stands where no reading counts."""
        if any(reading.status != ReadingStatus.DRAFT for reading in self.readings):
            return _("Two readers differ")
        return _("To be signed") if self.readings else _("To be read")

    @property
    def said(self) -> str:
        """Who read it, how it stands, and why it differs from what was derived."""
        return reading_words(self.reading) if self.reading is not None else ""


@dataclass(frozen=True)
class EndpointWords:
    """One endpoint in words: ``Event on 2019-11-04: death``."""

    name: str
    days: int
    months: str
    is_event: bool
    on: date | None
    basis: str


@dataclass(frozen=True)
class LatestLab:
    """The newest value of an analyte, as it is read."""

    label: str
    value: str  # with its unit
    on: date
    grade: int | None
    side: str  # "below" or "above" the limits of normal, or blank


@dataclass(frozen=True)
class NextDose:
    """What the dose rules say of the next cycle, and what was decided last."""

    cycle: Cycle
    advice: Advice
    words: str
    decision: DoseDecision | None


@dataclass
class CourseChart:
    plan: CoursePlan
    cycles: list[CycleRow] = field(default_factory=list)
    discontinuation: Discontinuation | None = None
    studies: list[StudyRow] = field(default_factory=list)
    outcome: Outcome | None = None
    pending: bool = False
    endpoints: list[EndpointWords] = field(default_factory=list)
    best_response: str = ""
    problem: str = ""
    is_over: bool = False  # by a death or a discontinuation
    today: date = date.min
    next_dose: NextDose | None = None
    doses: list[AbsorbedDose] = field(default_factory=list)
    decisions: list[DoseDecision] = field(default_factory=list)
    matrix: list[Line] = field(default_factory=list)

    @property
    def course(self) -> Course:
        return self.plan.course

    @property
    def response_reason(self) -> str:
        """Why the response can be evaluated or not, as it goes on after a colon."""
        reason = self.outcome.response_evaluable_reason if self.outcome is not None else ""
        return begun_small(EVALUABLE_REASONS.retold(reason))

    @property
    def given(self) -> int:
        return sum(row.administration is not None for row in self.cycles)

    @property
    def cumulative_gbq(self) -> Decimal:
        """Activity given over the course, GBq."""
        given = (
            row.administration.administered_activity_mbq
            for row in self.cycles
            if row.administration is not None
        )
        return sum(given, Decimal(0)) / 1000

    @property
    def delay(self) -> str:
        """By how much the next cycle is past the protocol's maximal delay; blank where it is not."""
        if self.is_over or not self.plan.is_past_max_delay(self.today):
            return ""
        return span(self.plan.delay(self.today))

    @property
    def max_delay(self) -> str:
        return interval(self.course.protocol.max_delay_days)

    @property
    def may_be_discontinued(self) -> bool:
        return not self.is_over and self.plan.state == "ongoing"


@dataclass
class PatientChart:
    patient: Patient
    today: date
    age: int
    identity: PatientIdentity | None
    may_see_identity: bool
    diagnosis: Diagnosis | None
    courses: list[CourseChart]
    other_studies: list[StudyRow]
    performance: list[PerformanceStatus]
    prior_therapies: list[PriorTherapy]
    contacts: list[Contact]
    events: list[DiseaseEvent]
    death: Death | None
    due: list[Due]
    team: Team
    state: str
    state_word: str
    labs: list[LatestLab]
    graded: list[Graded]
    adverse_events: list[AdverseEvent]
    analogue_doses: list[SomatostatinAnalogueDose]
    prior_prrt: list[PriorPrrt]
    exposure: Exposure

    @property
    def pending(self) -> bool:
        return any(course.pending for course in self.courses)

    @property
    def lifelong_gbq(self) -> Decimal:
        """Activity given over all courses and before, GBq."""
        return self.exposure.lifelong_mbq / 1000

    @property
    def age_at_death(self) -> int | None:
        return roster.age_on(self.patient.birth_date, self.death.died_on) if self.death else None

    @property
    def newest_contacts(self) -> list[Contact]:
        return self.contacts[:5]

    @property
    def older_contacts(self) -> list[Contact]:
        return self.contacts[5:]

    @property
    def metastases(self) -> str:
        names = dict(MetastaticSite.choices)
        sites = self.diagnosis.metastatic_sites if self.diagnosis else []
        return ", ".join(str(names.get(site, site)) for site in sites)

    @property
    def may_start_course(self) -> bool:
        """Whether the last course has no cycles to come."""
        return self.death is None and not any(row.is_open for course in self.courses for row in course.cycles)

    @property
    def next_step(self) -> str:
        """What comes next where nothing is due."""
        if self.death is not None:
            return _("Died on {day}: no further steps.").format(day=day(self.death.died_on))
        if not self.courses:
            return _("No course has been started.")
        last = self.courses[-1]
        if last.discontinuation is not None:
            stopped_on = last.discontinuation.discontinued_on
            return _("The course was discontinued on {day}: follow-up.").format(day=day(stopped_on))
        if last.plan.state == "completed":
            return _("All planned cycles were given: follow-up.")
        return _("Nothing is planned.")


def _of_cycles(model: Any) -> Callable[[UUID], QuerySet[Any]]:
    of_patient = {"cycle__voided_at": None, "cycle__course__voided_at": None}
    return lambda key: model.objects.current().filter(cycle__course__patient=key, **of_patient)


def _of_patient(model: Any) -> Callable[[UUID], QuerySet[Any]]:
    return lambda key: model.objects.current().filter(patient=key)


# Everything in force of one patient, in one statement. Who may see the patient may see these; the identity is read apart.
_RECORDS = Together(
    {
        "deaths": _of_patient(Death),
        "diagnoses": _of_patient(Diagnosis),
        "performance": _of_patient(PerformanceStatus),
        "prior_therapies": _of_patient(PriorTherapy),
        "contacts": _of_patient(Contact),
        "events": _of_patient(DiseaseEvent),
        "adverse_events": _of_patient(AdverseEvent),
        "analogue_doses": _of_patient(SomatostatinAnalogueDose),
        "prior_prrt": _of_patient(PriorPrrt),
        "labs": _of_patient(LabResult),
        "studies": _of_patient(Study),
        "readings": lambda key: Reading.objects.current().filter(
            study__patient=key, study__voided_at__isnull=True
        ),
        "in_force": lambda key: Reading.objects.in_force().filter(study__patient=key),
        "cycles": lambda key: Cycle.objects.current().filter(
            course__patient=key, course__voided_at__isnull=True
        ),
        "holds": _of_cycles(Hold),
        "administrations": _of_cycles(Administration),
        "doses": _of_cycles(AbsorbedDose),
        "decisions": _of_cycles(DoseDecision),
        "discontinuations": lambda key: Discontinuation.objects.current().filter(
            course__patient=key, course__voided_at__isnull=True
        ),
        "stale": lambda key: StaleCourse.objects.filter(
            course_id__in=Course.objects.filter(patient=key).values("pk")
        ),
    }
)


def patient_chart(user: User, patient: Patient, now: datetime) -> PatientChart:
    """Return the page of one patient whom ``user`` may see. The number of queries does not grow with the records."""
    today = now.astimezone(patient.centre.zone).date()
    may_see_identity = user.may(Act.VIEW_IDENTITY, patient.centre_id)
    identity = PatientIdentity.objects.current().filter(patient=patient).first() if may_see_identity else None
    records = _RECORDS.read(patient.pk)
    death = next(iter(records.of("deaths", Death)), None)
    _name_people(records)
    studies = _study_rows(records)
    courses = _courses(patient, records, studies, death, today)
    last = courses[-1] if courses else None
    state = roster.state_of(
        died=death is not None, has_course=last is not None, outcome=last.outcome if last else None
    )
    numbers = {course.course.number for course in courses}
    protocol = last.course.protocol if last is not None else None
    administrations = records.of("administrations", Administration)
    graded = _graded(records, courses, patient, protocol.ctcae_version if protocol else "5.0")
    if last is not None and death is None:
        last.next_dose = _next_dose(last, graded, today)
    adverse_events = records.of("adverse_events", AdverseEvent)
    adverse_events.sort(key=lambda one: one.onset_on, reverse=True)
    for course in courses:
        course.matrix = matrix_of(user, course, patient, graded, adverse_events)
    performance = records.of("performance", PerformanceStatus)
    performance.sort(key=lambda one: one.assessed_on, reverse=True)
    contacts = records.of("contacts", Contact)
    contacts.sort(key=lambda one: one.known_alive_on, reverse=True)
    prior = records.of("prior_prrt", PriorPrrt)
    return PatientChart(
        patient=patient,
        today=today,
        age=roster.age_on(patient.birth_date, today),
        identity=identity,
        may_see_identity=may_see_identity,
        diagnosis=next(iter(records.of("diagnoses", Diagnosis)), None),
        courses=courses,
        other_studies=[row for row in studies if row.study.course_number not in numbers],
        performance=performance,
        prior_therapies=sorted(
            records.of("prior_therapies", PriorTherapy),
            key=lambda one: (one.started_on or date.min, one.kind),
        ),
        contacts=contacts,
        events=sorted(records.of("events", DiseaseEvent), key=lambda one: one.occurred_on),
        death=death,
        due=worklist.for_patient(user, patient, now, {one.course.pk: one.plan for one in courses}),
        team=team_of(user, patient),
        state=state,
        state_word=roster.STATES[state],
        labs=_latest_labs(graded),
        graded=graded,
        adverse_events=adverse_events,
        analogue_doses=_analogue_doses(records, patient),
        prior_prrt=prior,
        exposure=exposure_from(
            administrations,
            records.of("doses", AbsorbedDose),
            prior,
            kidney_limit_gy=protocol.kidney_limit_gy if protocol else None,
            marrow_limit_gy=protocol.marrow_limit_gy if protocol else None,
        ),
    )


def _name_people(records: Sets) -> None:
    """Give the readings their reader and the decisions who decided. One query where there is any."""
    readings, decisions = records.of("readings", Reading), records.of("decisions", DoseDecision)
    keys = {one.reader_id for one in readings} | {one.decided_by_id for one in decisions}
    people = User.objects.in_bulk({key for key in keys if key is not None}) if keys else {}
    for reading in readings:
        reading.reader = people.get(reading.reader_id)
    for decision in decisions:
        decision.decided_by = people.get(decision.decided_by_id)


def _graded(records: Sets, courses: list[CourseChart], patient: Patient, ctcae_version: str) -> list[Graded]:
    """Return the laboratory values with their grades. One query where there are any: the centre's ranges."""
    results = records.of("labs", LabResult)
    if not results:
        return []
    results.sort(key=lambda one: (one.taken_at, one.analyte))
    starts = sorted(min(course.plan.given_on.values()) for course in courses if course.plan.given_on)
    return grade_results(results, patient, Ranges.of_centre(patient.centre_id), starts, version=ctcae_version)


def _analogue_doses(records: Sets, patient: Patient) -> list[SomatostatinAnalogueDose]:
    """Return them newest first. Their local day needs the patient's centre, which is known here."""
    doses = records.of("analogue_doses", SomatostatinAnalogueDose)
    doses.sort(key=lambda one: one.given_at, reverse=True)
    for dose in doses:
        dose.patient = patient
    return doses


def _latest_labs(graded: list[Graded]) -> list[LatestLab]:
    newest = {one.result.analyte: one for one in graded}
    found = []
    for code, analyte in ANALYTES.items():
        if (one := newest.get(code)) is not None:
            value = one.result.value.quantize(Decimal(1).scaleb(-analyte.decimals), ROUND_HALF_UP)
            side = "below" if one.is_below else "above" if one.is_above else ""
            said = with_unit(number(value), analyte.unit)
            found.append(LatestLab(_(analyte.label), said, one.on, one.grade, side))
    return found


def _next_dose(chart: CourseChart, graded: list[Graded], today: date) -> NextDose | None:
    """Return the advice for the next cycle of a course that goes on."""
    cycle = chart.plan.next_cycle
    if cycle is None or chart.is_over:
        return None
    given = [
        GivenCycle(number, chart.plan.given_on[number], one.prescribed_activity_mbq)
        for number, one in chart.plan.administrations.items()
    ]
    advice = advice_for(chart.course, cycle, today=today, graded=graded, given=given)
    if advice is None:
        return None
    decided = [decision for decision in chart.decisions if decision.cycle_id == cycle.pk]
    return NextDose(cycle, advice, ADVICE_WORDS[advice.code], decided[-1] if decided else None)


def _study_rows(records: Sets) -> list[StudyRow]:
    in_force = {reading.pk for reading in records.of("in_force", Reading)}
    of_study: dict[UUID, list[Reading]] = defaultdict(list)
    for reading in records.of("readings", Reading):
        of_study[reading.study_id].append(reading)
    studies = sorted(records.of("studies", Study), key=lambda one: one.performed_on)
    return [
        StudyRow(
            study,
            next((one for one in of_study[study.pk] if one.pk in in_force), None),
            of_study[study.pk],
        )
        for study in studies
    ]


def _courses(
    patient: Patient, records: Sets, studies: list[StudyRow], death: Death | None, today: date
) -> list[CourseChart]:
    """Return the courses in order. Two queries: the courses with their protocols, and the outcomes."""
    courses = list(
        Course.objects.current().filter(patient=patient).select_related("protocol").order_by("number")
    )
    for course in courses:
        course.patient = patient
    discontinuations = {row.course_id: row for row in records.of("discontinuations", Discontinuation)}
    plans = plans_from(
        courses,
        cycles=records.of("cycles", Cycle),
        holds=records.of("holds", Hold),
        administrations=records.of("administrations", Administration),
        discontinued=discontinuations.keys(),
    )
    outcomes = {
        outcome.course_id: outcome
        for outcome in Outcome.objects.filter(definition=roster.DEFAULT_DEFINITION, course__in=courses)
    }
    stale = {one.course_id for one in records.of("stale", StaleCourse)}
    cycles = {cycle.pk: cycle for plan in plans.values() for cycle in plan.cycles}
    doses = records.of("doses", AbsorbedDose)
    decisions = records.of("decisions", DoseDecision)
    for dose in doses:
        dose.cycle = cycles[dose.cycle_id]
    for decision in decisions:
        decision.cycle = cycles[decision.cycle_id]
    doses.sort(key=lambda one: (one.cycle.number, one.organ))
    decisions.sort(key=lambda one: one.decided_at)
    charts = []
    for course in courses:
        chart = CourseChart(
            plan=plans[course.pk],
            discontinuation=discontinuations.get(course.pk),
            studies=[row for row in studies if row.study.course_number == course.number],
            outcome=outcomes.get(course.pk),
            pending=course.pk in stale or course.pk not in outcomes,
            is_over=death is not None or course.pk in discontinuations,
            today=today,
            doses=[dose for dose in doses if dose.cycle.course_id == course.pk],
            decisions=[decision for decision in decisions if decision.cycle.course_id == course.pk],
        )
        chart.cycles = _cycle_rows(chart, death, today)
        flags = study_flags([row.study for row in chart.studies], chart.plan)
        for row in chart.studies:
            row.flags = flags[row.study.pk]
        if chart.outcome is not None:
            chart.endpoints = _endpoints(chart.outcome)
            chart.best_response = roster.RESPONSES.get(chart.outcome.best_overall_response, "")
            chart.problem = PROBLEMS.retold(chart.outcome.problem)
        charts.append(chart)
    return charts


def _cycle_rows(chart: CourseChart, death: Death | None, today: date) -> list[CycleRow]:
    plan = chart.plan
    protocol = chart.course.protocol
    not_given = ""
    if chart.discontinuation is not None:
        stopped_on = chart.discontinuation.discontinued_on
        not_given = _("Not given: discontinued on {day}").format(day=day(stopped_on))
    elif death is not None:
        not_given = _("Not given: died on {day}").format(day=day(death.died_on))
    rows: list[CycleRow] = []
    for cycle in plan.cycles:
        administration = plan.administrations.get(cycle.number)
        deviation = None
        is_flagged = False
        state, word = cycle.status, cycle.get_status_display()
        is_to_come = cycle.status in OPEN and not chart.is_over
        may_be_given = is_to_come and not any(row.is_to_come for row in rows)
        why = sentences(cycle.note, plan.why(cycle.number))
        if administration is not None:
            activities = {
                "given_mbq": administration.administered_activity_mbq,
                "prescribed_mbq": administration.prescribed_activity_mbq,
            }
            deviation, is_flagged = deviation_percent(**activities), is_past_permitted(**activities)
            lot = (
                _("Lot {lot}").format(lot=administration.lot).replace(" ", NBSP, 1)
                if administration.lot
                else ""
            )
            why = sentences(why, administration.deviation_explanation, lot)
        elif cycle.status == CycleStatus.CANCELLED and cycle.cancel_reason:
            word, why = _("Left out"), sentences(cycle.note, cycle.cancel_reason)
        elif not_given:
            state, word, why = CycleStatus.CANCELLED, _("Not given"), sentences(cycle.note, not_given)
        elif cycle.status == CycleStatus.PLANNED and cycle.planned_on is not None:
            state = due_state(planned_on=cycle.planned_on, window_days=protocol.window_days, today=today)
            word = _DUE_WORDS[state]
            if not may_be_given:
                state, word = (
                    "planned",
                    _DUE_WORDS["upcoming"],
                )  # what waits for an earlier one is not overdue itself
        rows.append(
            CycleRow(
                cycle=cycle,
                administration=administration,
                hold=next((hold for hold in plan.holds_of(cycle) if hold.is_open), None),
                given_on=plan.given_on.get(cycle.number),
                deviation_percent=deviation,
                is_flagged=is_flagged,
                state=state,
                state_word=word,
                why=why,
                is_to_come=is_to_come,
                may_be_given=may_be_given,
                decisions=[one for one in chart.decisions if one.cycle_id == cycle.pk],
                holds=[hold for hold in plan.holds_of(cycle) if not hold.is_open],
            )
        )
    return rows


def _endpoints(outcome: Outcome) -> list[EndpointWords]:
    found = []
    rows: list[tuple[str, Any, Any, Any, str]] = [
        ("PFS", outcome.pfs_days, outcome.pfs_event, outcome.pfs_on, outcome.pfs_basis),
        ("OS", outcome.os_days, outcome.os_event, outcome.os_on, outcome.os_basis),
    ]
    for name, days, is_event, on, basis in rows:
        if days is not None:
            found.append(
                EndpointWords(
                    name, days, number(days / 30.4375, 1), bool(is_event), on, BASIS.get(basis, basis)
                )
            )
    return found
