"""Files that are sent in the browser: taken, looked at, checked, imported all or nothing in a worker, thrown away.

A door to ``services.import_tables``, which decides. A worker holds an import's advisory lock for as long as its connection
lives; one that is running while nobody holds its lock was orphaned by a worker that died, and is taken up again. The
records and the state ``done`` are written in one transaction, so that nothing is ever half stored. In words:
docs/importing.md.
"""

import hashlib
import io
import logging
import re
import time
import traceback
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.access import Act
from accounts.errors import RegistryError
from accounts.history import change_context
from accounts.models import Centre, User
from exchange import reading, services, sheets, tasks
from exchange.annotating import annotated, without_problems
from exchange.headers import find_header, names_of, suggest
from exchange.imported import recording
from exchange.mapping import (
    IDENTITY,
    STATED,
    Known,
    MappedColumn,
    MappedSheet,
    SheetMapping,
    map_sheet,
    whats_missing,
)
from exchange.models import ColumnMapping, FileKind, Import, ImportState, ImportWork
from exchange.problems import ImportRefused, Problem
from languages.wording import gettext_noop
from patients.models import PatientIdentity
from patients.services import next_registry_number
from treatments.models import Course, Cycle

logger = logging.getLogger(__name__)

MOST_BYTES = 50 * 1024 * 1024  # of a file that is sent
INLINE_BYTES = 200_000  # a smaller file is checked while its page waits
KEPT = timedelta(days=7)  # a file that is not imported
MOST_PROBLEMS = 1000  # kept of one file
MOST_ATTEMPTS = 3
NAME = "the file"  # its own name is not kept
FREE_TEXT = IDENTITY | {"note"}  # columns whose cells may hold a name: they are not kept in problems
OPEN = (ImportState.UPLOADED, ImportState.CHECKED, ImportState.REFUSED)
_UNFINISHED = (ImportState.WAITING, ImportState.RUNNING)


class Stopped(Exception):
    """The attempt is no longer the import's: another worker has taken it up. Its work ends without a trace."""


# Taking a file


def receive(content: bytes, *, centre: Centre, by: User) -> Import:
    """Keep a file that was sent, until it is imported or thrown away.

    Raises:
        PermissionDenied: ``by`` may not import files at this centre.
        ImportRefused: it is no file that can be imported.
    """
    by.require(Act.IMPORT_FILES, centre.pk)
    if len(content) > MOST_BYTES:
        raise ImportRefused(
            [
                Problem(
                    gettext_noop("is larger than {n} MB; split it by patients").format(
                        n=MOST_BYTES // 1024 // 1024
                    )
                )
            ]
        )
    kind = sheets.kind_of(content)
    if kind == "zip":
        reading.open_zip(io.BytesIO(content), NAME)
        stored = FileKind.COHORT_ZIP
    elif kind == "xlsx":
        stored = FileKind.COHORT_XLSX if sheets.is_cohort_workbook(content) else FileKind.XLSX
        sheets.require_computed(content)
    else:
        stored = FileKind.CSV
    return Import.objects.create(
        centre=centre,
        created_by=by,
        kind=stored,
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
    )


def raw_sheets(job: Import) -> list[sheets.RawSheet]:
    """Return the sheets of an own file."""
    return sheets.sheets_of(_content(job), "csv" if job.kind == FileKind.CSV else "xlsx")


def _content(job: Import) -> bytes:
    content = Import.objects.values_list("content", flat=True).get(pk=job.pk)
    if content is None:
        raise RegistryError("no_content", _("The file is no longer kept. Send it again."))
    return bytes(content)


