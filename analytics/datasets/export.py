"""One archive of everything: data sets in every form, their dictionary and a manifest. In words: docs/exports.md."""

import getpass
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import IO, Any, Literal

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from analytics import results
from analytics.datasets import canonical, checks, lesions, shaping, variables, writers
from analytics.datasets.identification import IN_WORDS, Level, Person, level_for, person_of, shown_sites
from analytics.datasets.source import Course, Source, live, locked
from analytics.models import CoursesCounted
from analytics.tallies import filter_to_json
from analytics.versions import registry_version

__all__ = ["FORMATS", "Level", "Manifest", "Source", "file_name", "level_for", "live", "locked", "write"]

Format = Literal["csv", "xlsx", "xpt"]
FORMATS: tuple[Format, ...] = ("csv", "xlsx", "xpt")
Manifest = dict[str, Any]
Progress = Callable[[int, int, str], None]  # done, total, what is being done

_GROUP = 500  # courses whose lesions are read at once


def file_name(source: Source, level: Level) -> str:
    """Return how the archive is called: by cohort or lock, cut-off and level."""
    return f"{source.name}-{source.cutoff.isoformat()}-{level}.zip"


def write(
    out: IO[bytes],
    source: Source,
    *,
    level: Level,
    by: User | None,
    formats: Sequence[Format] = FORMATS,
    progress: Progress | None = None,
) -> Manifest:
    """Write the archive and return its manifest.

    Everything is read at one moment of the database, unless the caller is in a transaction already. Whether ``by`` may have
    it at this level is for the caller to ask (``level_for``); without ``by`` the manifest names the operating system's user.

    Raises:
        RegistryError: ``too_few_patients`` of a de-identified export; ``structure``: what the registry holds cannot be
            given away as it is; ``too_many_rows`` for a worksheet.
    """
    tell = progress or (lambda done, total, step: None)
    data_sets = variables.ALL if source.lock is None else variables.ALL[:-1]
    with tempfile.TemporaryDirectory(prefix="export-") as folder, _one_moment():
        if level is Level.DEIDENTIFIED:
            source.require_enough_patients()
        tables = _write_rows(Path(folder), source, level, data_sets, tell)
        pending = None if source.lock is not None else results.pending_courses(source.centre_codes)
        manifest = _manifest(source, level, by, pending)
        paths, left_out = _write_forms(Path(folder), tables, manifest, formats, tell)
        _add_files(manifest, tables, paths)
        manifest["left_out"] += left_out
        written = json.dumps(manifest, indent=2, ensure_ascii=False).encode() + b"\n"
        writers.write_archive(out, paths, ("manifest.json", written))
    return manifest


@contextmanager
def _one_moment() -> Iterator[None]:
    """Read everything inside as of one moment; nothing is written."""
    if connection.in_atomic_block:  # the caller's transaction has begun, and decides
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def _write_rows(
    folder: Path,
    source: Source,
    level: Level,
    data_sets: Sequence[variables.DataSet],
    tell: Progress,
) -> list[writers.CsvFile]:
    """Write every data set as CSV and check it on the way, a few courses in memory at a time."""
    patients = source.patients_by_centre()
    total = sum(patients.values())
    sites = shown_sites(patients)
    structure = checks.Structure(data_sets)
    tables = [writers.CsvFile(folder / f"{each.name.lower()}.csv", each) for each in data_sets]
    for table in tables:
        table.__enter__()
    try:
        done = 0
        waiting: list[tuple[Course, Person]] = []

        def write_measurements() -> None:
            if source.lock is None:
                for _, rows in lesions.measurements(waiting, source.name, source.cutoff):
                    structure.measurements(rows)
                    tables[3].write(rows)
            waiting.clear()
            tell(done, total, "Writing data sets")

        courses = source.courses(by_pseudonym=level is Level.DEIDENTIFIED)
        for _, of_patient in groupby(courses, key=lambda course: course.registry_number):
            together = list(of_patient)
            person = person_of(together, level, sites)
            for course in together:
                adsl = shaping.subject(course, person, source.name)
                adtte = list(shaping.times(course, person, source.name))
                adrs = list(shaping.responses(course, person, source.name))
                structure.course(adsl, adtte, adrs)
                for table, rows in zip(tables, ([adsl], adtte, adrs), strict=False):
                    table.write(rows)
                waiting.append((course, person))
            done += 1
            if len(waiting) >= _GROUP:
                write_measurements()
        write_measurements()
    finally:
        for table in tables:
            table.__exit__(None, None, None)
    return tables


