"""The courses that data sets are made of: those of a cohort now, or those that a data lock holds.

Found by the very filter that results are counted by, so that files and figures are of the same courses.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils.crypto import salted_hmac

from accounts.errors import RegistryError
from analytics import tallies
from analytics.datasets import canonical
from analytics.models import AnalysisRow, Cohort, CoursesCounted, DataLock, Definition

# What a course carries into an analysis: the columns that live outcomes and data locks share.
ROW_COLUMNS = tuple(field.attname for field in AnalysisRow._meta.local_fields)
_BATCH = 2000


@dataclass(frozen=True)
class Course:
    """One course of a cohort.

    Attributes:
        row: column of ``AnalysisRow`` to value.
        is_analysed: whether it is in the analysis set: treated, without contradiction.
        patient_id: None in a data lock, which knows registry numbers alone.
    """

    row: dict[str, Any]
    registry_number: str
    course_number: int
    centre_code: str
    stratum: str
    is_analysed: bool
    pseudonym: str
    patient_id: UUID | None


@dataclass(frozen=True)
class Source:
    """Which courses: a cohort's at some centres, or a data lock's.

    Attributes:
        cohort: with its definition; stored or not. Of a data lock: as it was locked.
        centre_codes: sorted.
    """

    cohort: Cohort
    centre_codes: tuple[str, ...]
    cutoff: date
    lock: DataLock | None = None

    @property
    def name(self) -> str:
        """Return by what the study is called in the files."""
        return self.lock.name if self.lock is not None else self.cohort.slug or "ad-hoc"

    def described(self) -> dict[str, Any]:
        """Return what decides which rows there are, as JSON values."""
        rules = self.cohort.definition.rules
        return {
            "filter": tallies.filter_to_json(self.cohort),
            "strata_by": self.cohort.strata_by,
            "definition": rules.to_json(),
            "data_cutoff": self.cutoff.isoformat(),
            "centres": list(self.centre_codes),
        }

    def _selected(self) -> tuple[str, list[Any]]:
        """Return FROM and WHERE of the courses ``o``, their centres ``z``, and their values."""
        if self.lock is not None:
            tables = "analytics_lockedoutcome o JOIN accounts_centre z ON z.id = o.centre_id"
            return f"{tables} WHERE o.lock_id = %s", [self.lock.pk]
        conditions, values = tallies.filter_of(self.cohort, self.centre_codes)
        tables = (
            "analytics_outcome o JOIN accounts_centre z ON z.id = o.centre_id"
            " JOIN treatments_course c ON c.id = o.course_id JOIN patients_patient p ON p.id = c.patient_id"
        )
        return f"{tables} WHERE {' AND '.join(conditions)}", values

    @property
    def _names(self) -> tuple[str, str, str]:
        """Return SQL of registry number, course number and patient."""
        if self.lock is not None:
            return "o.registry_number", "o.course_number", "NULL"
        return "p.registry_number", "c.number", "c.patient_id"

    def patients_by_centre(self) -> dict[str, int]:
        """Return how many patients each centre has in it. One query."""
        selected, values = self._selected()
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT z.code, count(DISTINCT {self._names[0]}) FROM {selected} GROUP BY 1",  # noqa: S608
                values,
            )
            return dict(cursor.fetchall())

    def analysed_patients(self) -> int:
        """Return how many patients the analysed courses belong to. One query."""
        selected, values = self._selected()
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT count(DISTINCT {self._names[0]}) FROM {selected} AND {self._analysed}",  # noqa: S608
                values,
            )
            return int(cursor.fetchone()[0])

    @property
    def _analysed(self) -> str:
        analysis_set = tallies.in_analysis_set(self.cohort.definition.rules)
        return f"(o.time_zero IS NOT NULL AND o.problem = '' AND {analysis_set})"

    def courses(self, *, by_pseudonym: bool) -> Iterator[Course]:
        """Yield the courses, those of a patient together, by registry number or by pseudonym. One query, in batches.

        A pseudonym is of this export: it hangs on the filter, the definition, the cut-off and the centres, so that the
        same export names patients the same and another one does not. It cannot be undone without the server's secret.
        """
        selected, values = self._selected()
        number, course, patient = self._names
        secret = salted_hmac("analytics.datasets", self._identity(), algorithm="sha256").hexdigest()
        columns = ", ".join(f"o.{column}" for column in ROW_COLUMNS)
        order = "pseudonym" if by_pseudonym else f'{number} COLLATE "C"'
        sql = f"""
            SELECT {columns}, {number}, {course}::int, z.code, {tallies.stratum_of(self.cohort)}, {self._analysed},
                ('S' || upper(left(encode(sha256(convert_to(%s || {number}, 'UTF8')), 'hex'), 16))) COLLATE "C" AS pseudonym,
                {patient}
            FROM {selected}
            ORDER BY {order}, {course}
        """  # noqa: S608 (the parts are constants of ours and of analytics.tallies; values are parameters)
        n = len(ROW_COLUMNS)
        with connection.chunked_cursor() as cursor:
            cursor.execute(sql, [secret, *values])
            while rows := cursor.fetchmany(_BATCH):
                for row in rows:
                    yield Course(dict(zip(ROW_COLUMNS, row[:n], strict=True)), *row[n:])

    def _identity(self) -> str:
        return canonical.dumps(self.described() | {"lock": self.lock and self.lock.content_hash})

    def require_enough_patients(self) -> None:
        """Refuse to let so few patients go that a file would be about somebody.

        Raises:
            RegistryError: ``too_few_patients``.
        """
        n = sum(self.patients_by_centre().values())
        if n < settings.SMALL_CELL:
            raise RegistryError(
                "too_few_patients",
                f"This cohort has fewer than {settings.SMALL_CELL} patients here: a de-identified export would be about "
                "persons that can be told. Widen it.",
            )


def live(cohort: Cohort, centre_codes: Sequence[str]) -> Source:
    """Return the cohort's courses at these centres as they are derived now."""
    return Source(cohort, tuple(sorted(centre_codes)), tallies.cutoff_of(cohort))


def locked(lock: DataLock) -> Source:
    """Return the courses of a data lock."""
    return Source(cohort_of(lock), tuple(lock.scope.split("+")), lock.data_cutoff, lock)


def cohort_of(lock: DataLock) -> Cohort:
    """Return the cohort as it was locked: not stored, with its definition, filter and strata of then."""
    described = lock.cohort_as_locked
    definition = Definition(
        name=described["definition"]["name"],
        version=described["definition"]["version"],
        endpoints=lock.endpoints,
        data_cutoff=lock.data_cutoff,
    )
    cohort = tallies.cohort_from_json(described["filter"], definition)
    cohort.slug, cohort.name = described["slug"], described["name"]
    cohort.version, cohort.strata_by = described["version"], described["strata_by"]
    return cohort


def counts_every_course(source: Source) -> bool:
    return source.cohort.courses_counted == CoursesCounted.ALL
