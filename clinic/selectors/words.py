"""How labels stand within sentences."""

from languages.wording import keeps_capitals


def state_within(label: object) -> str:
    """Return a state or a response within a sentence: it begins with no noun, so that its first letter is a small one."""
    words = str(label)
    if not keeps_capitals():
        return words.lower()
    is_word = words[1:2].islower()  # no abbreviation
    return words[:1].lower() + words[1:] if is_word else words
