"""A course at a glance: of each cycle its laboratory values, dose, PET/CT and toxicity, as words that lead on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from accounts.access import Act
from accounts.models import User
from clinic.selectors.words import state_within
from imaging.models import Timepoint
from languages.wording import day, number
from patients.models import Patient
from treatments.models import AdverseEvent, CycleStatus
from treatments.rules.checks import lacking_labs
from treatments.rules.words import NBSP
from treatments.selectors.advice import LAB_WORDS
from treatments.selectors.laboratory import Graded

if TYPE_CHECKING:
    from clinic.selectors.chart import CourseChart, CycleRow

SERIOUS_GRADE = 3


@dataclass(frozen=True)
class Cell:
    """A state in a word; ``status`` is a key of the stylesheet, blank where nothing is asked for."""

    word: str
    status: str = ""
    url: str = ""


@dataclass(frozen=True)
class Line:
    """One cycle, or what comes before the first one."""

    name: str
    on: date | None
    dose: Cell
    labs: Cell
    imaging: Cell
    toxicity: Cell


_NOTHING = Cell("")


def matrix_of(
    user: User,
    chart: "CourseChart",
    patient: Patient,
    graded: Sequence[Graded],
    events: Sequence[AdverseEvent],
) -> list[Line]:
    """Return a line for the baseline and one for each cycle that is not left out. No query.

    An act that ``user`` may not perform is led to by no word.
    """
    may_treat = user.may(Act.EDIT_TREATMENTS, patient.centre_id)
    may_image = user.may(Act.EDIT_IMAGING, patient.centre_id)
    lines = [Line(_("Before"), None, _NOTHING, _NOTHING, _baseline(chart, patient, may_image), _NOTHING)]
    rows = [row for row in chart.cycles if row.cycle.status != CycleStatus.CANCELLED]
    for index, row in enumerate(rows):
        following = next((one.given_on for one in rows[index + 1 :] if one.given_on is not None), None)
        lines.append(
            Line(
                name=_("Cycle {number}").format(number=row.cycle.number),
                on=row.given_on or row.cycle.planned_on,
                dose=_dose(row, patient, may_treat),
                labs=_labs(chart, row, patient, graded, may_treat),
                imaging=_imaging(chart, row, patient, may_image),
                toxicity=_toxicity(row, following or chart.today, patient, graded, events),
            )
        )
    return lines


def _dose(row: "CycleRow", patient: Patient, may_treat: bool) -> Cell:
    if row.administration is not None:
        gbq = f"{number(row.administration.administered_activity_mbq / 1000, 1)}{NBSP}GBq"
        if row.is_flagged:
            gbq = _("{gbq}, past ±{percent}").format(gbq=gbq, percent=f"20{NBSP}%")
        return Cell(gbq, "given")
    if not row.is_to_come:
        return Cell(_("not given"), "cancelled")
    name = "cycle-resume" if row.cycle.status == CycleStatus.HELD else "cycle-administer"
    url = reverse(name, args=[patient.pk, row.cycle.pk]) if may_treat and row.may_be_given else ""
    return Cell(state_within(row.state_word), row.state, url)


def _labs(
    chart: "CourseChart", row: "CycleRow", patient: Patient, graded: Sequence[Graded], may_treat: bool
) -> Cell:
    protocol = chart.course.protocol
    on = row.given_on or row.cycle.planned_on
    if not protocol.labs_before_cycle or on is None or (row.administration is None and not row.is_to_come):
        return _NOTHING
    if row.administration is None:
        on = max(on, chart.today)
        if not row.may_be_given or on - chart.today > timedelta(days=protocol.labs_within_days):
            return Cell(_("not yet"))
    lacking = lacking_labs(
        required=protocol.labs_before_cycle,
        latest_on={one.result.analyte: one.on for one in graded if one.on <= on},
        within_days=protocol.labs_within_days,
        on=on,
        words=LAB_WORDS,
    )
    if not lacking:
        return Cell(
            pgettext("laboratory values", "complete"), "done", reverse("laboratory", args=[patient.pk])
        )
    name = "laboratory-enter" if may_treat else "laboratory"
    word = ngettext("{n} missing", "{n} missing", len(lacking)).format(n=len(lacking))
    return Cell(word, "labs", reverse(name, args=[patient.pk]))


def _baseline(chart: "CourseChart", patient: Patient, may_image: bool) -> Cell:
    page = reverse("imaging", args=[patient.pk, chart.course.number])
    if any(row.is_baseline for row in chart.studies):
        return Cell(_("baseline made"), "done", page)
    new = reverse("record-new", args=[patient.pk, "study"])
    act = f"{new}?course={chart.course.number}&timepoint={Timepoint.BASELINE}"
    return Cell(_("no baseline"), "baseline", act if may_image else page)


def _imaging(chart: "CourseChart", row: "CycleRow", patient: Patient, may_image: bool) -> Cell:
    asked = next((one for one in chart.plan.imaging if one.after_cycle == row.cycle.number), None)
    if asked is None:
        return _NOTHING
    later = [
        study
        for study in chart.studies
        if not study.is_baseline and row.given_on is not None and study.study.performed_on >= row.given_on
    ]
    page = reverse("imaging", args=[patient.pk, chart.course.number])
    if later:
        reading = later[0].reading
        if reading is None:
            return Cell(_("to be read"), "reading", page)
        return Cell(state_within(reading.get_overall_response_display()), reading.overall_response, page)
    if row.administration is None:
        return Cell(_("not yet") if row.is_to_come else "")
    new = f"{reverse('record-new', args=[patient.pk, 'study'])}?course={chart.course.number}"
    word = pgettext("study", "due")
    if not chart.is_over and asked.by_on is not None:
        word = _("due by {day}").format(day=day(asked.by_on))
    return Cell(word, "imaging", new if may_image else page)


def _toxicity(
    row: "CycleRow", until: date, patient: Patient, graded: Sequence[Graded], events: Sequence[AdverseEvent]
) -> Cell:
    """Return the worst grade from the day after the administration to the next one, or to today."""
    given_on = row.given_on
    if given_on is None:
        return _NOTHING
    grades = [one.grade for one in graded if one.grade is not None and given_on < one.on <= until]
    grades += [event.grade for event in events if given_on <= event.onset_on <= until]
    page = reverse("patient-events", args=[patient.pk])
    worst = max(grades, default=None)
    if worst is None:
        return Cell(_("nothing recorded"), "", page)
    if worst == 0:
        return Cell(pgettext("toxicity", "none"), "done", page)
    return Cell(
        _("grade {grade}").format(grade=worst), "toxicity" if worst >= SERIOUS_GRADE else "upcoming", page
    )
