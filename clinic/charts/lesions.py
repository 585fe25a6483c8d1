"""Lesions of one course over time: SUVmax of each, the sum of diameters with what it is judged by, and the courses.

A figure says nothing of whose lesions it shows. Plain data in the looks of ``analytics.charts.theme``; nothing here imports
the drawing engine.
"""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from analytics.charts import VEGA_LITE_VERSION
from analytics.charts import theme as look
from analytics.charts.response.courses import About, CourseLine, signed_percent
from analytics.charts.response.swimmer import swimmer_alt, swimmer_csv, swimmer_spec
from clinic.charts.laboratory import CycleMark, cycles_said
from clinic.charts.numbers import axis_days, axis_locale, exact, plain
from imaging.rules.recist import PD_INCREASE, PD_INCREASE_MM, PR_DECREASE, LesionRole
from languages.wording import Words, day, gettext_noop, ngettext, pgettext
from languages.wording import gettext as _

Spec = dict[str, Any]

WIDTH, HEIGHT = 520, 240
LABEL_PX = 13
MOST_LABELS = HEIGHT // LABEL_PX
RESPONSE_CODES = Words({"NON_CR_NON_PD": gettext_noop("Non-CR/non-PD")})


def role_word(role: str) -> str:
    """Return what a lesion of this role is called: ``target``, ``non-target``, ``new``."""
    return {
        LesionRole.TARGET.value: pgettext("lesion", "target"),
        LesionRole.NON_TARGET.value: pgettext("lesion", "non-target"),
        LesionRole.NEW.value: pgettext("lesion", "new"),
    }[role]


@dataclass(frozen=True)
class Uptake:
    on: date
    suv_max: Decimal


@dataclass(frozen=True)
class LesionTrace:
    """SUVmax (g/mL, SUVbw) of one lesion, by day.

    Attributes:
        where: organ and site in words.
        role: a code of ``LesionRole``.
    """

    label: str
    where: str
    role: str
    points: Sequence[Uptake]

    @property
    def last(self) -> Uptake:
        return self.points[-1]


@dataclass(frozen=True)
class SumPoint:
    """The sum of the target lesions in one study.

    Attributes:
        change_percent, nadir_change_percent: of a complete sum, from baseline and from the nadir before it.
        derived, read: the response that the rules derive, and that of the reading that counts; blank: none.
    """

    on: date
    sum_mm: Decimal
    is_complete: bool
    change_percent: Decimal | None
    nadir_change_percent: Decimal | None
    derived: str
    read: str

    @property
    def response_mark(self) -> str:
        """The response that counts, with a star where it is not the derived one."""
        code = self.read or self.derived
        is_other = bool(self.read and self.derived and self.read != self.derived)
        return RESPONSE_CODES.get(code, code) + ("*" if is_other else "")

    @property
    def response_words(self) -> str:
        """The response that counts; beside it the derived one where it is another."""
        read, derived = (RESPONSE_CODES.get(code, code) for code in (self.read, self.derived))
        if read and derived and read != derived:
            return _("{read} (derived {derived})").format(read=read, derived=derived)
        return read or derived


@dataclass(frozen=True)
class LesionCourse:
    """The lesions of one reader through a course, and the cycles given meanwhile.

    Attributes:
        lanes: all courses of the patient that were begun, up to ``lanes_until``.
    """

    course_number: int
    traces: Sequence[LesionTrace]
    sums: Sequence[SumPoint]
    cycles: Sequence[CycleMark]
    lanes: Sequence[CourseLine] = ()
    lanes_until: date = date.min

    @property
    def hottest(self) -> LesionTrace | None:
        """The lesion of the highest SUVmax in the first study with any; None without one."""
        first = min((trace.points[0].on for trace in self.traces), default=None)
        then = [(trace.points[0].suv_max, trace) for trace in self.traces if trace.points[0].on == first]
        # Of equal ones the first by label.
        return max(then, key=lambda item: item[0])[1] if then else None

    @property
    def baseline(self) -> SumPoint | None:
        """The complete sum that changes are from; None where there is none."""
        first = self.sums[0] if self.sums else None
        return (
            first if first is not None and first.is_complete and not first.derived and first.sum_mm else None
        )

    @property
    def nadir(self) -> SumPoint | None:
        """The smallest complete sum so far, which the next study is judged by; of equal ones the first."""
        complete = [point for point in self.sums if point.is_complete]
        return (
            min(complete, key=lambda point: point.sum_mm) if self.baseline is not None and complete else None
        )