def _write_forms(
    folder: Path,
    tables: Sequence[writers.CsvFile],
    manifest: Manifest,
    formats: Sequence[Format],
    tell: Progress,
) -> tuple[list[Path], list[str]]:
    """Write the forms asked for; return their files in the archive's order, and what was left out."""
    dictionary = folder / "dictionary.csv"
    data_sets = tuple(table.data_set for table in tables)
    writers.write_table(dictionary, variables.DICTIONARY, variables.dictionary(data_sets))
    paths = [dictionary]
    left_out = []
    if "csv" in formats:
        paths = [*(table.path for table in tables), *paths]
    if "xlsx" in formats:
        tell(0, 0, "Writing the workbook")
        if max(table.rows for table in tables) > writers.MOST_SHEET_ROWS:
            left_out.append(f"The workbook: a data set has more than {writers.MOST_SHEET_ROWS:,} rows.")
        else:
            path = folder / "datasets.xlsx"
            writers.write_workbook(
                path,
                [(table.data_set, table.path) for table in tables],
                [
                    ("MANIFEST", _sheet_of(manifest, tables)),
                    ("DICTIONARY", [variables.DICTIONARY, *variables.dictionary(data_sets)]),
                ],
            )
            paths.append(path)
    if "xpt" in formats:
        for table in tables:
            tell(0, 0, f"Writing {table.data_set.name} as SAS transport")
            path = table.path.with_suffix(".xpt")
            writers.write_transport(path, table.data_set, table.path)
            paths.append(path)
    return paths, left_out


def _manifest(source: Source, level: Level, by: User | None, pending: int | None) -> Manifest:
    cohort, lock = source.cohort, source.lock
    definition = cohort.definition
    manifest: Manifest = {
        "made_at": timezone.localtime().isoformat(timespec="seconds"),
        "made_by": by.get_username() if by is not None else getpass.getuser(),
        "registry_version": registry_version(),
        "cohort": {
            "slug": cohort.slug,
            "name": cohort.name,
            "version": cohort.version if cohort.slug else None,
            "filter": filter_to_json(cohort),
            "strata_by": cohort.strata_by,
            "courses_counted": str(CoursesCounted(cohort.courses_counted).label),
        },
        "lock": None
        if lock is None
        else {
            "name": lock.name,
            "locked_at": timezone.localtime(lock.locked_at).isoformat(timespec="seconds"),
            "content_hash": lock.content_hash,
        },
        "definition": {
            "name": definition.name,
            "version": definition.version,
            "rules": definition.rules.to_json(),
            "in_words": definition.rules.in_words(),
        },
        "data_cutoff": source.cutoff.isoformat(),
        "centres": list(source.centre_codes),
        "courses_pending": pending,
        "identification": {"level": str(level), "in_words": IN_WORDS[level]},
        "checks": list(checks.MADE),
        "left_out": [],
    }
    if lock is not None:
        manifest["left_out"].append("ADTR: a data lock holds responses, and no measurements of lesions.")
    return manifest


def _add_files(manifest: Manifest, tables: Sequence[writers.CsvFile], paths: Sequence[Path]) -> None:
    manifest["rows"] = {table.data_set.name: table.rows for table in tables}
    manifest["files"] = [
        {"name": path.name, "bytes": path.stat().st_size, "sha256": writers.sha256_of(path)} for path in paths
    ]
    lines = "".join(f"{each['sha256']}  {each['name']}\n" for each in manifest["files"])
    # As `sha256sum` prints the files, in their order here.
    manifest["sha256"] = hashlib.sha256(lines.encode()).hexdigest()


def _sheet_of(manifest: Manifest, tables: Sequence[writers.CsvFile]) -> Iterator[list[str]]:
    """Yield the manifest as lines, without who made it when: equal data give equal workbooks."""
    yield ["Cohort", manifest["cohort"]["name"] or "not saved"]
    if manifest["cohort"]["version"]:
        yield ["Version of the cohort", str(manifest["cohort"]["version"])]
    if manifest["lock"]:
        yield ["Data lock", manifest["lock"]["name"]]
        yield ["Content hash", manifest["lock"]["content_hash"]]
    yield ["Filter", canonical.dumps(manifest["cohort"]["filter"])]
    yield ["Definition", f"{manifest['definition']['name']}, version {manifest['definition']['version']}"]
    for sentence in manifest["definition"]["in_words"]:
        yield ["", sentence]
    yield ["Data cut-off", manifest["data_cutoff"]]
    yield ["Centres", ", ".join(manifest["centres"])]
    yield ["Registry version", manifest["registry_version"]]
    for sentence in manifest["identification"]["in_words"]:
        yield ["Identification", sentence]
    for table in tables:
        yield [f"Rows of {table.data_set.name}", str(table.rows)]
    yield ["When and by whom", "in manifest.json of the archive"]
