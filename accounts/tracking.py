"""The history of a table: a row for every insert, update and delete, written by database triggers."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import pghistory
from django.db import models

ModelT = TypeVar("ModelT", bound=type[models.Model])


def tracked(*, exclude: Sequence[str] = ()) -> Callable[[ModelT], ModelT]:
    """Give a model its history, of all fields but ``exclude``; who changed it and why stands beside each row."""
    events = (pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
    return pghistory.track(*events, exclude=list(exclude))