# SUVmax


def uptake_spec(course: LesionCourse, *, theme: look.Theme = "screen", synthetic: bool = False) -> Spec:
    """Return SUVmax of every lesion over time, a line a lesion with its label at the end, the hottest one thicker."""
    days = [point.on for trace in course.traces for point in trace.points]
    most = max(point.suv_max for trace in course.traces for point in trace.points) * Decimal(
        "1.08"
    ) or Decimal(1)
    x, y = _time(days, course.cycles), _amount(_("SUVmax (g/mL, SUVbw)"), most)
    hottest = course.hottest
    layers = _cycle_layers(course.cycles, x)
    # The hottest last, above the others.
    for trace in sorted(course.traces, key=lambda trace: trace is hottest):
        rows = [
            {
                "at": _moment(point.on),
                "value": float(point.suv_max),
                "on": day(point.on),
                "lesion": f"{trace.label}, {trace.where}",
                "role": role_word(trace.role),
                "said": f"{plain(point.suv_max)} g/mL",
            }
            for point in trace.points
        ]
        style = "hottest" if trace is hottest else f"trace-{trace.role}"
        layers.append(
            {
                "data": {"values": rows},
                "mark": {"type": "line", "style": style},
                "encoding": {"x": x, "y": y},
            }
        )
        layers.append(
            {
                "data": {"values": rows},
                "mark": {"type": "point", "style": "sample", "filled": True, "opacity": 1}
                | {"size": 55 if trace is hottest else 28},
                "encoding": {"x": x, "y": y}
                | _tips(theme, on=_("Study"), lesion=_("Lesion"), role=_("Role"), said=_("SUVmax")),
            }
        )
    named = sorted(course.traces, key=lambda trace: -trace.last.suv_max)[:MOST_LABELS]
    layers.append(_side_names([(trace.last.suv_max, trace.label) for trace in named], y, most))
    roles = {trace.role for trace in course.traces}
    notes = []
    if hottest is not None:
        notes.append(
            _("Thick: {lesion}, the highest SUVmax of the first study.").format(lesion=hottest.label)
        )
    if len(roles) > 1:
        looks = {
            "target": _("target lesions solid"),
            "non_target": _("non-target lesions dashed"),
            "new": _("new lesions dotted"),
        }
        notes.append(f"{_sentence(words for role, words in looks.items() if role in roles)}.")
    if len(course.traces) > len(named):
        notes.append(
            ngettext(
                "Named: the {n} lesions with the highest last value.",
                "Named: the {n} lesions with the highest last value.",
                len(named),
            ).format(n=len(named))
        )
    return _figure(
        _("SUVmax of lesions"),
        _("by the day of the study"),
        uptake_alt(course),
        layers,
        course,
        notes,
        theme,
        synthetic,
    )


def uptake_alt(course: LesionCourse) -> str:
    """Return the figure in words: first and last SUVmax of every lesion."""
    if not course.traces:
        return _("SUVmax of lesions: no values.")
    said = []
    for trace in course.traces:
        first = trace.points[0]
        words = [_value_on(plain(first.suv_max), first.on)]
        if len(trace.points) > 1:
            words.append(_value_on(plain(trace.last.suv_max), trace.last.on))
        said.append(f"{trace.label} ({trace.where}) {', '.join(words)}")
    told = ngettext(
        "SUVmax (g/mL) over time, {n} lesion: {values}.",
        "SUVmax (g/mL) over time, {n} lesions: {values}.",
        len(said),
    ).format(n=len(said), values="; ".join(said))
    hottest = course.hottest
    hot = _("Hottest at first: {lesion}.").format(lesion=hottest.label) if hottest is not None else ""
    return _sentences(told, hot, _cycles_said(course))


