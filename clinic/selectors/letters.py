"""The facts of one patient that letters are made of, in words with their units, and the texts in force."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.conf import settings
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext, pgettext

from accounts.models import Centre, User
from clinic.charts.numbers import moment
from clinic.letters import text
from clinic.letters.placeholders import (
    CYCLES_HEAD,
    DOSES_HEAD,
    EVENTS_HEAD,
    LABS_HEAD,
    STUDIES_HEAD,
    Fact,
    Kind,
    missing,
    table,
)
from clinic.letters.shipped import SHIPPED, Wording
from clinic.models import LetterTemplate
from clinic.selectors.chart import CourseChart, CycleRow, PatientChart, StudyRow, patient_chart
from clinic.selectors.words import state_within
from languages.wording import day, within
from patients.models import Patient
from treatments.models import CycleStatus
from treatments.rules.labs import ANALYTES, with_unit
from treatments.rules.words import NBSP
from treatments.selectors.laboratory import Graded, graded_results

BANNER = gettext_noop("Synthetic patient: demonstration data")


@dataclass(frozen=True)
class Offered:
    """A letter that can be made: the course alone, or one of its cycles that were given."""

    chart: CourseChart
    row: CycleRow | None = None


def wording_of(centre: Centre, kind: Kind) -> Wording:
    """Return the newest text of a centre's letter, or the shipped one."""
    newest = LetterTemplate.objects.filter(centre=centre, kind=kind).first()
    return Wording(newest.title, newest.body, newest.version) if newest is not None else SHIPPED[kind]


def offered(chart: PatientChart) -> list[tuple[CourseChart, list[CycleRow]]]:
    """Return the courses, newest first, each with the cycles of it that were given."""
    return [
        (course, [row for row in course.cycles if row.administration is not None])
        for course in reversed(chart.courses)
    ]


def letter_of(
    user: User,
    patient: Patient,
    kind: Kind,
    *,
    course_id: Any = None,
    cycle_id: Any = None,
    wording: Wording | None = None,
    now: datetime,
) -> text.Letter | None:
    """Return a patient's letter; None where there is no such course, or where the cycle was not given.

    Args:
        user: may see the patient's identity.
        course_id: of a therapy summary; None: the last course.
        cycle_id: of a cycle letter; None: the last cycle that was given.
        wording: another text than the one in force, such as one that is being written.
    """
    chart = patient_chart(user, patient, now)
    if kind == Kind.THERAPY_SUMMARY:
        found = [Offered(course) for course in chart.courses if course_id in (None, course.course.pk)]
    else:
        found = [
            Offered(course, row)
            for course, rows in reversed(offered(chart))
            for row in rows
            if cycle_id in (None, row.cycle.pk)
        ]
    if not found:
        return None
    asked = found[-1]
    number = asked.row.cycle.number if asked.row is not None else asked.chart.course.number
    return text.letter(
        kind,
        wording or wording_of(patient.centre, kind),
        facts(chart, asked.chart, asked.row),
        registry_number=patient.registry_number,
        number=number,
        made_at=now.astimezone(patient.centre.zone),
        whose=patient.centre.code,
        banner=_(BANNER) if settings.SYNTHETIC_DATA_BANNER else "",
    )


def facts(chart: PatientChart, course: CourseChart, row: CycleRow | None) -> dict[str, Fact]:
    """Return placeholder to fact, of a course or of one of its cycles that was given. Three queries (laboratory)."""
    until = row.given_on if row is not None else None
    later = [one.given_on for one in course.cycles if row is not None and one.cycle.number > row.cycle.number]
    before = min((on for on in later if on is not None), default=None)
    rows = [
        one
        for one in course.cycles
        if one.administration is not None and (row is None or one.cycle.number <= row.cycle.number)
    ]
    found: dict[str, Fact] = _of_person(chart) | _of_disease(chart) | _of_course(chart, course, row, rows)
    found |= {
        "response": _response(course, until),
        "absorbed_doses": "; ".join(
            ngettext("{organ} {dose} ({n} cycle)", "{organ} {dose} ({n} cycles)", dose.cycles).format(
                organ=within(_(dose.label)), dose=_amount(dose.sum_gy, 2, "Gy"), n=dose.cycles
            )
            for dose in chart.exposure.doses
        ),
        "cycles_table": table(_("Cycles given"), CYCLES_HEAD, map(_cycle_cells, rows), n_words=2),
        "labs_table": _labs_table(chart, course, until),
        "studies_table": table(_("Imaging and response"), STUDIES_HEAD, map(_study_cells, course.studies), n_words=4),
        "adverse_events_table": table(
            _("Adverse events"),
            EVENTS_HEAD,
            [
                (
                    event.term,
                    day(event.onset_on),
                    day(event.resolved_on) if event.resolved_on else _("not resolved"),
                    str(event.grade),
                )
                for event in chart.adverse_events
                if before is None or event.onset_on < before
            ],
            n_words=3,
        ),
        "doses_table": table(
            _("Absorbed doses, life-long"),
            DOSES_HEAD,
            [
                (
                    _(dose.label),
                    ", ".join(map(_, dose.methods)),
                    str(dose.cycles),
                    _number(dose.sum_gy, 2),
                    _number(dose.limit_gy, 1) if dose.limit_gy is not None else pgettext("limit", "none"),
                )
                for dose in chart.exposure.doses
            ],
            n_words=2,
        ),
    }  # fmt: skip
    if row is not None:
        found |= _of_cycle(chart, row)
    return {name: fact or missing() for name, fact in found.items()}


