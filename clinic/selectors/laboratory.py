"""One patient's laboratory values as they are read: a table of analytes by days, kidney function, and series to draw."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

from django.utils.translation import gettext as _

from clinic.charts.laboratory import CycleMark, Point, Series
from clinic.charts.numbers import plain
from languages.wording import Words, gettext_noop
from patients.models import Patient
from treatments.models import Administration, LabResult
from treatments.rules import ctcae
from treatments.rules.labs import ANALYTES, Analyte, with_unit
from treatments.rules.toxicity import (
    RECOVERED_GRADE_WITHOUT_BASELINE,
    CycleToxicity,
    Direction,
    Summary,
    direction_of,
    summarise,
)
from treatments.rules.toxicity import Point as ToxicityPoint
from treatments.rules.words import NBSP
from treatments.selectors.laboratory import (
    Graded,
    KidneyFunction,
    Limits,
    Ranges,
    grade_results,
    kidney_functions,
    weights,
)

DAYS_SHOWN = 8
CLEARANCE, FILTRATION = "creatinine-clearance", "egfr"
# Kidney functions that can be drawn like an analyte: name and unit.
KIDNEY_SERIES = {
    CLEARANCE: (gettext_noop("Creatinine clearance (Cockcroft–Gault)"), "mL/min"),
    FILTRATION: (gettext_noop("eGFR (CKD-EPI 2021)"), "mL/min/1.73 m²"),
}
# Drawn on the page without being asked for; of neutrophils and leucocytes the former where there are any.
ALWAYS_DRAWN = ("platelets", "haemoglobin", "neutrophils", "leucocytes", "lymphocytes", CLEARANCE)


def limits_words(limits: Limits) -> str:
    """Return ``150 to 400``, ``from 150``, ``up to 400``; blank where there are none."""
    if limits.lower is not None and limits.upper is not None:
        return _("{lower} to {upper}").format(lower=plain(limits.lower), upper=plain(limits.upper))
    if limits.lower is not None:
        return _("from {lower}").format(lower=plain(limits.lower))
    return _("up to {upper}").format(upper=plain(limits.upper)) if limits.upper is not None else ""


@dataclass(frozen=True)
class GivenCycle:
    """A cycle that was given, as it stands between the days of samples."""

    course: int
    number: int
    on: date
    of_several: bool

    @property
    def short(self) -> str:
        short = _("C{number}").format(number=self.number)
        return short if not self.of_several else f"{self.course}·{short}"

    @property
    def words(self) -> str:
        said = _("Cycle {number} of course {course}") if self.of_several else _("Cycle {number}")
        return said.format(number=self.number, course=self.course)


@dataclass(frozen=True)
class Shown:
    """One value in a cell."""

    graded: Graded
    at: datetime
    with_time: bool

    @property
    def result(self) -> LabResult:
        return self.graded.result

    @property
    def value(self) -> str:
        return plain(self.result.value)

    @property
    def written(self) -> str:
        """What was written where that is not what is shown, as ``12.4 g/dL``."""
        unit = ANALYTES[self.result.analyte].unit
        if not self.result.original_unit or self.result.original_unit == unit:
            return ""
        return with_unit(self.result.original_value, self.result.original_unit)


@dataclass(frozen=True)
class Column:
    """A day of samples or, between them, a cycle that was given."""

    on: date
    cycle: GivenCycle | None = None


@dataclass(frozen=True)
class TableCell:
    column: Column
    shown: Sequence[Shown] = ()


@dataclass(frozen=True)
class TableRow:
    """An analyte over the days shown, and its limits of normal as they hold now."""

    analyte: Analyte
    unit: str
    cells: Sequence[TableCell]
    limits_words: str


@dataclass(frozen=True)
class KidneyCell:
    column: Column
    found: KidneyFunction | None = None

    @property
    def clearance(self) -> str:
        value = self.found.cockcroft_gault_ml_min if self.found else None
        return plain(value, 0) if value is not None else ""

    @property
    def weight(self) -> str:
        return plain(self.found.weight_kg, 1) if self.found and self.found.weight_kg is not None else ""

    @property
    def filtration(self) -> str:
        value = self.found.ckd_epi_ml_min_1_73m2 if self.found else None
        return plain(value, 0) if value is not None else ""


@dataclass(frozen=True)
class UsedLimits:
    """The limits that values of one analyte were read with, and for how many of those shown."""

    label: str
    words: str
    source: str
    days: Sequence[date]


@dataclass(frozen=True)
class ToxicityCell:
    """The worst of one analyte after one cycle."""

    cycle: GivenCycle
    found: CycleToxicity
    back_to: int

    @property
    def value(self) -> str:
        return plain(self.found.extreme) if self.found.extreme is not None else ""

    @property
    def has_not_recovered(self) -> bool:
        worst = self.found.worst_grade
        return worst is not None and worst > self.back_to and self.found.recovery_on is None


@dataclass(frozen=True)
class ToxicityRow:
    """One analyte over a course."""

    label: str
    unit: str
    direction: Direction
    summary: Summary
    cells: Sequence[ToxicityCell]

    @property
    def baseline(self) -> str:
        return plain(self.summary.baseline.value) if self.summary.baseline is not None else ""

    @property
    def extreme(self) -> str:
        return plain(self.summary.extreme) if self.summary.extreme is not None else ""


@dataclass(frozen=True)
class CourseToxicity:
    """The laboratory toxicity of one course; ``problem`` says why it could not be summed up."""

    number: int
    cycles: Sequence[GivenCycle]
    rows: Sequence[ToxicityRow]
    problem: str = ""


@dataclass
class LaboratoryPage:
    """The page of one patient.

    Attributes:
        older, newer: the day to ask for with ``?before=``; None: there are none. ``newer`` may be "" for the last page.
        ungraded: why grades cannot be told, each reason once.
        drawn: codes of what is drawn; ``offered``: codes and names of what may be.
    """

    patient: Patient
    columns: list[Column] = field(default_factory=list)
    rows: list[TableRow] = field(default_factory=list)
    kidney: list[KidneyCell] = field(default_factory=list)
    kidney_reasons: list[str] = field(default_factory=list)
    cycles: list[GivenCycle] = field(default_factory=list)
    used_limits: list[UsedLimits] = field(default_factory=list)
    ungraded: list[str] = field(default_factory=list)
    older: date | None = None
    newer: str | None = None
    n_days: int = 0
    n_values: int = 0
    series: dict[str, Series] = field(default_factory=dict)
    toxicity: list[CourseToxicity] = field(default_factory=list)

    @property
    def n_days_shown(self) -> int:
        return sum(column.cycle is None for column in self.columns)


@dataclass
class Facts:
    """Everything recorded that the pages and figures of one patient's laboratory values rest on."""

    patient: Patient
    graded: list[Graded]
    kidney: list[KidneyFunction]
    cycles: list[GivenCycle]
    ranges: Ranges


