"""How the numbers of a comparison are written."""

from django import template

register = template.Library()


@register.filter
def points(difference: float) -> str:
    """Return a difference of two fractions in percentage points with its sign, ``+12.3``."""
    return f"{100 * difference:+.1f}".replace("-", "−")
