"""Data locks: a cohort's analysis data set frozen under a name, and whether it still is what was locked.

A lock keeps its rows, what they were counted by, the results, and a hash over each. The database refuses every change of
it; whoever gets round that is found by ``verify``. In words: docs/locks.md.
"""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any
from uuid import uuid4

import orjson
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.access import Act
from accounts.errors import RegistryError
from accounts.models import Centre, User
from analytics import tallies
from analytics.datasets import canonical
from analytics.datasets.source import ROW_COLUMNS, cohort_of, counts_every_course, locked
from analytics.models import Cohort, DataLock, Job, JobKind, JobState
from analytics.results import scope_of
from analytics.versions import versions

Document = dict[str, Any]

MOST_DIFFERENCES = 20  # told one by one
# Libraries of another version may sum in another order; more than that is another result.
_SAME = 1e-12
_BATCH = 2000

# The rows are read, and whether they are up to date is asked, in one statement: as of one moment.
_KEEP = """
WITH centres AS (SELECT id FROM accounts_centre WHERE code = ANY(%s)),
pending AS (
    SELECT count(*) AS n FROM treatments_course c JOIN patients_patient p ON p.id = c.patient_id
    WHERE p.centre_id IN (SELECT id FROM centres) AND (
        EXISTS (SELECT FROM analytics_stalecourse s WHERE s.course_id = c.id)
        OR c.voided_at IS NULL AND p.voided_at IS NULL AND NOT EXISTS (
            SELECT FROM analytics_outcome d
            WHERE d.course_id = c.id AND d.definition_id = %s AND d.derived_at IS NOT NULL))
),
kept AS (
    INSERT INTO analytics_lockedoutcome (lock_id, centre_id, registry_number, course_number, {columns})
    SELECT %s, o.centre_id, p.registry_number, c.number, {values}
    FROM analytics_outcome o
    JOIN treatments_course c ON c.id = o.course_id JOIN patients_patient p ON p.id = c.patient_id
    WHERE (SELECT n FROM pending) = 0 AND {conditions}
    RETURNING 1
)
SELECT (SELECT n FROM pending), (SELECT count(*) FROM kept)
"""


def lock(cohort: Cohort, name: str, codes: Sequence[str], by: User | None, note: str = "") -> DataLock:
    """Freeze the cohort's courses at these centres as they are derived now, and return the lock.

    Args:
        cohort: a stored one; it is locked as the database holds it.
        name: letters, digits, hyphens and underscores; once in the registry.
        codes: of centres whose results ``by`` may see; without ``by`` (a command) of any.

    Raises:
        RegistryError: ``not_saved``, ``no_centres``, ``name_taken``, ``pending`` while outcomes or the cohort's numbers are
            still to be brought up to date, ``empty``.
        PermissionDenied: ``by`` may not see the results of one of the centres.
        ValidationError: a name or note that the model refuses.
    """
    if cohort.pk is None:
        raise RegistryError("not_saved", _("Save the cohort first: a data lock is of a saved cohort."))
    with transaction.atomic():
        # Neither the cohort nor its definition changes between what is said of them here and the rows; workers that only
        # bring its numbers along take the same kind of lock, and go on.
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT FROM analytics_cohort c JOIN analytics_definition d ON d.id = c.definition_id WHERE c.id = %s"
                " FOR SHARE",
                [cohort.pk],
            )
        cohort = Cohort.objects.select_related("definition").get(pk=cohort.pk)
        centres = _centres(cohort, codes, by)
        frozen = DataLock(
            pk=uuid4(),
            name=name,
            note=note,
            cohort=cohort,
            scope=scope_of(centres),
            cohort_as_locked=_described(cohort),
            endpoints=cohort.definition.rules.to_json(),
            data_cutoff=tallies.cutoff_of(cohort),
            versions=versions(),
            locked_at=timezone.now(),
            locked_by=by,
        )
        frozen.clean_fields(exclude={field.name for field in DataLock._meta.fields} - {"name", "note"})
        if DataLock.objects.filter(name=name).exists():
            raise _name_taken(name)
        frozen.n_rows = _keep_rows(frozen, cohort, centres)
        frozen.content_hash = content_hash(frozen)
        frozen.results = results(frozen)[0]
        frozen.results_hash = _hash_of_results(frozen.results)
        try:
            with transaction.atomic():
                frozen.save(force_insert=True)
        except IntegrityError as error:  # another lock took the name meanwhile
            if "name" in str(error):
                raise _name_taken(name) from error
            raise
    return frozen