def proposed(
    job: Import,
    *,
    sheet: int = 0,
    first: int | None = None,
    last: int | None = None,
    saved: ColumnMapping | None = None,
) -> SheetMapping:
    """Return what the columns of a sheet may mean: by a saved mapping, or else by their names.

    Args:
        first, last: rows of the header; None: found.
    """
    raw = raw_sheets(job)
    one = raw[sheet if 0 <= sheet < len(raw) else 0]
    rows = one.preview()
    if first is None or last is None:
        first, last = find_header(rows, one.merged)
    first = max(1, min(first, len(rows) or 1))
    last = max(first, min(last, len(rows) or 1, first + 4))
    columns, taken = [], set()
    for index, name in enumerate(names_of(rows, first, last)):
        said = suggest(name) if name else None
        target, of, unit = (said.target, said.of, said.unit) if said is not None else ("", "", "")
        if saved is not None:
            kept = saved.columns.get(name, {})
            target, of, unit = kept.get("target", ""), kept.get("of", ""), kept.get("unit", "")
        if (target, of) in taken:
            target = of = unit = ""
        if target:
            taken.add((target, of))
        columns.append(MappedColumn(index, name, target, of, unit))
    mapping = SheetMapping(sheet=sheet, first=first, last=last, columns=tuple(columns))
    if saved is None:
        return mapping
    return SheetMapping.of_json(
        mapping.as_json()
        | {
            "reading": {
                "date_style": saved.date_style,
                "decimal_sign": saved.decimal_sign,
                "time_of_day": saved.time_of_day,
            },
            "stated": STATED | saved.stated,
        }
    )


def best_saved(job: Import, names: Sequence[str]) -> ColumnMapping | None:
    """Return the centre's saved mapping that knows all of its columns among these names; the one of the most columns."""
    found = [
        saved
        for saved in ColumnMapping.objects.filter(centre=job.centre_id)
        if saved.columns and set(saved.columns) <= set(names)
    ]
    return max(found, key=lambda saved: len(saved.columns), default=None)


def set_columns(job: Import, mapping: SheetMapping, *, by: User) -> None:
    """Keep how the sheet of a file is read; what was checked before counts no more.

    Raises:
        PermissionDenied: ``by`` may not import files at this centre.
        RegistryError: ``not_open``, it is being imported, or was.
        ValidationError: the mapping cannot be used; a sentence each.
    """
    by.require(Act.IMPORT_FILES, job.centre_id)
    if missing := whats_missing(mapping):
        raise ValidationError([sentence for __, sentence in missing])
    _change_open(
        job,
        mapping=mapping.as_json(),
        state=ImportState.UPLOADED,
        problems=[],
        n_problems=0,
        counts={},
        differing=[],
    )


def save_mapping(job: Import, mapping: SheetMapping, *, name: str, by: User) -> ColumnMapping:
    """Keep a mapping under a name for the centre's next sheets; one of the same name is replaced."""
    by.require(Act.IMPORT_FILES, job.centre_id)
    saved, __ = ColumnMapping.objects.update_or_create(
        centre_id=job.centre_id,
        name=name,
        defaults={
            "columns": {
                column.name: {"target": column.target, "of": column.of, "unit": column.unit}
                for column in mapping.mapped
                if column.name
            },
            "date_style": mapping.reading.date_style.value,
            "decimal_sign": mapping.reading.decimal_sign.value,
            "time_of_day": mapping.reading.time_of_day,
            "stated": dict(mapping.stated),
            "saved_by": by,
            "saved_at": timezone.now(),
        },
    )
    return saved


def discard(job: Import, *, by: User) -> None:
    """Throw a file away that was not imported.

    Raises:
        RegistryError: ``not_open``, it is being imported, or was.
    """
    by.require(Act.IMPORT_FILES, job.centre_id)
    if not Import.objects.filter(pk=job.pk, state__in=OPEN).delete()[0]:
        raise _not_open()


def annotated_file(job: Import) -> tuple[bytes, str]:
    """Return the file with its problems beside its rows, and how its name ends.

    Raises:
        RegistryError: ``no_content``, the file is no longer kept.
    """
    return annotated(job, _content(job))