def facts_of(patient: Patient) -> Facts:
    """Return a patient's laboratory values with what they are read by. Four queries for any number of values."""
    zone = patient.centre.zone
    results = list(LabResult.objects.current().filter(patient=patient).order_by("taken_at", "analyte"))
    given = sorted(
        Administration.objects.current()
        .filter(cycle__voided_at=None, cycle__course__voided_at=None, cycle__course__patient=patient)
        .values_list("cycle__course__number", "cycle__number", "administered_at")
    )
    days = [(course, number, at.astimezone(zone).date()) for course, number, at in given]
    of_several = len({one[0] for one in days}) > 1
    starts = sorted(min(on for of, _n, on in days if of == course) for course in {one[0] for one in days})
    ranges = Ranges.of_centre(patient.centre_id)
    return Facts(
        patient=patient,
        graded=grade_results(results, patient, ranges, starts),
        kidney=kidney_functions(patient, results, weights(patient, results)),
        cycles=sorted(
            (GivenCycle(course, number, on, of_several) for course, number, on in days),
            key=lambda cycle: (cycle.on, cycle.course, cycle.number),
        ),
        ranges=ranges,
    )


def laboratory_page(
    facts: Facts, *, today: date, before: date | None = None, asked: Collection[str] = ()
) -> LaboratoryPage:
    """Return the page: the last ``DAYS_SHOWN`` days with samples, or those before a day.

    Args:
        asked: codes of series to draw beyond those that always are.
    """
    patient = facts.patient
    page = LaboratoryPage(patient, cycles=facts.cycles, n_values=len(facts.graded))
    days = sorted({graded.on for graded in facts.graded})
    page.n_days = len(days)
    end = bisect_left(days, before) if before is not None else len(days)
    start = max(0, end - DAYS_SHOWN)
    shown_days = days[start:end]
    if start > 0:
        page.older = days[start]
    if end < len(days):
        following = end + DAYS_SHOWN
        page.newer = days[following].isoformat() if following < len(days) else ""
    page.columns = _columns(facts.cycles, days, start, end)
    page.rows = _rows(facts, page.columns, set(shown_days), today)
    by_day: dict[date, KidneyFunction] = {found.on: found for found in facts.kidney}
    if any(day in by_day for day in shown_days):
        page.kidney = [
            KidneyCell(column, by_day.get(column.on) if column.cycle is None else None)
            for column in page.columns
        ]
        page.kidney_reasons = sorted({by_day[day].reason for day in shown_days if day in by_day} - {""})
    page.used_limits = _used_limits(facts.graded, set(shown_days))
    page.ungraded = sorted(
        {
            graded.reason
            for graded in facts.graded
            if graded.grade is None and graded.result.analyte in ctcae.TERMS_OF_ANALYTES
        }
    )
    page.series = _series_drawn(facts, asked)
    page.toxicity = _toxicity(facts)
    return page


