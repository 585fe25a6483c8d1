"""Spider: the change of the sum of every course over time."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from analytics.charts import theme as look
from analytics.charts.numbers import DAYS_PER_MONTH, counted, tick_months, whole
from analytics.charts.response.courses import (
    WORDS,
    About,
    CourseLine,
    ResponsePoint,
    csv_of,
    moment,
    month_said,
    months,
    not_drawn,
    responses_said,
    sum_said,
    written,
)
from analytics.charts.response.pieces import (
    WIDTH,
    Spec,
    at,
    cursor,
    empty,
    figure,
    footer,
    layer,
    legend_view,
    link,
    months_axis,
    percent_axis,
    point_mark,
    reference_lines,
    style_of,
    told,
    top_of,
)
from languages.wording import gettext as _
from languages.wording import gettext_noop

SPIDER_HEIGHT = 380
MANY_LINES = 120  # of the spider: from here on they are thinner
SPIDER_TOP = 200  # the axis ends here; what goes beyond is cut, and said to be


def spider_spec(lines: Sequence[CourseLine], about: About, *, theme: look.Theme = "screen") -> Spec:
    """Return the change of the sum of every course over time; a line ends at the progression or the last comparable sum."""
    title = _("Change of the sum of diameters over time")
    drawn = [line for line in lines if any(point.response for point in _measured(line))]
    if not drawn:
        return empty(title, _("No course with sums to compare"), spider_alt(lines, about), about, theme)
    ends = [max(line.progressed_day or 0, _measured(line)[-1].day) for line in drawn]
    begin = min(0, min(_measured(line)[0].day for line in drawn)) / DAYS_PER_MONTH
    ticks = tick_months(max(ends) / DAYS_PER_MONTH)
    top = top_of(
        [point.change_percent or Decimal(0) for line in drawn for point in _measured(line)], SPIDER_TOP
    )
    x = months_axis(ticks, begin)
    y = percent_axis(_("Change from baseline"), top)
    layers = [
        *reference_lines(y),
        layer([{}], {"type": "rule", "style": "zero"}, {"y": at(y, 0)}),
    ]
    thin = len(drawn) > MANY_LINES
    present = [code for code in WORDS if any(line.best_response == code for line in drawn)]
    # What is fewer stands above what is many.
    by_number = sorted(present, key=lambda code: -sum(line.best_response == code for line in drawn))
    tips = (
        gettext_noop("Study"),
        gettext_noop("Sum of diameters"),
        gettext_noop("Response"),
        gettext_noop("Best response"),
    )
    for code in by_number:
        rows, spots, carried, ended = [], [], [], []
        for index, line in enumerate(drawn):
            if line.best_response != code:
                continue
            measured = _measured(line)
            placed = [_spot(index, line, point, point.day, theme) for point in measured]
            rows += _below(placed, top)
            spots += [
                row for row, point in zip(placed, measured, strict=True) if point.response and row["c"] <= top
            ]
            if line.progressed_day is not None:
                last = measured[-1]
                end = _spot(index, line, last, line.progressed_day, theme)
                ended.append(end | {"c": min(end["c"], top)})
                if line.progressed_day > last.day:
                    carried += [
                        {"i": f"{index}", "m": months(day), "c": ended[-1]["c"]}
                        for day in (last.day, line.progressed_day)
                    ]
        on_line = {"x": x, "y": y, "detail": {"field": "i", "type": "nominal"}}
        line_mark: Spec = {"type": "line", "style": style_of("line", code)}
        layers.append(
            layer(rows, line_mark | ({"strokeWidth": 0.8, "opacity": 0.55} if thin else {}), on_line)
        )
        if theme == "screen":  # broad enough to be hit
            layers.append(
                layer(
                    rows,
                    {
                        "type": "line",
                        "strokeWidth": 8,
                        "opacity": 0,
                        "cursor": "pointer",
                    },
                    on_line | {"href": {"field": "href"}},
                )
            )
        if carried:
            layers.append(layer(carried, {"type": "line", "style": "carried"}, on_line))
        layers.append(
            layer(
                spots,
                {
                    "type": "point",
                    "style": style_of("spot", code),
                    "filled": True,
                    "opacity": 1,
                }
                | {"size": 8 if thin else 18, "cursor": cursor(theme)},
                {"x": x, "y": y} | link(theme, *tips),
            )
        )
        if ended:
            layers.append(
                layer(
                    ended, point_mark("PD", 30 if thin else 60, theme), {"x": x, "y": y} | link(theme, *tips)
                )
            )
    beyond = sum(any((point.change_percent or 0) > top for point in _measured(line)) for line in drawn)
    counts = Counter(line.best_response for line in drawn)
    legend = legend_view(
        [
            ([{"type": "line", "style": style_of("line", code)}], f"{WORDS[code]}: {whole(counts[code])}")
            for code in present
        ]
        + (
            [([point_mark("PD", 60, "print")], _("Progression"))]
            if any(line.progressed_day is not None for line in drawn)
            else []
        )
    )
    notes = [
        _(
            "A line is a course, in the look of its best overall response: the sum of target lesions against its baseline,"
            " up to the first progression, whose mark stands at the last sum before it where it was told otherwise (grey)."
            " Lines at +20 % and −30 % from baseline; progression itself is told from the nadir."
        )
    ]
    if beyond:
        notes.append(_("{lines} cut at +{top} %.").format(lines=counted(beyond, "line"), top=top))
    notes.append(not_drawn(lines, drawn))
    plot = {
        "name": "plot",
        "width": WIDTH,
        "height": SPIDER_HEIGHT,
        "layer": layers,
        "title": footer(notes, about, theme),
    }
    return figure(title, about, [about.counted(lines)], [legend, plot], spider_alt(lines, about), theme)


def _below(rows: Sequence[Spec], top: int) -> list[Spec]:
    """Return a line without what lies above ``top``, in pieces that end there.

    Cut here and not by the drawing engine, which numbers what it clips anew in every file.
    """
    kept: list[Spec] = []
    piece = 0
    for before, row in zip([None, *rows], rows, strict=False):
        if before is not None and (before["c"] > top) != (row["c"] > top):
            share = (top - before["c"]) / (row["c"] - before["c"])
            edge = row | {"m": round(before["m"] + share * (row["m"] - before["m"]), 4), "c": top}
            piece += before["c"] > top
            kept.append(edge | {"i": f"{row['i']}.{piece}"})
        if row["c"] <= top:
            kept.append(row | {"i": f"{row['i']}.{piece}"})
    return kept


def _measured(line: CourseLine) -> list[ResponsePoint]:
    return [point for point in line.points if point.change_percent is not None]


def _spot(index: int, line: CourseLine, point: ResponsePoint, day: int, theme: look.Theme) -> Spec:
    said = {
        "Study": moment(point.day, point.on),
        "Sum of diameters": sum_said(line, point, with_day=False),
        "Response": WORDS[point.response] if point.response else _("Baseline"),
        "Best response": WORDS[line.best_response],
    }
    if day != point.day:
        said["Study"] += "; " + _("progression in month {month}").format(month=month_said(day))
    change = float((point.change_percent or Decimal(0)).quantize(Decimal("0.0001")))
    return {"i": index, "m": months(day), "c": change} | told(theme, line, said)


def spider_alt(lines: Sequence[CourseLine], about: About) -> str:
    """Return the figure in words: how many lines, how far they reach, and how many end in progression."""
    drawn = [line for line in lines if any(point.response for point in _measured(line))]
    if not drawn:
        return _("No course of {cohort} has sums of diameters to compare.").format(cohort=about.name)
    last = max(_measured(line)[-1].day for line in drawn)
    n = sum(line.progressed_day is not None for line in drawn)
    said = _(
        "Change of the sum of diameters from baseline over time in {cohort}: {courses}, up to {months} months after the"
        " first administration; {n} end in progression. Best overall responses: {responses}."
    ).format(
        cohort=about.name,
        courses=counted(len(drawn), "course"),
        months=month_said(last),
        n=whole(n),
        responses=responses_said(drawn),
    )
    return f"{said} {not_drawn(lines, drawn)}".rstrip()


def spider_csv(lines: Sequence[CourseLine], about: About) -> str:
    """Return a study a line, by course and day, the baseline among them, and the progression after them."""
    rows: list[list[Any]] = []
    for line in sorted(lines, key=lambda line: line.label):
        for point in line.points:
            rows.append(
                [
                    line.label,
                    "study" if point.response else "baseline",
                    point.day,
                    months(point.day),
                    written(point.sum_mm),
                    written(point.change_percent),
                    point.response,
                ]
            )
        if line.progressed_day is not None:
            rows.append(
                [line.label, "progression", line.progressed_day, months(line.progressed_day), "", "", ""]
            )
    return csv_of(
        about, ["course", "kind", "day", "months", "sum_of_diameters_mm", "change_percent", "response"], rows
    )