def uptake_csv(course: LesionCourse) -> str:
    """Return the numbers behind the figure, a value a line, and the cycles after them."""
    rows = [
        [
            "lesion",
            trace.label,
            trace.where,
            trace.role.replace("_", "-"),
            f"{point.on}",
            exact(point.suv_max),
        ]
        for trace in course.traces
        for point in trace.points
    ]
    rows += [["cycle", mark.short, "", "", f"{mark.on}", ""] for mark in course.cycles]
    return _csv(["kind", "name", "where", "role", "on", "suv_max_g_per_ml"], rows)


# Sum of diameters


def sums_spec(course: LesionCourse, *, theme: look.Theme = "screen", synthetic: bool = False) -> Spec:
    """Return the sum of diameters over time with baseline, nadir and the bounds of response and progression."""
    bounds = _bounds(course)
    most = max([point.sum_mm for point in course.sums] + [at for at, _, _ in bounds]) * Decimal(
        "1.14"
    ) or Decimal(1)
    x, y = (
        _time([point.on for point in course.sums], course.cycles),
        _amount(_("Sum of diameters (mm)"), most),
    )
    layers = _cycle_layers(course.cycles, x)
    for at, _words, style in bounds:
        layers.append(
            {
                "data": {"values": [{"value": float(at)}]},
                "mark": {"type": "rule", "style": style},
                "encoding": {"y": y},
            }
        )
    if bounds:
        layers.append(_side_names([(at, words) for at, words, _ in bounds], y, most))
    rows = [
        {
            "at": _moment(point.on),
            "value": float(point.sum_mm),
            "on": day(point.on),
            "said": _mm(point.sum_mm)
            if point.is_complete
            else _("{size}, incomplete").format(size=_mm(point.sum_mm)),
            "change": _percent_or_dash(point.change_percent),
            "nadir": _percent_or_dash(point.nadir_change_percent),
            "response": point.response_words or "–",
            "mark": point.response_mark,
        }
        for point in course.sums
    ]
    is_whole = [point.is_complete for point in course.sums]
    complete = [row for row, whole in zip(rows, is_whole, strict=True) if whole]
    partial = [row for row, whole in zip(rows, is_whole, strict=True) if not whole]
    layers.append(
        {
            "data": {"values": complete},
            "mark": {"type": "line", "style": "curve"},
            "encoding": {"x": x, "y": y},
        }
    )
    for values, filled in ((complete, True), (partial, False)):
        if values:
            layers.append(
                {
                    "data": {"values": values},
                    "mark": {"type": "point", "style": "sample", "filled": filled, "size": 45, "opacity": 1},
                    "encoding": {"x": x, "y": y}
                    | _tips(
                        theme,
                        on=_("Study"),
                        said=_("Sum of diameters"),
                        change=_("From baseline"),
                        nadir=_("From nadir"),
                        response=_("Response"),
                    ),
                }
            )
    layers.append(
        {
            "data": {"values": [row for row in rows if row["mark"]]},
            "mark": {"type": "text", "style": "response-name", "baseline": "bottom", "dy": -7},
            "encoding": {"x": x, "y": y, "text": {"field": "mark"}},
        }
    )
    notes = []
    if bounds:
        notes.append(
            _(
                "Bounds: −30 % of the baseline for a partial response; for progression in a next study 20 % and 5 mm or"
                " more above the nadir."
            )
        )
    if any(point.response_mark.endswith("*") for point in course.sums):
        notes.append(_("*: the reading differs from the derived response."))
    if partial:
        notes.append(_("Hollow: incomplete sums, which are compared with nothing."))
    return _figure(
        _("Sum of diameters"),
        _("target lesions, mm"),
        sums_alt(course),
        layers,
        course,
        notes,
        theme,
        synthetic,
    )


