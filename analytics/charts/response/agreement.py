"""Agreement of two readers: the crosstable of their responses, with Cohen's kappa."""

from collections.abc import Sequence
from typing import Any

from analytics.charts import theme as look
from analytics.charts.numbers import counted, localised, whole
from analytics.charts.response.courses import WORDS, About, csv_of
from analytics.charts.response.pieces import Spec, empty, figure, footer, kept_free, layer
from imaging.rules.agreement import Agreement
from languages.wording import Words, gettext_noop, ngettext
from languages.wording import gettext as _

CELL_WIDTH, CELL_HEIGHT = 92, 34
NAMES_PX = 176  # beside the table
SHORT: Words[str] = Words({"NON_CR_NON_PD": gettext_noop("Non-CR/non-PD")})


def agreement_spec(found: Agreement, n_courses: int, about: About, *, theme: look.Theme = "screen") -> Spec:
    """Return the studies by what the first reader (down) and the second (across) said; only responses that occur."""
    title = _("Agreement of two readers")
    words = agreement_alt(found, n_courses, about)
    if not found.n:
        return empty(title, _("No study was read by two readers"), words, about, theme)
    cells, codes = _crosstable(found)
    size = len(codes) + 1  # with the sums
    width, height = CELL_WIDTH * size, CELL_HEIGHT * size
    x = _axis("x", [0, size])
    y = _axis("y", [size, 0])
    layers: list[Spec] = []
    for style in ("cell-none", "cell-differed", "cell-agreed"):
        rows: list[Spec] = [
            {"x": column + 0.02, "x2": column + 0.98, "y": row + 0.05, "y2": row + 0.95}
            for row, counts in enumerate(cells)
            for column, n in enumerate(counts)
            if _style(row, column, n) == style
        ]
        if rows:
            places: Spec = {"x": x, "x2": {"field": "x2"}, "y": y, "y2": {"field": "y2"}}
            layers.append(layer(rows, {"type": "rect", "style": style}, places))
    texts = [(row, column, n, "count") for row, counts in enumerate(cells) for column, n in enumerate(counts)]
    texts += [(row, len(codes), sum(counts), "note") for row, counts in enumerate(cells)]
    columns = [sum(column) for column in zip(*cells, strict=True)]
    texts += [(len(codes), column, n, "note") for column, n in enumerate([*columns, found.n])]
    for style in ("count", "note"):
        rows = [
            {"x": column + 0.5, "y": row + 0.5, "t": whole(n)} for row, column, n, of in texts if of == style
        ]
        mark: Spec = {"type": "text", "style": style, "baseline": "middle"}
        layers.append(layer(rows, mark, {"x": x, "y": y, "text": {"field": "t"}}))
    down = [{"y": row + 0.5, "t": name} for row, name in enumerate([*map(WORDS.get, codes), _("All")])]
    side = {"type": "text", "style": "small", "align": "right", "baseline": "middle", "dx": -8}
    layers.append(layer(down, side, {"x": {"value": 0}, "y": y, "text": {"field": "t"}}))
    layers.append(kept_free(-8 - max(look.text_width(f"{name['t']}", look.SMALL_SIZE) for name in down), 0))
    across = [{"x": column + 0.5, "t": name} for column, name in enumerate([*map(_short, codes), _("All")])]
    above = {"type": "text", "style": "small", "baseline": "bottom", "dy": -5}
    layers.append(layer(across, above, {"x": x, "y": {"value": 0}, "text": {"field": "t"}}))
    corner: Spec = {"x": {"value": 0}, "y": {"value": 0}, "text": {"field": "t"}}
    heads: list[tuple[str, Spec]] = [
        (_("Second reader"), {"align": "left", "dx": 4, "dy": -22}),
        (_("First reader"), {"align": "right", "dx": -8, "dy": -5}),
    ]
    for text, place in heads:
        mark = {"type": "text", "style": "heading", "baseline": "bottom"} | place
        layers.append(layer([{"t": text}], mark, corner))
    notes = [
        _(
            "A study read by both, by what each said before any adjudication. Shaded blue: they agree; orange: they do not."
            " Unweighted kappa; limits after Fleiss, Cohen and Everitt, which take studies as independent."
        ),
        found.undefined,
    ]
    plot = {
        "name": "plot",
        "width": width,
        "height": height,
        "layer": layers,
        "title": footer(notes, about, theme, width=width + NAMES_PX),
    }
    facts = [_studies(found, n_courses), kappa_said(found)]
    return figure(title, about, facts, [plot], words, theme, width=width + NAMES_PX)


