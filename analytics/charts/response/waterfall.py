"""Waterfall: the best change of every course as a bar, worst first."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from analytics.charts import theme as look
from analytics.charts.numbers import counted, whole
from analytics.charts.response.courses import (
    CODES,
    PROGRESSION_LINE,
    RESPONSE_LINE,
    WORDS,
    About,
    CourseLine,
    change_of,
    csv_of,
    not_drawn,
    responses_said,
    signed_percent,
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
    kept_free,
    layer,
    link,
    percent_axis,
    point_mark,
    reference_lines,
    style_of,
    told,
    top_of,
)
from languages.wording import gettext as _
from languages.wording import gettext_noop

WATERFALL_HEIGHT = 320
FEWEST_PLACES = 16  # of the waterfall: fewer bars would be as broad as a hand
ROOM_FOR_CODE_PX = 23
STRIP_ROW_PX = 15
KEY_PX = 24  # a mark before its words
LEAST_SHAPE_PX = 7  # between bars: smaller shapes cannot be told apart

# Axes end here, since one bar of +400 % would flatten all others; what goes beyond is cut, and said to be.
WATERFALL_TOP = 100


_TIPS = (gettext_noop("Best response"), gettext_noop("Best change"), gettext_noop("Sum of diameters"))


def in_order_of_change(lines: Sequence[CourseLine]) -> list[CourseLine]:
    """Return the courses with a best change, worst first; equal ones by best response, then by label."""
    ranks = list(WORDS)
    return sorted(
        (line for line in lines if line.best_change_percent is not None),
        key=lambda line: (-change_of(line), -ranks.index(line.best_response), line.label),
    )


def waterfall_spec(lines: Sequence[CourseLine], about: About, *, theme: look.Theme = "screen") -> Spec:
    """Return the best change of every course as a bar; below the bars a row for each best response marks whose it was."""
    drawn = in_order_of_change(lines)
    title = _("Best change of the sum of diameters")
    if not drawn:
        return empty(title, _("No course with sums to compare"), waterfall_alt(lines, about), about, theme)
    places = max(len(drawn), FEWEST_PLACES)
    top = top_of([change_of(line) for line in drawn], WATERFALL_TOP)
    rows = [_bar(index, line, top, theme) for index, line in enumerate(drawn)]
    present = [code for code in WORDS if any(line.best_response == code for line in drawn)]
    x: Spec = {
        "field": "x",
        "type": "quantitative",
        "scale": {"domain": [0, places], "nice": False},
        "axis": None,
    }
    y = percent_axis(_("Best change from baseline"), top)
    layers = [*reference_lines(y)]
    for code in present:
        of_code = [row for row in rows if row["code"] == CODES[code]]
        layers.append(
            layer(
                of_code,
                {"type": "bar", "style": style_of("bar", code), "cursor": cursor(theme)},
                {"x": x, "x2": {"field": "x2"}, "y": y, "y2": {"datum": 0}} | link(theme, *_TIPS),
            )
        )
        # A change of nothing has no height.
        flat = [row for row in of_code if abs(row["c"]) < 0.6]
        if flat:
            layers.append(
                layer(
                    flat,
                    {"type": "rule", "style": style_of("flat", code), "cursor": cursor(theme)},
                    {"x": x, "x2": {"field": "x2"}, "y": at(y, 0)} | link(theme, *_TIPS),
                )
            )
    layers.append(layer([{}], {"type": "rule", "style": "zero"}, {"y": at(y, 0)}))
    pitch = WIDTH / places
    middle = x | {"field": "xm"}
    if pitch >= ROOM_FOR_CODE_PX:
        for up in (True, False):
            layers.append(
                layer(
                    [row for row in rows if (row["c"] >= 0) == up],
                    {
                        "type": "text",
                        "style": "small",
                        "baseline": "bottom" if up else "top",
                        "dy": -3 if up else 4,
                    },
                    {"x": middle, "y": y, "text": {"field": "code"}},
                )
            )
    cut = [row for row in rows if row["cut"]]
    if cut and pitch >= look.SMALL_SIZE:
        layers.append(
            layer(
                cut,
                {"type": "text", "style": "in-bar", "angle": 270, "align": "right", "dx": -5},
                {"x": middle, "y": y, "text": {"field": "cut"}},
            )
        )
    plot = {"name": "plot", "width": WIDTH, "height": WATERFALL_HEIGHT, "layer": layers}
    notes = [
        _(
            "A bar is a course: its least change of the sum of target lesions from baseline, up to the first progression."
            " Below: its best overall response, with the number of courses drawn. Lines at +20 % and −30 % from baseline;"
            " progression itself is told from the nadir."
        )
    ]
    if cut:
        notes.append(_("{bars} cut at +{top} %.").format(bars=counted(len(cut), "bar"), top=top))
    notes.append(not_drawn(lines, drawn))
    strip = _strip(drawn, present, x, theme) | {"title": footer(notes, about, theme)}
    return figure(title, about, [about.counted(lines)], [plot, strip], waterfall_alt(lines, about), theme)


def _bar(index: int, line: CourseLine, top: int, theme: look.Theme) -> Spec:
    change = change_of(line)
    gap = 0.12
    row: Spec = {
        "x": round(index + gap, 2),
        "x2": round(index + 1 - gap, 2),
        "xm": index + 0.5,
        "c": float(min(change, Decimal(top)).quantize(Decimal("0.0001"))),
        "code": CODES[line.best_response],
        "cut": signed_percent(change) if change > top else "",
    }
    point = line.best_point
    return row | told(
        theme,
        line,
        {
            "Best response": WORDS[line.best_response],
            "Best change": signed_percent(change),
            "Sum of diameters": _("not stated") if point is None else sum_said(line, point),
        },
    )


def _strip(drawn: Sequence[CourseLine], present: Sequence[str], x: Spec, theme: look.Theme) -> Spec:
    """Return a row of marks for each response, under the bars it belongs to: the legend, which needs no colour."""
    counts = Counter(line.best_response for line in drawn)
    y: Spec = {
        "field": "row",
        "type": "quantitative",
        "scale": {"domain": [len(present), 0], "nice": False, "zero": False},
        "axis": None,
    }
    pitch = WIDTH / max(len(drawn), FEWEST_PLACES)
    layers: list[Spec] = []
    for number, code in enumerate(present):
        values = [
            {"x": index, "x2": index + 1, "xm": index + 0.5, "row": number + 0.5}
            | told(theme, line, {"Best response": WORDS[code]})
            for index, line in enumerate(drawn)
            if line.best_response == code
        ]
        key = {"x": {"value": WIDTH + KEY_PX - 10}, "y": y}
        if pitch < LEAST_SHAPE_PX:  # too narrow for shapes: the row itself says it
            mark = {"type": "bar", "style": style_of("bar", code), "height": 9, "cursor": cursor(theme)}
            places: Spec = {"x": x, "x2": {"field": "x2"}, "y": y}
        else:
            mark = point_mark(code, min(64.0, (pitch * 0.7) ** 2), theme)
            places = {"x": x | {"field": "xm"}, "y": y}
        layers.append(layer(values, mark, places | link(theme, "Best response")))
        layers.append(layer([{"row": number + 0.5}], point_mark(code, 64, "print"), key))
    names = [
        {"row": number + 0.5, "t": f"{WORDS[code]}: {whole(counts[code])}"}
        for number, code in enumerate(present)
    ]
    beside: Spec = {"type": "text", "style": "small", "align": "left", "baseline": "middle", "dx": KEY_PX}
    layers.append(layer(names, beside, {"x": {"value": WIDTH}, "y": y, "text": {"field": "t"}}))
    widest = max(look.text_width(f"{name['t']}", look.SMALL_SIZE) for name in names)
    layers.append(kept_free(WIDTH, WIDTH + KEY_PX + widest))
    return {"name": "strip", "width": WIDTH, "height": STRIP_ROW_PX * len(present), "layer": layers}


def waterfall_alt(lines: Sequence[CourseLine], about: About) -> str:
    """Return the figure in words: range, how many reach either line, the best responses, and who is not drawn."""
    drawn = in_order_of_change(lines)
    if not drawn:
        return _("No course of {cohort} has sums of diameters to compare.").format(cohort=about.name)
    changes = [change_of(line) for line in drawn]
    shrunk = sum(change <= RESPONSE_LINE for change in changes)
    grown = sum(change >= PROGRESSION_LINE for change in changes)
    # xgettext:no-python-format
    said = _(
        "Waterfall of the best change of the sum of diameters in {cohort}: {courses}, from {first} to {last}; {shrunk} at"
        " −30 % or lower, {grown} at +20 % or higher. Best overall responses: {responses}."
    ).format(
        cohort=about.name,
        courses=counted(len(drawn), "course"),
        first=signed_percent(changes[0]),
        last=signed_percent(changes[-1]),
        shrunk=whole(shrunk),
        grown=whole(grown),
        responses=responses_said(drawn),
    )
    return f"{said} {not_drawn(lines, drawn)}".rstrip()


def waterfall_csv(lines: Sequence[CourseLine], about: About) -> str:
    """Return a course a line, worst change first, those without one last."""
    drawn = in_order_of_change(lines)
    rest = sorted((line for line in lines if line.best_change_percent is None), key=lambda line: line.label)
    rows = []
    for line in [*drawn, *rest]:
        point = line.best_point
        rows.append(
            [
                line.label,
                line.best_response,
                written(line.best_change_percent),
                "" if point is None else point.day,
                "" if point is None else written(point.sum_mm),
            ]
        )
    return csv_of(
        about,
        ["course", "best_overall_response", "best_change_percent", "best_change_day", "sum_of_diameters_mm"],
        rows,
    )