def _columns(cycles: Sequence[GivenCycle], days: Sequence[date], start: int, end: int) -> list[Column]:
    """Return the days from ``start`` to ``end`` with the cycles that belong between them, oldest first.

    A sample of the day of a cycle was taken before it. A cycle before the first sample of all, and one after the last, stand
    at that end.
    """
    columns = [Column(on) for on in days[start:end]]
    for cycle in cycles:
        at = bisect_right(days, cycle.on)
        if (start < at <= end) or (at == start == 0):
            columns.append(Column(cycle.on, cycle))
    return sorted(columns, key=lambda column: (column.on, column.cycle is not None))


def _rows(facts: Facts, columns: Sequence[Column], shown_days: set[date], today: date) -> list[TableRow]:
    patient, zone = facts.patient, facts.patient.centre.zone
    cells: dict[str, dict[date, list[Graded]]] = defaultdict(lambda: defaultdict(list))
    for graded in facts.graded:
        if graded.on in shown_days:
            cells[graded.result.analyte][graded.on].append(graded)
    rows = []
    for code, analyte in ANALYTES.items():
        if code not in cells:  # not measured on these days
            continue
        now = facts.ranges.at(centre_id=patient.centre_id, analyte=code, sex=patient.sex, on=today)
        rows.append(
            TableRow(
                analyte=analyte,
                unit=with_unit("", analyte.unit).strip(),
                cells=[
                    TableCell(
                        column,
                        [
                            Shown(
                                graded,
                                graded.result.taken_at.astimezone(zone),
                                with_time=len(cells[code][column.on]) > 1,
                            )
                            for graded in cells[code][column.on]
                        ]
                        if column.cycle is None
                        else [],
                    )
                    for column in columns
                ],
                limits_words=limits_words(now),
            )
        )
    return rows


SOURCES = Words(
    {
        "result": gettext_noop("of the laboratory, sent with the value"),
        "centre": gettext_noop("of the centre"),
    }
)


def _used_limits(graded: Sequence[Graded], shown_days: set[date]) -> list[UsedLimits]:
    """Return which limits the shown values were read with, one entry for each kind of limits of each analyte."""
    found: dict[tuple[str, Limits], list[date]] = defaultdict(list)
    for one in graded:
        if one.on in shown_days and one.limits.source:
            found[one.result.analyte, one.limits].append(one.on)
    order = list(ANALYTES)
    return [
        UsedLimits(
            label=_(ANALYTES[code].label),
            words=with_unit(limits_words(limits), ANALYTES[code].unit).replace(" ×", f"{NBSP}×"),
            source=SOURCES[limits.source],
            days=sorted(set(on)),
        )
        for (code, limits), on in sorted(
            found.items(), key=lambda item: (order.index(item[0][0]), item[1][0])
        )
    ]


# Which way an analyte with a CTCAE term gets worse.
def _toxicity(facts: Facts) -> list[CourseToxicity]:
    """Return the summary of each course with cycles given, newest first.

    What was measured after the first cycle of the next course belongs to that one.
    """
    points: dict[str, list[ToxicityPoint]] = defaultdict(list)
    for graded in facts.graded:
        points[graded.result.analyte].append(ToxicityPoint(graded.on, graded.result.value, graded.grade))
    kinds = [(code, _(ANALYTES[code].label), ANALYTES[code].unit) for code in ctcae.TERMS_OF_ANALYTES]
    for found in facts.kidney:
        if found.cockcroft_gault_ml_min is not None:
            rounded = found.cockcroft_gault_ml_min.quantize(Decimal(1), ROUND_HALF_UP)
            points[CLEARANCE].append(ToxicityPoint(found.on, rounded, None))
    kinds.append((CLEARANCE, _("Creatinine clearance"), "mL/min"))

    courses: list[CourseToxicity] = []
    ends_on = None
    for number in sorted({cycle.course for cycle in facts.cycles}, reverse=True):
        cycles = [cycle for cycle in facts.cycles if cycle.course == number]
        rows, problem = [], ""
        for code, label, unit in kinds:
            direction = "low" if code == CLEARANCE else direction_of(code)
            try:
                summary = summarise(
                    points[code],
                    given_on=[cycle.on for cycle in cycles],
                    direction=direction,
                    ends_on=ends_on,
                )
            except ValueError as error:
                problem = str(error)
                break
            if summary.extreme is None:
                continue
            base = summary.baseline.grade if summary.baseline is not None else None
            back_to = RECOVERED_GRADE_WITHOUT_BASELINE if base is None else base
            rows.append(
                ToxicityRow(
                    label=label,
                    unit=with_unit("", unit).strip(),
                    direction=direction,
                    summary=summary,
                    cells=[
                        ToxicityCell(cycle, of_cycle, back_to)
                        for cycle, of_cycle in zip(cycles, summary.per_cycle, strict=True)
                    ],
                )
            )
        if rows or problem:
            courses.append(CourseToxicity(number, cycles, rows if not problem else [], problem))
        ends_on = cycles[0].on
    return courses


