"""A clinical word with its explanation behind it: ``{% term "RECIST" %}``."""

from typing import Any

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from clinic.glossary import TERMS

register = template.Library()


@register.simple_tag(takes_context=True)
def term(context: template.Context, word: str, shown: str = "") -> SafeString:
    """Return the word as a button that opens its explanation; the browser does it alone, and Esc closes it.

    Args:
        word: as the glossary calls it in English.
        shown: what stands in the text instead of the word, such as "LLN".

    Raises:
        KeyError: the glossary does not hold the word.
    """
    found = TERMS[word]
    # Counted by request, as each id may stand once on a page whose parts know nothing of one another.
    request: Any = getattr(context, "request", None)
    used: dict[str, int] = vars(request).setdefault("_terms", {}) if request is not None else {}
    used[word] = used.get(word, 0) + 1
    id_ = f"term-{found.slug}-{used[word]}"
    full = format_html(" <em>{}</em>.", found.stands_for) if found.stands_for else ""
    return format_html(
        '<button type="button" class="term" popovertarget="{id}">{shown}</button>'
        '<span class="term-note" id="{id}" popover><strong>{word}</strong>{full} {meaning}'
        ' <a href="{url}#{slug}">{glossary}</a></span>',
        glossary=_("Glossary"),
        id=id_,
        shown=shown or found.word,
        word=found.word,
        full=full,
        meaning=found.meaning,
        url=reverse("help-glossary"),
        slug=found.slug,
    )
