"""Whose patients a list is about."""

from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Exists, OuterRef, QuerySet

from clinic.models import CareTeamMember

Rows = TypeVar("Rows", bound=QuerySet[Any])


@dataclass(frozen=True)
class Whose:
    """Of which patients: all where both are blank."""

    cared_for_by: Any = None
    by_nobody: bool = False

    def narrow(self, rows: Rows, patient: str) -> Rows:
        """Return the rows of these patients; ``patient`` is the path from a row to its patient."""
        team = CareTeamMember.objects.filter(patient=OuterRef(patient))
        if self.cared_for_by is not None:
            rows = rows.filter(Exists(team.filter(user=self.cared_for_by)))
        return rows.filter(~Exists(team)) if self.by_nobody else rows


ALL = Whose()