def _bounds(course: LesionCourse) -> list[tuple[Decimal, str, str]]:
    """Return what a sum is judged by as value, words and style; nothing without a complete baseline."""
    baseline, nadir = course.baseline, course.nadir
    if baseline is None or nadir is None:
        return []
    partial = baseline.sum_mm * (1 - PR_DECREASE)
    relative, absolute = nadir.sum_mm * (1 + PD_INCREASE), nadir.sum_mm + PD_INCREASE_MM
    progression = max(relative, absolute)
    by = "+20 %" if relative >= absolute else "+5 mm"
    found = [
        (partial, f"−30 %: {_mm(partial)}", "bound"),
        (progression, _("Nadir {by}: {size}").format(by=by, size=_mm(progression)), "bound"),
    ]
    if nadir is baseline:
        both = _("Baseline, nadir: {size}").format(size=_mm(baseline.sum_mm))
        return [*found, (baseline.sum_mm, both, "level")]
    return [
        *found,
        (baseline.sum_mm, _("Baseline: {size}").format(size=_mm(baseline.sum_mm)), "level"),
        (nadir.sum_mm, _("Nadir: {size}").format(size=_mm(nadir.sum_mm)), "level"),
    ]


def sums_alt(course: LesionCourse) -> str:
    """Return the figure in words: every sum with its change and response, then baseline and nadir."""
    if not course.sums:
        return _("Sum of diameters: no values.")
    said = []
    for point in course.sums:
        words = _value_on(_mm(point.sum_mm), point.on)
        more = [pgettext("sum", "incomplete")] if not point.is_complete else []
        if point.change_percent is not None and point is not course.baseline:
            more.append(_("{percent} from baseline").format(percent=signed_percent(point.change_percent)))
        if point.response_words:
            more.append(point.response_words)
        said.append(f"{words} ({', '.join(more)})" if more else words)
    nadir = course.nadir
    told = _("Sum of diameters of target lesions over time: {values}.").format(values="; ".join(said))
    low = ""
    if nadir is not None:
        low = _("Nadir {size} on {day}.").format(size=_mm(nadir.sum_mm), day=day(nadir.on))
    return _sentences(told, low, _cycles_said(course))


def sums_csv(course: LesionCourse) -> str:
    """Return the numbers behind the figure, a study a line, and the cycles after them."""
    rows = [
        [
            "sum",
            "",
            f"{point.on}",
            exact(point.sum_mm),
            "yes" if point.is_complete else "no",
            _exact(point.change_percent),
            _exact(point.nadir_change_percent),
            point.derived,
            point.read,
        ]
        for point in course.sums
    ]
    rows += [["cycle", mark.short, f"{mark.on}", *[""] * 6] for mark in course.cycles]
    return _csv(
        [
            "kind",
            "name",
            "on",
            "sum_of_diameters_mm",
            "is_complete",
            "change_from_baseline_percent",
            "change_from_nadir_percent",
            "derived_response",
            "read_response",
        ],
        rows,
    )


# Courses


def lanes_spec(course: LesionCourse, *, theme: look.Theme = "screen", synthetic: bool = False) -> Spec:
    """Return the patient's courses as lanes: cycles, responses, progression, and how they go on."""
    return swimmer_spec(course.lanes, replace(_about(course), synthetic=synthetic), theme=theme)


def lanes_alt(course: LesionCourse) -> str:
    return swimmer_alt(course.lanes, _about(course))


def lanes_csv(course: LesionCourse) -> str:
    return swimmer_csv(course.lanes, _about(course))


def _about(course: LesionCourse) -> About:
    return About(_("One patient"), course.lanes_until.isoformat())