def _name_taken(name: str) -> RegistryError:
    return RegistryError(
        "name_taken",
        _("There is a data lock {name} already, and a lock is kept: choose another name.").format(name=name),
    )


def _centres(cohort: Cohort, codes: Sequence[str], by: User | None) -> list[str]:
    """Return the codes that the cohort counts patients of, sorted."""
    wanted = sorted(set(codes) & set(cohort.centre_codes) if cohort.centre_codes else set(codes))
    known = set(Centre.objects.filter(code__in=wanted).values_list("code", flat=True))
    if not wanted or known != set(wanted):
        raise RegistryError(
            "no_centres", _("Name at least one centre of the cohort, and only those that exist.")
        )
    if by is not None:
        visible = Centre.objects.visible_to(by, Act.VIEW_RESULTS).filter(code__in=wanted).count()
        if visible < len(wanted):
            raise PermissionDenied(
                _("With your roles here you may not see the results of all these centres.")
            )
    return wanted


def _described(cohort: Cohort) -> Document:
    """Return what decides what the rows are and how they are counted, but for the rules themselves."""
    return {
        "slug": cohort.slug,
        "name": cohort.name,
        "version": cohort.version,
        "filter": tallies.filter_to_json(cohort),
        "strata_by": cohort.strata_by,
        "definition": {"name": cohort.definition.name, "version": cohort.definition.version},
        # Which columns the hash is over: those that a later release adds are not among them.
        "columns": list(ROW_COLUMNS),
    }


def _keep_rows(frozen: DataLock, cohort: Cohort, centres: Sequence[str]) -> int:
    """Copy the cohort's outcomes under the lock; return how many."""
    unfinished = Job.objects.filter(
        kind=JobKind.REBUILD,
        definition=cohort.definition_id,
        state__in=[JobState.QUEUED, JobState.RUNNING],
    )
    if unfinished.exists() or not tallies.is_counted_as_described(cohort):
        raise RegistryError(
            "pending",
            _(
                "The cohort or its definition has changed, and its outcomes are still being derived: lock it when they are."
            ),
        )
    conditions, values = tallies.filter_of(cohort, centres)
    sql = _KEEP.format(
        columns=", ".join(ROW_COLUMNS),
        values=", ".join(f"o.{column}" for column in ROW_COLUMNS),
        conditions=" AND ".join(conditions),
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [list(centres), cohort.definition_id, frozen.pk, *values])
        pending, kept = cursor.fetchone()
    if pending:
        raise RegistryError(
            "pending",
            ngettext(
                "{n} course is still to be derived after the latest changes: lock the cohort when that is done (manage.py "
                "rebuild_outcomes does it at once).",
                "{n} courses are still to be derived after the latest changes: lock the cohort when that is done (manage.py "
                "rebuild_outcomes does it at once).",
                pending,
            ).format(n=number_format(pending, force_grouping=True)),
        )
    if not kept:
        raise RegistryError(
            "empty", _("The cohort has no course at these centres: there is nothing to lock.")
        )
    return int(kept)


def content_hash(frozen: DataLock) -> str:
    """Return the SHA-256 over filter, definition, cut-off, centres and rows, in lower-case hexadecimal digits.

    Hashed is text in ASCII, a line each, ending in a line feed: first an object that describes the lock, then an array for
    each row (centre, registry number, course number, and the columns that the lock names), by registry number in the order
    of its bytes and by course number. Values as ``canonical.dumps`` writes them.

    Raises:
        ValueError: the lock names a column that there is not.
    """
    digest = hashlib.sha256()
    described = {
        "cohort": frozen.cohort_as_locked,
        "endpoints": frozen.endpoints,
        "data_cutoff": frozen.data_cutoff,
        "scope": frozen.scope,
    }
    for line in chain([described], _rows(frozen)):
        digest.update(f"{canonical.dumps(line)}\n".encode())
    return digest.hexdigest()


def _rows(frozen: DataLock) -> Iterator[tuple[Any, ...]]:
    columns = frozen.cohort_as_locked["columns"]
    unknown = sorted(set(columns) - set(ROW_COLUMNS))
    if unknown:
        raise ValueError(f"unknown columns {', '.join(unknown)}")
    listed = "".join(f", o.{column}" for column in columns)
    with connection.chunked_cursor() as cursor:
        cursor.execute(
            f"SELECT z.code, o.registry_number, o.course_number{listed}"  # noqa: S608 (columns of the model)
            " FROM analytics_lockedoutcome o JOIN accounts_centre z ON z.id = o.centre_id WHERE o.lock_id = %s"
            ' ORDER BY o.registry_number COLLATE "C", o.course_number',
            [frozen.pk],
        )
        while rows := cursor.fetchmany(_BATCH):
            yield from rows