def _change_open(job: Import, **values: Any) -> None:
    if not Import.objects.filter(pk=job.pk, state__in=OPEN).update(**values):
        raise _not_open()
    job.refresh_from_db()


def _no_columns() -> RegistryError:
    return RegistryError("no_columns", _("Say first what the columns of this sheet mean."))


def _not_open() -> RegistryError:
    return RegistryError("not_open", _("This file is being imported, or was already. Nothing was changed."))


# Asking for the work


def ask_check(job: Import, *, by: User, reason: str = "") -> None:
    """Check a file: at once where it is small, else in a worker.

    Raises:
        PermissionDenied: ``by`` may not import files at this centre.
        RegistryError: ``not_open``; ``no_columns``, an own sheet without a mapping.
    """
    by.require(Act.IMPORT_FILES, job.centre_id)
    if job.is_own_sheet and job.mapping is None:
        raise _no_columns()
    _ask(job, ImportWork.CHECK, by, reason=reason.strip()[:500], states=OPEN)
    if job.size_bytes <= INLINE_BYTES:
        run(job.pk)
    else:
        transaction.on_commit(lambda: tasks.ask_for(job.pk), robust=True)
    job.refresh_from_db()


def ask_import(job: Import, *, by: User) -> bool:
    """Have a checked file imported by a worker, asked after the commit; a second press changes nothing.

    Returns:
        Whether it was this call that asked for it.

    Raises:
        PermissionDenied: ``by`` may not import files at this centre.
        RegistryError: ``not_checked``.
    """
    by.require(Act.IMPORT_FILES, job.centre_id)
    asked = _ask(job, ImportWork.IMPORT, by, states=(ImportState.CHECKED,))
    if asked:
        transaction.on_commit(lambda: tasks.ask_for(job.pk), robust=True)
    elif job.work != ImportWork.IMPORT or job.state == ImportState.REFUSED:
        raise RegistryError(
            "not_checked", _("Check the file first: what it holds was not checked as it stands now.")
        )
    return asked


def _ask(job: Import, work: ImportWork, by: User, *, states: Sequence[str], **values: Any) -> bool:
    asked = Import.objects.filter(pk=job.pk, state__in=states).update(
        state=ImportState.WAITING,
        work=work,
        asked_by=by,
        asked_at=Now(),
        ended_at=None,
        attempts=0,
        step="",
        done=0,
        total=0,
        **values,
    )
    job.refresh_from_db()
    if not asked and work is ImportWork.CHECK:
        raise _not_open()
    return bool(asked)


# Doing it, in a worker or on the command line


def run(pk: uuid.UUID) -> bool:
    """Do what an import waits for, unless another worker does; return whether it was done here."""
    # A small file is checked while its page waits: what is stored of it must not depend on who looked.
    with translation.override(settings.LANGUAGE_CODE), _claimed(pk) as job:
        if job is None:
            return False
        _run(job)
    return True


def waiting() -> list[uuid.UUID]:
    """Return the imports that nobody works at, those included that a dead worker has left behind; the oldest first."""
    unfinished = Import.objects.filter(state__in=_UNFINISHED).order_by("asked_at", "pk")
    return [pk for pk in unfinished.values_list("pk", flat=True)[:100] if _is_free(pk)]


def tidy() -> None:
    """Remove files that nobody has imported for longer than ``KEPT``."""
    Import.objects.filter(state__in=OPEN, created_at__lt=timezone.now() - KEPT).delete()


@contextmanager
def _claimed(pk: uuid.UUID) -> Iterator[Import | None]:
    if not _lock(pk):
        yield None
        return
    try:
        claimed = Import.objects.filter(pk=pk, state__in=_UNFINISHED)
        begun = claimed.update(state=ImportState.RUNNING, attempts=F("attempts") + 1)
        yield _without_content().get(pk=pk) if begun else None
    finally:
        _unlock(pk)


def _without_content() -> QuerySet[Import]:
    return Import.objects.defer("content").select_related("centre", "asked_by")


