"""Words that stand inside a sentence, and sentences that were stored in English."""

from django import template
from django.utils.translation import gettext

from imaging.selectors.response import DERIVED_REASON
from languages.wording import within
from treatments.rules.advice import until_retold

register = template.Library()


@register.filter
def midsentence(words: object) -> str:
    """Return a label as it stands inside a sentence."""
    return within(words)


@register.filter
def derived_reason(stored: str) -> str:
    """Return why the rules derived a response, as it was stored with the reading, in the reader's language."""
    return DERIVED_REASON.retold(stored)


@register.filter
def hold_note(stored: str) -> str:
    """Return what was noted of a hold: an advice that was taken over in the reader's language, else as it was typed."""
    return until_retold(stored)


@register.filter
def told(stored: str) -> str:
    """Return what a shipped record says in English, in the reader's language; what a person typed, as it is.

    ``{% translate %}`` looks up no text of a variable that has a percent sign.
    """
    return gettext(stored) if stored else ""
