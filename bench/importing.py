"""What importing costs: a cohort file, checked, with history, all or nothing, beside a bare COPY of the same rows."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from accounts.models import Centre
from exchange import services, writing
from exchange.columns import SHEETS
from exchange.published import generator
from exchange.writing import OutTable

CODE = "STA"


@dataclass(frozen=True)
class Measured:
    """Seconds, and MiB of the process that imports."""

    patients: int
    rows: int
    csv_seconds: float
    xlsx_seconds: float
    copy_seconds: float
    peak_mib: float
    start_mib: float

    @property
    def of_copy(self) -> float:
        return self.copy_seconds / self.csv_seconds


def measure(*, patients: int) -> Measured:
    """Import a file of ``patients``, made by repeating the published cohort under other numbers. Removes all patients."""
    centre, _ = Centre.objects.get_or_create(
        code=CODE, defaults={"name": "Bench", "time_zone": "Europe/Berlin"}
    )
    tables = _repeated(generator.tables(generator.published_cohort()), patients)
    with tempfile.TemporaryDirectory() as folder:
        as_csv, as_xlsx = Path(folder) / "cohort.zip", Path(folder) / "cohort.xlsx"
        rows = sum(writing.write_cohort(as_csv, tables).values())
        writing.write_cohort(as_xlsx, tables)
        del tables
        _empty()
        start_mib = _peak_mib("describe_cohort_file")
        peak_mib = _peak_mib("import_cohort", str(as_csv), "--centre", CODE)
        xlsx_seconds = _imported(as_xlsx, centre)
        csv_seconds = _imported(as_csv, centre)
    copy_seconds = _copied()
    _empty()
    return Measured(patients, rows, csv_seconds, xlsx_seconds, copy_seconds, peak_mib, start_mib)


def _repeated(tables: Sequence[OutTable], patients: int) -> list[OutTable]:
    found = []
    for table in tables:
        rows: list[list[Any]] = []
        names = [column.name for column in table.columns]
        blank = [index for index, name in enumerate(names) if name.endswith("_uid")]
        mrn = names.index("mrn") if "mrn" in names else None
        for turn in range(-(-patients // 63)):
            for row in table.rows:
                number = int(str(row[0]).rpartition("-")[2]) + 63 * turn
                if number > patients:
                    continue
                made = [f"{CODE}-{number:07d}", *row[1:]]
                for index in blank:
                    made[index] = ""
                if mrn is not None and made[mrn]:
                    made[mrn] = f"M{number}"
                rows.append(made)
        found.append(replace(table, rows=rows))
    return found


def _imported(path: Path, centre: Centre) -> float:
    _empty()
    began = time.perf_counter()
    services.import_cohort(path, centre=centre)
    return time.perf_counter() - began


# What the kernel says of a process begins anew with the programme it runs; what a parent is told of its child does not.
_RUN = """
import re, sys
from django.core.management import execute_from_command_line
said, sys.stdout = sys.stdout, open("/dev/null", "w")
execute_from_command_line(["manage.py", *sys.argv[1:]])
said.write(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
"""


def _peak_mib(*command: str) -> float:
    """Return the peak memory of a process of its own."""
    ran = subprocess.run(  # noqa: S603 (our own command)
        [sys.executable, "-c", _RUN, *command],
        cwd=settings.BASE_DIR,
        check=True,
        capture_output=True,
        text=True,
    )
    return int(ran.stdout.split()[-1]) / 1024


def _tables() -> list[str]:
    models = [model for sheet in SHEETS for model in (sheet.model, sheet.extra_model) if model is not None]
    return [model._meta.db_table for model in models]


def _copied() -> float:
    """Return how long a COPY of what stands in the tables takes, into the same tables, without triggers."""
    copies: dict[str, bytes] = {}
    with connection.cursor() as cursor:
        for table in _tables():
            with cursor.copy(f"COPY {table} TO STDOUT (FORMAT binary)") as out:
                copies[table] = b"".join(bytes(part) for part in out)
        _empty()
        cursor.execute("SET session_replication_role = replica")
        began = time.perf_counter()
        cursor.execute("BEGIN")
        for table, rows in copies.items():
            with cursor.copy(f"COPY {table} FROM STDIN (FORMAT binary)") as into:
                into.write(rows)
        cursor.execute("COMMIT")
        seconds = time.perf_counter() - began
        cursor.execute("SET session_replication_role = DEFAULT")
    return seconds


def _empty() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "TRUNCATE patients_patient, analytics_stalecourse, analytics_staleresult, analytics_outcomechange CASCADE"
        )
        cursor.execute("SET session_replication_role = DEFAULT")
