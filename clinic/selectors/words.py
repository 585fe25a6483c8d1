"""How labels stand within sentences."""

from typing import Any

from django.utils.translation import get_language


def within(label: Any) -> str:
    """Return a label as it stands within a sentence: in lower case, but where nouns keep their capital."""
    return str(label).lower() if _has_small_nouns() else str(label)


def state_within(label: Any) -> str:
    """Return a state or a response within a sentence: it begins with no noun, so that its first letter is a small one."""
    words = str(label)
    if _has_small_nouns():
        return words.lower()
    is_word = words[1:2].islower()  # no abbreviation
    return words[:1].lower() + words[1:] if is_word else words


def lower_first(sentence: str) -> str:
    """Return a sentence as it goes on after a colon."""
    return sentence[:1].lower() + sentence[1:] if _has_small_nouns() else sentence


def _has_small_nouns() -> bool:
    return not (get_language() or "en").startswith("de")
