"""The palette of pages and acts that ``base.html`` holds."""

from typing import Any

from django import template

from clinic.guide.palette import Offer, offers_to

register = template.Library()


@register.simple_tag(takes_context=True)
def palette(context: dict[str, Any]) -> list[Offer]:
    """Return where who is signed in can go; nothing where nobody is."""
    user = context.get("user")
    return offers_to(user) if user is not None and user.is_authenticated else []
