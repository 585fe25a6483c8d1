"""Swimmer: every course from the first administration on, as a lane."""

from collections.abc import Callable, Sequence
from typing import Any

from analytics.charts import theme as look
from analytics.charts.numbers import DAYS_PER_MONTH, RESPONSES, counted, tick_months, whole
from analytics.charts.response.courses import (
    WORDS,
    About,
    CourseLine,
    csv_of,
    day_said,
    moment,
    month_said,
    months,
    sum_said,
)
from analytics.charts.response.pieces import (
    WIDTH,
    Spec,
    cursor,
    empty,
    figure,
    footer,
    layer,
    legend_view,
    link,
    months_axis,
    point_mark,
    told,
)
from languages.wording import gettext as _
from languages.wording import gettext_noop

# What tooltips say, by the English title that the rows are kept under.
_TITLES = (
    gettext_noop("Known for"), gettext_noop("Cycles given"), gettext_noop("Cycle"), gettext_noop("Progression"),
    gettext_noop("Death"), gettext_noop("Last known"), gettext_noop("Response"), gettext_noop("Study"),
)  # fmt: skip

MOST_LANES = 150  # of the swimmer: more are neither read nor printed; the longest are drawn
MANY_LANES = 80
LANE_PX, NARROW_LANE_PX = 15, 11
_CROSS = "M-0.8,-0.8L0.8,0.8M-0.8,0.8L0.8,-0.8"
_UPRIGHT = "M0,-1L0,1"


def in_order_of_length(lines: Sequence[CourseLine]) -> list[CourseLine]:
    """Return the courses, longest first; equal ones by label."""
    return sorted(lines, key=lambda line: (-line.last_day, line.label))


def swimmer_spec(lines: Sequence[CourseLine], about: About, *, theme: look.Theme = "screen") -> Spec:
    """Return a lane for every course from the first administration on; above ``MOST_LANES`` only the longest."""
    title = _("Courses over time")
    ordered = in_order_of_length(lines)
    drawn = ordered[:MOST_LANES]
    if not drawn:
        return empty(title, _("No courses to show"), swimmer_alt(lines, about), about, theme)
    pitch = LANE_PX if len(drawn) <= MANY_LANES else NARROW_LANE_PX
    lane_px = round(pitch * 0.55, 1)
    size = 60 if pitch == LANE_PX else 32
    ticks = tick_months(max(max(line.last_day for line in drawn), 1) / DAYS_PER_MONTH)
    first = min((day for line in drawn for day in line.cycle_days), default=0)
    x = months_axis(ticks, min(0, first) / DAYS_PER_MONTH) | {
        "scale": {"domain": [0, ticks[-1]], "nice": False}
    }
    y: Spec = {
        "field": "row",
        "type": "quantitative",
        "scale": {"domain": [len(drawn), 0], "nice": False, "zero": False},
        "axis": None,
    }

    def marks(days: Callable[[CourseLine], list[tuple[int, Spec]]]) -> list[Spec]:
        return [
            {"row": number + 0.5, "m": months(day)} | told(theme, line, said)
            for number, line in enumerate(drawn)
            for day, said in days(line)
        ]

    lanes = [
        {"row": number + 0.5, "m": 0, "m2": months(line.last_day)}
        | told(
            theme,
            line,
            {
                "Known for": _("{months} months ({days})").format(
                    months=month_said(line.last_day), days=counted(line.last_day, "day")
                ),
                "Cycles given": f"{len(line.cycle_days)}",
                "Best response": WORDS[line.best_response],
            },
        )
        for number, line in enumerate(drawn)
    ]
    layers: list[Spec] = [
        layer(
            lanes,
            {"type": "bar", "style": "lane", "height": lane_px, "cursor": cursor(theme)},
            {"x": x, "x2": {"field": "m2"}, "y": y}
            | link(theme, "Known for", "Cycles given", "Best response"),
        ),
        layer(
            [
                {"row": number + 0.5, "t": line.label} | told(theme, line, {})
                for number, line in enumerate(drawn)
            ],
            {"type": "text", "style": "lane-name", "align": "right", "baseline": "middle"}
            | {"dx": -9, "fontSize": 10 if pitch == LANE_PX else 9, "cursor": cursor(theme)},
            {"x": {"value": 0}, "y": y, "text": {"field": "t"}}
            | ({"href": {"field": "href"}} if theme == "screen" else {}),
        ),
    ]
    legend: list[tuple[list[Spec], str]] = []

    def add(rows: list[Spec], mark: Spec, words: str, *tips: str) -> None:
        if rows:
            layers.append(
                layer(rows, mark | {"cursor": cursor(theme)}, {"x": x, "y": y} | link(theme, *tips))
            )
            legend.append(([{key: value for key, value in mark.items() if key != "xOffset"}], words))

    add(
        marks(
            lambda line: [
                (day, {"Cycle": f"{n}, {day_said(day)}"}) for n, day in enumerate(line.cycle_days, 1)
            ]
        ),
        {
            "type": "point",
            "style": "cycle-tick",
            "shape": _UPRIGHT,
            "size": lane_px**2,
            "filled": False,
            "opacity": 1,
        },
        _("Cycle"),
        "Cycle",
    )
    add(
        marks(
            lambda line: (
                [(line.progressed_day, {"Progression": day_said(line.progressed_day)})]
                if line.progressed_day is not None
                else []
            )
        ),
        {"type": "point", "style": "progressed", "shape": _UPRIGHT, "filled": False, "opacity": 1}
        | {"size": (pitch * 0.95) ** 2},
        _("First progression"),
        "Progression",
    )
    for code in RESPONSES:
        add(
            marks(
                lambda line, code=code: [  # type: ignore[misc]
                    (
                        point.day,
                        {"Response": WORDS[code], "Study": moment(point.day, point.on)}
                        | {"Sum of diameters": sum_said(line, point, with_day=False)},
                    )
                    for point in line.points
                    if point.response == code and point.day >= 0
                ]
            ),
            point_mark(code, size, theme),
            WORDS[code],
            "Response",
            "Study",
            "Sum of diameters",
        )
    add(
        marks(
            lambda line: (
                [(line.died_day, {"Death": day_said(line.died_day)})] if line.died_day is not None else []
            )
        ),
        {
            "type": "point",
            "style": "died",
            "shape": _CROSS,
            "size": size,
            "filled": False,
            "opacity": 1,
            "xOffset": 7,
        },
        _("Death"),
        "Death",
    )
    add(
        marks(
            lambda line: [(line.last_day, {"Last known": day_said(line.last_day)})] if line.is_ongoing else []
        ),
        {
            "type": "point",
            "style": "ongoing",
            "shape": "triangle-right",
            "size": size,
            "filled": True,
            "opacity": 1,
        }
        | {"xOffset": 5},
        _("Alive without progression when last known"),
        "Last known",
    )
    notes = [
        _(
            "A lane is a course from its first administration to the patient's death or the last day known to be alive."
            " Responses up to the first progression."
        )
    ]
    more: list[str] = []
    if len(drawn) < len(ordered):
        more.append(
            _("the {n} longest of {of} courses are drawn").format(n=whole(len(drawn)), of=whole(len(ordered)))
        )
        notes.append(
            _("The other {n} are in the table and in the CSV file.").format(
                n=whole(len(ordered) - len(drawn))
            )
        )
    plot = {
        "name": "plot",
        "width": WIDTH,
        "height": pitch * len(drawn),
        "layer": layers,
        "title": footer(notes, about, theme),
    }
    return figure(
        title,
        about,
        [about.counted(lines), *more],
        [legend_view(legend), plot],
        swimmer_alt(lines, about),
        theme,
    )


