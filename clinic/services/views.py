"""The lists that a user comes back to."""

from django.db import transaction

from accounts.models import User
from clinic.models import SavedView


@transaction.atomic
def save_view(*, user: User, name: str, query: str) -> SavedView:
    """Store a list under a name; the user's view of that name is replaced.

    Args:
        query: of the list's address, without a search.

    Raises:
        ValidationError: a name or an address that is missing or too long.
    """
    view = SavedView.objects.filter(user=user, name=name.strip()).first() or SavedView(user=user)
    view.name, view.query = name.strip(), query
    view.full_clean()
    view.save()
    return view


@transaction.atomic
def remove_view(*, user: User, name: str) -> None:
    SavedView.objects.filter(user=user, name=name).delete()
