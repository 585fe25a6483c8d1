"""Words that stand inside a sentence."""

from django import template
from django.utils.translation import get_language

register = template.Library()


@register.filter
def midsentence(words: object) -> str:
    """Return a label as it stands inside a sentence: in small letters, but in German as it is, where nouns keep theirs."""
    return str(words) if get_language() == "de" else str(words).lower()
