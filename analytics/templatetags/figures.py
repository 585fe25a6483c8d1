"""How the numbers of a result are written: percentages with one decimal, intervals with both limits, days as months."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from analytics import cohorts
from analytics.charts import numbers
from analytics.charts.numbers import localised, median_limits_text
from analytics.charts.response.courses import WORDS, signed_percent
from analytics.dashboard import Number
from analytics.rules.endpoints import MONTH_DAYS
from languages.wording import within

register = template.Library()

UNDEFINED = gettext_lazy("undefined")


@register.filter
def percent(fraction: float | None) -> str:
    """Return a fraction in [0, 1] as ``26.1 %``; None as ``undefined``."""
    return str(UNDEFINED) if fraction is None else localised(f"{100 * fraction:.1f} %")


@register.filter
def percent_interval(limits: Sequence[float | None] | None) -> str:
    """Return two fractions as ``14.3 to 41.1 %``; ``undefined`` where either is missing."""
    lower, upper = limits or (None, None)
    if lower is None or upper is None:
        return str(UNDEFINED)
    return _("{lower} to {upper}").format(
        lower=localised(f"{100 * lower:.1f}"), upper=localised(f"{100 * upper:.1f} %")
    )


@register.filter
def months(days: float | None) -> str:
    """Return days as months of 30.4375 days with one decimal and without the unit; None as ``not reached``."""
    return _("not reached") if days is None else localised(f"{days / float(MONTH_DAYS):.1f}")


@register.filter
def months_said(days: float | None) -> str:
    """Return days as ``months`` does, with the unit."""
    return months(days) if days is None else _("{months} months").format(months=months(days))


@register.filter
def months_interval(limits: Sequence[float | None] | None) -> str:
    """Return two limits of a median in months, as on its figure: ``11.0 months to not reached``."""
    return median_limits_text(limits)


@register.filter
def months_limits(limits: Sequence[float | None] | None) -> str:
    """Return two limits in months as a table has them: ``11.0 to –``, a dash where one is not reached or not estimable."""
    lower, upper = limits or (None, None)
    said = ["–" if limit is None else months(limit) for limit in (lower, upper)]
    if lower is None and upper is None:
        return ""
    return _("{lower} to {upper}").format(lower=said[0], upper=said[1])


@register.filter
def share(part: dict[str, int]) -> str:
    """Return ``{"n": 36, "of": 63}`` as ``57.1 %``; ``undefined`` of nobody."""
    return percent(part["n"] / part["of"]) if part["of"] else str(UNDEFINED)


@register.filter
def dict_item(items: dict[str, object], key: str) -> object:
    """Return the item under a key that template syntax cannot say, such as ``best-response``."""
    return items[key]


@register.filter
def response_word(code: str) -> str:
    """Return a best response in words; none as ``No assessment``."""
    return WORDS[code]


@register.filter
def change(percent: Decimal | None) -> str:
    """Return a change from baseline as ``−34.0 %``; None as a dash."""
    return "–" if percent is None else signed_percent(percent)


@register.filter
def linked(number: Number) -> SafeString | str:
    """Return a number of courses as a link to those it counts; what is withheld says so, and leads to how many it may be."""
    if not number.href:
        return str(number)
    return format_html('<a class="behind" href="{}">{}</a>', number.href, str(number))


@register.filter
def part(number: Number, of: int | str) -> SafeString | str:
    """Return a number of courses with its share of ``of``: ``12 (26.1 %)``; without one where either is withheld."""
    said = linked(number)
    if isinstance(number.n, str) or isinstance(of, str) or not of:
        return said
    return format_html('{} <span class="share">({} %)</span>', said, localised(f"{100 * number.n / of:.1f}"))


@register.filter
def decimals(value: float | None, places: int) -> str:
    """Return a number with so many decimals; None as a dash."""
    return "–" if value is None else localised(f"{value:,.{places}f}")


@register.filter
def p_value(value: float | None) -> str:
    """Return ``p = 0.032`` or ``p < 0.001``; None as ``undefined``."""
    if value is None:
        return str(UNDEFINED)
    return localised("p < 0.001" if value < 0.001 else f"p = {value:.3f}")


@register.filter
def published_limits(limits: Sequence[Decimal | None] | None) -> str:
    """Return the printed limits of a published figure; none where the source gives none."""
    if limits is None:
        return ""
    lower, upper = (_("not reached") if limit is None else localised(str(limit)) for limit in limits)
    return _("{lower} to {upper}").format(lower=lower, upper=upper)


@register.filter
def figure(value: Any) -> str:
    """Return a head figure of a revision: a number of patients or days; None as ``not reached``."""
    if isinstance(value, int | float):
        return localised(f"{value:,}")
    return _("not reached") if value is None else str(value)


@register.filter
def lowered(text: Any) -> str:
    """Return the words of a line as they stand within a sentence."""
    return within(text)


@register.filter
def iso_day(stored: Any) -> str:
    """Return a day stored as an ISO date as the reader writes it; None as ``open``."""
    return pgettext("data cut-off", "open") if stored is None else numbers.day_text(stored)


@register.filter
def definition_name(name: str) -> str:
    """Return the name of a definition; one that was named by its cut-off in the reader's language."""
    return cohorts.definition_name(name)
