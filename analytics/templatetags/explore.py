"""How the numbers of a comparison are written."""

from django import template

from analytics.charts.numbers import localised

register = template.Library()


@register.filter
def points(difference: float) -> str:
    """Return a difference of two fractions in percentage points with its sign, ``+12.3``."""
    return localised(f"{100 * difference:+.1f}".replace("-", "−"))