def _of_person(chart: PatientChart) -> dict[str, Fact]:
    patient, identity = chart.patient, chart.identity
    names = [identity.given_names, identity.family_name] if identity is not None else []
    age = chart.age if chart.age_at_death is None else chart.age_at_death
    return {
        "patient_name": " ".join(filter(None, names)),
        "mrn": identity.mrn if identity is not None else "",
        "birth_date": day(patient.birth_date),
        "age": _age(age, chart.death.died_on if chart.death is not None else None),
        "sex": state_within(patient.get_sex_display()),
        "registry_number": patient.registry_number,
        "centre": patient.centre.name,
        "letter_date": day(chart.today),
    }


def _age(years: int, died_on: date | None) -> str:
    said = ngettext("{n} year", "{n} years", years).format(n=years).replace(" ", NBSP)
    return said if died_on is None else _("{age}, died on {day}").format(age=said, day=day(died_on))


def _of_disease(chart: PatientChart) -> dict[str, Fact]:
    diagnosis = chart.diagnosis
    found: dict[str, Fact] = dict.fromkeys(
        ("diagnosis", "diagnosed_on", "who_grade", "ki67", "metastases"), ""
    )
    if diagnosis is not None:
        known = diagnosis.who_grade != "unknown"
        found = {
            "diagnosis": str(diagnosis),
            "diagnosed_on": day(diagnosis.diagnosed_on) if diagnosis.diagnosed_on else "",
            "who_grade": str(diagnosis.get_who_grade_display()) if known else "",
            "ki67": _amount(diagnosis.ki67_percent, 1, "%") if diagnosis.ki67_percent is not None else "",
            "metastases": chart.metastases,
        }
    newest = chart.performance[0] if chart.performance else None
    found["performance_status"] = (
        _("ECOG {ecog} on {day}").format(ecog=newest.ecog, day=day(newest.assessed_on))
        if newest is not None
        else ""
    )
    found["prior_therapies"] = "; ".join(
        _("{therapy} from {day}").format(therapy=one.agent or one.get_kind_display(), day=day(one.started_on))
        if one.started_on
        else str(one.agent or one.get_kind_display())
        for one in chart.prior_therapies
    )
    return found


def _of_course(
    chart: PatientChart, course: CourseChart, row: CycleRow | None, rows: list[CycleRow]
) -> dict[str, Fact]:
    protocol = course.course.protocol
    given = sum(
        (one.administration.administered_activity_mbq for one in rows if one.administration), Decimal(0)
    )
    lifelong = chart.exposure.lifelong_mbq
    if row is not None and row.administration is not None:
        # What was given later is not of this letter.
        lifelong -= sum(
            (
                one.administration.administered_activity_mbq
                for other in chart.courses
                for one in other.cycles
                if one.administration is not None
                and one.administration.administered_at > row.administration.administered_at
            ),
            Decimal(0),
        )
    return {
        "course_number": str(course.course.number),
        "course_intent": state_within(course.course.get_intent_display()),
        "course_state": _state(chart, course),
        "protocol": str(protocol),
        "radiopharmaceutical": protocol.radiopharmaceutical,
        "planned_cycles": str(protocol.planned_cycles),
        "cycles_given": str(len(rows)),
        "first_given_on": _day(rows[0].given_on) if rows else "",
        "last_given_on": _day(rows[-1].given_on) if rows else "",
        "cumulative_activity_gbq": _amount(given / 1000, 1, "GBq"),
        "lifelong_activity_gbq": _amount(lifelong / 1000, 1, "GBq"),
        "next_planned_on": _next(chart, course, row),
    }  # fmt: skip


def _of_cycle(chart: PatientChart, row: CycleRow) -> dict[str, Fact]:
    given = row.administration
    if given is None:
        return {}
    at = given.administered_at.astimezone(chart.patient.centre.zone)
    minutes = f", {given.amino_acid_minutes}{NBSP}min" if given.amino_acid_minutes is not None else ""
    decided = row.decisions[-1] if row.decisions else None
    return {
        "cycle_number": str(row.cycle.number),
        "given_on": _day(row.given_on),
        "given_at": moment(at),
        "prescribed_activity_mbq": _amount(given.prescribed_activity_mbq, 1, "MBq"),
        "administered_activity_mbq": _amount(given.administered_activity_mbq, 1, "MBq"),
        "deviation": f"{row.deviation}{NBSP}%" if row.deviation else "",
        "lot": given.lot,
        "amino_acids": str(given.get_amino_acid_regimen_display()) + minutes if given.amino_acid_regimen else "",
        "antiemetic": given.antiemetic,
        "body_weight": _amount(given.body_weight_kg, 1, "kg") if given.body_weight_kg is not None else "",
        "dose_decision": (
            str(decided.get_decision_display()) + (f": {decided.reason}" if decided.reason else "")
            if decided is not None
            else ""
        ),
    }  # fmt: skip


