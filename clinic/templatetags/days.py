"""Where a day lies from today."""

from datetime import date

from django import template

from treatments.rules.words import when

register = template.Library()


@register.filter
def away(on: date, today: date) -> str:
    """Return ``today``, ``in 3 days``, ``5 weeks ago``."""
    return when(on, today)
