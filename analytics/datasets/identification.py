"""How much of a patient a data set tells: by registry number and real dates, or by pseudonym and relative dates.

De-identified, the first administration of every patient is put on one and the same day, and all other dates of the patient
move with it: days between dates stay exact, and no calendar is left that could be joined with another.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

from django.conf import settings

from accounts.access import Act
from accounts.models import Centre, User
from analytics.datasets.source import Course, Source

STARTED_ON = date(2000, 1, 1)  # of everybody, de-identified
OLDEST = 89
OTHER_SITE = "OTHER"


class Level(StrEnum):
    REGISTRY = "registry"
    DEIDENTIFIED = "deidentified"


IN_WORDS: dict[Level, list[str]] = {
    Level.REGISTRY: [
        "Patients are named by registry number; dates are those of the records. No names, MRNs or birth dates."
    ],
    Level.DEIDENTIFIED: [
        "Patients are named by a pseudonym of this export, which another export does not use.",
        f"Dates are relative: every patient's first administration is set to {STARTED_ON.isoformat()}, and all other dates "
        "of the patient keep their distance to it. The data cut-off is a date of the calendar and compares with none of "
        "them: fixed-horizon rates, which need it, cannot be derived from this export.",
        "Ages from 90 are given as 90. Centres with few patients are OTHER. No names, MRNs, registry numbers or birth "
        "dates, and no words that a person typed.",
    ],
}


def level_for(user: User | None, source: Source) -> Level:
    """Return by registry number for who may see the records of every centre of the source; None: a command."""
    if user is None:
        return Level.REGISTRY
    readable = set(Centre.objects.visible_to(user, Act.VIEW_RECORDS).values_list("code", flat=True))
    return Level.REGISTRY if readable.issuperset(source.centre_codes) else Level.DEIDENTIFIED


def shown_sites(patients_by_centre: dict[str, int]) -> frozenset[str]:
    """Return the centres that may be named: those with enough patients, and not so many that the rest gives itself away."""
    limit = settings.SMALL_CELL
    by_size = sorted(patients_by_centre, key=lambda code: (patients_by_centre[code], code))
    hidden = [code for code in by_size if patients_by_centre[code] < limit]
    shown = by_size[len(hidden) :]
    # One hidden centre is known from a list of all; and few patients under OTHER are few patients.
    while hidden and shown and (len(hidden) < 2 or sum(patients_by_centre[code] for code in hidden) < limit):
        hidden.append(shown.pop(0))
    return frozenset(shown)


@dataclass(frozen=True)
class Person:
    """How one patient is told in this export.

    Attributes:
        shift: added to every date; None: no date can be told.
    """

    subject: str
    shift: timedelta | None
    level: Level
    sites: frozenset[str] = field(default_factory=frozenset)

    def date(self, on: date | None) -> date | None:
        return None if on is None or self.shift is None else on + self.shift

    def age(self, years: int | None) -> int | None:
        if years is None or self.level is Level.REGISTRY:
            return years
        return min(years, OLDEST + 1)

    def site(self, code: str) -> str:
        return code if self.level is Level.REGISTRY or code in self.sites else OTHER_SITE


def person_of(courses: list[Course], level: Level, sites: frozenset[str]) -> Person:
    """Return how the patient of these courses is told."""
    if level is Level.REGISTRY:
        return Person(courses[0].registry_number, timedelta(0), level)
    starts = [course.row["started_on"] or course.row["time_zero"] for course in courses]
    started = min((on for on in starts if on is not None), default=None)
    shift = None if started is None else STARTED_ON - started
    return Person(courses[0].pseudonym, shift, level, sites)