def _state(chart: PatientChart, course: CourseChart) -> str:
    counted = {"given": course.given, "planned": course.course.protocol.planned_cycles}
    stopped = course.discontinuation
    if stopped is not None:
        return _(
            "Discontinued on {day} after cycle {cycle} ({reason}): {given} of {planned} cycles given."
        ).format(
            day=day(stopped.discontinued_on),
            cycle=stopped.after_cycle,
            reason=within(stopped.get_main_reason_display()),
            **counted,
        )
    if course.plan.state == "completed":
        return _("Completed: {given} of {planned} cycles given.").format(**counted)
    if chart.death is not None:
        return _("Ended by death on {day}: {given} of {planned} cycles given.").format(
            day=day(chart.death.died_on), **counted
        )
    return _("Ongoing: {given} of {planned} cycles given.").format(**counted)


def _next(chart: PatientChart, course: CourseChart, row: CycleRow | None) -> str:
    """Return when the next cycle is planned; of an earlier cycle when the one after it was given."""
    after = [one for one in course.cycles if row is None or one.cycle.number > row.cycle.number]
    if row is not None and (later := next((one for one in after if one.given_on is not None), None)):
        return _("{day} (cycle {number}, given)").format(day=_day(later.given_on), number=later.cycle.number)
    coming = next((one for one in after if one.is_to_come), None)
    if coming is not None:
        number = coming.cycle.number
        if coming.cycle.status == CycleStatus.HELD:
            return _("on hold (cycle {number})").format(number=number)
        if coming.cycle.planned_on is None:
            return _("cycle {number}, its date is not recorded").format(number=number)
        return _("{day} (cycle {number})").format(day=day(coming.cycle.planned_on), number=number)
    said = _("none. {state}").format(state=_state(chart, course))
    return said.removesuffix(".")


def _response(course: CourseChart, until: date | None) -> str:
    read = [
        one
        for one in course.studies
        if one.reading is not None
        and not one.is_baseline
        and (until is None or one.study.performed_on <= until)
    ]
    newest = ""
    if read and read[-1].reading is not None:
        newest = _("{response} (RECIST 1.1) in the study of {day}").format(
            response=read[-1].reading.get_overall_response_display(), day=day(read[-1].study.performed_on)
        )
    if until is not None or not course.best_response:
        return newest
    best = _("Best overall response: {response}").format(response=course.best_response)
    return _("{best}; newest: {newest}").format(best=best, newest=newest) if newest else best


def _cycle_cells(row: CycleRow) -> tuple[str, ...]:
    given = row.administration
    if given is None:
        return ()
    return (
        str(row.cycle.number),
        _day(row.given_on),
        _number(given.prescribed_activity_mbq, 1),
        _number(given.administered_activity_mbq, 1),
        row.deviation,
    )


def _study_cells(row: StudyRow) -> tuple[str, ...]:
    if row.is_baseline:
        response = uptake = _("baseline")
    else:
        response = (
            str(row.reading.get_overall_response_display())
            if row.reading is not None
            else state_within(row.state)
        )
        uptake = (
            str(row.reading.get_sstr_response_display())
            if row.reading and row.reading.sstr_response
            else missing()
        )
    return str(row.study.get_timepoint_display()), day(row.study.performed_on), response, uptake  # fmt: skip


def _labs_table(chart: PatientChart, course: CourseChart, until: date | None) -> Fact:
    """Return the newest value of each analyte; what the protocol asks for and nobody measured is said to be missing."""
    protocol = course.course.protocol
    newest: dict[str, Graded] = {}
    for one in graded_results(chart.patient, version=protocol.ctcae_version):
        if until is None or one.on <= until:
            newest[one.result.analyte] = one
    rows = []
    for code, analyte in ANALYTES.items():
        found = newest.get(code)
        if found is not None:
            value = with_unit(_number(found.result.value, analyte.decimals), analyte.unit)
            grade = _("not graded") if found.grade is None else str(found.grade)
            rows.append((_(analyte.label), day(found.on), value, grade))
        elif code in protocol.labs_before_cycle:
            rows.append((_(analyte.label), missing(), missing(), missing()))
    caption = _("Laboratory values, the newest")
    if until is not None:
        caption = _("Laboratory values, the newest up to {day}").format(day=day(until))
    return table(caption, LABS_HEAD, rows, n_words=2)


def _number(value: Decimal, decimals: int) -> str:
    rounded = value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    return number_format(rounded, decimals, force_grouping=True)


def _day(on: date | None) -> str:
    return day(on) if on is not None else ""


def _amount(value: Decimal, decimals: int, unit: str) -> str:
    return f"{_number(value, decimals)}{NBSP}{unit}"


def versions_of(centre: Centre, kind: Kind) -> list[LetterTemplate]:
    """Return all versions of a centre's text, the newest first."""
    return list(LetterTemplate.objects.filter(centre=centre, kind=kind).select_related("saved_by"))
