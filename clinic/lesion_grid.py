"""The lesion grid as it is shown and sent: lesions by studies, a size and an SUVmax in every cell."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clinic.typed import number_shown, with_reader_sign
from imaging.models import (
    Lesion,
    Measurement,
    ReaderRole,
    Reading,
    ReadingRole,
    ReadingStatus,
    Role,
    Study,
    Timepoint,
)
from imaging.rules.cells import expected, written_cell
from imaging.rules.recist import LesionRole
from imaging.selectors.response import CourseResponse, Derived, course_response, readings_of
from imaging.services.lesions import signed_studies
from patients.models import Patient

FIELDS = ("size", "suv")
MOST_TYPED = 40


@dataclass
class GridCell:
    """One lesion in one study.

    Attributes:
        version: of the measurement; 0: there is none.
        errors: field to what is wrong with what was typed into it.
    """

    lesion: Lesion
    study: Study
    size: str = ""
    suv: str = ""
    version: int = 0
    is_draft: bool = False
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{self.lesion.pk}_{self.study.pk}"

    @property
    def size_error(self) -> str:
        return self.errors.get("size", "")

    @property
    def suv_error(self) -> str:
        return self.errors.get("suv", "")


@dataclass
class GridRow:
    lesion: Lesion
    cells: list[GridCell]

    @property
    def expected(self) -> str:
        return expected(LesionRole(self.lesion.role))


@dataclass
class GridColumn:
    """One study with what follows from its measurements.

    Attributes:
        reading: of the reader whose lesions are shown.
        differs: the two readers differ, and nobody has decided between them.
        is_outdated: it was signed on other measurements than those that stand now.
    """

    study: Study
    derived: Derived
    reading: Reading | None
    differs: bool
    n_drafts: int

    @property
    def is_baseline(self) -> bool:
        return self.study.timepoint == Timepoint.BASELINE

    @property
    def is_outdated(self) -> bool:
        return is_outdated(self.reading, self.derived)


@dataclass
class GridGroup:
    """The lesions of one role."""

    role: Role
    rows: list[GridRow]


@dataclass
class LesionGrid:
    """All lesions of one reader in a course.

    Attributes:
        is_signed: a signature rests on the baseline, so that the lesions are changed with a reason.
    """

    patient: Patient
    course_number: int
    reader_role: str
    response: CourseResponse
    groups: list[GridGroup]
    columns: list[GridColumn]
    signed: set[Any]

    @property
    def is_signed(self) -> bool:
        return bool(self.signed)

    @property
    def rows(self) -> list[GridRow]:
        return [row for group in self.groups for row in group.rows]

    @property
    def reader_label(self) -> str:
        return str(ReaderRole(self.reader_role).label)

    @property
    def n_columns(self) -> int:
        return len(self.columns)

    def cell(self, lesion: Lesion, study: Study) -> GridCell | None:
        for row in self.rows:
            for one in row.cells:
                if one.lesion.pk == lesion.pk and one.study.pk == study.pk:
                    return one
        return None


def is_outdated(reading: Reading | None, derived: Derived) -> bool:
    """Return whether a signed reading rests on other measurements than those that stand now."""
    if reading is None or not reading.is_signed or reading.reader_role == ReadingRole.ADJUDICATOR:
        return False
    now = derived.timepoint
    sum_mm = now.sum_mm if now is not None and now.is_complete and derived.response else None
    return reading.derived_response != derived.response or reading.sum_of_diameters_mm != sum_mm


def cell_of(lesion: Lesion, study: Study, one: Measurement | None, labels: Mapping[Any, str]) -> GridCell:
    """Return the cell of a measurement; an empty one where there is none."""
    if one is None:
        return GridCell(lesion, study)
    merged_into = labels.get(one.merged_into_id, "") if one.merged_into_id else ""
    return GridCell(
        lesion,
        study,
        size=with_reader_sign(written_cell(one.state, one.size_mm, one.parts_mm, merged_into)),
        suv=number_shown(one.suv_max) if one.suv_max is not None else "",
        version=one.version,
        is_draft=one.is_draft,
    )


def _differ(readings: Mapping[tuple[Any, str], Reading], study: Study) -> bool:
    counted = {
        role: one for role in ReadingRole.values
        if (one := readings.get((study.pk, role))) is not None and one.status != ReadingStatus.DRAFT
    }  # fmt: skip
    responses = {one.overall_response for role, one in counted.items() if role != ReadingRole.ADJUDICATOR}
    return len(responses) > 1 and ReadingRole.ADJUDICATOR not in counted


def lesion_grid(patient: Patient, course_number: int, reader_role: str) -> LesionGrid:
    """Return the grid of a course as it is stored. Six queries."""
    response = course_response(patient.pk, course_number, reader_role)
    readings = readings_of(response.studies)
    labels = {lesion.pk: lesion.label for lesion in response.lesions}
    rows = [
        GridRow(
            lesion,
            [
                cell_of(lesion, study, response.measurements.get((lesion.pk, study.pk)), labels)
                for study in response.studies
            ],
        )
        for lesion in response.lesions
    ]
    columns = [
        GridColumn(
            study,
            response.derived(study),
            readings.get((study.pk, reader_role)),
            _differ(readings, study),
            len(response.drafts(study)),
        )
        for study in response.studies
    ]
    groups = [GridGroup(role, [row for row in rows if row.lesion.role == role]) for role in Role]
    return LesionGrid(
        patient,
        course_number,
        reader_role,
        response,
        [group for group in groups if group.rows],
        columns,
        signed_studies(patient, course_number, reader_role),
    )
