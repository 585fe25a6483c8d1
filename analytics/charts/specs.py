"""The figures, as Vega-Lite specifications made with Altair: one definition for the screen and for paper.

A builder takes a cohort's result and returns plain JSON-able data; equal results give equal specifications, so that a
figure of a data lock can be drawn again byte for byte. ``theme="screen"`` is transparent and has tooltips; ``"print"``
is white and has none. Altair is imported by the builders and not by this module: the server starts without it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from analytics.charts import theme as look
from analytics.charts import words
from analytics.charts.numbers import (
    DAYS_PER_MONTH,
    ENDPOINT_NAMES,
    Endpoint,
    Result,
    Share,
    SurvivalTable,
    cohort_name,
    counted,
    course_shares,
    cutoff_text,
    day_text,
    definition_text,
    discontinuation_reasons,
    has_decimal_comma,
    localised,
    median_lines,
    percent,
    response_shares,
    risk_table,
    tick_months,
    whole,
)
from languages.wording import begun_small, gettext_noop, ngettext
from languages.wording import gettext as _

if TYPE_CHECKING:
    import altair as alt

Spec = dict[str, Any]
# (measure, category, at_from=day, at_to=day) to the address of the courses behind a mark.
Link = Callable[..., str]

# The Vega-Lite that draws, in the browser and on paper alike. Later ones say "undefined" in some tooltips.
VEGA_LITE_VERSION = "6.1"

# With its axes a figure is about 620 pixels wide: half a page on a desk's screen, so that its text is not made smaller.
PLOT_WIDTH = 520
KM_HEIGHT = 280
RISK_ROW_HEIGHT = 16
BAR_HEIGHT = 46
COURSES_WIDTH = 590
RESPONSES_WIDTH = 420

# More than one every other pixel would draw as a thick curve and hide the band.
MOST_CENSOR_TICKS = PLOT_WIDTH // 2


def km_spec(
    result: Result,
    endpoint: Endpoint,
    *,
    theme: look.Theme = "screen",
    behind: Link | None = None,
    references: Sequence[tuple[str, float]] = (),
) -> Spec:
    """Return the Kaplan–Meier figure of ``endpoint``: curve, 95 % band, censor ticks, median, numbers at risk.

    The band ends where a limit is undefined. The risk table counts patients whose time is >= the tick; those with an event
    or censored earlier make up the rest. Time is in months of 30.4375 days.

    Args:
        behind: on the screen a step and a tick open the patients of their days.
        references: names and medians (months) of others, drawn as dashed lines up to 50 % and named below.
    """
    outcome = result[endpoint]
    title = ENDPOINT_NAMES[endpoint]
    if not outcome["n"]:
        return _empty_spec(result, title, _("No treated patients"), theme)
    table = SurvivalTable.of(result, endpoint)
    if not table.days:
        return _empty_spec(result, title, _("No follow-up to show yet"), theme)
    import altair as alt

    widest = look.text_width(whole(max(table.at_risk)), look.SMALL_SIZE) + 12
    ticks = tick_months(table.last_month, at_most=max(5, min(13, int(PLOT_WIDTH / widest))))
    x_scale = alt.Scale(domain=[0, ticks[-1]], nice=False, zero=True)
    y_scale = alt.Scale(domain=[0, 1], nice=False)
    x = alt.X(
        "m:Q",
        scale=x_scale,
        axis=alt.Axis(values=ticks, title=_("Months since first administration"), grid=False),
    )
    y = alt.Y(
        "s:Q",
        scale=y_scale,
        axis=alt.Axis(
            title=title,
            values=[0, 0.25, 0.5, 0.75, 1],
            labelExpr="format(100 * datum.value, '.0f') + ' %'",
            domain=False,
            ticks=False,
            labelPadding=7,
            minExtent=look.text_width("100 %", look.SMALL_SIZE) + 7,
        ),
    )

    band = (
        _columns("band")
        .mark_area(style="band", interpolate="step-after", line=False)
        .encode(x=x, y=alt.Y("l:Q", scale=y_scale), y2="u:Q", detail="part:N")
    )
    curve = _columns("curve").mark_line(style="curve", interpolate="step-after").encode(x=x, y=y)
    drawn = [(name, month) for name, month in references if month <= ticks[-1]]
    layers = [band, *_reference_layers(drawn, x, y), *_median_layers(outcome, x, y), curve]
    ticks_drawn = sum(1 for censored in table.censored if censored) <= MOST_CENSOR_TICKS
    if ticks_drawn:
        layers.append(
            _columns("rows")
            .transform_filter("datum.c > 0")
            .mark_point(style="censor", shape="M0,-0.5L0,0.5", size=100, filled=False, opacity=1)
            .encode(x=x, y=y)
        )
    if theme == "screen":
        layers += _hover_layers(x, y)
        if behind is not None:
            layers.append(_door_layer(_doors(table, endpoint, ticks[-1], behind), x, y))
    layers += _note_layers(median_lines(result, endpoint), table, outcome, ticks[-1], x, y)
    plot = alt.layer(*layers).properties(name="plot", width=PLOT_WIDTH, height=KM_HEIGHT)

    risk_rows = risk_table(table, ticks)
    names = [_("At risk"), _("Had event"), _("Censored")]
    risk = (
        alt.Chart(alt.NamedData(name="risk"), name="risk")
        .mark_text(style="risk", baseline="middle")
        .encode(
            x=alt.X("m:Q", scale=x_scale, axis=None),
            y=alt.Y(
                "row:N",
                sort=names,
                scale=alt.Scale(domain=names),
                # Half of the first number stands left of the axis.
                axis=alt.Axis(
                    title=None,
                    domain=False,
                    ticks=False,
                    labelPadding=round(widest / 2) + 4,
                    minExtent=round(widest / 2) + 4 + look.text_width(max(names, key=len), look.SMALL_SIZE),
                ),
            ),
            text=alt.Text("n:Q", format=","),
        )
        .properties(
            width=PLOT_WIDTH,
            height=RISK_ROW_HEIGHT * len(names),
            title=_footer(
                # xgettext:no-python-format
                _("Kaplan–Meier estimate with pointwise 95 % confidence band (log–log).")
                + " "
                + (
                    _("Small strokes: censored.")
                    if ticks_drawn
                    else _("Censored on too many days to mark each.")
                )
                + " "
                + _("Below the axis: patients at risk at that month; with an event or censored before it.")
                + _reference_note(references, drawn),
                result,
                endpoint,
                theme,
            ),
        )
    )
    header = _header(
        title,
        _cohort_line(result, counted(outcome["n"], "patient"), counted(outcome["events"], "event")),
    )
    chart = alt.vconcat(plot, risk, spacing=10).resolve_scale(x="shared").properties(title=header)
    datasets = {
        "curve": _curve_data(table),
        "band": _band_data(table),
        "rows": _row_data(table, ticks=ticks_drawn, everything=theme == "screen"),
        "risk": [
            {"m": row.month, "row": name, "n": n}
            for row in risk_rows
            for name, n in zip(names, (row.at_risk, row.events, row.censored), strict=True)
        ],
    }
    return _finished(chart, datasets, words.survival_alt(result, endpoint), theme)


def _columns(name: str) -> alt.Chart:
    """Return a chart on the data set ``name``, kept by column: 5,000 days as rows of JSON would be megabytes.

    (CSV would be as small, but Vega parses it with code it writes at run time, which a strict CSP forbids.)
    """
    import altair as alt

    chart = alt.Chart(alt.NamedData(name=name))
    columns = {"curve": "ds", "band": ["d", "l", "u", "part"], "rows": ["d", "s", "c", "e", "n", "l", "u"]}[
        name
    ]
    return chart.transform_flatten(list(columns)).transform_calculate(m=f"datum.d / {DAYS_PER_MONTH}")


def _curve_data(table: SurvivalTable) -> list[dict[str, Any]]:
    """Return the corners of the curve: where it starts, falls and ends. What lies between is on the same step."""
    days: list[float] = [0]
    survival: list[float] = [1]
    for day, value in zip(table.days, table.survival, strict=True):
        if value != survival[-1]:
            days.append(day)
            survival.append(value)
    if days[-1] != table.days[-1]:
        days.append(table.days[-1])
        survival.append(survival[-1])
    return [{"d": days, "s": [round(value, 5) for value in survival]}]


def _band_data(table: SurvivalTable) -> list[dict[str, Any]]:
    """Return the corners of the band, in parts where it is interrupted.

    A step lasts to the next day, so a band that ends there needs a last corner on that day.
    """
    columns: dict[str, list[Any]] = {"d": [], "l": [], "u": [], "part": []}
    part = 0
    current: tuple[float, float] | None = None

    def corner(day: float, limits: tuple[float, float]) -> None:
        for name, value in zip(columns, (day, round(limits[0], 5), round(limits[1], 5), part), strict=True):
            columns[name].append(value)

    for day, lower, upper in zip(table.days, table.lower, table.upper, strict=True):
        limits = None if lower is None or upper is None else (lower, upper)
        if limits == current:
            continue
        if limits is not None:
            corner(day, limits)
        elif current is not None:
            corner(day, current)
            part += 1
        current = limits
    if current is not None and columns["d"][-1] != table.days[-1]:
        corner(table.days[-1], current)
    return [columns]


def _row_data(table: SurvivalTable, *, ticks: bool, everything: bool) -> list[dict[str, Any]]:
    """Return the table's rows: those with someone censored for the ticks, all of them for tooltips."""
    kept = [k for k, censored in enumerate(table.censored) if everything or (ticks and censored)]

    def picked(values: Any) -> list[Any]:
        return [values[k] for k in kept]

    def rounded(values: Any) -> list[float | None]:
        return [None if values[k] is None else round(values[k], 5) for k in kept]

    return [
        {
            "d": picked(table.days),
            "s": rounded(table.survival),
            "c": picked(table.censored),
            "e": picked(table.events),
            "n": picked(table.at_risk),
            "l": rounded(table.lower),
            "u": rounded(table.upper),
        }
    ]


