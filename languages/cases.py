"""Capitals, which are not the same in all languages."""

from django.utils.translation import get_language


def within_sentence(words: str) -> str:
    """Return words that stand alone elsewhere as they stand within a sentence: small, but for German nouns."""
    return words if (get_language() or "").startswith("de") else words.lower()