def results(frozen: DataLock) -> tuple[Document, Document]:
    """Return the results that the lock's rows give now, and the rows of their curves (``analytics.compute.document``)."""
    from analytics import compute  # slow to load, and pages that list locks compute nothing

    source = locked(frozen)
    n_patients = source.analysed_patients() if counts_every_course(source) else None
    cohort = cohort_of(frozen)
    data, curves = compute.document(
        tallies.locked_counts(frozen, cohort),
        cohort,
        source.centre_codes,
        cutoff=frozen.data_cutoff,
        n_patients=n_patients,
    )
    # As the database gives them back.
    return orjson.loads(orjson.dumps(data)), orjson.loads(orjson.dumps(curves))


def _hash_of_results(found: Document) -> str:
    return hashlib.sha256(canonical.dumps(_settled(found)).encode()).hexdigest()


def _settled(value: Any) -> Any:
    """Return the document without negative zeros, which the database does not keep."""
    if isinstance(value, dict):
        return {key: _settled(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_settled(each) for each in value]
    return value + 0.0 if isinstance(value, float) else value


def verify(frozen: DataLock) -> list[str]:
    """Return in sentences in what the lock differs from what was locked; nothing where it is as it was.

    The rows are hashed again, and the results computed again from them. A figure that a later release adds to results is no
    difference; one that it computes otherwise is.
    """
    frozen = DataLock.objects.get(pk=frozen.pk)
    found = []
    n_rows = frozen.rows.count()
    if n_rows != frozen.n_rows:
        found.append(
            _("It has {n} rows, and says that {n_locked} were locked.").format(
                n=n_rows, n_locked=frozen.n_rows
            )
        )
    try:
        now = content_hash(frozen)
    except (ValueError, KeyError, TypeError) as error:
        found.append(_("Its rows cannot be hashed: {error}.").format(error=error))
    else:
        if now != frozen.content_hash:
            found.append(
                _(
                    "Its rows, filter, definition, cut-off or centres were changed: their hash is {now}, and was {then}."
                ).format(now=now, then=frozen.content_hash)
            )
    if _hash_of_results(frozen.results) != frozen.results_hash:
        found.append(
            _("Its stored results were changed: their hash was {then}.").format(then=frozen.results_hash)
        )
    try:
        computed = results(frozen)[0]
    except (ValueError, KeyError, TypeError) as error:
        found.append(_("Its results cannot be computed: {error}.").format(error=error))
    else:
        differences = list(_differences(frozen.results, computed, ""))
        found += differences[:MOST_DIFFERENCES]
        if len(differences) > MOST_DIFFERENCES:
            more = len(differences) - MOST_DIFFERENCES
            found.append(
                ngettext("{n} more figure differs.", "{n} more figures differ.", more).format(n=more)
            )
    return found


def other_versions(frozen: DataLock) -> list[str]:
    """Return what computed the lock's results in another version than is here now, in words."""
    now = versions()
    return [
        _("{name} {then}, now {now}").format(name=name, then=then, now=now.get(name, _("none")))
        for name, then in sorted(frozen.versions.items())
        if now.get(name) != then
    ]


def _differences(then: Any, now: Any, path: str) -> Iterator[str]:
    if isinstance(then, dict) and isinstance(now, dict):
        for key in sorted(then):
            where = f"{path}.{key}" if path else key
            if key in now:
                yield from _differences(then[key], now[key], where)
            else:
                yield _("{figure} is not computed any more; it was {then}.").format(
                    figure=where, then=_short(then[key])
                )
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for place, pair in enumerate(zip(then, now, strict=True)):
            yield from _differences(*pair, f"{path}[{place}]")
    elif not _is_same(then, now):
        yield _("{figure} is {now}, and was {then}.").format(figure=path, now=_short(now), then=_short(then))


def _is_same(then: Any, now: Any) -> bool:
    numbers = [type(value) in (int, float) for value in (then, now)]
    if all(numbers):
        return bool(abs(then - now) <= _SAME * max(abs(then), abs(now)))
    return bool(then == now)


def _short(value: Any) -> str:
    text = canonical.dumps(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