def series_codes() -> list[str]:
    return [*ANALYTES, *KIDNEY_SERIES]


def series_name(code: str) -> str:
    return _(KIDNEY_SERIES[code][0] if code in KIDNEY_SERIES else ANALYTES[code].label)


def _series_drawn(facts: Facts, asked: Collection[str]) -> dict[str, Series]:
    """Return every series that has values, by code; ``is_drawn`` says whether the page shows it."""
    codes = _codes_with_values(facts)
    always = set(ALWAYS_DRAWN)
    if "neutrophils" in codes:
        always.discard("leucocytes")
    return {code: series_of(facts, code, is_drawn=code in always or code in asked) for code in codes}


def _codes_with_values(facts: Facts) -> list[str]:
    known = {graded.result.analyte for graded in facts.graded}
    if any(found.cockcroft_gault_ml_min is not None for found in facts.kidney):
        known.add(CLEARANCE)
    if any(found.ckd_epi_ml_min_1_73m2 is not None for found in facts.kidney):
        known.add(FILTRATION)
    return [code for code in [*ALWAYS_DRAWN, *series_codes()] if code in known] if known else []


def series_of(facts: Facts, code: str, *, is_drawn: bool = True) -> Series:
    """Return the values of an analyte or a kidney function over time, with the cycles and the grade bands."""
    zone = facts.patient.centre.zone
    marks = [CycleMark(cycle.on, cycle.short, cycle.words) for cycle in facts.cycles]
    if code in KIDNEY_SERIES:
        name, unit = KIDNEY_SERIES[code]
        points = []
        for found in facts.kidney:
            value = found.cockcroft_gault_ml_min if code == CLEARANCE else found.ckd_epi_ml_min_1_73m2
            if value is not None:
                midnight = datetime(found.on.year, found.on.month, found.on.day, tzinfo=zone)
                points.append(Point(midnight, value.quantize(Decimal("0.1"), ROUND_HALF_UP), None))
        return Series(code, _(name), unit, points, marks, None, None, None, is_drawn=is_drawn)
    analyte = ANALYTES[code]
    of_code = [graded for graded in facts.graded if graded.result.analyte == code]
    points = [
        Point(
            graded.result.taken_at.astimezone(zone),
            graded.result.value,
            graded.grade,
            lower_limit=graded.limits.lower,
            upper_limit=graded.limits.upper,
            written=with_unit(graded.result.original_value, graded.result.original_unit)
            if graded.result.original_unit
            else graded.result.original_value,
        )
        for graded in of_code
    ]
    newest = of_code[-1] if of_code else None
    scale = None
    if newest is not None:
        scale = ctcae.scale_of(
            code,
            lower_limit=newest.limits.lower,
            upper_limit=newest.limits.upper,
            baseline=newest.baseline,
        )
    return Series(
        code,
        _(analyte.label),
        analyte.unit,
        points,
        marks,
        scale,
        newest.limits.lower if newest else None,
        newest.limits.upper if newest else None,
        is_drawn=is_drawn,
    )


def usual_units(patient: Patient) -> dict[str, str]:
    """Return the unit in which each analyte was last written for this patient. One query."""
    last = (
        LabResult.objects.current()
        .filter(patient=patient)
        .order_by("analyte", "-taken_at")
        .distinct("analyte")
    )
    return dict(last.values_list("analyte", "original_unit"))


def stored_alike(patient: Patient, moments: Mapping[tuple[str, datetime], int]) -> dict[int, LabResult]:
    """Return the stored values of the same analyte and moment, by where they stand among the new ones. One query."""
    if not moments:
        return {}
    stored = LabResult.objects.current().filter(
        patient=patient,
        analyte__in={analyte for analyte, _ in moments},
        taken_at__in={moment for _, moment in moments},
    )
    return {
        moments[result.analyte, result.taken_at]: result
        for result in stored
        if (result.analyte, result.taken_at) in moments
    }


def with_unit_of(result: LabResult) -> str:
    """Return a stored value with its unit, such as ``92 ×10⁹/L``."""
    return with_unit(plain(result.value), ANALYTES[result.analyte].unit)
