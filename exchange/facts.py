"""What is known of one patient once a file is in: its rows beside what the registry holds."""

from dataclasses import dataclass, field
from typing import Any

from exchange.problems import Problem
from exchange.rows import Row


@dataclass(slots=True)
class Fact:
    """A row of the file completed by what the registry holds, or a record of the registry alone (``row`` is None)."""

    values: dict[str, Any]
    row: Row | None = None

    def readable(self, column: str) -> bool:
        return self.row is None or column not in self.row.unreadable


@dataclass
class PatientFacts:
    """Everything known of a patient once the file is in: sheet name to facts."""

    registry_number: str
    sheets: dict[str, list[Fact]] = field(default_factory=dict)

    def of(self, sheet: str) -> list[Fact]:
        return self.sheets.get(sheet, [])


def problem_at(expected: str, *candidates: tuple[Fact | None, str]) -> Problem:
    """Return a problem at the first candidate that stands in the file."""
    for fact, column in candidates:
        if fact is not None and fact.row is not None:
            return fact.row.problem(column, expected)
    return Problem(expected)