def swimmer_alt(lines: Sequence[CourseLine], about: About) -> str:
    """Return the figure in words: lanes, longest and shortest, and how they end."""
    if not lines:
        return _("No treated course in {cohort}.").format(cohort=about.name)
    ordered = in_order_of_length(lines)
    progressed = sum(line.progressed_day is not None for line in lines)
    died = sum(line.died_day is not None for line in lines)
    ongoing = sum(line.is_ongoing for line in lines)
    courses = counted(len(lines), "course")
    if len(lines) > MOST_LANES:
        courses += ", " + _("the {n} longest drawn").format(n=whole(MOST_LANES))
    return _(
        "Courses over time in {cohort}: {courses}, known for {longest} months at most and {shortest} at least;"
        " {progressed} progressed, {died} died, {ongoing} alive without progression when last known."
    ).format(
        cohort=about.name,
        courses=courses,
        longest=month_said(ordered[0].last_day),
        shortest=month_said(ordered[-1].last_day),
        progressed=whole(progressed),
        died=whole(died),
        ongoing=whole(ongoing),
    )


def swimmer_csv(lines: Sequence[CourseLine], about: About) -> str:
    """Return what happened in every course, a fact a line, longest course first."""
    rows: list[list[Any]] = []
    for line in in_order_of_length(lines):
        facts = [(day, 0, "cycle", f"{number}") for number, day in enumerate(line.cycle_days, 1)]
        facts += [(point.day, 1, "response", point.response) for point in line.points if point.response]
        if line.progressed_day is not None:
            facts.append((line.progressed_day, 2, "progression", ""))
        if line.died_day is not None:
            facts.append((line.died_day, 3, "death", ""))
        facts.append((line.last_day, 4, "last_known", "ongoing" if line.is_ongoing else ""))
        rows += [[line.label, kind, day, months(day), value] for day, _, kind, value in sorted(facts)]
    return csv_of(about, ["course", "kind", "day", "months", "value"], rows)
