"""Courses as the figures draw them, in the words and numbers that all figures share."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from analytics.charts.numbers import DAYS_PER_MONTH, RESPONSES, counted, localised, whole
from languages.wording import Words, day, gettext_noop
from languages.wording import gettext as _

RESPONSE_LINE, PROGRESSION_LINE = Decimal(-30), Decimal(20)

NO_ASSESSMENT = ""
WORDS: Words[str] = Words({**RESPONSES.english, NO_ASSESSMENT: gettext_noop("No assessment")})
CODES = {code: code for code in RESPONSES} | {"NON_CR_NON_PD": "NN", NO_ASSESSMENT: "–"}
_TENTH = Decimal("0.1")


@dataclass(frozen=True)
class ResponsePoint:
    """One study after the baseline, or the baseline itself, on ``day`` from the first administration.

    Attributes:
        sum_mm, change_percent: of the diameters, and its change from baseline; None where it is incomplete or there is none.
        response: a code of ``RESPONSES``; blank at baseline.
    """

    day: int
    on: date
    sum_mm: Decimal | None
    change_percent: Decimal | None
    response: str


@dataclass(frozen=True)
class CourseLine:
    """One course as the figures draw it; every day is counted from the first administration.

    Attributes:
        label: registry number, with the number of the course from the second on.
        href: address of the patient's chart; blank: no link.
        best_response: a code of ``RESPONSES``; blank: no assessment counts.
        best_change_percent: the least change from baseline that counts; None without a comparable sum.
        points: by day, nothing after the first progression or the cut-off.
        last_day: until when the patient was known to be alive, or the day of death.
        progressed_day, died_day: None where it did not happen by the cut-off.
        is_ongoing: alive and without progression when last known.
    """

    label: str
    href: str
    best_response: str
    best_change_percent: Decimal | None
    points: tuple[ResponsePoint, ...]
    cycle_days: tuple[int, ...]
    last_day: int
    progressed_day: int | None = None
    died_day: int | None = None
    is_ongoing: bool = False

    @property
    def best_point(self) -> ResponsePoint | None:
        """The first study that showed the best change."""
        return next(
            (
                point
                for point in self.points
                if point.response and point.change_percent == self.best_change_percent is not None
            ),
            None,
        )


@dataclass(frozen=True)
class About:
    """What a figure says of where its courses come from.

    Attributes:
        cutoff: ISO date; ``until`` as the reader writes it.
        n_courses: courses that there are, where only some are given to the figure; None: all are.
    """

    name: str
    cutoff: str
    synthetic: bool = False
    n_courses: int | None = None

    @property
    def until(self) -> str:
        return day(date.fromisoformat(self.cutoff))

    def counted(self, lines: Sequence["CourseLine"]) -> str:
        """Return ``63 courses``, or ``the 500 that began first of 1,204 courses``."""
        if self.n_courses is None or self.n_courses <= len(lines):
            return counted(len(lines), "course")
        return _("the {n} that began first of {courses}").format(
            n=whole(len(lines)), courses=counted(self.n_courses, "course")
        )


def signed_percent(value: Decimal) -> str:
    """Return a change with its sign to a tenth of a percent; finer where a rounded one would seem to reach +20 or −30 %."""
    step = _TENTH
    rounded = value.quantize(step, ROUND_HALF_UP)
    while rounded in (RESPONSE_LINE, PROGRESSION_LINE) and rounded != value and step > Decimal("1e-9"):
        step /= 10
        rounded = value.quantize(step, ROUND_HALF_UP)
    sign = "−" if rounded < 0 else "+" if rounded > 0 else ""
    return localised(f"{sign}{abs(rounded):f} %")


def sum_said(line: CourseLine, point: ResponsePoint, *, with_day: bool = True) -> str:
    if point.sum_mm is None:
        return _("not stated")
    said = f"{localised(written(point.sum_mm))} mm"
    if point.change_percent is not None and point.response:
        base = next((one.sum_mm for one in line.points if not one.response), None)
        if not with_day:
            said += f" ({signed_percent(point.change_percent)})"
        elif base is not None:
            said += ", " + _("{sum} mm at baseline").format(sum=localised(written(base)))
    return f"{said}, {moment(point.day, point.on)}" if with_day else said


def moment(since_zero: int, on: date) -> str:
    return _("{date}, month {month}").format(date=day(on), month=month_said(since_zero))


def day_said(since_zero: int) -> str:
    return _("day {day}, month {month}").format(day=whole(since_zero), month=month_said(since_zero))


def month_said(since_zero: int) -> str:
    return localised(f"{since_zero / DAYS_PER_MONTH:.1f}".replace("-", "−"))


def months(since_zero: int) -> float:
    return round(since_zero / DAYS_PER_MONTH, 4)


def written(value: Decimal | None) -> str:
    if value is None:
        return ""
    rounded = value.quantize(Decimal("0.0001"), ROUND_HALF_UP)
    text = f"{rounded:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def responses_said(lines: Sequence[CourseLine]) -> str:
    counts = Counter(line.best_response for line in lines)
    return "; ".join(f"{WORDS[code]}: {whole(counts[code])}" for code in WORDS if counts[code])


def not_drawn(lines: Sequence[CourseLine], drawn: Sequence[CourseLine]) -> str:
    """Return how many courses have no bar or line, with their best responses; empty where all have one."""
    shown = {line.label for line in drawn}
    missing = [line for line in lines if line.label not in shown]
    if not missing:
        return ""
    return _("Not drawn, without sums to compare: {courses} ({responses}).").format(
        courses=counted(len(missing), "course"), responses=responses_said(missing)
    )


def change_of(line: CourseLine) -> Decimal:
    if line.best_change_percent is None:
        raise ValueError(f"{line.label} has no best change.")
    return line.best_change_percent


def csv_of(about: About, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["cohort", "data_cutoff", *columns])
    for row in rows:
        writer.writerow([about.name, about.cutoff, *row])
    return text.getvalue()
