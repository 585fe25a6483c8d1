"""What the imaging page shows beside the grid: sums, responses and readings of each study, in words."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from clinic.charts.numbers import plain, signed
from clinic.lesion_grid import GridColumn, LesionGrid, is_outdated
from clinic.selectors.words import state_within
from imaging.models import (
    Lesion,
    OverallResponse,
    Reading,
    ReadingRole,
    ReadingStatus,
    SstrResponse,
    Study,
)
from imaging.rules.recist import Timepoint
from imaging.rules.sstr import LesionUptake, StudyUptake, discordance
from imaging.selectors.response import CourseResponse, Derived, course_response, readings_of
from languages.wording import day, number
from patients.models import Patient

NONE = "–"
_TENTH = Decimal("0.1")


@dataclass(frozen=True)
class SummaryCell:
    """What is said of one study.

    Attributes:
        status: a key of the stylesheet's states; blank: plain words.
        detail: in quiet words below it.
        is_flagged: whether it is to be looked at.
    """

    text: str
    status: str = ""
    detail: str = ""
    is_flagged: bool = False


@dataclass(frozen=True)
class SummaryRow:
    label: str
    cells: list[SummaryCell]
    is_main: bool = False


@dataclass(frozen=True)
class Summary:
    """What follows from the grid.

    Attributes:
        rows: by RECIST 1.1, then by uptake.
        uptake: of each lesion in each study; empty where no SUVmax was entered.
        problems: what RECIST 1.1 has against the lesions chosen at baseline.
    """

    rows: list[SummaryRow]
    uptake: list[SummaryRow] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class SigningPage:
    """What a reader is about to sign.

    Attributes:
        reading: what is stored in this role.
        others: the readings of the other roles, shown to an adjudicator alone.
        asks_reason: it has counted before.
        blockers: why it cannot be signed now.
    """

    derived: Derived
    reading: Reading | None
    others: list[Reading]
    asks_reason: bool
    is_outdated: bool
    blockers: list[str]
    role_label: str
    uptake: StudyUptake | None = None

    @property
    def derived_word(self) -> str:
        return response_word(self.derived.response)

    @property
    def uptake_word(self) -> str:
        return sstr_word(self.uptake)

    @property
    def discordance(self) -> str:
        return discordance(self.derived.response, self.uptake.response if self.uptake else None)


def course_numbers(patient: Patient) -> list[int]:
    """Return the courses that the patient has or has studies or lesions of, ascending; the first one always."""
    found = set(patient.courses.current().values_list("number", flat=True))
    found |= set(patient.studies.current().values_list("course_number", flat=True))
    return sorted(found | {1})


def selection_notes(lesion: Lesion) -> list[str]:
    """Return what RECIST 1.1 has against this lesion at baseline."""
    response = course_response(lesion.patient_id, lesion.course_number, lesion.reader_role)
    return [problem.sentence for problem in response.problems if lesion.label in problem.labels]


def response_word(code: str) -> str:
    return str(OverallResponse(code).label) if code else ""


def signed_percent(value: Decimal) -> str:
    """Return a change with its sign to a tenth of a percent."""
    return f"{signed(value)} %"


def summary_of(grid: LesionGrid) -> Summary:
    """Return the rows below the grid."""
    rows: list[SummaryRow] = []

    def add(label: str, of: Callable[[GridColumn], SummaryCell], *, is_main: bool = False) -> None:
        rows.append(SummaryRow(label, [of(column) for column in grid.columns], is_main))

    if grid.response.is_measurable:
        add(_("Sum of diameters"), lambda column: _sum(column, column.derived.timepoint))
        add(_("From baseline"), lambda column: _change(column, column.derived.timepoint))
        add(_("From nadir"), lambda column: _from_nadir(column, column.derived.timepoint))
        add(_("Target lesions"), lambda column: _part(column, column.derived.timepoint, "target"))
    if any(lesion.role == "non_target" for lesion in grid.response.lesions):
        add(_("Non-target lesions"), lambda column: _part(column, column.derived.timepoint, "non_target"))
    if any(lesion.role == "new" for lesion in grid.response.lesions):
        add(_("New lesions"), _new)
    add(_("RECIST 1.1, derived"), _derived, is_main=True)
    add(_("Reading"), lambda column: _reading(column), is_main=True)
    uptakes = [grid.response.uptake(column.study) for column in grid.columns]
    if any(uptakes):
        add(_("Highest SUVmax"), lambda column: _hottest(grid.response.uptake(column.study)))
        add(_("SSTR uptake, derived"), lambda column: _sstr(column, grid.response.uptake(column.study)))
    return Summary(
        rows, _uptake_rows(grid, uptakes), [problem.sentence for problem in grid.response.problems]
    )


def _hottest(uptake: StudyUptake | None) -> SummaryCell:
    if uptake is None or uptake.hottest is None or uptake.hottest_suv_max is None:
        return SummaryCell(NONE)
    change = f" ({signed_percent(uptake.change_percent)})" if uptake.change_percent is not None else ""
    return SummaryCell(
        f"{plain(uptake.hottest_suv_max)}{change}", detail=_ratio_words(uptake, lead=f"{uptake.hottest}, ")
    )


def _ratio_words(one: StudyUptake | LesionUptake, *, lead: str = "") -> str:
    """Return the ratios to normal organs, such as ``tumour-to-liver 4.8, to spleen 1.2``."""
    said = [
        f"{name} {number(ratio.quantize(_TENTH, ROUND_HALF_UP))}"
        for name, ratio in ((_("tumour-to-liver"), one.to_liver), (_("tumour-to-spleen"), one.to_spleen))
        if ratio is not None
    ]
    return f"{lead}{', '.join(said)}".removesuffix(", ")


def sstr_word(uptake: StudyUptake | None) -> str:
    return str(SstrResponse(uptake.response).label) if uptake is not None and uptake.response else ""


def _sstr(column: GridColumn, uptake: StudyUptake | None) -> SummaryCell:
    if uptake is None or column.is_baseline:
        return SummaryCell("" if column.is_baseline else NONE)
    if uptake.response is None:
        return SummaryCell(NONE, detail=uptake.reason)
    said = discordance(column.derived.response, uptake.response)
    detail = " ".join(filter(None, [uptake.reason, said]))
    return SummaryCell(sstr_word(uptake), f"sstr-{uptake.response}", detail, is_flagged=bool(said))


def _uptake_rows(grid: LesionGrid, uptakes: list[StudyUptake | None]) -> list[SummaryRow]:
    """Return the uptake of each lesion that has any: SUVmax with its change, ratios and class."""
    of_study = [
        {one.label: one for one in uptake.lesions} if uptake is not None else {} for uptake in uptakes
    ]
    rows = []
    for row in grid.rows:
        cells = [
            _lesion_uptake(of.get(row.lesion.label), column)
            for of, column in zip(of_study, grid.columns, strict=True)
        ]
        if any(cell.text != NONE for cell in cells):
            rows.append(SummaryRow(f"{row.lesion.label} {row.lesion.get_organ_display()}", cells))
    return rows


def _lesion_uptake(one: LesionUptake | None, column: GridColumn) -> SummaryCell:
    if one is None or one.suv_max is None:
        return SummaryCell(NONE)
    change = f", {signed_percent(one.change_percent)}" if one.change_percent is not None else ""
    is_classed = not column.is_baseline and one.change_percent is not None
    word = ""
    if is_classed:
        # A lesion that was there before has no new uptake.
        is_more = one.response == SstrResponse.INCREASED
        said = _("increased") if is_more else state_within(SstrResponse(one.response).label)
        word = f"{said}; "
    return SummaryCell(
        f"{plain(one.suv_max)}{change}", detail=f"{word}{_ratio_words(one)}".removesuffix("; ")
    )


@dataclass(frozen=True)
class StudyLine:
    """How a study was made: ``flags`` say what is unusual about it."""

    study: Study
    flags: list[str]

    @property
    def made(self) -> str:
        study = self.study
        said = [
            f"{plain(study.tracer_activity_mbq)} MBq" if study.tracer_activity_mbq is not None else "",
            f"{study.uptake_minutes} min" if study.uptake_minutes is not None else "",
            f"{plain(study.body_weight_kg)} kg" if study.body_weight_kg is not None else "",
        ]
        return ", ".join(filter(None, said)) or _("not noted")

    @property
    def organs(self) -> str:
        """SUVmean of normal liver and spleen."""
        study = self.study
        said = [
            f"{name} {plain(value)}"
            for name, value in ((_("liver"), study.liver_suv_mean), (_("spleen"), study.spleen_suv_mean))
            if value is not None
        ]
        return ", ".join(said) or _("not noted")

    @property
    def krenning(self) -> str:
        return self.study.get_krenning_score_display() or _("not noted")


def study_lines(grid: LesionGrid, flags: dict[UUID, list[str]]) -> list[StudyLine]:
    """Return how each study of the grid was made."""
    return [StudyLine(column.study, flags.get(column.study.pk, [])) for column in grid.columns]


def _sum(column: GridColumn, timepoint: Timepoint | None) -> SummaryCell:
    if timepoint is None or timepoint.sum_mm is None:
        return SummaryCell(NONE)
    detail = "" if timepoint.is_complete else pgettext("sum", "incomplete")
    return SummaryCell(f"{plain(timepoint.sum_mm)} mm", detail=detail)


def _change(column: GridColumn, timepoint: Timepoint | None) -> SummaryCell:
    if column.is_baseline:
        return SummaryCell(_("baseline"))
    if timepoint is None or timepoint.change_percent is None:
        return SummaryCell(NONE)
    return SummaryCell(signed_percent(timepoint.change_percent))


def _from_nadir(column: GridColumn, timepoint: Timepoint | None) -> SummaryCell:
    if column.is_baseline or timepoint is None or timepoint.nadir_mm is None or timepoint.sum_mm is None:
        return SummaryCell("" if column.is_baseline else NONE)
    on = day(timepoint.nadir_on) if timepoint.nadir_on is not None else ""
    nadir = _("nadir {size} on {day}").format(size=f"{plain(timepoint.nadir_mm)} mm", day=on)
    if not timepoint.is_complete or timepoint.nadir_change_percent is None:
        return SummaryCell(NONE, detail=nadir)
    return SummaryCell(signed_percent(timepoint.nadir_change_percent), detail=nadir)


def _part(column: GridColumn, timepoint: Timepoint | None, name: str) -> SummaryCell:
    code = getattr(timepoint, name) if timepoint is not None else None
    if code is None or not column.derived.response:
        return SummaryCell("" if column.is_baseline else NONE)
    return SummaryCell(_("Non-CR/non-PD") if code == "NON_CR_NON_PD" else code)


def _new(column: GridColumn) -> SummaryCell:
    timepoint = column.derived.timepoint
    if column.is_baseline or timepoint is None:
        return SummaryCell("" if column.is_baseline else NONE)
    if timepoint.new_lesions:
        return SummaryCell(", ".join(timepoint.new_lesions), is_flagged=True)
    return SummaryCell(pgettext("new lesions", "none"))


def _derived(column: GridColumn) -> SummaryCell:
    derived = column.derived
    if column.is_baseline:
        return SummaryCell("", detail=derived.reason)
    if not derived.response:
        return SummaryCell(_("Not derived"), detail=derived.reason)
    words = derived.reason.partition(": ")[2] or derived.reason
    return SummaryCell(response_word(derived.response), derived.response, words[:1].upper() + words[1:])


def _reading(column: GridColumn) -> SummaryCell:
    reading = column.reading
    if column.is_baseline:
        return SummaryCell("")
    if reading is None:
        return SummaryCell(_("To be read"))
    said = reading_words(reading)
    derived = column.derived.response
    differs = bool(derived) and reading.overall_response != derived
    if differs and not reading.is_overridden:
        response = state_within(response_word(derived))
        said = _("{reading}; the measurements say {response}").format(reading=said, response=response)
    return SummaryCell(
        response_word(reading.overall_response),
        reading.overall_response,
        said,
        is_flagged=column.is_outdated or differs,
    )


def reading_words(reading: Reading) -> str:
    """Return who read it, and how it stands: signed, a draft, or reported elsewhere."""
    is_named = reading.reader is not None
    on = ""
    if reading.status == ReadingStatus.SIGNED and reading.signed_at is not None:
        said = _("Signed by {reader} on {day}") if is_named else _("Signed on {day}")
        on = day(reading.signed_at)
    elif reading.status == ReadingStatus.DRAFT:
        said = _("Draft by {reader}, does not count") if is_named else _("Draft, does not count")
    else:
        said = _("Reported by {reader}") if is_named else _("Reported")
    said = said.format(reader=reading.reader, day=on)
    if reading.is_overridden:
        why = f": {reading.override_reason}" if reading.override_reason else ""
        derived = state_within(response_word(reading.derived_response))
        said = _("{reading}; derived was {response}").format(reading=said, response=derived + why)
    return said


def signing_page(patient: Patient, study: Study, role: str) -> SigningPage:
    """Return what a reader in this role is about to sign of a study."""
    readings = readings_of([study])
    reading = readings.get((study.pk, role))
    if role == ReadingRole.ADJUDICATOR:
        response = CourseResponse(patient.pk, study.course_number, role)
        derived = Derived("", "")
    else:
        response = course_response(patient.pk, study.course_number, role)
        derived = response.derived(study)
    others = [
        one
        for (_study, of), one in sorted(readings.items())
        if of != role and one.status != ReadingStatus.DRAFT
    ]
    blockers = [problem.sentence for problem in response.problems]
    n_drafts = len(response.drafts(study))
    if n_drafts:
        blockers.append(
            ngettext(
                "{n} imported measurement has not been accepted: go back, and accept or change them.",
                "{n} imported measurements have not been accepted: go back, and accept or change them.",
                n_drafts,
            ).format(n=n_drafts)
        )
    if role == ReadingRole.ADJUDICATOR and len({one.overall_response for one in others}) < 2:
        blockers.append(_("There are no two readings that differ: nothing is to be adjudicated."))
    return SigningPage(
        derived=derived,
        reading=reading,
        others=others if role == ReadingRole.ADJUDICATOR else [],
        asks_reason=reading is not None and reading.status != ReadingStatus.DRAFT,
        is_outdated=is_outdated(reading, derived),
        blockers=blockers,
        role_label=str(ReadingRole(role).label),
        uptake=response.uptake(study),
    )