@dataclass(frozen=True)
class LesionFigure:
    """A figure of a course's lesions: what draws it, what says it in words, the numbers, and whether there are any."""

    english_title: str
    build: Callable[..., Spec]  # (course, *, theme="screen", synthetic=False)
    alt_text: Callable[[LesionCourse], str]
    numbers: Callable[[LesionCourse], str]
    has_values: Callable[[LesionCourse], bool]
    is_wide: bool = False

    @property
    def title(self) -> str:
        return _(self.english_title)


LESION_FIGURES: dict[str, LesionFigure] = {
    "sums": LesionFigure(
        gettext_noop("Sum of diameters"), sums_spec, sums_alt, sums_csv, lambda course: bool(course.sums)
    ),
    "suvmax": LesionFigure(
        gettext_noop("SUVmax of lesions"),
        uptake_spec,
        uptake_alt,
        uptake_csv,
        lambda course: bool(course.traces),
    ),
    "courses": LesionFigure(
        gettext_noop("Courses over time"),
        lanes_spec,
        lanes_alt,
        lanes_csv,
        lambda course: bool(course.lanes),
        is_wide=True,
    ),
}


# Pieces


def _percent_or_dash(value: Decimal | None) -> str:
    return "–" if value is None else signed_percent(value)


def _exact(value: Decimal | None) -> str:
    return "" if value is None else exact(value.quantize(Decimal("0.0001")))


def _sentence(parts: Any) -> str:
    said = ", ".join(parts)
    return said[:1].upper() + said[1:]


def _cycles_said(course: LesionCourse) -> str:
    return cycles_said(course.cycles) if course.cycles else ""


def _sentences(*said: str) -> str:
    return " ".join(filter(None, said))


def _mm(size: Decimal) -> str:
    return f"{plain(size)} mm"


def _value_on(value: str, on: date) -> str:
    return _("{value} on {day}").format(value=value, day=day(on))


