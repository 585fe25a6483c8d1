"""A patient's course along the days: what happened, on tracks, drawn between two days; and the same as rows of a table."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from clinic.charts.numbers import plain
from clinic.selectors.chart import CourseChart, PatientChart
from clinic.selectors.words import state_within
from languages.wording import Words, gettext_noop, number, within
from patients.models import DiseaseEventKind
from treatments.models import CycleStatus
from treatments.rules.labs import ANALYTES, with_unit
from treatments.rules.words import NBSP

TRACKS = Words(
    {
        "disease": gettext_noop("Disease"),
        "treatment": gettext_noop("Treatment"),
        "imaging": gettext_noop("PET/CT"),
        "labs": gettext_noop("Laboratory"),
        "events": gettext_noop("Adverse events"),
    }
)
LAB_GRADE = 2  # from which a value is shown
# Units of the drawing; its text is 12 of them high.
WIDTH, GUTTER, RIGHT, ROW, TOP, LETTER = 1160, 112, 16, 22, 26, 6.4
MARK = 14  # what a mark takes up before its label
LEAST_DAYS = 14
MOST_ROWS = {"labs": 3}  # of a track that says the same over and over; further marks have no label
MARGIN = 0.02  # of the days shown, on both sides
# Where nothing has been recorded since, the drawing ends so many days after the last record and not today.
QUIET_DAYS = 90


@dataclass(frozen=True)
class Mark:
    """Something that happened on a day or lasted from ``on`` to ``until``.

    Attributes:
        kind: a key of the stylesheet, for shape and colour.
        label: a word or two beside the mark.
        words: what it is, in full.
        is_open: it had not ended.
    """

    on: date
    track: str
    kind: str
    label: str
    words: str
    until: date | None = None
    is_open: bool = False

    @property
    def track_name(self) -> str:
        return TRACKS[self.track]


@dataclass(frozen=True)
class Drawn:
    """A mark in its place, in units of the drawing: ``width`` of a span, 0 of a point; ``is_late``: label before it."""

    mark: Mark
    label: str
    x: int
    y: int
    width: int
    is_late: bool = False

    @property
    def text_x(self) -> int:
        return self.x - 9 if self.is_late else self.x + max(self.width, 7) + 5

    @property
    def text_y(self) -> int:
        return self.y + 4


@dataclass
class Track:
    name: str
    y: int
    height: int
    marks: list[Drawn] = field(default_factory=list)

    @property
    def text_y(self) -> int:
        return self.y + 15


@dataclass(frozen=True)
class Tick:
    x: int
    label: str
    is_today: bool = False


@dataclass
class Timeline:
    """What is drawn between ``first`` and ``last``, and every mark in the order of days.

    Attributes:
        outside: marks that lie outside of these days.
        zooms: words of each way to look at other days, with the days.
    """

    first: date
    last: date
    marks: list[Mark]
    tracks: list[Track]
    ticks: list[Tick]
    height: int
    outside: int
    zooms: list[tuple[str, date, date]]
    width: int = WIDTH
    line_x: int = GUTTER


def marks_of(chart: PatientChart) -> list[Mark]:
    """Return what is recorded of the patient as marks, in the order of days. No query."""
    found = [*_disease(chart), *_events(chart), *_labs(chart)]
    for course in chart.courses:
        found += _treatment(chart, course)
    for course_studies in (*(course.studies for course in chart.courses), chart.other_studies):
        for row in course_studies:
            reading = row.reading
            response = reading.overall_response if reading is not None else ""
            words = f"{row.study.get_timepoint_display()} {row.study.get_modality_display()}"
            said = (
                f": {state_within(reading.get_overall_response_display())}"
                if reading is not None and response
                else ""
            )
            label = response.replace("NON_CR_NON_PD", "non-CR/non-PD") or row.study.get_timepoint_display()
            found.append(Mark(row.study.performed_on, "imaging", response or "study", label, words + said))
    return sorted(found, key=lambda mark: (mark.on, list(TRACKS).index(mark.track)))


def _disease(chart: PatientChart) -> Iterator[Mark]:
    if chart.diagnosis is not None and chart.diagnosis.diagnosed_on is not None:
        yield Mark(
            chart.diagnosis.diagnosed_on,
            "disease",
            "diagnosis",
            _("Diagnosis"),
            _("Diagnosis: {diagnosis}").format(diagnosis=chart.diagnosis),
        )
    for therapy in chart.prior_therapies:
        on = therapy.started_on or therapy.ended_on
        if on is not None:
            said = f"{therapy.get_kind_display()}{f', {therapy.agent}' if therapy.agent else ''}"
            words = _("Prior therapy: {therapy}").format(therapy=said)
            label = therapy.agent or therapy.get_kind_display()
            until = therapy.ended_on if therapy.ended_on != on else None
            yield Mark(on, "disease", "therapy", label, words, until)
    for event in chart.events:
        is_progression = event.kind == DiseaseEventKind.CLINICAL_PROGRESSION
        kind, label = ("progression", _("Progression")) if is_progression else ("therapy", _("New therapy"))
        words = event.get_kind_display() + (f": {event.note}" if event.note else "")
        yield Mark(event.occurred_on, "disease", kind, label, words)
    if chart.death is not None:
        cause = within(chart.death.get_cause_display())
        yield Mark(
            chart.death.died_on,
            "disease",
            "died",
            pgettext("patient", "Died"),
            _("Died of: {cause}").format(cause=cause),
        )


def _treatment(chart: PatientChart, course: CourseChart) -> Iterator[Mark]:
    several = f"{course.course.number}·" if len(chart.courses) > 1 else ""
    for row in course.cycles:
        name = several + _("C{number}").format(number=row.cycle.number)
        named = {"number": row.cycle.number, "course": course.course.number}
        if row.administration is not None and row.given_on is not None:
            mbq = row.administration.administered_activity_mbq
            gbq = f"{number(mbq / 1000, 1)}{NBSP}GBq"
            words = _("Cycle {number} of course {course} given, {gbq} net").format(gbq=gbq, **named)
            yield Mark(row.given_on, "treatment", "given", f"{name} {gbq}", words)
        elif row.is_to_come and row.cycle.planned_on is not None:
            if row.cycle.status == CycleStatus.HELD:
                kind, state = "held", pgettext("cycle", "on hold")
                words = _("Cycle {number} of course {course} on hold").format(**named)
            else:
                kind, state = "planned", pgettext("cycle", "planned")
                words = _("Cycle {number} of course {course} planned").format(**named)
            yield Mark(row.cycle.planned_on, "treatment", kind, f"{name} {state}", words)
        for hold in (*row.holds, *([row.hold] if row.hold is not None else [])):
            until = hold.resumed_on or chart.today
            said = _("Cycle {number} held: {reason}").format(
                number=row.cycle.number, reason=within(hold.get_reason_display())
            )
            yield Mark(
                hold.held_on, "treatment", "hold", _("Hold"), said, max(until, hold.held_on), hold.is_open
            )
    if course.discontinuation is not None:
        reason = within(course.discontinuation.get_main_reason_display())
        yield Mark(
            course.discontinuation.discontinued_on,
            "treatment",
            "discontinued",
            _("Discontinued"),
            _("Course {number} discontinued: {reason}").format(number=course.course.number, reason=reason),
        )


def _events(chart: PatientChart) -> Iterator[Mark]:
    end = chart.death.died_on if chart.death is not None else chart.today
    for event in chart.adverse_events:
        until = event.resolved_on or max(end, event.onset_on)
        said = (
            _("{term}, grade {grade}, resolved")
            if event.resolved_on
            else _("{term}, grade {grade}, not resolved")
        )
        yield Mark(
            event.onset_on,
            "events",
            f"grade-{event.grade}",
            f"{event.term} G{event.grade}",
            said.format(term=event.term, grade=event.grade),
            until,
            event.resolved_on is None,
        )


def _labs(chart: PatientChart) -> Iterator[Mark]:
    """Yield the worst graded value of each day, with the others of the day in its words."""
    by_day: dict[date, list[tuple[int, str, str]]] = {}
    for one in chart.graded:
        if one.grade is not None and one.grade >= LAB_GRADE:
            analyte = ANALYTES[one.result.analyte]
            label = _(analyte.label)
            words = _("{analyte} {value}, grade {grade}").format(
                analyte=label, value=with_unit(plain(one.result.value), analyte.unit), grade=one.grade
            )
            by_day.setdefault(one.on, []).append((one.grade, f"{label} G{one.grade}", words))
    for on, values in by_day.items():
        values.sort(reverse=True)
        grade, label = values[0][:2]
        yield Mark(on, "labs", f"grade-{grade}", label, "; ".join(capfirst(one[2]) for one in values))


def timeline(chart: PatientChart, *, first: date | None = None, last: date | None = None) -> Timeline:
    """Return the drawing from ``first`` to ``last``; where they are not given, of all that is recorded.

    It reaches to today, or to the death, or to three months after the last record.
    """
    marks = marks_of(chart)
    end = chart.death.died_on if chart.death is not None else chart.today
    begins = min((mark.on for mark in marks), default=end - timedelta(days=365))
    # What had not ended says nothing of when there was news.
    recorded = [mark.until if mark.until and not mark.is_open else mark.on for mark in marks]
    newest = max(recorded, default=end)
    ends = max(newest, min(end, newest + timedelta(days=QUIET_DAYS)))
    shown_first, shown_last = first or begins, last or ends
    if (shown_last - shown_first).days < LEAST_DAYS:
        shown_last = shown_first + timedelta(days=LEAST_DAYS)
    drawn = _draw(marks, shown_first, shown_last, chart.today)
    drawn.zooms = _zooms(chart, shown_first, shown_last, (begins, ends), end)
    return drawn


def _zooms(
    chart: PatientChart, first: date, last: date, recorded: tuple[date, date], end: date
) -> list[tuple[str, date, date]]:
    days = (last - first).days
    quarter = timedelta(days=max(days // 4, 1))
    zooms = [(_("All that is recorded"), *recorded)]
    if recorded[1] < end:
        zooms.append((_("Up to today") if chart.death is None else _("Up to death"), recorded[0], end))
    for course in chart.courses:
        given = [row.given_on or row.cycle.planned_on for row in course.cycles]
        of_course = [on for on in given if on is not None]
        if of_course:
            margin = timedelta(days=60)
            name = _("Course {number}").format(number=course.course.number)
            zooms.append((name, min(of_course) - margin, max(of_course) + margin))
    if days > 2 * LEAST_DAYS:
        zooms.append((pgettext("timeline", "Closer"), first + quarter, last - quarter))
    zooms += [
        (pgettext("timeline", "Wider"), first - 2 * quarter, last + 2 * quarter),
        (pgettext("timeline", "Earlier"), first - 2 * quarter, last - 2 * quarter),
        (pgettext("timeline", "Later"), first + 2 * quarter, last + 2 * quarter),
    ]
    return zooms


def _draw(marks: Sequence[Mark], first: date, last: date, today: date) -> Timeline:
    days = (last - first).days
    per_day = (WIDTH - GUTTER - RIGHT) / (days * (1 + 2 * MARGIN))

    def x_of(day: date) -> int:
        return round(GUTTER + ((day - first).days + days * MARGIN) * per_day)

    inside = [mark for mark in marks if mark.on <= last and (mark.until or mark.on) >= first]
    tracks, y = [], TOP
    for key, name in TRACKS.items():
        of_track = [mark for mark in inside if mark.track == key]
        track = Track(name, y, 0)
        ends: list[float] = []  # where each row is free again
        for mark in of_track:
            x, to = x_of(max(mark.on, first)), x_of(min(mark.until or mark.on, last))
            letters = len(mark.label) * LETTER + 8
            is_late = to + MARK + letters > WIDTH  # its label would leave the drawing
            begin = x - letters if is_late else x - MARK / 2
            row = next((i for i, free in enumerate(ends) if free <= begin), len(ends))
            label = mark.label
            if row >= MOST_ROWS.get(key, row + 1):
                row, label = ends.index(min(ends)), ""
            ends[row : row + 1] = [max(to, x + MARK) + (0 if is_late else letters)]
            track.marks.append(Drawn(mark, label, x, y + row * ROW + ROW // 2, to - x, is_late))
        track.height = max(len(ends), 1) * ROW
        y += track.height + 6
        tracks.append(track)
    return Timeline(
        first=first,
        last=last,
        marks=list(marks),
        tracks=tracks,
        ticks=list(_ticks(first, last, today, x_of)),
        height=y + 4,
        outside=len(marks) - len(inside),
        zooms=[],
    )


def _ticks(first: date, last: date, today: date, x_of: Callable[[date], int]) -> Iterator[Tick]:
    """Yield the beginnings of months or years, as many as can be read, and today."""
    months = max((last - first).days / 30.4375, 1)
    step = next((step for step in (1, 2, 3, 6, 12, 24, 60, 120) if months / step <= 12), 240)
    month = first.replace(day=1)
    months_written = pgettext("month on an axis (strftime)", "%Y-%m")
    while month <= last:
        number = month.year * 12 + month.month - 1
        if number % step == 0 and month >= first:
            yield Tick(x_of(month), f"{month:%Y}" if step >= 12 else month.strftime(months_written))
        month = (month + timedelta(days=32)).replace(day=1)
    if first <= today <= last:
        yield Tick(x_of(today), _("today"), is_today=True)
