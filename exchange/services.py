"""Importing a cohort file, all or nothing, and exporting one. In words: docs/cohort-file.md."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from django.core.exceptions import ValidationError

from accounts.access import Act
from accounts.errors import RegistryError
from accounts.history import change_context
from accounts.models import Centre, User
from accounts.records import check_deferred, clinical_write
from exchange import exporting, reading, writing
from exchange.imported import revive_undone
from exchange.planning import IDENTITY_COLUMNS, Counts, Plan
from exchange.problems import ImportRefused, Problem
from exchange.rows import SheetRows, blanks, read_rows
from imaging.models import Reading
from languages.wording import gettext_noop

__all__ = [
    "Counts",
    "ImportRefused",
    "ImportSummary",
    "Problem",
    "export_cohort",
    "find_centre",
    "import_cohort",
    "import_tables",
]


# What an import is at, and what it says: stored in English and told again (exchange.telling).
CHECKING = gettext_noop("Checking the rows")
WRITING = gettext_noop("Writing {records}")
DIFFERING = gettext_noop(
    "{number}, {timepoint} of {day}, {reader}: {response} was read; derived is {derived}"
)


@dataclass(frozen=True)
class ImportSummary:
    """What an import did, or would do.

    Attributes:
        counts: by name of the sheet, of the sheets that the file holds.
        differing: readings it wrote that say another response than their measurements derive, a sentence each.
    """

    centre: str
    counts: dict[str, Counts]
    dry_run: bool
    differing: list[str] = field(default_factory=list)


def find_centre(code: str) -> Centre:
    """Return the centre with this code.

    Raises:
        RegistryError: ``unknown_centre``; the message names the known ones.
    """
    centre = Centre.objects.filter(code=code).first()
    if centre is None:
        known = ", ".join(Centre.objects.values_list("code", flat=True)) or "none yet"
        raise RegistryError("unknown_centre", f"There is no centre {code}. Known centres: {known}.")
    return centre


class _DryRun(Exception):
    """No error: it ends the transaction of a dry run, so that nothing is kept."""


def import_cohort(
    path: Path, *, centre: Centre, by: User | None = None, reason: str = "", dry_run: bool = False
) -> ImportSummary:
    """Store what a cohort file says of a centre's patients: all of it, or nothing.

    New rows are first entries. Rows that the registry holds with other values are corrections and need ``reason``; a
    cycle that was planned or on hold may go on without one. Records that the file does not name are left alone.

    Args:
        path: a folder or .zip of CSV files, or an .xlsx workbook.
        by: who imports; None for a command run on the server itself.
        dry_run: check and write everything, the database's own checks included, then take it back.

    Raises:
        PermissionDenied: ``by`` may not edit such records, or not see identities, at this centre.
        ImportRefused: with every problem of the file, each with its place.
    """
    return import_tables(reading.open_cohort(path), centre=centre, by=by, reason=reason, dry_run=dry_run)


def _silent(what: str, done: int, total: int) -> None:
    """Nobody watches how far an import is."""


def import_tables(
    tables: Iterable[reading.Table],
    *,
    centre: Centre,
    by: User | None = None,
    reason: str = "",
    dry_run: bool = False,
    blanks_say_nothing: bool = False,
    known_problems: Sequence[Problem] = (),
    tell: Callable[[str, int, int], None] = _silent,
    on_written: Callable[[], None] | None = None,
) -> ImportSummary:
    """Store what tables say of a centre's patients, as ``import_cohort``.

    Args:
        blanks_say_nothing: a blank cell leaves what the registry holds, instead of blanking it.
        known_problems: of the file, found before; they keep it out as those found here do.
        tell: is told what is done next, and how many rows of how many are done.
        on_written: further writes of the same transaction, once everything is written.

    Raises:
        PermissionDenied, ImportRefused: as ``import_cohort``.
    """
    reason = reason.strip()
    tell(gettext_noop("Reading the file"), 0, 0)
    found, problems = _read(tables, centre, blanks_say_nothing=blanks_say_nothing)
    problems += known_problems
    if by is not None:
        _require(by, centre, found)
    summary = ImportSummary(centre.code, {name: Counts() for name in found}, dry_run)
    total = sum(rows.n for rows in found.values())
    try:
        with change_context(source="import"), clinical_write(by=by, reason=reason):
            # Two imports, or an import and a desk, must not give one number to two patients.
            Centre.objects.select_for_update().get(pk=centre.pk)
            tell(CHECKING, 0, total)
            revive_undone(centre, {key[0] for rows in found.values() for key in rows.rows})
            plan = Plan(centre=centre, found=found, reason=reason, problems=problems)
            summary.counts.update(plan.make())
            if problems:
                raise ImportRefused(sorted(problems, key=_place))
            plan.write(lambda sheet, n: tell(WRITING.format(records=sheet), n, total))
            tell(gettext_noop("Checking it against the registry"), total, total)
            summary.differing.extend(
                sorted(_differing(reading) for reading in plan.derived if reading.is_overridden)
            )
            if on_written is not None:
                on_written()
            if dry_run:
                check_deferred()
                raise _DryRun
    except _DryRun:
        pass
    except ValidationError as error:
        raise ImportRefused(
            [
                Problem(gettext_noop("the database refused the file: {said}").format(said=text))
                for text in error.messages
            ]
        ) from error
    return summary


def _differing(reading: Reading) -> str:
    study = reading.study
    return DIFFERING.format(
        number=study.patient.registry_number,
        timepoint=study.get_timepoint_display().lower(),
        day=study.performed_on,
        reader=reading.get_reader_role_display().lower(),
        response=reading.overall_response,
        derived=reading.derived_reason,
    )


def _place(problem: Problem) -> tuple[str, int]:
    return (problem.file, problem.row or 0)


def _read(
    tables: Iterable[reading.Table], centre: Centre, *, blanks_say_nothing: bool
) -> tuple[dict[str, SheetRows], list[Problem]]:
    """Return the sheets by name, and the problems of their cells, columns and keys.

    Raises:
        ImportRefused: the file cannot be read at all.
    """
    problems: list[Problem] = []
    found: dict[str, SheetRows] = {}
    left = reading.MAX_ROWS
    for table in tables:
        if table.sheet.name in found:
            raise ImportRefused([Problem(gettext_noop("this sheet is there twice"), file=table.place)])
        rows = read_rows(table, zone=centre.zone, problems=problems, at_most=left)
        if blanks_say_nothing:
            _forget_blanks(rows)
        found[table.sheet.name] = rows
        left -= rows.n
    return found, problems


def _forget_blanks(rows: SheetRows) -> None:
    """Leave out of each row what its blank cells stand for."""
    blank = dict(blanks(rows.sheet))
    for row in rows.rows.values():
        row.values = {
            name: value
            for name, value in row.values.items()
            if value != blank[name] or name in rows.sheet.key or name in row.unreadable
        }


def _require(by: User, centre: Centre, found: dict[str, SheetRows]) -> None:
    """Raise PermissionDenied unless ``by`` may write all that the file holds."""
    for rows in found.values():
        by.require(rows.sheet.act, centre.pk)
        if IDENTITY_COLUMNS & rows.present:
            by.require(Act.VIEW_IDENTITY, centre.pk)


def export_cohort(
    path: Path, *, centre: Centre, by: User | None = None, with_identity: bool = False
) -> dict[str, int]:
    """Write a centre's current records as a cohort file; the same records give the same bytes.

    Args:
        path: ends in .zip or .xlsx, or is a folder, which is made.
        with_identity: with the columns mrn, family_name and given_names.

    Returns:
        Sheet name to number of rows.

    Raises:
        PermissionDenied: ``by`` may not see such records at this centre.
        RegistryError: ``cannot_write``, the path cannot be written to.
    """
    if by is not None:
        by.require(Act.VIEW_RECORDS, centre.pk)
        if with_identity:
            by.require(Act.VIEW_IDENTITY, centre.pk)
    return writing.write_cohort(path, exporting.tables(centre, with_identity=with_identity))