def agreement_alt(found: Agreement, n_courses: int, about: About) -> str:
    """Return the figure in words: how many agree, kappa, and every pair of responses that differ."""
    if not found.n:
        return _("No study of {cohort} was read by two readers.").format(cohort=about.name)
    differing = [
        _("{first} against {second}: {n}").format(
            first=_short(first), second=_short(second), n=whole(found.crosstable[row][column])
        )
        for row, first in enumerate(found.categories)
        for column, second in enumerate(found.categories)
        if row != column and found.crosstable[row][column]
    ]
    said = [
        _(
            "Agreement of two readers in {cohort}, {studies}: {n} agree ({observed}, by chance {expected}); {kappa}."
        ).format(
            cohort=about.name,
            studies=_studies(found, n_courses),
            n=whole(found.n_agreed),
            observed=_percent(found.observed),
            expected=_percent(found.expected),
            kappa=kappa_said(found),
        )
    ]
    if found.undefined:
        said.append(found.undefined)
    if differing:
        said.append(
            _("First against second reader where they differ: {pairs}.").format(pairs="; ".join(differing))
        )
    return " ".join(said)


def agreement_csv(found: Agreement, n_courses: int, about: About) -> str:
    """Return the crosstable, a pair of responses a line, and then what follows from it; undefined is an empty cell."""
    rows: list[list[Any]] = [
        ["studies", first, second, found.crosstable[row][column]]
        for row, first in enumerate(found.categories)
        for column, second in enumerate(found.categories)
    ]
    lower, upper = found.limits or (None, None)
    rows += [
        [kind, "", "", "" if value is None else value]
        for kind, value in (
            ("n_studies", found.n),
            ("n_courses", n_courses),
            ("observed_agreement", found.observed),
            ("expected_agreement", found.expected),
            ("kappa", found.kappa),
            ("standard_error", found.standard_error),
            ("lower_95", lower),
            ("upper_95", upper),
        )
    ]
    return csv_of(about, ["kind", "first_reader", "second_reader", "value"], rows)


def kappa_said(found: Agreement) -> str:
    """Return ``kappa 0.43 (95 % CI 0.32 to 0.53)``, or that it is undefined."""
    if found.kappa is None:
        return _("kappa undefined")
    if found.limits is None:
        return _("kappa {kappa} (no limits)").format(kappa=_signed(found.kappa))
    lower, upper = found.limits
    return _("kappa {kappa} (95 % CI {lower} to {upper})").format(
        kappa=_signed(found.kappa), lower=_signed(lower), upper=_signed(upper)
    )


def _crosstable(found: Agreement) -> tuple[list[list[int]], list[str]]:
    """Return the crosstable of the responses that occur, and their codes."""
    kept = [
        index
        for index in range(len(found.categories))
        if any(found.crosstable[index]) or any(row[index] for row in found.crosstable)
    ]
    cells = [[found.crosstable[row][column] for column in kept] for row in kept]
    return cells, [found.categories[index] for index in kept]


def _style(row: int, column: int, n: int) -> str:
    if not n:
        return "cell-none"
    return "cell-agreed" if row == column else "cell-differed"


def _axis(field: str, domain: Sequence[int]) -> Spec:
    scale = {"domain": list(domain), "nice": False, "zero": False}
    return {"field": field, "type": "quantitative", "scale": scale, "axis": None}


def _short(code: str) -> str:
    return SHORT.get(code, code)


def _studies(found: Agreement, n_courses: int) -> str:
    return ngettext(
        "{n} study of {courses} read by both", "{n} studies of {courses} read by both", found.n
    ).format(n=whole(found.n), courses=counted(n_courses, "course"))


def _percent(share: float | None) -> str:
    return _("undefined") if share is None else localised(f"{100 * share:.1f} %")


def _signed(value: float) -> str:
    return localised(f"{value:.2f}".replace("-", "−"))