def _csv(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def _moment(on: date) -> str:
    # Without a zone: drawn by the clock of the centre, whatever the zone of the browser.
    return f"{on}T00:00:00"


def _time(days: Sequence[date], cycles: Sequence[CycleMark]) -> Spec:
    every = [*days, *(mark.on for mark in cycles)]
    first, last = min(every), max(every)
    margin = timedelta(days=max(3, (last - first).days // 30))
    ends = [{"year": on.year, "month": on.month, "date": on.day} for on in (first - margin, last + margin)]
    return {
        "field": "at",
        "type": "temporal",
        "scale": {"domain": ends, "nice": False},
        "axis": {
            "title": None,
            "format": axis_days(),
            "grid": False,
            "tickCount": 5,
            "labelOverlap": "greedy",
            "labelSeparation": 12,
        },
    }


def _amount(title: str, most: Decimal) -> Spec:
    return {
        "field": "value",
        "type": "quantitative",
        "scale": {"domain": [0, round(float(most), 4)], "nice": False},
        "axis": {"title": title, "tickCount": 5, "domain": False, "ticks": False},
    }


def _cycle_layers(cycles: Sequence[CycleMark], x: Spec) -> list[Spec]:
    if not cycles:
        return []
    marks = [{"at": _moment(mark.on), "text": mark.short} for mark in cycles]
    return [
        {"data": {"values": marks}, "mark": {"type": "rule", "style": "cycle"}, "encoding": {"x": x}},
        {
            "data": {"values": marks},
            "mark": {"type": "text", "style": "cycle-name", "baseline": "bottom", "dy": -3},
            "encoding": {"x": x, "y": {"value": 0}, "text": {"field": "text"}},
        },
    ]


def _side_names(labels: Sequence[tuple[Decimal, str]], y: Spec, most: Decimal) -> Spec:
    """Return labels of the right side, each at its value or as little beside it as its neighbours need."""
    px_of_value = HEIGHT / float(most)
    ordered = sorted(labels, key=lambda label: (label[0], label[1]))
    at = []
    lowest = float("-inf")
    for value, _text in ordered:
        lowest = max(float(value) * px_of_value, lowest + LABEL_PX)
        at.append(lowest)
    # Pushed up beyond the top they move down again, the upper ones first.
    highest = float(HEIGHT)
    for index in reversed(range(len(at))):
        highest = at[index] = min(at[index], highest)
        highest -= LABEL_PX
    values = [
        {"value": round(px / px_of_value, 4), "text": text} for px, (_, text) in zip(at, ordered, strict=True)
    ]
    return {
        "data": {"values": values},
        "mark": {"type": "text", "style": "side-name", "align": "left", "baseline": "middle", "dx": 5},
        "encoding": {"x": {"value": WIDTH}, "y": y, "text": {"field": "text"}},
    }


def _tips(theme: look.Theme, **titles: str) -> Spec:
    if theme == "print":
        return {}
    return {"tooltip": [{"field": name, "type": "nominal", "title": title} for name, title in titles.items()]}


def _figure(
    title: str,
    subtitle: str,
    description: str,
    layers: list[Spec],
    course: LesionCourse,
    notes: list[str],
    theme: look.Theme,
    synthetic: bool,
) -> Spec:
    if course.cycles:
        notes = [*notes, _("C: cycles given.")]
    if synthetic:
        notes = [*notes, _("Synthetic patients.")]
    return {
        "$schema": f"https://vega.github.io/schema/vega-lite/v{VEGA_LITE_VERSION}.0.json",
        "description": description,
        "title": {
            "text": title,
            "subtitle": _("Course {number}, {subtitle}").format(
                number=course.course_number, subtitle=subtitle
            ),
            "offset": 24,
        },
        "vconcat": [
            {
                "name": "plot",
                "width": WIDTH,
                "height": HEIGHT,
                "layer": layers,
                "title": {
                    "text": look.wrapped(" ".join(notes), width=WIDTH + 60, size=look.FOOTER_SIZE[theme]),
                    "orient": "bottom",
                    "style": "footer",
                    "anchor": "start",
                    "frame": "bounds",
                    "offset": 12,
                },
            }
        ],
        "config": _config(theme),
        **({"usermeta": {"dark": _DARK}} if theme == "screen" else {}),
    }


_TRACES: dict[str, Spec] = {
    "trace-target": {"strokeWidth": 1.3},
    "trace-non_target": {"strokeWidth": 1.3, "strokeDash": [6, 3]},
    "trace-new": {"strokeWidth": 1.3, "strokeDash": [2, 2]},
    "hottest": {"strokeWidth": 3.5},
}


def _config(theme: look.Theme) -> Spec:
    config = look.config(theme) | axis_locale()
    config["style"] |= {
        **{name: style | {"color": look.CURVE} for name, style in _TRACES.items()},
        "side-name": {"color": look.INK, "fontSize": look.SMALL_SIZE},
        "response-name": {"color": look.INK, "fontSize": look.TEXT_SIZE, "fontWeight": "bold"},
        "bound": {"color": look.QUIET_INK, "strokeWidth": 1, "strokeDash": [5, 3]},
        "level": {"color": look.AXIS, "strokeWidth": 1},
        "cycle": {"color": look.INK, "strokeWidth": 1, "strokeDash": [2, 2]},
        "cycle-name": {"color": look.INK, "fontSize": look.SMALL_SIZE, "fontWeight": "bold"},
        "sample": {"color": look.CURVE},
    }
    return config


_LIGHT_INK = look.DARK["axis"]["labelColor"]
_LIGHT_QUIET = look.DARK["title"]["subtitleColor"]
_LIGHT_CURVE = look.DARK["style"]["curve"]["color"]
_DARK: Spec = look.DARK | {
    "style": look.DARK["style"]
    | {
        **{name: {"color": _LIGHT_CURVE} for name in (*_TRACES, "sample")},
        **{name: {"color": _LIGHT_INK} for name in ("side-name", "response-name", "cycle", "cycle-name")},
        **{name: {"color": _LIGHT_QUIET} for name in ("bound", "level")},
    }
}
