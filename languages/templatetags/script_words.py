"""Where the scripts of a page find their words."""

from django import template
from django.urls import reverse
from django.utils.translation import get_language

from languages import scripts

register = template.Library()


@register.simple_tag
def script_words() -> str:
    """Return the address of the script with the words of the page's language; blank in English, which needs none."""
    language = get_language() or ""
    if not scripts.is_needed(language):
        return ""
    return f"{reverse('script-words', args=[language])}?v={scripts.version(language)}"