def _run(job: Import) -> None:
    """Do a claimed import and write down how it ended; a connection that is lost leaves it to the next sweep."""
    attempt = Import.objects.filter(pk=job.pk, state=ImportState.RUNNING, attempts=job.attempts)
    mapped: MappedSheet | None = None
    try:
        if job.attempts > MOST_ATTEMPTS:
            raise ImportRefused(
                [Problem(gettext_noop("given up: every worker that took it up was ended by it or meanwhile"))]
            )
        with (
            _Progress(job) as progress,
            change_context(by=job.asked_by, source="import"),
            transaction.atomic(),
        ):
            Centre.objects.select_for_update().get(pk=job.centre_id)
            if job.is_own_sheet:
                progress.tell(gettext_noop("Reading the file"), 0, 0)
                mapped = mapped_sheet(job)
            _import(job, mapped, progress, attempt)
    except Stopped:
        logger.info("Import %s was stopped.", job.pk)
    except ImportRefused as refused:
        problems = refused.problems
        if mapped is not None:
            problems = list(dict.fromkeys(mapped.at_source(problem) for problem in problems))
            problems.sort(key=lambda problem: (problem.row or 0, problem.column))
            names = {column.name for column in mapped.mapping.mapped if column.column in FREE_TEXT}
            _refuse(attempt, problems, identity=frozenset(names))
        else:
            _refuse(attempt, problems, identity=FREE_TEXT)
    except (PermissionDenied, RegistryError) as error:
        _refuse(attempt, [Problem(str(error).rstrip("."))])
    except (OperationalError, InterfaceError) as error:
        # A server that went away or chose this transaction to end: nothing is wrong with the file.
        logger.warning("Import %s lost the database (%s).", job.pk, type(error).__name__)
    except Exception as error:
        # Only where it happened: what an exception says may name a patient.
        place = "".join(traceback.format_tb(error.__traceback__))
        logger.error("Import %s failed: %s\n%s", job.pk, type(error).__name__, place)
        _refuse(
            attempt,
            [
                Problem(
                    gettext_noop("a fault of the registry, which its log tells of under {number}").format(
                        number=job.pk
                    )
                )
            ],
        )


def _import(job: Import, mapped: MappedSheet | None, progress: "_Progress", attempt: Any) -> None:
    is_dry = job.work == ImportWork.CHECK
    if mapped is not None:
        tables = mapped.tables()
    else:
        opened = reading.open_zip if job.kind == FileKind.COHORT_ZIP else reading.open_workbook
        tables = [without_problems(table) for table in opened(io.BytesIO(_content(job)), NAME)]
    with recording(job.pk) as record:
        summary = services.import_tables(
            tables,
            centre=job.centre,
            by=job.asked_by,
            reason=job.reason,
            dry_run=is_dry,
            blanks_say_nothing=mapped is not None,
            known_problems=mapped.problems if mapped is not None else (),
            tell=progress.tell,
            on_written=None if is_dry else record,
        )
    values: dict[str, Any] = (
        {"state": ImportState.CHECKED} if is_dry else {"state": ImportState.DONE, "content": None}
    )
    if not attempt.update(
        **values,
        step="",
        ended_at=Now(),
        counts={name: vars(counts) for name, counts in summary.counts.items()},
        differing=summary.differing[:MOST_PROBLEMS],
        problems=[],
        n_problems=0,
    ):
        raise Stopped


def mapped_sheet(job: Import) -> MappedSheet:
    """Return an own file as tables. New patients are given the numbers that are free now: the centre must be locked."""
    if job.mapping is None:
        raise _no_columns()
    mapping = SheetMapping.of_json(job.mapping)
    raw = raw_sheets(job)[mapping.sheet]
    return map_sheet(
        raw.title,
        raw.rows(),
        mapping,
        numbers=lambda mrns: _numbers(job.centre, mrns),
        known=_known,
    )


