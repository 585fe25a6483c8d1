"""A small cohort file that imports, and a way to change one thing of it."""

import copy
import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from accounts.models import Centre
from exchange import services
from tests.factories import default_protocol

PROTOCOL = "177lu-dotatate-4x7400-q8w"
Tables = dict[str, list[dict[str, str]]]

SMALL: Tables = {
    "patients": [
        {
            "registry_number": "STA-0001",
            "sex": "female",
            "birth_date": "1957-03-02",
            "mrn": "0042",
            "family_name": "Müller, „Erika“",
            "given_names": 'Ana "Nía"',
        },
        {
            "registry_number": "STA-0002",
            "sex": "male",
            "birth_date": "1949-11-30",
            "mrn": "",
            "family_name": "",
            "given_names": "",
        },
    ],
    "diagnoses": [
        {
            "registry_number": "STA-0001",
            "tumour_type": "net",
            "primary_site": "small_intestine",
            "diagnosed_on": "2016-05-04",
            "who_grade": "g2",
            "ki67_percent": "4.5",
            "functional_syndrome": "carcinoid",
            "stage": "IV",
            "metastatic_sites": "liver|bone",
        }
    ],
    "contacts": [
        {"registry_number": "STA-0001", "known_alive_on": "2019-06-03", "source": "visit", "note": "=1+1"},
        {
            "registry_number": "STA-0002",
            "known_alive_on": "2019-05-02",
            "source": "letter",
            "note": "two\nlines; é",
        },
    ],
    "disease_events": [
        {
            "registry_number": "STA-0001",
            "kind": "clinical_progression",
            "occurred_on": "2019-06-10",
            "note": "",
        }
    ],
    "deaths": [{"registry_number": "STA-0002", "died_on": "2019-08-01", "cause": "comorbidity", "note": ""}],
    "courses": [
        {
            "registry_number": number,
            "course_number": "1",
            "protocol_code": PROTOCOL,
            "protocol_version": "1",
            "intent": "initial",
        }
        for number in ("STA-0001", "STA-0002")
    ],
    "cycles": [
        {
            "registry_number": number,
            "course_number": "1",
            "cycle_number": str(cycle),
            "planned_on": planned_on,
            "status": "given" if at else status,
            "administered_at": at,
            "prescribed_activity_mbq": "7400.0" if at else "",
            "administered_activity_mbq": "7391.5" if at else "",
            "lot": "#N/A" if at else "",
            "deviation_explanation": "",
            "note": "",
        }
        for number, status, cycle, planned_on, at in (
            ("STA-0001", "planned", 1, "2019-01-07", "2019-01-07T09:30:00+01:00"),
            ("STA-0001", "planned", 2, "2019-03-04", "2019-04-01T09:30:00+02:00"),
            ("STA-0001", "planned", 3, "2019-05-27", ""),
            ("STA-0002", "cancelled", 1, "2019-01-08", "2019-01-08T09:30:00+01:00"),
            ("STA-0002", "cancelled", 2, "", ""),
        )
    ],
    "discontinuations": [
        {
            "registry_number": "STA-0002",
            "course_number": "1",
            "discontinued_on": "2019-02-20",
            "after_cycle": "1",
            "main_reason": "comorbidity",
            "further_reasons": "renal|patient_choice",
            "note": "",
        }
    ],
    "studies": [
        {
            "registry_number": "STA-0001",
            "course_number": "1",
            "timepoint": timepoint,
            "performed_on": on,
            "modality": "pet_ct",
            "tracer": tracer,
            "tracer_activity_mbq": activity,
            "uptake_minutes": minutes,
        }
        for timepoint, on, tracer, activity, minutes in (
            ("baseline", "2018-12-17", "68Ga-DOTATATE", "148.5", "60"),
            ("interim", "2019-05-13", "", "", ""),
        )
    ],
    "readings": [
        {
            "registry_number": "STA-0001",
            "course_number": "1",
            "timepoint": "interim",
            "performed_on": "2019-05-13",
            "modality": "pet_ct",
            "overall_response": "SD",
            "new_lesions": "no",
            "note": "",
        }
    ],
}


def as_csv(rows: list[dict[str, str]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_folder(folder: Path, tables: Tables) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        (folder / f"{name}.csv").write_text(as_csv(rows), encoding="utf-8")
    return folder


@pytest.fixture
def tables() -> Tables:
    """The small cohort, to change at will."""
    return copy.deepcopy(SMALL)


@pytest.fixture
def station(centre: Centre) -> Centre:
    default_protocol()
    return centre


@pytest.fixture
def import_tables(station: Centre, tmp_path: Path) -> Callable[..., services.ImportSummary]:
    """Return a function that writes tables as a folder and imports it at the plain centre."""

    def run(tables: Tables, **options: object) -> services.ImportSummary:
        folder = tmp_path / "cohort"
        for file in folder.glob("*.csv"):
            file.unlink()
        return services.import_cohort(write_folder(folder, tables), centre=station, **options)

    return run


@pytest.fixture
def problems_of(import_tables: Callable[..., services.ImportSummary]) -> Callable[..., list[str]]:
    """Return a function that imports tables that must be refused, and returns the problems as text."""

    def run(tables: Tables, **options: object) -> list[str]:
        with pytest.raises(services.ImportRefused) as refused:
            import_tables(tables, **options)
        return [str(problem) for problem in refused.value.problems]

    return run
