"""How labels stand within sentences."""

from typing import Any

from django.utils.translation import get_language


def within(label: Any) -> str:
    """Return a label as it stands within a sentence: in lower case, but where nouns keep their capital."""
    return str(label).lower() if _has_small_nouns() else str(label)


def lower_first(sentence: str) -> str:
    """Return a sentence as it goes on after a colon."""
    return sentence[:1].lower() + sentence[1:] if _has_small_nouns() else sentence


def _has_small_nouns() -> bool:
    return not (get_language() or "en").startswith("de")