def _one(values: list[dict[str, Any]]) -> alt.Chart:
    import altair as alt

    return alt.Chart(alt.InlineData(values=values))


def _median_layers(outcome: Result, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Return the dashed line from 50 % to the curve and down to the median; nothing where it is not reached."""
    if outcome["median_days"] is None:
        return []
    import altair as alt

    month = outcome["median_days"] / DAYS_PER_MONTH
    across = _one([{"m": 0, "s": 0.5, "m2": month}]).mark_rule(style="median").encode(x=x, x2="m2:Q", y=y)
    down = (
        _one([{"m": month, "s": 0, "s2": 0.5}]).mark_rule(style="median").encode(x=x, y=y, y2=alt.Y2("s2:Q"))
    )
    return [across, down]


def _reference_layers(references: Sequence[tuple[str, float]], x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Return a dashed line up to 50 % at each published median, with the letter that the note below names it by."""
    if not references:
        return []
    import altair as alt

    # Letters of lines that stand close together are written at several heights.
    rows = [
        {"m": month, "s": 0.0, "s2": 0.5, "t": letter, "top": 0.5 + 0.055 * (1 + place % 3)}
        for place, (letter, (_, month)) in enumerate(zip(ascii_uppercase, references, strict=False))
    ]
    line = _one(rows).mark_rule(style="median", strokeDash=[2, 3]).encode(x=x, y=y, y2=alt.Y2("s2:Q"))
    letters = (
        _one(rows)
        .mark_text(style="risk", align="center", baseline="middle")
        .encode(x=x, y=alt.Y("top:Q", scale=alt.Scale(domain=[0, 1], nice=False)), text="t:N")
    )
    return [line, letters]


def _reference_note(references: Sequence[tuple[str, float]], drawn: Sequence[tuple[str, float]]) -> str:
    if not references:
        return ""
    named = [
        f"{letter} {name} {localised(f'{month:g}')}"
        for letter, (name, month) in zip(ascii_uppercase, drawn, strict=False)
    ]
    beyond = [f"{name} {localised(f'{month:g}')}" for name, month in references if (name, month) not in drawn]
    note = " " + _("Dashed: published medians in months, of other patients and not part of these numbers")
    note += f": {', '.join(named)}" if named else ""
    if beyond:
        note += "; " + _("beyond the axis: {medians}").format(medians=", ".join(beyond))
    return f"{note}."


DOOR_PX = 7  # as wide as a mark must be to be met with a finger or a mouse


def _doors(table: SurvivalTable, endpoint: Endpoint, last_month: int, behind: Link) -> list[dict[str, Any]]:
    """Return places of the curve that open patients: those of a step or of censor ticks, of days close together."""
    per_px = last_month * DAYS_PER_MONTH / PLOT_WIDTH
    found: list[dict[str, Any]] = []
    for category, counts in (("censored", table.censored), ("event", table.events)):
        group: list[int] = []
        rows = [row for row, n in enumerate(counts) if n]
        for place, row in enumerate(rows):
            group.append(row)
            following = rows[place + 1] if place + 1 < len(rows) else None
            if following is None or table.days[following] - table.days[group[0]] > DOOR_PX * per_px:
                found.append(_door(table, endpoint, category, group, sum(counts[k] for k in group), behind))
                group = []
    return found


def _door(
    table: SurvivalTable, endpoint: Endpoint, category: str, group: list[int], n: int, behind: Link
) -> dict[str, Any]:
    first, last = int(table.days[group[0]]), int(table.days[group[-1]])
    before = table.survival[group[0] - 1] if group[0] else 1.0
    top = before if category == "event" else table.survival[group[0]] + 0.02
    bottom = table.survival[group[-1]] - (0.0 if category == "event" else 0.02)
    days = (
        _("day {day}").format(day=whole(first))
        if first == last
        else _("days {first} to {last}").format(first=whole(first), last=whole(last))
    )
    noun = counted(n, "event") if category == "event" else _("{n} censored").format(n=whole(n))
    return {
        "m": table.days[group[len(group) // 2]] / DAYS_PER_MONTH,
        "s": min(1.0, top),
        "s2": max(0.0, bottom),
        "what": noun,
        "when": days,
        "href": behind(endpoint, category, at_from=first, at_to=last),
    }


def _door_layer(doors: list[dict[str, Any]], x: alt.X, y: alt.Y) -> alt.Chart:
    import altair as alt

    return (
        _one(doors)
        .mark_rule(strokeWidth=DOOR_PX, opacity=0, cursor="pointer", tooltip=True)
        .encode(
            x=x,
            y=y,
            y2=alt.Y2("s2:Q"),
            href="href:N",
            tooltip=[alt.Tooltip("what:N", title=_("Open")), alt.Tooltip("when:N", title=_("Time"))],
        )
    )


def _note_layers(
    lines: list[str], table: SurvivalTable, outcome: Result, last_month: int, x: alt.X, y: alt.Y
) -> list[alt.Chart]:
    """Return the median in words, in the corner of the plot that the curve leaves free.

    Bottom left unless the band, the curve or the median's line runs through it; then top right.
    """
    width = max(look.text_width(line, look.TEXT_SIZE) for line in lines) + 16
    height = (16 * len(lines) + 14) / KM_HEIGHT
    right_of_note = width / PLOT_WIDTH * last_month

    def lowest(until_month: float) -> float:
        values = [1.0]
        for day, survival, lower in zip(table.days, table.survival, table.lower, strict=True):
            if day <= until_month * DAYS_PER_MONTH:
                values.append(survival if lower is None else lower)
        return min(values)

    median = outcome["median_days"]
    crossed = median is not None and median / DAYS_PER_MONTH <= right_of_note
    at_bottom = not crossed and lowest(right_of_note) > height
    month, top = (0.0, height) if at_bottom else (float(last_month), 1.0)
    return [
        _one([{"m": month, "s": top, "t": line}])
        .mark_text(
            style="note",
            align="left" if at_bottom else "right",
            baseline="top",
            dx=8 if at_bottom else -4,
            dy=16 * number + 2,
        )
        .encode(x=x, y=y, text="t:N")
        for number, line in enumerate(lines)
    ]


def _hover_layers(x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Return a line that follows the pointer and says the numbers of the nearest day."""
    import altair as alt

    nearest = alt.selection_point(
        name="nearest", nearest=True, on="pointermove", clear="pointerout", encodings=["x"], empty=False
    )
    tooltip = [
        alt.Tooltip("when:N", title=_("Time")),
        alt.Tooltip("survival:N", title=_("Estimate")),
        alt.Tooltip("limits:N", title=_("95 % CI")),
        alt.Tooltip("n:Q", title=_("At risk"), format=","),
        alt.Tooltip("e:Q", title=_("Events that day"), format=","),
        alt.Tooltip("c:Q", title=_("Censored that day"), format=","),
    ]
    day = _columns("rows").transform_calculate(
        when=when_expression(),
        survival="format(100 * datum.s, '.1f') + ' %'",
        limits=limits_expression(),
    )
    line = (
        day.mark_rule(style="hover", tooltip=True)
        .encode(x=x, opacity=alt.when(nearest).then(alt.value(1)).otherwise(alt.value(0)), tooltip=tooltip)
        .add_params(nearest)
    )
    return [line.properties(name="hover")]


def when_expression() -> str:
    """Return what Vega says of a moment, ``3.0 months (day 91)``, from the month ``m`` and the day ``d`` of a row."""
    # The places are cut out by a sign that no language writes.
    told = _("{months} months (day {day})").format(months="\0m\0", day="\0d\0").split("\0")
    values = {"m": "format(datum.m, '.1f')", "d": "format(datum.d, ',')"}
    return " + ".join(
        values[part] if number % 2 else _quoted(part) for number, part in enumerate(told) if part
    )


def limits_expression() -> str:
    """Return what Vega says of the limits ``l`` and ``u`` of a row, ``14.3–41.1 %``."""
    return (
        "isValid(datum.l) && isValid(datum.u)"
        " ? format(100 * datum.l, '.1f') + '–' + format(100 * datum.u, '.1f') + ' %' : "
        + _quoted(_("undefined"))
    )


def _quoted(text: str) -> str:
    return f"'{json.dumps(text, ensure_ascii=False)[1:-1].replace(chr(39), chr(92) + chr(39))}'"


def best_response_spec(result: Result, *, theme: look.Theme = "screen", behind: Link | None = None) -> Spec:
    """Return best overall responses as horizontal bars, best first, each with its count and share.

    On the screen a bar opens its patients.
    """
    title = _("Best overall response")
    shares = response_shares(result)
    of = shares[0].of
    if not of:
        return _empty_spec(result, title, _("No responses recorded yet"), theme)
    import altair as alt

    names = [share.name for share in shares]
    # A label stands right of its bar, and the longest bar needs room for it inside the plot.
    room = max(look.text_width(_count_label(share), look.TEXT_SIZE) for share in shares) + 12
    most = max(share.n for share in shares)
    x = alt.X(
        "n:Q",
        scale=alt.Scale(domain=[0, most * RESPONSES_WIDTH / (RESPONSES_WIDTH - room)], nice=False),
        axis=None,
    )
    base = alt.Chart(alt.NamedData(name="bars")).encode(
        x=x,
        y=alt.Y(
            "name:N",
            sort=names,
            scale=alt.Scale(domain=names, paddingInner=0.35, paddingOuter=0.1),
            axis=alt.Axis(
                title=None,
                domain=False,
                ticks=False,
                labelPadding=8,
                labelLimit=260,
                minExtent=8 + max(look.text_width(name, look.TEXT_SIZE) for name in names),
                labelFontSize=look.TEXT_SIZE,
            ),
        ),
    )
    tips = _tooltips(theme, name=_("Response"), label=_("Patients"))
    opens = theme == "screen" and behind is not None
    if opens:
        tips["href"] = alt.Href("href:N")
    bars = [
        base.transform_filter(f"datum.objective == {objective}").mark_bar(style=style).encode(**tips)
        for objective, style in ((1, "objective"), (0, "other-response"))
    ]
    labels = base.mark_text(style="note", align="left", baseline="middle", dx=6).encode(text="label:N")
    rated, treated = result["orr"].get("of"), result.get("n_patients")
    note = (
        _("Bars: the {patients} with a best overall response.").format(patients=counted(of, "patient"))
        if treated is None
        else _("Bars: the {patients} with a best overall response, of {treated}.").format(
            patients=counted(of, "patient"), treated=counted(treated, "treated patient")
        )
    )
    note += " " + _("The first two bars are objective responses.")
    if rated and rated != of:
        note += " " + _("The objective response rate has a denominator of its own, {patients}.").format(
            patients=counted(rated, "patient")
        )
    chart = alt.layer(*bars, labels).properties(
        name="plot",
        width=RESPONSES_WIDTH,
        height=30 * len(names),
        title=_footer(note, result, "best-response", theme),
    )
    header = _header(title, _cohort_line(result, _best_responses_said(of)), words.orr_line(result))
    datasets = {
        "bars": [
            {
                "name": share.name,
                "n": share.n,
                "label": _count_label(share),
                "objective": int(share.key in {"CR", "PR"}),
                **({"href": _behind_response(result, share, behind)} if opens and behind and share.n else {}),
            }
            for share in shares
        ]
    }
    return _finished(alt.vconcat(chart).properties(title=header), datasets, words.response_alt(result), theme)


def _best_responses_said(n: int) -> str:
    return ngettext("{n} best response", "{n} best responses", n).format(n=whole(n))


def _behind_response(result: Result, share: Share, behind: Link) -> str:
    definition = result.get("definition") or {}
    confirmed = definition.get("confirmation") == "required"
    groups = ["evaluable", "other"] if definition.get("orr_denominator") == "all_treated" else ["evaluable"]
    measure = "confirmed_response" if confirmed else "response"
    return behind(measure, *(f"{group}:{share.key}" for group in groups))


def _behind_course(share: Share, behind: Link | None) -> dict[str, str]:
    """Return the address behind a part of the courses bar; none for what is in no one state."""
    if behind is None:
        return {}
    if share.key in {"completed", "ongoing"}:
        return {"href": behind("status", share.key)}
    if share.key == "discontinued":
        return {"href": behind("status", "discontinued:*")}
    cycle = share.key.removeprefix("discontinued-")
    return {"href": behind("status", "discontinued:*", at=int(cycle))} if cycle.isdecimal() else {}


def courses_spec(result: Result, *, theme: look.Theme = "screen", behind: Link | None = None) -> Spec:
    """Return all courses as one bar: completed, ongoing, discontinued after each cycle, each part labelled.

    On the screen a part opens its courses.
    """
    title = _("Treatment courses")
    shares = [share for share in course_shares(result) if share.n]
    if not shares:
        return _empty_spec(result, title, _("No treated patients"), theme)
    import altair as alt

    of = shares[0].of
    layout = _course_layout(shares, behind if theme == "screen" else None)
    x = alt.X("x:Q", scale=alt.Scale(domain=[0, COURSES_WIDTH], nice=False), axis=None)
    y = alt.Y("y:Q", scale=alt.Scale(domain=[layout.height, 0], nice=False), axis=None)
    tips = _tooltips(theme, name=_("Courses"), label=_("Number"))
    layers = [_one(layout.leaders).mark_rule(style="leader").encode(x=x, y=y, y2=alt.Y2("y2:Q"))]
    for part in layout.parts:
        layers.append(
            _one([part])
            .mark_bar(style=f"part-{part['look']}")
            .encode(
                x=x,
                x2=alt.X2("x2:Q"),
                y=y,
                y2=alt.Y2("y2:Q"),
                **tips,
                **({"href": alt.Href("href:N")} if "href" in part else {}),
            )
        )
        if part["inside"]:
            layers.append(
                _one([{"x": (part["x"] + part["x2"]) / 2, "y": BAR_HEIGHT / 2, "t": part["inside"]}])
                .mark_text(style=f"ink-{part['look']}", baseline="middle")
                .encode(x=x, y=y, text="t:N")
            )
    for align, dx in (("left", 5), ("right", -5), ("under", 1)):
        chosen = [label for label in layout.labels if label["align"] == align]
        layers.append(
            _one(chosen)
            .mark_text(style="note", align="right" if align == "right" else "left", baseline="middle", dx=dx)
            .encode(x=x, y=y, text="t:N")
        )
    stopped = result["courses"]["discontinued"]
    note = _("Every part counts out of {courses}.").format(courses=counted(of, "course"))
    if stopped["n"]:
        reasons = ", ".join(f"{reason} {whole(n)}" for reason, n in discontinuation_reasons(result))
        said = (
            _("Discontinued: {n} of {of} ({percent}); main reasons: {reasons}.")
            if reasons
            else _("Discontinued: {n} of {of} ({percent}).")
        )
        note += " " + said.format(
            n=whole(stopped["n"]), of=whole(of), percent=percent(stopped["n"] / of), reasons=reasons
        )
    chart = alt.layer(*layers).properties(
        name="plot",
        width=COURSES_WIDTH,
        height=layout.height,
        title=_footer(note, result, "courses", theme),
    )
    header = _header(title, _cohort_line(result, counted(of, "treated patient")))
    return _finished(alt.vconcat(chart).properties(title=header), {}, words.courses_alt(result), theme)


@dataclass(frozen=True)
class _CourseLayout:
    """Where the courses bar puts its parts, labels and leaders; pixels, y downwards from the bar's top."""

    parts: list[dict[str, Any]]
    labels: list[dict[str, Any]]
    leaders: list[dict[str, Any]]
    height: float


def _course_layout(shares: list[Share], behind: Link | None = None) -> _CourseLayout:
    """Return the bar's parts with a label each, none over another.

    A part wide enough carries its label underneath. A narrow one drops a line to a row of its own. Labels left of their
    lines come first, from left to right, then those with no room on that side, from right to left with the label on
    the other: within each group no line crosses a label.
    """
    total = sum(share.n for share in shares)
    looks = _part_looks(shares)
    parts: list[dict[str, Any]] = []
    labels: list[dict[str, Any]] = []
    leaders: list[dict[str, Any]] = []
    narrow: list[tuple[float, str]] = []
    position = 0.0
    for share, part_look in zip(shares, looks, strict=True):
        width = COURSES_WIDTH * share.n / total
        gap = min(0.75, width / 8)
        count = whole(share.n)
        fits = look.text_width(count, 13) + 6 < width
        parts.append(
            {
                "x": round(position + gap, 2),
                "x2": round(position + width - gap, 2),
                "y": 0,
                "y2": BAR_HEIGHT,
                "look": part_look,
                "name": share.name,
                "label": _("{n} of {of} ({percent})").format(
                    n=whole(share.n), of=whole(share.of), percent=localised(f"{share.percent:.1f} %")
                ),
                "inside": count if fits else "",
                **_behind_course(share, behind),
            }
        )
        lines = [share.name, _count_label(share)]
        if max(look.text_width(line, look.TEXT_SIZE) for line in lines) + 6 < width:
            labels += [
                {"x": round(position, 2), "y": BAR_HEIGHT + 14 + 16 * number, "t": line, "align": "under"}
                for number, line in enumerate(lines)
            ]
        else:
            narrow.append((position + width / 2, f"{lines[0]}: {lines[1]}"))
        position += width
    row = BAR_HEIGHT + (52 if labels else 18)

    def to_the_left(at: float, text: str) -> bool:
        return look.text_width(text, look.TEXT_SIZE) + 8 < at

    in_order = [item for item in narrow if to_the_left(*item)]
    backwards = [item for item in reversed(narrow) if not to_the_left(*item)]
    for align, items in (("right", in_order), ("left", backwards)):
        for at, text in items:
            labels.append({"x": round(at, 2), "y": row, "t": text, "align": align})
            leaders.append({"x": round(at, 2), "y": BAR_HEIGHT + 2, "y2": row + 5})
            row += 19
    return _CourseLayout(parts, labels, leaders, max(label["y"] for label in labels) + 10)


def _part_looks(shares: list[Share]) -> list[str]:
    """Return the style of each part; discontinued courses share the last of their shades from the fourth on."""
    looks = []
    shade = 0
    for share in shares:
        if share.key.startswith("discontinued"):
            looks.append(f"discontinued-{min(shade, len(look.DISCONTINUED) - 1)}")
            shade += 1
        else:
            looks.append(share.key)
    return looks


def _count_label(share: Share) -> str:
    return localised(f"{share.n:,} ({share.percent:.1f} %)")


def _tooltips(theme: look.Theme, **titles: str) -> dict[str, Any]:
    """Return a tooltip encoding for the screen, nothing for paper."""
    if theme == "print":
        return {}
    import altair as alt

    return {"tooltip": [alt.Tooltip(f"{field}:N", title=title) for field, title in titles.items()]}


def _empty_spec(result: Result, title: str, message: str, theme: look.Theme) -> Spec:
    """Return a figure that says why there is nothing to draw."""
    import altair as alt

    text = (
        _one([{"t": message}])
        .mark_text(style="empty", baseline="middle", align="center")
        .encode(x=alt.value(PLOT_WIDTH / 2), y=alt.value(60), text="t:N")
        .properties(name="plot", width=PLOT_WIDTH, height=120, title=_footer("", result, None, theme))
    )
    header = _header(title, _cohort_line(result))
    alt_text = _("{figure} of {cohort}: {message}.").format(
        figure=title, cohort=cohort_name(result), message=begun_small(message)
    )
    return _finished(alt.vconcat(text).properties(title=header), {}, alt_text, theme)


def _cohort_line(result: Result, *facts: str) -> str:
    cutoff = _("data cut-off {cutoff}").format(cutoff=cutoff_text(result))
    return f"{cohort_name(result)}: {', '.join([*facts, cutoff])}"


def _header(title: str, *lines: str) -> alt.TitleParams:
    import altair as alt

    subtitle = [
        piece for line in lines for piece in look.wrapped(line, width=PLOT_WIDTH + 60, size=look.TEXT_SIZE)
    ]
    return alt.TitleParams(text=title, subtitle=subtitle)


def _footer(note: str, result: Result, figure: str | None, theme: look.Theme) -> alt.TitleParams:
    """Return the lines under a figure: how to read it, then what it rests on.

    On paper the sentences of its definition come along; on the screen they stand on the page around it. A result marked
    ``synthetic`` says so, since a file leaves the pages that say it.
    """
    import altair as alt

    origin = (
        _("Revision {revision}, data cut-off {cutoff}, newer changes not yet counted.")
        if result.get("stale")
        else _("Revision {revision}, data cut-off {cutoff}.")
    ).format(
        revision=result.get("revision", _("not stated")),
        cutoff=day_text(result.get("data_cutoff", _("not stated"))),
    )
    if result.get("synthetic"):
        origin = _("Synthetic patients.") + " " + origin
    in_print = figure if theme == "print" else None
    definition = definition_text(result.get("definition"), in_print) if in_print else ""
    if definition:
        origin += " " + _("Definition:") + " " + definition
    lines = [
        piece
        for line in (note, origin)
        if line
        for piece in look.wrapped(line, width=PLOT_WIDTH + 60, size=look.FOOTER_SIZE[theme])
    ]
    return alt.TitleParams(
        text=lines, orient="bottom", style="footer", anchor="start", frame="bounds", offset=16
    )


def locale() -> Spec:
    """Return how Vega is to write numbers, as a part of a configuration; nothing where a point parts decimals."""
    if not has_decimal_comma():
        return {}
    return {"locale": {"number": {"decimal": ",", "thousands": ".", "grouping": [3], "currency": ["", " €"]}}}


def _finished(chart: alt.VConcatChart, datasets: dict[str, Any], description: str, theme: look.Theme) -> Spec:
    """Return ``chart`` as plain data with its numbers, its words for screen readers and its looks."""
    spec: Spec = chart.to_dict()
    # Altair writes its own newest schema and a default look; both are ours to say.
    spec["$schema"] = f"https://vega.github.io/schema/vega-lite/v{VEGA_LITE_VERSION}.0.json"
    spec["config"] = look.config(theme) | locale()
    spec["description"] = description
    spec["datasets"] = {**spec.get("datasets", {}), **datasets}
    if theme == "screen":
        spec["usermeta"] = {"dark": look.DARK}  # charts.js lays it over the config where the page is dark
    return spec


@dataclass(frozen=True)
class Figure:
    """A figure of a cohort's dashboard: its title, what draws it, and what says it in words."""

    english: str
    build: Callable[..., Spec]  # (result, *, theme="screen", behind=None), curves also references=()
    alt_text: Callable[[Result], str]

    @property
    def title(self) -> str:
        return _(self.english)


FIGURES: dict[str, Figure] = {
    "pfs": Figure(
        ENDPOINT_NAMES.english["pfs"],
        partial(km_spec, endpoint="pfs"),
        partial(words.survival_alt, endpoint="pfs"),
    ),
    "os": Figure(
        ENDPOINT_NAMES.english["os"],
        partial(km_spec, endpoint="os"),
        partial(words.survival_alt, endpoint="os"),
    ),
    "best-response": Figure(gettext_noop("Best overall response"), best_response_spec, words.response_alt),
    "courses": Figure(gettext_noop("Treatment courses"), courses_spec, words.courses_alt),
}