def _numbers(centre: Centre, mrns: Sequence[str]) -> dict[str, str]:
    known = dict(
        PatientIdentity.objects.current()
        .filter(centre=centre, mrn__in=list(mrns), patient__voided_at__isnull=True)
        .values_list("mrn", "patient__registry_number")
    )
    code, __, free = next_registry_number(centre).rpartition("-")
    number = int(free)
    for mrn in mrns:
        if mrn not in known:
            known[mrn] = f"{code}-{number:04d}"
            number += 1
    return known


def _known(numbers: Sequence[str]) -> Known:
    courses = Course.objects.current().filter(patient__registry_number__in=set(numbers))
    cycles = Cycle.objects.current().filter(course__in=courses)
    return Known(
        courses=frozenset(
            (number, str(course))
            for number, course in courses.values_list("patient__registry_number", "number")
        ),
        cycles={
            (number, str(course), str(cycle)): status
            for number, course, cycle, status in cycles.values_list(
                "course__patient__registry_number", "course__number", "number", "status"
            )
        },
    )


def _refuse(attempt: Any, problems: list[Problem], *, identity: frozenset[str] = FREE_TEXT) -> None:
    attempt.update(
        state=ImportState.REFUSED,
        step="",
        ended_at=Now(),
        problems=[_as_json(problem, identity) for problem in problems[:MOST_PROBLEMS]],
        n_problems=len(problems),
    )


_QUOTED = re.compile(r"“[^”]*”")
_MRN_TOLD = re.compile(r"expected .*: a file cannot take an identity away")


def _as_json(problem: Problem, identity: frozenset[str]) -> dict[str, Any]:
    """Return a problem without what the cells of names, MRNs and notes hold.

    Args:
        identity: what these columns are called in the file.
    """
    expected, value = problem.expected, problem.value
    if problem.column in identity:
        expected = _QUOTED.sub(gettext_noop("another value"), expected)
        expected, value = _MRN_TOLD.sub(gettext_noop("a file cannot take an identity away"), expected), ""
    return {
        "place": "" if problem.file == NAME else problem.file.removeprefix(f"{NAME}, sheet "),
        "row": problem.row,
        "column": problem.column,
        "value": value[:200],
        "expected": expected[:500],
    }


class _Progress:
    """How far an import is, written over a connection of its own: what the import itself writes is seen at its end alone."""

    EVERY_SECONDS = 0.25

    def __init__(self, job: Import) -> None:
        self._job = job
        self._connection = connection.copy()
        self._last = 0.0
        self._is_away = False

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *__: object) -> None:
        self._connection.close()

    def tell(self, step: str, done: int, total: int) -> None:
        if self._is_away or (
            time.monotonic() - self._last < self.EVERY_SECONDS and step != services.CHECKING
        ):
            return
        self._last = time.monotonic()
        try:
            with self._connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '500ms'")
                cursor.execute(
                    "UPDATE exchange_import SET step = %s, done = %s, total = %s"
                    " WHERE id = %s AND state = 'running' AND attempts = %s",
                    [step[:120], done, total, self._job.pk, self._job.attempts],
                )
        except (OperationalError, InterfaceError):
            self._is_away = True  # nobody is told; the import goes on


# Locks of workers


def _lock(pk: uuid.UUID) -> bool:
    return _asked("SELECT pg_try_advisory_lock(%s)", pk)


def _unlock(pk: uuid.UUID) -> None:
    try:
        _asked("SELECT pg_advisory_unlock(%s)", pk)
    except (OperationalError, InterfaceError):
        connection.close()  # a lost connection has lost the lock as well


def _is_free(pk: uuid.UUID) -> bool:
    if not _lock(pk):
        return False
    _unlock(pk)
    return True


def _asked(sql: str, pk: uuid.UUID) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(sql, [int.from_bytes(pk.bytes[:8], "big", signed=True)])
        return bool(cursor.fetchone()[0])
