"""The three forms of a cohort file: what is read of each, and that an export imports to the same export."""

import csv
import datetime
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook

from accounts.models import Centre, Role
from exchange import reading, services, values
from exchange.columns import SHEETS
from patients.models import Contact, Patient, PatientIdentity
from tests.exchange.conftest import Tables, as_csv, write_folder
from tests.factories import ContactFactory
from treatments.models import Administration

Importer = Callable[..., services.ImportSummary]


def refused(path: Path, centre: Centre) -> str:
    with pytest.raises(services.ImportRefused) as error:
        services.import_cohort(path, centre=centre)
    return "\n".join(str(problem) for problem in error.value.problems)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def empty_registry() -> None:
    """Clear all clinical tables, as nothing in the registry itself can."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE patients_patient CASCADE")


# Round trips


def test_the_export_of_an_import_is_the_file_itself(
    import_tables: Importer, tables: Tables, station, tmp_path
) -> None:
    assert tables.keys() == {sheet.name for sheet in SHEETS}
    import_tables(tables)

    services.export_cohort(tmp_path / "out", centre=station, with_identity=True)

    assert contents(tmp_path / "out") == contents(tmp_path / "cohort")


@pytest.mark.parametrize("ending", ["", ".zip", ".xlsx"])
def test_an_export_imports_into_an_empty_registry_and_exports_the_same(
    import_tables: Importer, tables: Tables, station: Centre, tmp_path: Path, ending: str
) -> None:
    import_tables(tables)
    Contact.objects.filter(note="=1+1").update(note=" =SUM(A1) \r\n'x'\ttab, \"quoted\"; end ")
    first, again, csv_before, csv_after = (tmp_path / name for name in ("1" + ending, "2" + ending, "b", "a"))
    services.export_cohort(first, centre=station, with_identity=True)
    services.export_cohort(csv_before, centre=station, with_identity=True)
    unchanged = services.import_cohort(first, centre=station)
    assert all(counts.new == counts.changed == 0 for counts in unchanged.counts.values())
    empty_registry()

    services.import_cohort(first, centre=station)
    services.export_cohort(again, centre=station, with_identity=True)
    services.export_cohort(csv_after, centre=station, with_identity=True)

    assert contents(csv_after) == contents(csv_before)
    if ending:
        assert again.read_bytes() == first.read_bytes()


NOTE = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=40)


@given(note=NOTE)
def test_text_is_read_back_as_it_was_written(note: str) -> None:
    kind = values.Text()
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow(["x", kind.write(note)])
    (row,) = csv.reader(io.StringIO(text.getvalue(), newline=""), strict=True)
    written = values.as_text(row[1])

    assert kind.same(note, written)
    assert kind.write(written) == kind.write(note)


@given(st.decimals(min_value="0.1", max_value=20000, places=1))
def test_numbers_are_read_back_exactly_from_text_and_from_cells(number) -> None:
    kind = values.Number()
    assert kind.read(kind.write(number)) == number
    assert kind.read(values.as_text(float(number))) == number


def test_identity_leaves_only_when_asked_for(
    import_tables: Importer, tables: Tables, station, tmp_path
) -> None:
    import_tables(tables)

    services.export_cohort(tmp_path / "out", centre=station)

    patients = (tmp_path / "out" / "patients.csv").read_text()
    assert patients.splitlines()[0] == "registry_number,sex,birth_date"
    assert all(
        "Müller" not in text.decode() and "0042" not in text.decode()
        for text in contents(tmp_path / "out").values()
    )


@pytest.mark.parametrize("ending", ["", ".zip", ".xlsx"])
def test_an_export_is_its_owners_alone_to_read(
    import_tables: Importer, tables: Tables, station: Centre, tmp_path: Path, ending: str
) -> None:
    import_tables(tables)
    out = tmp_path / "exports" / "may" / f"out{ending}"
    left_open = out if ending else out / "patients.csv"
    umask = os.umask(0)
    try:
        services.export_cohort(out, centre=station, with_identity=True)
        left_open.chmod(0o644)
        services.export_cohort(out, centre=station, with_identity=True)
    finally:
        os.umask(umask)

    made = [tmp_path / "exports", *(tmp_path / "exports").rglob("*")]
    assert {path.stat().st_mode & 0o777 for path in made if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in made if path.is_file()} == {0o600}
    assert len([path for path in made if path.is_file()]) == (1 if ending else len(SHEETS))


def test_an_export_leaves_a_folder_that_was_there_as_it_is(
    import_tables: Importer, tables: Tables, station: Centre, tmp_path: Path
) -> None:
    import_tables(tables)
    tmp_path.chmod(0o755)

    services.export_cohort(tmp_path / "out.zip", centre=station)

    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_voided_records_and_other_centres_stay_out(
    import_tables: Importer, tables: Tables, station: Centre, other_centre: Centre, tmp_path: Path
) -> None:
    import_tables(tables)
    ContactFactory(patient__centre=other_centre, patient__registry_number="NRD-0001")
    Patient.objects.filter(registry_number="STA-0002").update(
        voided_at="2020-01-01T00:00Z", void_reason="Duplicate"
    )
    Contact.objects.filter(note="=1+1").update(voided_at="2020-01-01T00:00Z", void_reason="Wrong")

    services.export_cohort(tmp_path / "out", centre=station)

    everything = b"".join(contents(tmp_path / "out").values())
    assert b"STA-0001" in everything
    assert b"STA-0002" not in everything
    assert b"NRD" not in everything
    assert b"=1+1" not in everything


def test_an_export_needs_the_role(station: Centre, tmp_path: Path, user_with: Callable[..., object]) -> None:
    from django.core.exceptions import PermissionDenied

    with pytest.raises(PermissionDenied):
        services.export_cohort(tmp_path / "out", centre=station, by=user_with(Role.RESEARCHER))
    with pytest.raises(PermissionDenied):
        services.export_cohort(
            tmp_path / "out", centre=station, by=user_with(Role.INTEGRATION), with_identity=True
        )
    assert not (tmp_path / "out").exists()


# What spreadsheets and other systems write


def test_bom_crlf_semicolons_blanks_and_blank_rows_are_read(station: Centre, tmp_path: Path) -> None:
    (tmp_path / "patients.csv").write_bytes(
        "\ufeffregistry_number;Sex ;birth_date;mrn\r\n STA-0001 ; female;1957-03-02; 7 \r\n;;;\r\n\r\n".encode()
    )

    services.import_cohort(tmp_path, centre=station)

    assert PatientIdentity.objects.get(patient__registry_number="STA-0001").mrn == "7"


def test_a_file_that_is_not_utf8_is_refused(station: Centre, tmp_path: Path) -> None:
    (tmp_path / "patients.csv").write_bytes(
        "registry_number,sex,birth_date,mrn,family_name\nSTA-0001,male,1957-03-02,1,Müller\n".encode("cp1252")
    )
    assert "patients.csv: expected UTF-8" in refused(tmp_path, station)


def test_a_value_beyond_the_columns_is_refused(station: Centre, tmp_path: Path) -> None:
    (tmp_path / "patients.csv").write_text("registry_number,sex,birth_date\nSTA-0001,male,1957-03-02,7\n")
    assert "patients.csv, row 2: “7”: a value without a column name above it" in refused(tmp_path, station)


def workbook_of(tables: Tables, path: Path) -> Path:
    """Write a workbook as a person would: dates as date cells, numbers as numbers."""
    workbook = Workbook()
    workbook.remove(workbook.active)
    for name, rows in tables.items():
        sheet = workbook.create_sheet(name)
        sheet.append(list(rows[0]))
        for row in rows:
            cells: list[object] = []
            for column, value in row.items():
                if value and column.endswith("_on") | (column == "birth_date"):
                    cells.append(datetime.datetime.fromisoformat(value))
                elif value and column == "administered_at":
                    cells.append(datetime.datetime.fromisoformat(value).replace(tzinfo=None))
                elif value.replace(".", "").isdigit() and column.endswith(
                    ("_mbq", "_percent", "_minutes", "_number")
                ):
                    cells.append(float(value))
                else:
                    cells.append("'" + value if value.startswith("=") else value or None)
            sheet.append(cells)
        sheet.append([None, " "])
    workbook.save(path)
    return path


def test_date_and_number_cells_of_a_workbook_are_read(
    station: Centre, tables: Tables, tmp_path: Path
) -> None:
    services.import_cohort(workbook_of(tables, tmp_path / "c.xlsx"), centre=station)

    given_at = Administration.objects.filter(cycle__number=2).get().administered_at
    assert given_at.isoformat() == "2019-04-01T07:30:00+00:00"  # local time of the centre, in summer
    assert PatientIdentity.objects.get().mrn == "0042"
    del tables["contacts"]  # a person's apostrophe before = is part of that note
    assert (
        services.import_cohort(write_folder(tmp_path / "f", tables), centre=station)
        .counts["cycles"]
        .unchanged
        == 5
    )


def test_an_undated_number_in_a_date_column_is_refused(
    station: Centre, tables: Tables, tmp_path: Path
) -> None:
    path = workbook_of({"patients": tables["patients"]}, tmp_path / "c.xlsx")
    workbook = load_workbook(path)
    workbook["patients"]["C2"] = 20881
    workbook["patients"]["C2"].number_format = "General"
    workbook.save(path)

    assert "c.xlsx, sheet patients, row 2, birth_date: “20881”: expected a date as 2019-01-07" in refused(
        path, station
    )


def test_formulas_and_error_codes_of_an_export_stay_text(
    import_tables: Importer, tables: Tables, station: Centre, tmp_path: Path
) -> None:
    import_tables(tables)
    services.export_cohort(tmp_path / "out.xlsx", centre=station)

    workbook = load_workbook(tmp_path / "out.xlsx")
    assert workbook["contacts"]["D2"].value == "=1+1"
    assert workbook["contacts"]["D2"].data_type != "f"
    assert {cell.data_type for row in workbook["cycles"].iter_rows() for cell in row} <= {"s", "n", "d"}


def test_an_unknown_file_or_sheet_is_named(station: Centre, tables: Tables, tmp_path: Path) -> None:
    write_folder(tmp_path / "f", {"patient": tables["patients"]})
    assert "patient.csv: unknown file; expected patients.csv" in refused(tmp_path / "f", station)
    path = workbook_of({"Tabelle1": tables["patients"]}, tmp_path / "c.xlsx")
    assert "sheet Tabelle1: unknown sheet" in refused(path, station)


# Files that are no cohort, or mean harm


def archive(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as content:
        for name, data in files.items():
            content.writestr(name, data)
    return path


def test_a_zip_of_a_folder_is_read_and_what_a_mac_adds_ignored(
    station: Centre, tables: Tables, tmp_path: Path
) -> None:
    path = archive(
        tmp_path / "c.zip",
        {
            "cohort/patients.csv": as_csv(tables["patients"]).encode(),
            "__MACOSX/cohort/._patients.csv": b"\x00",
            "cohort/README.txt": b"hello",
        },
    )
    assert services.import_cohort(path, centre=station).counts["patients"].new == 2


@pytest.mark.parametrize("name", ["../patients.csv", "/etc/patients.csv", "..\\patients.csv"])
def test_names_that_lead_out_of_an_archive_are_refused(station: Centre, tmp_path: Path, name: str) -> None:
    assert "leads out of it" in refused(archive(tmp_path / "c.zip", {name: b"registry_number\n"}), station)


def test_broken_and_foreign_files_are_refused(station: Centre, tmp_path: Path) -> None:
    for name in ("c.zip", "c.xlsx"):
        (tmp_path / name).write_bytes(b"PK\x03\x04 not really")
        assert "cannot be opened as one" in refused(tmp_path / name, station)
    assert "cannot be opened as one" in refused(archive(tmp_path / "d.xlsx", {"a.txt": b"x"}), station)
    (tmp_path / "c.pdf").write_bytes(b"%PDF")
    assert "expected a folder, a .zip of CSV files or an .xlsx workbook" in refused(
        tmp_path / "c.pdf", station
    )
    assert "there is no such file or folder" in refused(tmp_path / "gone.zip", station)
    (tmp_path / "empty").mkdir()
    assert "holds none of the sheets patients" in refused(tmp_path / "empty", station)


def test_a_damaged_archive_is_refused(station: Centre, tables: Tables, tmp_path: Path) -> None:
    path = archive(tmp_path / "c.zip", {"patients.csv": as_csv(tables["patients"]).encode() * 50})
    data = bytearray(path.read_bytes())
    data[60:70] = b"0123456789"
    path.write_bytes(data)
    assert "it is damaged" in refused(path, station)


def test_a_bomb_is_refused_before_it_is_unpacked(
    station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 100_000)
    path = archive(tmp_path / "c.zip", {"patients.csv": b"0" * 200_000})
    assert path.stat().st_size < 1000
    assert "unpacked; split it" in refused(path, station)


def test_a_bomb_that_lies_about_its_size_is_refused(
    station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 100_000)
    path = archive(tmp_path / "c.zip", {"patients.csv": b"0" * 200_000})
    true_size, lie = (200_000).to_bytes(4, "little"), (10).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(true_size, lie))
    assert "c.zip" in refused(path, station)


def test_a_file_of_too_many_rows_is_refused(
    station: Centre, tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_ROWS", 3)
    assert "a file may hold 3 rows" in refused(write_folder(tmp_path / "f", tables), station)


def test_a_cell_far_out_in_a_worksheet_takes_no_memory(
    station: Centre, tables: Tables, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(reading, "MAX_ROWS", 1000)
    path = workbook_of({"patients": tables["patients"]}, tmp_path / "c.xlsx")
    workbook = load_workbook(path)
    workbook["patients"]["XFD1048576"] = "x"
    workbook.save(path)
    assert "a file may hold 1,000 rows" in refused(path, station)
