"""What templates ask before they offer an act; the views behind it ask again."""

import uuid
from typing import Any

from django import template
from django.utils.text import capfirst

from accounts.access import Act
from accounts.models import Centre
from accounts.services import NOTES
from languages.wording import within

register = template.Library()


@register.simple_tag(takes_context=True)
def may(context: dict[str, Any], act: str, centre_id: uuid.UUID | None = None) -> bool:
    """Return whether who is signed in may perform ``act`` ("edit_patients") at the centre, or at any.

    False where nobody is signed in, and on the page of an error that has no request.
    """
    user = context.get("user")
    return bool(user is not None and user.is_authenticated and user.may(Act(act), centre_id))


@register.filter
def sentence_case(words: str) -> str:
    """Return words that were written In Title Case as a sentence begins."""
    return capfirst(within(str(words).strip()))


@register.filter
def note_retold(words: str) -> str:
    """Return what Django's log holds of an account in the reader's language."""
    return NOTES.retold(words)


@register.simple_tag(takes_context=True)
def own_centres(context: dict[str, Any]) -> list[Centre]:
    """Return the centres whose results the user may see, for the header."""
    user = context.get("user")
    if user is None or not user.is_authenticated:
        return []
    return user.centres(Act.VIEW_RESULTS)


@register.simple_tag(takes_context=True)
def may_correct_in_admin(context: dict[str, Any]) -> bool:
    """Return whether the admin has anything for this user."""
    user = context.get("user")
    if user is None or not user.is_authenticated:
        return False
    return any(user.may(act) for act in (Act.CORRECT_IN_ADMIN, Act.MANAGE_USERS, Act.MANAGE_COHORTS))
